package managedkey

import (
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestUsageLimits(t *testing.T) {
	r := newRig(t)
	id := r.make(key(Value{AttrUsage, UseEncrypt | UseDecrypt}, Value{AttrActivation, begin}, Value{AttrLimits, UsageLimits{Total: 1000, Unit: ByteUnit}}))
	left := func() int64 { return r.values(id, AttrLimits)[0].(UsageLimits).Count }
	take := func(n int64) error { return r.commit(func(s *Stage) error { return s.Allocate(id, n) }) }
	require.EqualValues(t, 1000, left())
	r.must(func(s *Stage) error {
		_, err := s.SetAttribute(id, AttrLimits, UsageLimits{Total: 900, Count: 1, Unit: ByteUnit})
		return err
	})
	require.EqualValues(t, 900, left(), "the count is the server's")
	require.NoError(t, take(400))
	requireReason(t, ReasonReadOnly, fault.Denied, r.commit(func(s *Stage) error {
		_, err := s.SetAttribute(id, AttrLimits, UsageLimits{Total: 1000, Unit: ByteUnit})
		return err
	}))
	requireReason(t, ReasonReadOnly, fault.Denied, r.commit(func(s *Stage) error { _, err := s.DeleteAttribute(id, AttrLimits, 0); return err }))
	requireReason(t, ReasonInvalidValue, fault.Invalid, take(0))
	requireReason(t, ReasonInvalidValue, fault.Invalid, take(-1))
	requireReason(t, ReasonUsageExceeded, fault.Denied, take(501))
	r.log.Before(func() { require.NoError(t, take(300)) }) // somebody takes while this is decided
	requireReason(t, ReasonUsageExceeded, fault.Denied, take(300))
	require.EqualValues(t, 200, left())

	refused, err := r.stage().Check(id, Ask{Count: to(int64(201)), As: UseSign, Lease: DefaultLease + 1})
	require.NoError(t, err)
	require.Equal(t, Ask{to(int64(200)), UseEncrypt | UseDecrypt, DefaultLease}, refused)
	refused, err = r.stage().Check(id, Ask{Count: to(int64(200)), As: UseDecrypt, Lease: 1})
	require.NoError(t, err)
	require.Equal(t, Ask{}, refused)

	r.must(func(s *Stage) error {
		_, plain, err := s.Use(id, Use{As: UseEncrypt, Length: 200})
		require.Equal(t, secret, string(plain))
		_, _, err2 := s.Use(id, Use{As: UseEncrypt, Length: 1})
		requireReason(t, ReasonUsageExceeded, fault.Denied, err2)
		_, _, err2 = s.Use(id, Use{As: UseDecrypt, Length: 1000})
		require.NoError(t, err2, "what processes takes nothing")
		return err
	})
	require.Zero(t, left())
	once := r.make(key(Value{AttrUsage, UseEncrypt}, Value{AttrActivation, begin}, Value{AttrLimits, UsageLimits{Total: 1, Unit: ObjectUnit}}))
	r.must(func(s *Stage) error { _, _, err := s.Use(once, Use{As: UseEncrypt, Length: 1 << 20}); return err })
	requireReason(t, ReasonUsageExceeded, fault.Denied, r.commit(func(s *Stage) error { _, _, err := s.Use(once, Use{As: UseEncrypt}); return err }))
	requireReason(t, ReasonAttributeNotFound, fault.NotFound, r.commit(func(s *Stage) error {
		id, err := s.Create(key(Value{AttrActivation, begin}))
		require.NoError(t, err)
		return s.Allocate(id, 1)
	}))
}

// TestWhatLeaves is the table of Sensitive and Extractable (KMIP 1.4 sections 3.48 and 3.50).
func TestWhatLeaves(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		sensitive, extractable, wrapped bool
		reason                          Reason
	}{
		{false, true, false, NoReason}, {false, true, true, NoReason}, {true, true, false, ReasonSensitiveKey}, {true, true, true, NoReason},
		{false, false, false, ReasonNotExtractable}, {false, false, true, ReasonNotExtractable}, {true, false, true, ReasonNotExtractable},
	} {
		s := r.stage()
		id, err := s.Create(key(Value{AttrSensitive, c.sensitive}, Value{AttrExtractable, c.extractable}, Value{AttrUsage, UseMACGenerate}, Value{AttrActivation, begin}))
		require.NoError(t, err)
		plain, err := s.Material(id, c.wrapped)
		if c.reason == NoReason {
			require.NoError(t, err)
			require.Equal(t, secret, string(plain))
		} else {
			requireReason(t, c.reason, fault.Denied, err)
		}
		_, _, err = s.Use(id, Use{As: UseMACGenerate})
		require.NoError(t, err, "it is used here all the same")
		_, _, err = s.Use(id, Use{As: UseSign})
		requireReason(t, ReasonMaskRefused, fault.Denied, err)
	}
	absent := r.make(Spec{Type: SymmetricKey, Key: Key{Format: RawFormat, Algorithm: AES, Length: 128},
		Attributes: []Value{{AttrLocation, Location{"hsm", 1}}, {AttrActivation, begin}}})
	s := r.stage()
	_, err := s.Get(absent)
	require.NoError(t, err, "what is known of it can be given")
	_, err = s.Material(absent, false)
	requireReason(t, ReasonNotPresent, fault.Conflict, err)
	_, _, err = s.Use(absent, Use{})
	requireReason(t, ReasonNotPresent, fault.Conflict, err)
	_, err = s.ReKey(absent, Replacement{Material: []byte(secret)})
	requireReason(t, ReasonNotPresent, fault.Conflict, err)
	require.Equal(t, []any{false}, r.values(absent, AttrPresent))
	require.Equal(t, []string{absent}, r.locate(Query{Match: []Value{{AttrPresent, false}}}))
}

func TestAnObjectIsFreshUntilItIsGiven(t *testing.T) {
	r := newRig(t)
	id := r.make(key())
	s := r.stage()
	_, err := s.Get(id)
	require.NoError(t, err)
	require.True(t, s.Changed(), "a node that only reads learns that this has to be committed")
	require.Equal(t, []any{true}, r.values(id, AttrFresh))
	r.must(func(s *Stage) error {
		o, err := s.Get(id)
		require.False(t, o.Attributes.Fresh)
		return err
	})
	require.Equal(t, []any{false}, r.values(id, AttrFresh))
	s = r.stage()
	_, err = s.Get(id)
	require.NoError(t, err)
	require.False(t, s.Changed())
}

func TestDigests(t *testing.T) {
	r := newRig(t)
	sum := sha256.Sum256([]byte(secret))
	want := []any{Digest{SHA256, sum[:], RawFormat}}
	kept := r.make(key())
	require.Equal(t, want, r.values(kept, AttrDigest))
	password := r.make(Spec{Type: SecretData, Material: []byte(secret), Key: Key{Format: RawFormat}})
	require.Equal(t, want, r.values(password, AttrDigest))
	require.Empty(t, r.object(password).Key.Digests, "it is not kept where a disk shows it")
	r.must(func(s *Stage) error { return s.Destroy(password) })
	require.Empty(t, r.values(password, AttrDigest))
	row, _, err := objects.Get(r.view(), fsm.K(acme, password))
	require.NoError(t, err)
	require.Empty(t, row.Key.Digests)
}

func TestLeases(t *testing.T) {
	r := newRig(t)
	id := r.make(key())
	seconds, changed, err := r.stage().ObtainLease(id)
	require.NoError(t, err)
	require.EqualValues(t, 3600, seconds)
	require.Equal(t, r.object(id).Dates.LastChange, changed)
}
