package managedkey

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestABatchIsOneEntry(t *testing.T) {
	r := newRig(t)
	before := r.view().Index()
	var a, b string
	r.must(func(s *Stage) (err error) {
		if a, err = s.Create(key(name("a"))); err != nil {
			return err
		}
		if b, err = s.Create(key(name("b"))); err != nil {
			return err
		}
		require.Equal(t, []string{a}, must(t, s, Query{Match: []Value{name("a")}}), "it sees what it has done")
		require.Empty(t, r.named("a"), "and nobody else does")
		return s.Activate(a)
	})
	require.Equal(t, before+1, r.view().Index())
	require.Equal(t, []string{a}, r.named("a"))
	require.Equal(t, [2]State{Active, PreActive}, [2]State{r.state(a), r.state(b)})
	o := r.object(a)
	require.Equal(t, [2]string{"client-1", a}, [2]string{o.Owner, o.ID})
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, a)
}

func must(t testing.TB, s *Stage, q Query) []string {
	f, err := s.Locate(t.Context(), q)
	require.NoError(t, err)
	return f.IDs
}

func TestAnOperationThatFailsLeavesNothing(t *testing.T) {
	r := newRig(t)
	id := r.make(key(name("taken")))
	r.must(func(s *Stage) error {
		_, err := s.Create(key(name("free"), name("taken")))
		requireReason(t, ReasonNameTaken, fault.Conflict, err)
		_, _, err = s.CreatePair(key(name("private")), key(name("taken")))
		requireReason(t, ReasonNameTaken, fault.Conflict, err)
		_, err = s.AddAttribute(id, AttrName, Name{"", TextName})
		requireReason(t, ReasonInvalidValue, fault.Invalid, err)
		require.False(t, s.Changed())
		_, err = s.Create(key(name("free"))) // the name was not left taken
		return err
	})
	require.Len(t, r.named("free"), 1)
	require.Empty(t, r.named("private"))
}

func TestAStageThatIsDroppedLeavesNothing(t *testing.T) {
	r := newRig(t)
	id := r.make(key(name("a")))
	index := r.view().Index()
	require.ErrorContains(t, r.commit(func(s *Stage) error {
		require.NoError(t, s.Destroy(id))
		return errors.New("the second operation failed")
	}), "second operation")
	require.Equal(t, PreActive, r.state(id))
	rc, err := r.e.Commit(t.Context(), r.req(), func(s *Stage) error {
		_, err := s.Attributes(id)
		return err
	})
	require.NoError(t, err)
	require.Zero(t, rc.Index, "reading proposes nothing")
	require.Equal(t, index, r.view().Index())
}

func TestTwoStagesRaceForAName(t *testing.T) {
	r := newRig(t)
	r.log.Before(func() { r.make(key(name("a"))) })
	attempts := 0
	err := r.commit(func(s *Stage) error {
		attempts++
		_, err := s.Create(key(name("a")))
		return err
	})
	requireReason(t, ReasonNameTaken, fault.Conflict, err)
	require.Greater(t, attempts, 1, "decided again on what the other left")
	require.Len(t, r.named("a"), 1)

	id := r.named("a")[0]
	r.log.Before(func() { r.must(func(s *Stage) error { return s.Destroy(id) }) })
	r.must(func(s *Stage) error {
		_, err := s.AddAttribute(id, AttrComment, "late")
		if err != nil {
			requireReason(t, ReasonObjectDestroyed, fault.NotFound, err)
		}
		return nil
	})
	require.Equal(t, Destroyed, r.state(id))
	require.Empty(t, r.values(id, AttrComment))
}

// TestManyAtOnce: of clients that take the same thing at the same moment so many get it as there is, whoever they are.
func TestManyAtOnce(t *testing.T) {
	r := newRig(t)
	limited := r.make(key(Value{AttrActivation, begin}, Value{AttrLimits, UsageLimits{Total: 50, Unit: ByteUnit}}))
	var work sync.WaitGroup
	results := make([][2]error, 8)
	for i := range results {
		one, two := r.req(), r.req()
		work.Go(func() {
			_, results[i][0] = r.e.CommitOn(t.Context(), one, limited, func(s *Stage) error { return s.Allocate(limited, 10) })
			_, results[i][1] = r.e.Commit(t.Context(), two, func(s *Stage) error {
				_, err := s.Create(key(name("one")))
				return err
			})
		})
	}
	work.Wait()
	var done [2]int
	for _, both := range results {
		for i, err := range both {
			if err == nil {
				done[i]++
				continue
			}
			require.Equal(t, []Reason{ReasonUsageExceeded, ReasonNameTaken}[i], ReasonOf(err), "%v", err)
		}
	}
	require.Equal(t, [2]int{5, 1}, done)
	require.Zero(t, r.object(limited).Attributes.Limits.Count)
	require.Len(t, r.named("one"), 1)
}

func TestANameIsFreeAgainAfterItsObjectIsDestroyed(t *testing.T) {
	r := newRig(t)
	id := r.make(key(name("a")))
	r.must(func(s *Stage) error { return s.Destroy(id) })
	other := r.make(key(name("a")))
	require.NotEqual(t, id, other)
	require.Equal(t, []string{other}, r.named("a"))
	require.Equal(t, []any{Name{"a", TextName}}, r.values(id, AttrName), "the attribute stays")
	r.must(func(s *Stage) error {
		if err := s.Destroy(other); err != nil {
			return err
		}
		_, err := s.Create(key(name("a")))
		return err
	})
	require.NotEqual(t, other, r.named("a")[0])
}

func TestNamesMoveBetweenObjects(t *testing.T) {
	r := newRig(t)
	a, b := r.make(key(name("a"), name("a2"))), r.make(key(name("b")))
	r.must(func(s *Stage) error {
		_, err := s.ModifyAttribute(b, AttrName, 0, Name{"a", TextName})
		requireReason(t, ReasonNameTaken, fault.Conflict, err)
		if _, err := s.ModifyAttribute(a, AttrName, 0, Name{"free", TextName}); err != nil {
			return err
		}
		_, err = s.ModifyAttribute(b, AttrName, 0, Name{"a", TextName})
		return err
	})
	require.Equal(t, [2]string{a, b}, [2]string{r.named("free")[0], r.named("a")[0]})
	require.Empty(t, r.named("b"))
	r.make(key(name("b")))
	r.make(key(Value{AttrName, Name{"a", URIName}}))
	_, err := r.stage().AddAttribute(a, AttrName, Name{"free", TextName})
	requireReason(t, ReasonNameTaken, fault.Conflict, err)
}

func TestAnotherTenantFindsNothing(t *testing.T) {
	r := newRig(t)
	id := r.make(key(name("a"), Value{AttrGroup, "g"}))
	other := r.in(umbra)
	require.Empty(t, other.named("a"))
	require.Empty(t, other.locate(Query{}))
	require.Empty(t, other.locate(Query{Match: []Value{{AttrUniqueID, id}}}))
	s := other.stage()
	for what, f := range map[string]func() error{
		"object":   func() error { _, err := s.Object(id); return err },
		"material": func() error { _, err := s.Material(id, true); return err },
		"use":      func() error { _, _, err := s.Use(id, Use{}); return err },
		"destroy":  func() error { return s.Destroy(id) },
		"add":      func() error { _, err := s.AddAttribute(id, AttrComment, "x"); return err },
		"rekey":    func() error { _, err := s.ReKey(id, Replacement{Material: []byte(secret)}); return err },
	} {
		err := f()
		requireReason(t, ReasonObjectNotFound, fault.NotFound, err)
		require.Equal(t, strings.ReplaceAll(notFound("6ba7b810-9dad-41d1-80b4-00c04fd430c8").Error(), "6ba7b810-9dad-41d1-80b4-00c04fd430c8", id), err.Error(), what)
	}
	require.False(t, s.Changed())
	other.make(key(name("a")))
	n, err := CountOf(r.view(), umbra)
	require.NoError(t, err)
	require.Equal(t, Counts{Living: 1}, n)
}

func TestTheCallerIsAskedAboutEachObject(t *testing.T) {
	r := newRig(t)
	mine := r.make(key())
	theirs := r.make(Spec{Type: SymmetricKey, Owner: "client-2", Material: []byte(secret), Attributes: []Value{{AttrLink, Link{PublicKeyLink, mine}}}})
	s := r.stage()
	s.Admit(func(o *Object) error {
		if o.Owner != "client-1" {
			return fault.New(fault.Denied, "access denied")
		}
		return nil
	})
	require.NoError(t, s.Activate(mine))
	require.Equal(t, fault.Denied, fault.KindOf(s.Activate(theirs)))
	_, err := s.Attributes(theirs)
	require.Equal(t, fault.Denied, fault.KindOf(err))
	require.Equal(t, []string{mine}, must(t, s, Query{Visible: func(o *Object) bool { return o.Owner == "client-1" }}))
}

func TestNoMaterialInErrors(t *testing.T) {
	r := newRig(t)
	spec := key(Value{AttrContact, secret}, Value{AttrContact, secret})
	s := r.stage()
	for i, bad := range []Spec{spec, key(Value{Attribute(secret), secret}), key(Value{AttrLength, secret}), key(Value{AttrName, Name{secret, 9}}),
		{Type: SecretData, Material: []byte(secret), Key: Key{Split: &Split{Prime: []byte(secret)}}}, {Type: 99, Material: []byte(secret)},
		key(Value{AttrContact, secret + "\xff"}), key(Value{"x-a", Field{Kind: 99, Text: secret}}), key(Value{AttrDigest, Digest{Value: []byte(secret)}})} {
		_, err := s.Register(bad)
		require.Error(t, err, fmt.Sprint(i))
		require.NotContains(t, err.Error(), secret)
		require.NotEqual(t, fault.Internal, fault.KindOf(err), "%v", err)
	}
	r.keys.Close()
	_, err := r.stage().Register(key())
	require.Equal(t, fault.Sealed, fault.KindOf(err), "%v", err)
	require.NotContains(t, err.Error(), secret)
}

func TestABatchIsBounded(t *testing.T) {
	r := newRig(t)
	s := r.stage()
	id, err := s.Create(key(Value{AttrLimits, UsageLimits{Total: 1 << 40, Unit: ByteUnit}}))
	require.NoError(t, err)
	require.NoError(t, s.Activate(id))
	for err == nil {
		err = s.Allocate(id, 1)
	}
	requireReason(t, ReasonLimitReached, fault.Limit, err)
	e := &fsm.Entry{Tenant: acme}
	s.Entry(e)
	_, err = r.log.Apply(e)
	require.NoError(t, err)
	require.EqualValues(t, 1<<40-(MaxBatch-2), r.object(id).Attributes.Limits.Count)
}
