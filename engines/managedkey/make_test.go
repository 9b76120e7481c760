package managedkey

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

func TestCreatedAndRegistered(t *testing.T) {
	r := newRig(t)
	var created, registered string
	r.must(func(s *Stage) (err error) {
		spec := key()
		spec.RNG = &RNG{Algorithm: 3}
		if created, err = s.Create(spec); err != nil {
			return err
		}
		registered, err = s.Register(key(Value{AttrOriginal, begin - 5}, Value{AttrAlgorithm, AES}, Value{AttrLength, uint32(256)}))
		return err
	})
	require.Equal(t, []any{RNG{Algorithm: 3}}, r.values(created, AttrRNG))
	require.Equal(t, []any{begin}, r.values(created, AttrOriginal))
	require.Equal(t, []any{begin - 5}, r.values(registered, AttrOriginal))
	require.Equal(t, []any{begin}, r.values(registered, AttrInitial))
	require.Equal(t, []string{registered, created}, r.locate(Query{}), "newest first")
}

func TestPairs(t *testing.T) {
	r := newRig(t)
	var private, public string
	r.must(func(s *Stage) (err error) {
		private, public, err = s.CreatePair(key(name("private"), Value{AttrLink, Link{0x108, "parent"}}), key(name("public")))
		return err
	})
	require.Equal(t, []any{Link{PublicKeyLink, public}, Link{0x108, "parent"}}, r.values(private, AttrLink))
	require.Equal(t, []any{Link{PrivateKeyLink, private}}, r.values(public, AttrLink))
	require.Equal(t, []string{public}, r.locate(Query{Match: []Value{{AttrLink, Link{PrivateKeyLink, private}}}}))
	require.Equal(t, [2]ObjectType{PrivateKey, PublicKey}, [2]ObjectType{r.object(private).Type, r.object(public).Type})
}

func TestImport(t *testing.T) {
	r := newRig(t)
	spec := key(Value{AttrLimits, UsageLimits{Total: 10, Unit: ByteUnit}}, Value{AttrSensitive, true})
	spec.Past = &Past{ID: "Vendor:42", Initial: begin - 100, Compromise: begin - 10, Occurrence: begin - 20, Revocation: &Revocation{Code: KeyCompromise}, UsageLeft: to(int64(3))}
	imported := func() error {
		return r.commit(func(s *Stage) error { _, err := s.Import(spec); return err })
	}
	require.NoError(t, imported())
	require.Equal(t, Compromised, r.state("Vendor:42"))
	o := r.object("Vendor:42")
	require.Equal(t, &UsageLimits{10, 3, ByteUnit}, o.Attributes.Limits)
	require.Equal(t, begin-100, o.Dates.Initial)
	require.False(t, o.Attributes.AlwaysSensitive, "nobody says that it always was")
	requireReason(t, ReasonObjectExists, fault.Conflict, imported())
	r.must(func(s *Stage) error { return s.Destroy("Vendor:42") })
	requireReason(t, ReasonObjectExists, fault.Conflict, imported())
	spec.Past = &Past{ID: "no id"}
	requireReason(t, ReasonInvalidValue, fault.Invalid, imported())
	spec.Past = &Past{Initial: begin + 1<<40}
	requireReason(t, ReasonInvalidValue, fault.Invalid, imported())
	spec.Past = nil
	require.NoError(t, imported())
}
