package managedkey

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

// model is a tenant's objects by the plainest means. Its methods answer with the reason of a refusal; what a refused operation did before does not count,
// as the model looks first and acts then.
type model struct {
	now     fsm.Time
	objects []*modelled // in the order in which they were made
}

type modelled struct {
	id                                                   string
	names                                                map[uint32]string
	group                                                string
	activation, deactivation, compromise, destroyed, arc fsm.Time
	left                                                 int64
	fresh                                                bool
	replacement                                          int // index of, 0 for none: the first object replaces nothing
}

func (m *model) clone() *model {
	out := &model{now: m.now}
	for _, o := range m.objects {
		c := *o
		c.names = maps.Clone(o.names)
		out.objects = append(out.objects, &c)
	}
	return out
}

func (m *model) state(o *modelled) State {
	switch {
	case o.destroyed != 0 && o.compromise != 0:
		return DestroyedCompromised
	case o.destroyed != 0:
		return Destroyed
	case o.compromise != 0:
		return Compromised
	case o.activation == 0 || m.now < o.activation:
		return PreActive
	case o.deactivation != 0 && m.now >= o.deactivation:
		return Deactivated
	}
	return Active
}

func (m *model) holder(name string) *modelled {
	for _, o := range m.objects {
		if o.destroyed == 0 && slices.Contains(slices.Collect(maps.Values(o.names)), name) {
			return o
		}
	}
	return nil
}

func (o *modelled) online() Reason {
	switch {
	case o.destroyed != 0:
		return ReasonObjectDestroyed
	case o.arc != 0:
		return ReasonObjectArchived
	}
	return NoReason
}

func (m *model) make(id, name, group string, activation, deactivation fsm.Time) Reason {
	o := &modelled{id: id, names: map[uint32]string{}, group: group, activation: activation, deactivation: deactivation, left: 50, fresh: true}
	if name != "" {
		if m.holder(name) != nil {
			return ReasonNameTaken
		}
		o.names[0] = name
	}
	m.objects = append(m.objects, o)
	return NoReason
}

func (m *model) activate(o *modelled) Reason {
	if r := o.online(); r != NoReason {
		return r
	}
	if m.state(o) != PreActive {
		return ReasonWrongState
	}
	o.activation = m.now
	return NoReason
}

func (m *model) revoke(o *modelled, c RevocationCode) Reason {
	s := m.state(o)
	switch {
	case o.arc != 0 && o.destroyed == 0:
		return ReasonObjectArchived
	case s == Compromised || s == DestroyedCompromised:
		return ReasonWrongState
	case c.compromise():
		o.compromise = m.now
		return NoReason
	case s == Destroyed:
		return ReasonObjectDestroyed
	case s != Active:
		return ReasonWrongState
	}
	o.deactivation = m.now
	return NoReason
}

func (m *model) destroy(o *modelled) Reason {
	if r := o.online(); r != NoReason {
		return r
	}
	if m.state(o) == Active {
		return ReasonWrongState
	}
	o.destroyed = m.now
	return NoReason
}

func (m *model) archive(o *modelled) Reason {
	r := o.online()
	if r == NoReason {
		o.arc = m.now
	}
	return r
}

func (m *model) recover(o *modelled) Reason {
	switch {
	case o.destroyed != 0:
		return ReasonObjectDestroyed
	case o.arc == 0:
		return ReasonWrongState
	}
	o.arc = 0
	return NoReason
}

func (m *model) addName(o *modelled, name string) Reason {
	if r := o.online(); r != NoReason {
		return r
	}
	if m.holder(name) != nil {
		return ReasonNameTaken
	}
	next := uint32(0)
	for i := range o.names {
		next = max(next, i+1)
	}
	o.names[next] = name
	return NoReason
}

func (m *model) deleteName(o *modelled, index uint32) Reason {
	if r := o.online(); r != NoReason {
		return r
	}
	if len(o.names) == 0 {
		return ReasonAttributeNotFound
	}
	if _, found := o.names[index]; !found {
		return ReasonInstanceNotFound
	}
	delete(o.names, index)
	return NoReason
}

func (m *model) allocate(o *modelled, n int64) Reason {
	if r := o.online(); r != NoReason {
		return r
	}
	if m.state(o) != Active {
		return ReasonWrongState
	}
	if n > o.left {
		return ReasonUsageExceeded
	}
	o.left -= n
	return NoReason
}

func (m *model) get(o *modelled) Reason {
	r := o.online()
	if r == NoReason {
		o.fresh = false
	}
	return r
}

func (m *model) rekey(o *modelled, id string) Reason {
	if r := o.online(); r != NoReason {
		return r
	}
	if o.replacement > 0 && m.objects[o.replacement].destroyed == 0 {
		return ReasonReplaced
	}
	next := &modelled{id: id, names: map[uint32]string{}, group: o.group, activation: o.activation, deactivation: o.deactivation, left: 50, fresh: true}
	for _, i := range slices.Sorted(maps.Keys(o.names)) {
		next.names[uint32(len(next.names))] = o.names[i]
	}
	o.names, o.replacement = map[uint32]string{}, len(m.objects)
	m.objects = append(m.objects, next)
	return NoReason
}

// TestAgainstTheModel drives an engine and the model with the same random batches, some of which are dropped at their end.
func TestAgainstTheModel(t *testing.T) {
	r, m, random := newRig(t), &model{now: begin}, rand.New(rand.NewPCG(3, 5))
	seen := map[Reason]int{}
	dropped := errors.New("dropped")
	for range 300 {
		seed, drop := random.Uint64(), random.IntN(6) == 0
		var after *model
		err := r.commit(func(s *Stage) error {
			after = m.clone()
			choose := rand.New(rand.NewPCG(seed, 1))
			for range 1 + choose.IntN(4) {
				want, got := step(s, after, choose)
				require.Equal(t, want, ReasonOf(got), "%v", got)
				if want == NoReason {
					require.NoError(t, got)
				}
				seen[want]++
			}
			compare(t, s, after, choose)
			if drop {
				return dropped
			}
			return nil
		})
		if drop {
			require.ErrorIs(t, err, dropped)
		} else {
			require.NoError(t, err)
			m = after
		}
		compare(t, r.stage(), m, random)
		passed := time.Duration(random.IntN(3)) * time.Minute
		r.log.Pass(passed)
		m.now = m.now.Add(passed)
	}
	for _, reason := range []Reason{NoReason, ReasonNameTaken, ReasonWrongState, ReasonObjectDestroyed, ReasonObjectArchived, ReasonUsageExceeded,
		ReasonAttributeNotFound, ReasonInstanceNotFound, ReasonReplaced} {
		require.Positive(t, seen[reason], "the sequence met reason %d", reason)
	}
	requireIndexed(t, r.view(), acme)
}

// step does one operation on both sides.
func step(s *Stage, m *model, random *rand.Rand) (want Reason, got error) {
	label := fmt.Sprint("n", random.IntN(12))
	if len(m.objects) == 0 || random.IntN(5) == 0 {
		return create(s, m, random, label)
	}
	o := m.objects[random.IntN(len(m.objects))]
	switch random.IntN(11) {
	case 0:
		return m.activate(o), s.Activate(o.id)
	case 1:
		return m.revoke(o, CessationOfOperation), s.Revoke(o.id, Revocation{Code: CessationOfOperation}, 0)
	case 2:
		if random.IntN(3) > 0 {
			return NoReason, nil
		}
		return m.revoke(o, KeyCompromise), s.Revoke(o.id, Revocation{Code: KeyCompromise}, 0)
	case 3:
		return m.destroy(o), s.Destroy(o.id)
	case 4:
		return m.archive(o), s.Archive(o.id)
	case 5:
		return m.recover(o), s.Recover(o.id)
	case 6:
		_, got = s.AddAttribute(o.id, AttrName, Name{label, TextName})
		return m.addName(o, label), got
	case 7:
		index := uint32(random.IntN(3))
		_, got = s.DeleteAttribute(o.id, AttrName, index)
		return m.deleteName(o, index), got
	case 8:
		n := 1 + random.Int64N(70)
		return m.allocate(o, n), s.Allocate(o.id, n)
	case 9:
		_, got = s.Get(o.id)
		return m.get(o), got
	default:
		id, got := s.ReKey(o.id, Replacement{Material: []byte(secret)})
		return m.rekey(o, id), got
	}
}

func create(s *Stage, m *model, random *rand.Rand, label string) (Reason, error) {
	group := fmt.Sprint("g", random.IntN(3))
	values := []Value{{AttrGroup, group}, {AttrLimits, UsageLimits{Total: 50, Unit: ByteUnit}}}
	if random.IntN(3) == 0 {
		label = ""
	} else {
		values = append(values, name(label))
	}
	var dates [2]fsm.Time
	if random.IntN(2) == 0 {
		dates[0] = m.now.Add(time.Duration(random.IntN(20)-5) * time.Minute)
		dates[1] = dates[0].Add(time.Duration(random.IntN(600)) * time.Minute)
		values = append(values, Value{AttrActivation, dates[0]}, Value{AttrDeactivation, dates[1]})
	}
	id, err := s.Create(key(values...))
	return m.make(id, label, group, dates[0], dates[1]), err
}

// compare holds what can be seen against the model: names, states, groups and what is left of usage limits.
func compare(t testing.TB, s *Stage, m *model, random *rand.Rand) {
	for i := range 12 {
		label := fmt.Sprint("n", i)
		var want []string
		if o := m.holder(label); o != nil && o.arc == 0 {
			want = []string{o.id}
		}
		require.Equal(t, want, must(t, s, Query{Match: []Value{name(label)}}), label)
	}
	group, state := fmt.Sprint("g", random.IntN(3)), State(1+random.IntN(6))
	var members, fresh, inState []string
	for i := len(m.objects) - 1; i >= 0; i-- {
		o := m.objects[i]
		if m.state(o) == state && (o.arc == 0 || o.destroyed != 0) {
			inState = append(inState, o.id)
		}
		if o.group != group || o.online() != NoReason {
			continue
		}
		members = append(members, o.id)
		if o.fresh {
			fresh = slices.Insert(fresh, 0, o.id)
		}
	}
	require.Equal(t, members, must(t, s, Query{Match: []Value{{AttrGroup, group}}}))
	require.Equal(t, fresh, must(t, s, Query{Match: []Value{{AttrGroup, group}}, Member: MemberFresh}))
	require.Equal(t, inState, must(t, s, Query{Match: []Value{{AttrState, state}}}), state.String())
	if len(m.objects) == 0 {
		return
	}
	o := m.objects[random.IntN(len(m.objects))]
	has, err := s.Object(o.id)
	require.NoError(t, err)
	require.Equal(t, [3]any{m.state(o), o.left, o.fresh}, [3]any{has.StateAt(s.Now()), has.Attributes.Limits.Count, has.Attributes.Fresh})
	indexes := map[uint32]string{}
	for _, n := range has.Attributes.Names {
		indexes[n.Index] = n.Value.Value
	}
	require.Equal(t, o.names, indexes)
}
