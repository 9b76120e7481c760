package workload

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/sdk"
)

// path is the state of one register.
type path struct {
	values  []string // of versions 1..n
	gone    []bool   // purged
	deleted bool
	hidden  int // versions up to this one are
}

func (p path) latest() int { return len(p.values) }

func (p path) live() bool { return slices.Contains(p.gone, false) }

// readable says whether a version, 0 for the latest, has a value to read.
func (p path) readable(version int) bool {
	if version == 0 {
		version = p.latest()
		return version > 0 && !p.deleted && !p.gone[version-1]
	}
	return version <= p.latest() && !p.deleted && version > p.hidden && !p.gone[version-1]
}

func (p path) with(value string) path {
	if p.deleted {
		p.hidden = p.latest()
	}
	p.deleted = false
	p.values = append(slices.Clone(p.values), value)
	p.gone = append(slices.Clone(p.gone), false)
	return p
}

func (p path) without(version int) path {
	p.gone = slices.Clone(p.gone)
	for i := range p.gone {
		p.gone[i] = p.gone[i] || version == 0 || i+1 == version
	}
	return p
}

// registerCall and registerAnswer are an operation as the model sees it. What is unknown may have any answer.
type registerCall struct {
	f string
	asked
}

type registerAnswer struct {
	unknown bool
	told
}

var registerModel = porcupine.Model{
	Partition: func(ops []porcupine.Operation) [][]porcupine.Operation {
		return byKey(ops, func(o porcupine.Operation) string { return o.Input.(registerCall).Path })
	},
	Init: func() any { return path{} },
	Step: func(state, input, output any) (bool, any) {
		return stepRegister(state.(path), input.(registerCall), output.(registerAnswer))
	},
	Equal: func(a, b any) bool {
		p, q := a.(path), b.(path)
		return p.deleted == q.deleted && p.hidden == q.hidden && slices.Equal(p.values, q.values) && slices.Equal(p.gone, q.gone)
	},
	DescribeOperation: func(input, output any) string {
		in, out := input.(registerCall), output.(registerAnswer)
		b, err := json.Marshal(in.asked)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%s %s -> %+v", in.f, b, out)
	},
}

// stepRegister says whether an answer fits a state, and what the state is then.
func stepRegister(p path, in registerCall, out registerAnswer) (bool, path) {
	refused, next, version, value := applyRegister(p, in)
	switch {
	case out.unknown:
		return true, next
	case refused != "" || out.Refused != "":
		return refused == out.Refused, p
	}
	return out.Version == version && out.Value == value, next
}

// applyRegister is what a store does that does one thing at a time.
func applyRegister(p path, in registerCall) (refused sdk.Kind, next path, version int, value string) {
	next = p
	switch in.f {
	case "put":
		if in.CAS != nil && *in.CAS != p.latest() {
			return sdk.Conflict, p, 0, ""
		}
		return "", p.with(in.Value), p.latest() + 1, ""
	case "get":
		if !p.readable(in.Version) {
			return sdk.NotFound, p, 0, ""
		}
		version = in.Version
		if version == 0 {
			version = p.latest()
		}
		return "", p, version, p.values[version-1]
	case "rollback":
		if !p.readable(in.Version) {
			return sdk.NotFound, p, 0, ""
		}
		return "", p.with(p.values[in.Version-1]), p.latest() + 1, ""
	case "delete":
		if p.latest() == 0 || p.deleted || !p.live() {
			return sdk.NotFound, p, 0, ""
		}
		next.deleted = true
	case "undelete":
		if p.latest() == 0 || !p.live() {
			return sdk.NotFound, p, 0, ""
		}
		if !p.deleted && p.hidden == 0 {
			return sdk.Conflict, p, 0, ""
		}
		next.deleted, next.hidden = false, 0
	case "purge":
		if in.Version == 0 && !p.live() || in.Version > 0 && (in.Version > p.latest() || p.gone[in.Version-1]) {
			return sdk.NotFound, p, 0, ""
		}
		if next = p.without(in.Version); in.Version > 0 {
			return "", next, in.Version, ""
		}
	}
	return "", next, p.latest(), ""
}

// registerOps are the operations that are to be put into an order: linearizable reads, and changes that may have happened. A change that was settled happened
// between its call and the moment when that was found out.
func registerOps(h *history.History) (ops []porcupine.Operation) {
	settledAt := map[string]history.Event{}
	for _, e := range h.Of(history.Settler, "register.settled") {
		settledAt[decode[settled](e.Value).Key] = e
	}
	for _, o := range h.Ops("register") {
		f, in := strings.TrimPrefix(o.F, "register."), decode[asked](o.In)
		if o.Type == history.Fail || f == "session" || f == "stale" || o.Type == history.Info && f == "get" {
			continue
		}
		op := porcupine.Operation{ClientId: o.Process, Input: registerCall{f, in}, Call: int64(o.Call), Return: int64(o.Return),
			Output: registerAnswer{o.Type == history.Info, decode[told](o.Out)}}
		if o.Type == history.Info {
			op.Return = never
		}
		if e, there := settledAt[in.Key]; there && o.Type == history.Info {
			op.Return, op.Output = int64(e.Time), registerAnswer{false, decode[settled](e.Value).told}
		}
		ops = append(ops, op)
	}
	return ops
}

// byKey splits operations.
func byKey(ops []porcupine.Operation, key func(porcupine.Operation) string) (parts [][]porcupine.Operation) {
	at := map[string]int{}
	for _, o := range ops {
		k := key(o)
		i, known := at[k]
		if !known {
			i = len(parts)
			at[k], parts = i, append(parts, nil)
		}
		parts[i] = append(parts[i], o)
	}
	return parts
}

// sessions holds that no client's session goes back: what it has seen or written is the least that it is shown. A refusal has no version, so it says nothing.
func sessions(all []history.Op) history.Verdict {
	checked := 0
	for _, o := range all {
		in, out := decode[asked](o.In), decode[told](o.Out)
		if o.F != "register.session" || o.Type != history.OK || out.Refused != "" {
			continue
		}
		if checked++; out.Version < in.Since {
			return bad("register sessions", checked, "process %d had seen version %d of %s and was shown %d by %s at %s", o.Process, in.Since, in.Path, out.Version, o.Node, o.Call)
		}
	}
	return good("register sessions", checked)
}

// slack is what a stale answer may be older than the age that it was allowed: the node looks at its age when it has the request, which was on its way
// before that.
const slack = 500 * time.Millisecond

// stales holds that a stale read shows a version that was the latest at some moment within its bound: none that was followed by another, acknowledged one
// longer ago than that.
func stales(all []history.Op) history.Verdict {
	acknowledged := map[string][]written{}
	for _, o := range all {
		if f := strings.TrimPrefix(o.F, "register."); (f == "put" || f == "rollback") && o.Type == history.OK {
			if out := decode[told](o.Out); out.Refused == "" {
				p := decode[asked](o.In).Path
				acknowledged[p] = append(acknowledged[p], written{out.Version, o.Return})
			}
		}
	}
	checked := 0
	for _, o := range all {
		in, out := decode[asked](o.In), decode[told](o.Out)
		if o.F != "register.stale" || o.Type != history.OK || out.Refused != "" {
			continue
		}
		checked++
		oldest := o.Call - time.Duration(in.Max)*time.Millisecond - slack
		for _, w := range acknowledged[in.Path] {
			if w.version > out.Version && w.at < oldest {
				return bad("register stale reads", checked, "%s showed version %d of %s at %s; %d was acknowledged %s before", o.Node, out.Version, in.Path, o.Call, w.version, o.Call-w.at)
			}
		}
	}
	return good("register stale reads", checked)
}

type written struct {
	version int
	at      time.Duration
}
