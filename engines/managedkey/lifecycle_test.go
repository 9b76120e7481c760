package managedkey

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// into brings a new object into a state.
func (r *rig) into(s State) string {
	id := r.make(key(Value{AttrUsage, UseEncrypt | UseDecrypt}, Value{AttrLimits, UsageLimits{Total: 100, Unit: ByteUnit}}))
	steps := map[State][]func(*Stage) error{
		PreActive:            nil,
		Active:               {activate(id)},
		Deactivated:          {activate(id), revoke(id, CessationOfOperation)},
		Compromised:          {revoke(id, KeyCompromise)},
		Destroyed:            {func(s *Stage) error { return s.Destroy(id) }},
		DestroyedCompromised: {revoke(id, CACompromise), func(s *Stage) error { return s.Destroy(id) }},
	}
	for _, f := range steps[s] {
		r.must(f)
	}
	require.Equal(r.t, s, r.state(id))
	return id
}

func activate(id string) func(*Stage) error { return func(s *Stage) error { return s.Activate(id) } }

func revoke(id string, c RevocationCode) func(*Stage) error {
	return func(s *Stage) error { return s.Revoke(id, Revocation{Code: c}, 0) }
}

// TestStatesAndOperations is the table of KMIP 1.4 section 3.22, and of what this package makes of it.
func TestStatesAndOperations(t *testing.T) {
	const same, no, gone = State(100), State(101), State(102) // allowed without effect on the state; wrong state; destroyed
	operations := []struct {
		name string
		do   func(s *Stage, id string) error
		to   [6]State // by the state before, from PreActive on
	}{
		{"activate", func(s *Stage, id string) error { return s.Activate(id) }, [6]State{Active, no, no, no, gone, gone}},
		{"revoke", func(s *Stage, id string) error { return s.Revoke(id, Revocation{Code: Superseded}, 0) }, [6]State{no, Deactivated, no, no, gone, no}},
		{"compromise", func(s *Stage, id string) error { return s.Revoke(id, Revocation{Code: KeyCompromise}, 0) },
			[6]State{Compromised, Compromised, Compromised, no, DestroyedCompromised, no}},
		{"destroy", func(s *Stage, id string) error { return s.Destroy(id) }, [6]State{Destroyed, no, Destroyed, DestroyedCompromised, gone, gone}},
		{"archive", func(s *Stage, id string) error { return s.Archive(id) }, [6]State{same, same, same, same, gone, gone}},
		{"recover", func(s *Stage, id string) error { return s.Recover(id) }, [6]State{no, no, no, no, gone, gone}},
		{"get", func(s *Stage, id string) error { _, err := s.Get(id); return err }, [6]State{same, same, same, same, gone, gone}},
		{"material", func(s *Stage, id string) error { _, err := s.Material(id, false); return err }, [6]State{same, same, same, same, gone, gone}},
		{"attributes", func(s *Stage, id string) error { _, err := s.Attributes(id); return err }, [6]State{same, same, same, same, same, same}},
		{"comment", func(s *Stage, id string) error { _, err := s.AddAttribute(id, AttrComment, "c"); return err }, [6]State{same, same, same, same, gone, gone}},
		{"encrypt", func(s *Stage, id string) error { _, _, err := s.Use(id, Use{As: UseEncrypt}); return err }, [6]State{no, same, no, no, gone, gone}},
		{"decrypt", func(s *Stage, id string) error { _, _, err := s.Use(id, Use{As: UseDecrypt}); return err }, [6]State{no, same, no, no, gone, gone}},
		{"decrypt old", func(s *Stage, id string) error { _, _, err := s.Use(id, Use{As: UseDecrypt, Old: true}); return err }, [6]State{no, same, same, same, gone, gone}},
		{"encrypt old", func(s *Stage, id string) error { _, _, err := s.Use(id, Use{As: UseEncrypt, Old: true}); return err }, [6]State{no, same, no, no, gone, gone}},
		{"lease", func(s *Stage, id string) error { _, _, err := s.ObtainLease(id); return err }, [6]State{same, same, no, no, gone, gone}},
		{"allocate", func(s *Stage, id string) error { return s.Allocate(id, 1) }, [6]State{no, same, no, no, gone, gone}},
		{"check", func(s *Stage, id string) error { _, err := s.Check(id, Ask{}); return err }, [6]State{same, same, same, same, gone, gone}},
		{"re-key", func(s *Stage, id string) error {
			_, err := s.ReKey(id, Replacement{Material: []byte(secret)})
			return err
		},
			[6]State{same, same, same, same, gone, gone}},
	}
	r := newRig(t)
	for before := PreActive; before <= DestroyedCompromised; before++ {
		id := r.into(before)
		for _, op := range operations {
			s := r.stage() // each on a stage of its own, which is dropped
			err := op.do(s, id)
			o, lookErr := s.Object(id)
			require.NoError(t, lookErr)
			after := o.StateAt(s.Now())
			what := op.name + " of what is " + before.String()
			switch want := op.to[before-1]; want {
			case no:
				requireReason(t, ReasonWrongState, fault.Conflict, err)
				require.Equal(t, before, after, what)
			case gone:
				requireReason(t, ReasonObjectDestroyed, fault.NotFound, err)
				require.Equal(t, before, after, what)
			case same:
				require.NoError(t, err, what)
				require.Equal(t, before, after, what)
			default:
				require.NoError(t, err, what)
				require.Equal(t, want, after, what)
			}
		}
	}
}

func TestWhatIsArchivedIsOutOfUse(t *testing.T) {
	r := newRig(t)
	id := r.make(key(name("a"), Value{AttrLimits, UsageLimits{Total: 9, Unit: ByteUnit}}, Value{AttrActivation, fsm.Time(0)}))
	r.must(func(s *Stage) error { return s.Archive(id) })
	require.Equal(t, Active, r.state(id))
	s := r.stage()
	for name, f := range map[string]func() error{
		"get":      func() error { _, err := s.Get(id); return err },
		"material": func() error { _, err := s.Material(id, true); return err },
		"use":      func() error { _, _, err := s.Use(id, Use{}); return err },
		"archive":  func() error { return s.Archive(id) },
		"activate": func() error { return s.Activate(id) },
		"revoke":   func() error { return s.Revoke(id, Revocation{Code: KeyCompromise}, 0) },
		"destroy":  func() error { return s.Destroy(id) },
		"lease":    func() error { _, _, err := s.ObtainLease(id); return err },
		"check":    func() error { _, err := s.Check(id, Ask{}); return err },
		"allocate": func() error { return s.Allocate(id, 1) },
		"add":      func() error { _, err := s.AddAttribute(id, AttrComment, "x"); return err },
		"delete":   func() error { _, err := s.DeleteAttribute(id, AttrName, 0); return err },
		"re-key":   func() error { _, err := s.ReKey(id, Replacement{Material: []byte(secret)}); return err },
	} {
		t.Run(name, func(t *testing.T) { requireReason(t, ReasonObjectArchived, fault.Conflict, f()) })
	}
	require.Len(t, r.values(id, AttrArchive), 1, "its attributes can be read")
	require.Empty(t, r.named("a"), "and a search does not find it")
	require.Equal(t, []string{id}, r.locate(Query{Match: []Value{name("a")}, Storage: Online | Archived}))
	r.must(func(s *Stage) error { return s.Recover(id) })
	require.Empty(t, r.values(id, AttrArchive))
	require.Equal(t, []string{id}, r.named("a"))
}

// TestTimePasses: dates that lie ahead act when they come. Nothing is written, and nothing runs.
func TestTimePasses(t *testing.T) {
	r := newRig(t)
	now := r.log.Now()
	id := r.make(key(Value{AttrUsage, UseEncrypt | UseDecrypt}, Value{AttrActivation, now.Add(time.Hour)}, Value{AttrProcessStart, now.Add(2 * time.Hour)},
		Value{AttrProtectStop, now.Add(3 * time.Hour)}, Value{AttrDeactivation, now.Add(4 * time.Hour)}))
	index := r.view().Index()
	uses := func() (out [2]bool) {
		for i, as := range []UsageMask{UseEncrypt, UseDecrypt} {
			_, _, err := r.stage().Use(id, Use{As: as})
			out[i] = err == nil
		}
		return out
	}
	for _, step := range []struct {
		state State
		uses  [2]bool
	}{{PreActive, [2]bool{}}, {Active, [2]bool{true, false}}, {Active, [2]bool{true, true}}, {Active, [2]bool{false, true}}, {Deactivated, [2]bool{}}} {
		require.Equal(t, step.state, r.state(id))
		require.Equal(t, step.uses, uses())
		require.Equal(t, []string{id}, r.locate(Query{Match: []Value{{AttrState, step.state}}}))
		require.Equal(t, []any{step.state}, r.values(id, AttrState))
		r.log.Pass(time.Hour)
	}
	require.Equal(t, index, r.view().Index())
	r.must(func(s *Stage) error { return s.Destroy(id) })
}

func TestRevocation(t *testing.T) {
	r := newRig(t)
	id := r.make(key(Value{AttrActivation, begin.Add(-time.Hour)}))
	initial := r.object(id).Dates.Initial
	r.log.Pass(time.Minute + time.Millisecond)
	requireReason(t, ReasonInvalidValue, fault.Invalid, r.commit(func(s *Stage) error { return s.Revoke(id, Revocation{}, 0) }))
	requireReason(t, ReasonInvalidValue, fault.Invalid, r.commit(func(s *Stage) error {
		return s.Revoke(id, Revocation{Code: KeyCompromise}, s.Now().Add(time.Second))
	}))
	r.must(func(s *Stage) error { return s.Revoke(id, Revocation{CessationOfOperation, "done"}, 0) })
	o := r.object(id)
	require.Equal(t, initial.Add(time.Minute), o.Dates.Deactivation, "in whole seconds")
	require.Equal(t, &Revocation{CessationOfOperation, "done"}, o.Attributes.Revocation)
	r.must(revoke(id, KeyCompromise))
	o = r.object(id)
	require.Equal(t, [2]fsm.Time{o.Dates.LastChange, initial}, [2]fsm.Time{o.Dates.Compromise, o.Dates.Occurrence})
	other := r.into(Active)
	r.must(func(s *Stage) error { return s.Revoke(other, Revocation{Code: CACompromise}, begin.Add(-time.Hour)) })
	require.Equal(t, begin.Add(-time.Hour), r.object(other).Dates.Occurrence)
	require.Zero(t, r.object(other).Dates.Deactivation)
}

func TestDestroyedMaterialIsGone(t *testing.T) {
	r := newRig(t)
	id := r.make(key())
	row, found, err := materials.Get(r.view(), fsm.K(acme, id))
	require.True(t, found && err == nil)
	r.must(func(s *Stage) error { return s.Destroy(id) })
	_, found, err = fsm.Load(r.view(), row.Sealed)
	require.NoError(t, err)
	require.False(t, found)
	require.Len(t, r.values(id, AttrDigest), 1, "the digest is an attribute, and stays")
	require.NoError(t, Places(r.view(), func(at fsm.Binding, _ fsm.Sealed) error {
		require.NotEqual(t, id, at.Path)
		return nil
	}))
	r.must(func(s *Stage) error { // made and destroyed in one batch
		id, err := s.Create(key(name("short")))
		if err != nil {
			return err
		}
		return s.Destroy(id)
	})
	require.Empty(t, r.named("short"))
	require.Len(t, r.locate(Query{Storage: DestroyedToo}), 2)
}
