package report

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
)

// Fault is one fault of a run. It is recorded as up to three events of history.Nemesis with one id: a call when it is about to be done, an
// info without an error when it is in force, and an ok, or an info with an error, when it has been healed or could not be.
type Fault struct {
	ID      int             `json:"id"`
	Name    string          `json:"name"`
	Targets []string        `json:"targets,omitempty"`
	Leader  bool            `json:"leader,omitempty"` // the leader was among the targets
	Begin   time.Duration   `json:"begin"`            // of the call
	Since   time.Duration   `json:"since"`            // in force at the latest; Begin when that was not recorded
	End     time.Duration   `json:"end"`              // of the healing; when it never was: of the load
	Healed  bool            `json:"healed"`
	Error   string          `json:"error,omitempty"` // of the healing
	Detail  json.RawMessage `json:"detail,omitempty"`
}

type faultValue struct {
	ID      int             `json:"id"`
	Targets []string        `json:"targets"`
	Leader  bool            `json:"leader"`
	Detail  json.RawMessage `json:"detail"`
}

// faultKey pairs a fault's events. The name is part of it, for histories in which several nemeses count on their own.
type faultKey struct {
	id   int
	name string
}

// Faults returns the faults of a run in the order of their beginnings. One that could not be done, which ends in a fail, is none. Of two with
// the same id and name, the second ends what the first has left open.
func Faults(h *history.History) []Fault {
	_, to := span(h.Ops(""), h.End())
	return faultsUntil(h, to)
}

func faultsUntil(h *history.History, to time.Duration) (all []Fault) {
	open := map[faultKey]int{}
	undone := map[int]bool{} // indices in all
	for _, e := range h.Of(history.Nemesis, "") {
		var v faultValue
		_ = json.Unmarshal(e.Value, &v) // without a readable value its id is 0 and it still has its name and time
		key := faultKey{v.ID, e.F}
		i, known := open[key]
		switch {
		case e.Type == history.Invoke:
			open[key] = len(all)
			all = append(all, Fault{ID: v.ID, Name: e.F, Begin: e.Time, Since: e.Time, End: max(to, e.Time)})
			all[len(all)-1].learn(v)
		case known:
			all[i].learn(v)
			if all[i].answered(e) {
				delete(open, key)
			}
			undone[i] = e.Type == history.Fail
		}
	}
	return without(all, undone)
}

// learn takes over what an event says; later ones know more.
func (f *Fault) learn(v faultValue) {
	f.Leader = f.Leader || v.Leader
	if len(v.Targets) > 0 {
		f.Targets = v.Targets
	}
	if len(v.Detail) > 0 {
		f.Detail = v.Detail
	}
}

// answered notes an event after the call; it reports whether it is the last.
func (f *Fault) answered(e history.Event) bool {
	if e.Type == history.Info && e.Error == "" {
		f.Since = e.Time
		return false
	}
	f.End, f.Healed, f.Error = e.Time, e.Type == history.OK, e.Error
	return true
}

func without(all []Fault, undone map[int]bool) (done []Fault) {
	for i, f := range all {
		if !undone[i] {
			done = append(done, f)
		}
	}
	return done
}

// What takes a process's time away for a while, or for good.
var (
	killNames  = []string{"kill"}
	pauseNames = []string{"pause", "blink", "freeze"}
)

func (f Fault) named(prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(f.Name, p) })
}

// single reports whether the fault is a kill or pause of the leader and of nobody else.
func (f Fault) single() bool {
	return f.Leader && len(f.Targets) == 1 && (f.named(killNames) || f.named(pauseNames))
}
