package workload

import (
	"slices"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/sdk"
)

// object is a managed object as its history tells. Of each change it says from when on it may have happened, and must have.
type object struct {
	uid, name string
	from      time.Duration // by when it was there: acknowledged, or found
	making    *history.Op   // nil: nobody was told of it
	print     string        // of its material, as soon as that is known

	active, revoked, destroyed, replaced gone

	done map[string]history.Op // the change that was acknowledged, by F
}

// unnamed says from when on the object may not have its name any more, and must not.
func (k *object) unnamed() gone {
	return gone{min(k.destroyed.begun, k.replaced.begun), min(k.destroyed.acked, k.replaced.acked)}
}

// keys is what a history tells of all objects.
type keys struct {
	all    []history.Op // but for what was not done
	byUID  map[string]*object
	makers map[string][]history.Op // by name: operations that have made an object with it, or may have
}

// makes reports whether operations with this F make an object.
func makes(f string) bool { return f == "kmip.create" || f == "kmip.register" || f == "kmip.rekey" }

// granted reports whether the operation was done for sure.
func granted(o history.Op) bool { return o.Type == history.OK && decode[shown](o.Out).Refused == "" }

// refused reports whether the operation was not done for sure.
func refused(o history.Op) bool {
	return o.Type == history.Fail || o.Type == history.OK && decode[shown](o.Out).Refused != ""
}

func (s *keys) object(uid, name string, at time.Duration) *object {
	k := s.byUID[uid]
	if k == nil {
		k = &object{uid: uid, name: name, from: at, active: staying(), revoked: staying(), destroyed: staying(), replaced: staying(), done: map[string]history.Op{}}
		s.byUID[uid] = k
	}
	k.from = min(k.from, at)
	return k
}

// gather puts a history in order; the verdict is nil unless two operations have made one object.
func gather(ops []history.Op) (*keys, *history.Verdict) {
	s := &keys{byUID: map[string]*object{}, makers: map[string][]history.Op{}}
	s.all = slices.DeleteFunc(ops, func(o history.Op) bool { return o.Type == history.Fail })
	for i := range s.all {
		if v := s.maker(&s.all[i]); v != nil {
			return s, v
		}
	}
	for _, o := range s.all {
		s.located(o)
	}
	for _, o := range s.all {
		s.changed(o)
		s.seen(o)
	}
	for _, o := range s.all {
		s.inherit(o)
	}
	return s, nil
}

// maker notes what makes objects.
func (s *keys) maker(o *history.Op) *history.Verdict {
	if !makes(o.F) || refused(*o) {
		return nil
	}
	in, out := decode[handled](o.In), decode[shown](o.Out)
	s.makers[in.Name] = append(s.makers[in.Name], *o)
	for _, uid := range out.UIDs {
		if k := s.byUID[uid]; k != nil {
			return astray(*o, "made %s, which %s had made", uid, k.making.Node)
		}
		k := s.object(uid, in.Name, o.Return)
		k.making, k.print = o, in.Print
	}
	return nil
}

// located notes objects that are there without an acknowledgement. What is known of them is their name: if they came by a replacement they were in its state.
func (s *keys) located(o history.Op) {
	in := decode[handled](o.In)
	if o.F != "kmip.locate" {
		return
	}
	for _, uid := range decode[shown](o.Out).UIDs {
		k := s.object(uid, in.Name, o.Return)
		if k.making == nil && slices.ContainsFunc(s.makers[in.Name], func(m history.Op) bool { return m.F == "kmip.rekey" && m.Type == history.Info }) {
			k.active.begun, k.revoked.begun = 0, 0
		}
	}
}

// changed notes what changes an object, or may.
func (s *keys) changed(o history.Op) {
	k := s.byUID[decode[handled](o.In).UID]
	if k == nil || refused(o) {
		return
	}
	switch o.F {
	case "kmip.activate":
		k.active.note(o)
	case "kmip.revoke":
		k.revoked.note(o)
	case "kmip.destroy":
		k.destroyed.note(o)
	case "kmip.rekey":
		k.replaced.note(o)
	}
}

// seen notes what an answer shows of changes whose outcome nobody knew.
func (s *keys) seen(o history.Op) {
	in, out := decode[handled](o.In), decode[shown](o.Out)
	k := s.byUID[in.UID]
	if k == nil || o.Type != history.OK {
		return
	}
	by := func(g *gone) { g.acked = min(g.acked, o.Return) }
	switch {
	case out.Refused == sdk.NotFound, out.Value == "Destroyed" && o.F == "kmip.state":
		by(&k.destroyed)
	case out.Refused != "":
	case o.F == "kmip.encrypt", o.F == "kmip.state" && out.Value == "Active":
		by(&k.active)
	case o.F == "kmip.state" && out.Value == "Deactivated":
		by(&k.active)
		by(&k.revoked)
	}
}

// inherit gives a replacement the state of what it replaces.
func (s *keys) inherit(o history.Op) {
	old := s.byUID[decode[handled](o.In).UID]
	if o.F != "kmip.rekey" || old == nil || !granted(o) {
		return
	}
	for _, uid := range decode[shown](o.Out).UIDs {
		k := s.byUID[uid]
		k.active.take(old.active, o)
		k.revoked.take(old.revoked, o)
	}
}

// take has happen to a replacement what has happened to what it replaces, as it was when that was done.
func (g *gone) take(old gone, o history.Op) {
	if old.begun < o.Return {
		g.begun = 0
	}
	if old.acked < o.Call {
		g.acked = min(g.acked, o.Return)
	}
}
