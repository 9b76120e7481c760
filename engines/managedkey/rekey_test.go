package managedkey

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func replacement(values ...Value) Replacement {
	return Replacement{Material: []byte(secret), Key: Key{Format: RawFormat}, Attributes: values, RNG: &RNG{Algorithm: 3}}
}

func (r *rig) rekey(id string, with Replacement) (next string, err error) {
	err = r.commit(func(s *Stage) error {
		next, err = s.ReKey(id, with)
		return err
	})
	return next, err
}

func TestReKey(t *testing.T) {
	r := newRig(t)
	old := r.make(key(name("a"), name("b"), Value{AttrGroup, "g"}, Value{"x-a", Text("1")}, Value{AttrContact, "me"}, Value{AttrUsage, UseEncrypt},
		Value{AttrActivation, begin}, Value{AttrLimits, UsageLimits{Total: 10, Unit: ByteUnit}}, Value{AttrLink, Link{0x108, "parent"}}))
	r.must(func(s *Stage) error { return s.Allocate(old, 4) })
	r.must(revoke(old, KeyCompromise))
	r.log.Pass(time.Minute)
	next, err := r.rekey(old, replacement(name("c"), Value{AttrContact, "you"}))
	require.NoError(t, err)
	require.Equal(t, [4]string{next, next, next}, [4]string{r.named("a")[0], r.named("b")[0], r.named("c")[0]})
	require.Empty(t, r.values(old, AttrName))
	require.Equal(t, []any{Link{0x108, "parent"}, Link{ReplacementLink, next}}, r.values(old, AttrLink))
	require.Equal(t, []any{Link{ReplacedLink, old}}, r.values(next, AttrLink))
	require.Equal(t, Active, r.state(next), "the dates are copied, the compromise is not")
	o := r.object(next)
	require.Equal(t, &UsageLimits{10, 10, ByteUnit}, o.Attributes.Limits)
	require.Equal(t, Many[Name]{{0, Name{"a", TextName}}, {1, Name{"b", TextName}}, {2, Name{"c", TextName}}}, o.Attributes.Names)
	require.Equal(t, [5]any{begin.Add(time.Minute), AES, uint32(256), "you", UseEncrypt}, [5]any{o.Dates.Initial, o.Key.Algorithm, o.Key.Length, o.Attributes.Contact, o.Attributes.Usage})
	require.Equal(t, "client-1", o.Owner)
	require.Nil(t, o.Attributes.Revocation)
	require.Equal(t, []any{Text("1")}, r.values(next, "x-a"))
	_, err = r.rekey(old, replacement())
	requireReason(t, ReasonReplaced, fault.Conflict, err)
	again, err := r.rekey(next, replacement())
	require.NoError(t, err)
	require.Equal(t, []string{again}, r.named("a"))
	requireIndexed(t, r.view(), acme)
}

// TestReKeyDates is the table of KMIP 1.4 section 4.4, dates from an offset.
func TestReKeyDates(t *testing.T) {
	r := newRig(t)
	h := func(n int) fsm.Time { return begin.Add(time.Duration(n) * time.Hour) }
	dates := []Value{{AttrActivation, h(-4)}, {AttrProcessStart, h(-3)}, {AttrProtectStop, h(1)}, {AttrDeactivation, h(2)}}
	offset := func(n int) *time.Duration { return to(time.Duration(n) * time.Hour) }
	for what, c := range map[string]struct {
		old    []Value
		with   Replacement
		want   Dates
		reason Reason
	}{
		"copied":             {dates, Replacement{}, Dates{Activation: h(-4), ProcessStart: h(-3), ProtectStop: h(1), Deactivation: h(2)}, NoReason},
		"now":                {dates, Replacement{Offset: offset(0)}, Dates{Activation: h(0), ProcessStart: h(1), ProtectStop: h(5), Deactivation: h(6)}, NoReason},
		"later":              {dates, Replacement{Offset: offset(5)}, Dates{Activation: h(5), ProcessStart: h(6), ProtectStop: h(10), Deactivation: h(11)}, NoReason},
		"first activation":   {nil, Replacement{Offset: offset(1)}, Dates{Activation: h(1)}, NoReason},
		"none to shift from": {dates[3:], Replacement{Offset: offset(1)}, Dates{}, ReasonWrongState},
		"given":              {dates, Replacement{Attributes: []Value{{AttrActivation, h(-1)}, {AttrProcessStart, h(0)}}}, Dates{Activation: h(-1), ProcessStart: h(0), ProtectStop: h(1), Deactivation: h(2)}, NoReason},
		"behind all years":   {dates, Replacement{Offset: offset(545_000)}, Dates{}, ReasonInvalidValue},
		"both":               {dates, Replacement{Offset: offset(1), Attributes: []Value{{AttrDeactivation, h(9)}}}, Dates{}, ReasonInvalidValue},
		"out of order":       {dates, Replacement{Attributes: []Value{{AttrDeactivation, h(-5)}}}, Dates{}, ReasonInvalidValue},
		"not the client's":   {dates, Replacement{Attributes: []Value{{AttrInitial, h(-5)}}}, Dates{}, ReasonReadOnly},
	} {
		t.Run(what, func(t *testing.T) {
			old := r.make(key(c.old...))
			c.with.Material = []byte(secret)
			next, err := r.rekey(old, c.with)
			require.Equal(t, c.reason, ReasonOf(err), "%v", err)
			if c.reason != NoReason {
				require.Empty(t, r.values(old, AttrLink))
				return
			}
			require.NoError(t, err)
			d := r.object(next).Dates
			require.Equal(t, c.want, Dates{Activation: d.Activation, ProcessStart: d.ProcessStart, ProtectStop: d.ProtectStop, Deactivation: d.Deactivation})
		})
	}
}

func TestReKeyPairAndReCertify(t *testing.T) {
	r := newRig(t)
	var private, public, nextPrivate, nextPublic string
	r.must(func(s *Stage) (err error) {
		if private, public, err = s.CreatePair(key(name("private")), key(name("public"))); err != nil {
			return err
		}
		nextPrivate, nextPublic, err = s.ReKeyPair(private, replacement(), replacement())
		return err
	})
	require.Equal(t, []any{Link{PublicKeyLink, nextPublic}, Link{ReplacedLink, private}}, r.values(nextPrivate, AttrLink))
	require.Equal(t, []any{Link{PrivateKeyLink, nextPrivate}, Link{ReplacedLink, public}}, r.values(nextPublic, AttrLink))
	require.Equal(t, []any{Link{PublicKeyLink, public}, Link{ReplacementLink, nextPrivate}}, r.values(private, AttrLink))
	require.Equal(t, []any{Link{PrivateKeyLink, private}, Link{ReplacementLink, nextPublic}}, r.values(public, AttrLink))
	require.Equal(t, [2]string{nextPrivate, nextPublic}, [2]string{r.named("private")[0], r.named("public")[0]})
	_, _, err := r.stage().ReKeyPair(public, replacement(), replacement())
	requireReason(t, ReasonAttributeNotFound, fault.Conflict, err)
	_, err = r.stage().ReKey(private, replacement())
	requireReason(t, ReasonWrongType, fault.Conflict, err)

	cert := Spec{Type: Certificate, Material: []byte(secret), Key: Key{CertificateType: 1, Format: 5}, Certificate: &CertificateInfo{Length: 32, Subject: "CN=a", Issuer: "CN=ca", Serial: []byte{1}},
		Signatures: []Signature{4}, Attributes: []Value{name("cert")}}
	old := r.make(cert)
	require.Equal(t, []string{old}, r.locate(Query{Match: []Value{{AttrX509Subject, CertificateInfo{Subject: "CN=a"}}, {AttrCertLength, uint32(32)}, {AttrSignature, Signature(4)}}}))
	var next string
	r.must(func(s *Stage) (err error) {
		next, err = s.ReCertify(old, Replacement{Material: []byte("another certificate, and longer"), Key: cert.Key, Certificate: &CertificateInfo{Subject: "CN=a", Serial: []byte{2}}})
		return err
	})
	require.Equal(t, []string{next}, r.named("cert"))
	require.Equal(t, []string{next}, r.locate(Query{Match: []Value{{AttrX509ID, CertificateInfo{Serial: []byte{2}}}}}))
}
