package workload

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/sdk"
)

// Check takes what was seen at rest for operations of somebody who came last.
func (*kmip) Check(h *history.History) []history.Verdict {
	all, looks := h.Ops("kmip"), atRest(h)
	wrong := keysHold(slices.Concat(all, looks))
	if wrong == nil {
		wrong = lookedAt(all, looks)
	}
	verdict := good("kmip", len(all))
	if wrong != nil {
		verdict = bad("kmip", len(all), "%s", wrong.Detail)
	}
	return []history.Verdict{verdict, answered("kmip", all)}
}

func atRest(h *history.History) (looks []history.Op) {
	for _, e := range h.Of(history.Settler, "kmip") {
		v := decode[struct{ In, Out json.RawMessage }](e.Value)
		looks = append(looks, history.Op{Index: e.Index, Process: e.Process, F: e.F, Node: e.Node, Call: e.Time, Return: e.Time, Type: history.OK, In: v.In, Out: v.Out})
	}
	return looks
}

func astray(o history.Op, format string, args ...any) *history.Verdict {
	v := bad("kmip", 0, "%s through %s at %s: "+format, append([]any{o.F, o.Node, o.Call.Round(time.Millisecond)}, args...)...)
	return &v
}

// keysHold holds every answer against what all of them together tell.
func keysHold(ops []history.Op) *history.Verdict {
	s, v := gather(ops)
	if v != nil {
		return v
	}
	prints := map[string]*object{}
	for _, o := range s.all {
		if o.Type != history.OK {
			continue
		}
		if v := s.judge(o, prints); v != nil {
			return v
		}
	}
	return s.names()
}

func (s *keys) judge(o history.Op, prints map[string]*object) *history.Verdict {
	in, out := decode[handled](o.In), decode[shown](o.Out)
	if out.Refused != "" && out.Refused != sdk.NotFound && out.Refused != sdk.Conflict {
		return astray(o, "refused with %s", out.Refused)
	}
	if o.F == "kmip.locate" {
		return s.found(o, in.Name, out)
	}
	if in.UID == "" {
		return s.taken(o, in.Name, out)
	}
	k := s.byUID[in.UID]
	if k == nil {
		return nil // nobody was told of it: an operation with it cannot be
	}
	if v := k.there(o, out); v != nil || out.Refused == sdk.NotFound {
		return v
	}
	if out.Refused != "" {
		return k.refusal(o)
	}
	return k.answer(o, in, out, prints)
}

// taken judges what makes an object: it may be refused if somebody may have the name.
func (s *keys) taken(o history.Op, name string, out shown) *history.Verdict {
	if out.Refused == "" || slices.ContainsFunc(s.makers[name], func(m history.Op) bool { return m.Call < o.Return && s.holds(m) > o.Call }) {
		return nil
	}
	return astray(o, "%s was refused with %s, though nobody can have had the name", name, out.Refused)
}

// holds says until when what the operation has made, or may have, can have its name.
func (s *keys) holds(m history.Op) time.Duration {
	until := time.Duration(0)
	if m.Type != history.OK {
		return forever
	}
	for _, uid := range decode[shown](m.Out).UIDs {
		until = max(until, s.byUID[uid].unnamed().acked)
	}
	return until
}

// found judges a search for a name.
func (s *keys) found(o history.Op, name string, out shown) *history.Verdict {
	if len(out.UIDs) > 1 {
		return astray(o, "%d objects have the name %s", len(out.UIDs), name)
	}
	for _, uid := range out.UIDs {
		if k := s.byUID[uid]; k.name != name || o.Call > k.unnamed().acked {
			return astray(o, "found %s as %s, which had lost the name", uid, name)
		}
		return nil
	}
	for _, k := range s.byUID {
		if k.name == name && k.from < o.Call && o.Return < k.unnamed().begun {
			return astray(o, "did not find %s, which is %s", name, k.uid)
		}
	}
	return nil
}

// names holds that a name has one object at a time, and that nobody has made one who was told that he had not.
func (s *keys) names() *history.Verdict {
	byName := map[string][]*object{}
	for _, k := range s.byUID {
		byName[k.name] = append(byName[k.name], k)
	}
	for name, all := range byName {
		if v := beside(name, all); v != nil {
			return v
		}
		if v := s.unknown(name, all); v != nil {
			return v
		}
	}
	return nil
}

// beside looks for two objects that had a name at the same time for sure.
func beside(name string, all []*object) *history.Verdict {
	for i, a := range all {
		for _, b := range all[:i] {
			if from, to := max(a.from, b.from), min(a.unnamed().begun, b.unnamed().begun); from < to {
				v := bad("kmip", 0, "%s and %s both had the name %s at %s", a.uid, b.uid, name, from)
				return &v
			}
		}
	}
	return nil
}

// unknown looks for more objects that were acknowledged to nobody than there are operations that may have made them.
func (s *keys) unknown(name string, all []*object) *history.Verdict {
	found, open := 0, 0
	for _, m := range s.makers[name] {
		if m.Type == history.Info {
			open++
		}
	}
	for _, k := range all {
		if k.making == nil {
			found++
		}
	}
	if found <= open {
		return nil
	}
	v := bad("kmip", 0, "%d objects of the name %s were acknowledged to nobody, and %d operations may have made one", found, name, open)
	return &v
}

// lookedAt holds that every object that was acknowledged was looked for at rest, and every name.
func lookedAt(all, looks []history.Op) *history.Verdict {
	seen := map[string]bool{}
	for _, o := range looks {
		in := decode[handled](o.In)
		seen[o.F+in.Name+in.UID] = true
	}
	for _, o := range all {
		if !makes(o.F) || !granted(o) {
			continue
		}
		for _, uid := range decode[shown](o.Out).UIDs {
			if name := decode[handled](o.In).Name; !seen["kmip.get"+uid] || !seen["kmip.locate"+name] {
				return astray(o, "nobody has looked for %s and %s at rest", uid, name)
			}
		}
	}
	return nil
}
