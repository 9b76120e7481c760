package cluster

import (
	"fmt"
	"sync"
	"time"

	"github.com/trstctl/trstctl/fsm/chaos"
)

// healthTime is for how long a member may be silent before it counts as away; it is asked every second.
const healthTime = 3 * time.Second

// Health is what this node has seen of a member.
type Health struct {
	LastContact  time.Duration // since it answered last; since this node asks it, if it never did
	Heard        bool          // it has answered since then
	Lag          uint64        // entries that it has not applied of those that this node has
	Acknowledged uint64        // index up to which it has had the log
	Problem      string        // in words; empty when it is well
	StableSince  time.Time     // since when it has been well; zero when it is not
}

// watch is what a node keeps of the others, from asking them every second. Ages are by a clock that nobody sets.
type watch struct {
	mu sync.Mutex // guards the rest
	by map[string]*sight
}

type sight struct {
	known  time.Duration // uptime since when this node asks it
	heard  time.Duration // uptime of the last answer, 0 for none
	stable time.Duration // uptime since when it has been well, 0 when it is not
	last   Status
}

func newWatch() *watch { return &watch{by: map[string]*sight{}} }

// saw notes an answer; problem is what is wrong with the member, if anything.
func (w *watch) saw(id string, s Status, problem string) {
	now := uptime()
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.of(id)
	if problem != "" || now-at.heard > healthTime {
		at.stable = 0
	}
	at.heard, at.last = now, s
	if problem == "" && at.stable == 0 {
		at.stable = now
	}
}

func (w *watch) of(id string) *sight {
	if w.by[id] == nil {
		w.by[id] = &sight{known: uptime()}
	}
	return w.by[id]
}

// sightOf returns what is known of a member, and for how long it has been silent.
func (w *watch) sightOf(id string) (sight, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := *w.of(id)
	return at, uptime() - max(at.heard, at.known)
}

// problemOf says what is wrong with a member that has just answered.
func (n *Node) problemOf(s Status) string {
	switch applied := n.store.Applied(); {
	case s.Unfit != "":
		return s.Unfit
	case s.Sealed:
		return "it is sealed"
	case s.LowSpace:
		return "its disk's reserve is reached"
	case s.Applied+closeBy < applied:
		return fmt.Sprintf("it lags by %d entries", applied-s.Applied)
	}
	return ""
}

// HealthOf returns what this node has seen of a member, of itself too.
func (n *Node) HealthOf(id string) Health {
	at, silent := n.watch.sightOf(id)
	h := Health{LastContact: silent, Heard: at.heard > 0, Acknowledged: n.acked.of(id)}
	if applied := n.store.Applied(); at.last.Applied < applied {
		h.Lag = applied - at.last.Applied
	}
	switch {
	case !h.Heard || silent > healthTime:
		h.Problem = fmt.Sprintf("it has not answered for %s", silent.Round(time.Second))
	case at.stable == 0:
		h.Problem = n.problemOf(at.last)
	default:
		h.StableSince = chaos.Now().Add(at.stable - uptime())
	}
	return h
}

// Tolerance is how many of the voters may fail while those that are well remain a majority. voters counts all, well those without a problem.
// It is below 0 when they are none already.
func (n *Node) Tolerance() (voters, well, tolerance int) {
	others, self := n.voters()
	if self == 1 {
		others = append(others, n.id.Node)
	}
	for _, id := range others {
		if n.HealthOf(id).Problem == "" {
			well++
		}
	}
	voters = len(others)
	return voters, well, well - (voters/2 + 1)
}
