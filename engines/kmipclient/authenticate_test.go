package kmipclient

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

// bound is a tenant with a client of each kind; partner is the external CA behind the one called subject.
type bound struct {
	*rig
	partner *authority
	made    Issued
	asked   *x509.Certificate
	given   *x509.Certificate
	printed *x509.Certificate
	keyed   *authority // signs itself
	leaf    *x509.Certificate
}

func newBound(t *testing.T) *bound {
	b := &bound{rig: withCAs(t), partner: elsewhere(t, "partner"), given: selfSigned(t, "given"), printed: selfSigned(t, "printed"), keyed: elsewhere(t, "keyed")}
	ok := source(t)
	b.made = b.enrol("made", ok(MakeKey(P256, 0)))
	b.asked = parsed(t, b.enrol("asked", ok(ForRequest(request(t, newKey(t)), time.Hour))).Certificate)
	b.enrol("given", ok(ByCertificate(b.given.Raw)))
	b.enrol("printed", ok(ByFingerprint(printOf(b.printed))))
	b.enrol("keyed", ok(ByPublicKey(keyPrint(b.keyed.cert))))
	_, err := b.external("partner", b.partner)
	require.NoError(t, err)
	b.leaf = b.partner.issue("subject", nil)
	b.enrol("subject", ok(BySubject("partner", b.leaf.RawSubject)))
	return b
}

func TestAClientComesInByWhatItIsKnownBy(t *testing.T) {
	r := newBound(t)
	other := parsed(t, r.in(umbra).enrol("made", source(t)(MakeKey(P256, 0))).Certificate)
	r.comes("made", parsed(t, r.made.Certificate))
	r.comes("asked", r.asked)
	r.comes("given", r.given)
	r.comes("given", r.given, r.partner.cert, r.leaf) // what stands behind it is ignored
	r.comes("printed", r.printed)
	r.comes("keyed", r.keyed.cert)
	r.comes("keyed", r.keyed.sign(named("another certificate for the key"), r.keyed.key))
	r.comes("subject", r.leaf)
	r.comes("subject", r.partner.issue("subject", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }))
	r.comes("subject", r.partner.issue("subject", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }))
	r.in(umbra).comes("made", other)
	r.refused()
	r.refused(r.partner.cert, r.given)
}

// TestASubjectIsBelievedFromItsCAAlone tries certificates with the right subject.
func TestASubjectIsBelievedFromItsCAAlone(t *testing.T) {
	r := newBound(t)
	twin := elsewhere(t, "partner") // the same name, another key
	_, err := r.in(umbra).external("partner", twin)
	require.NoError(t, err)
	server := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	between := func(ca bool) *x509.Certificate {
		key, tmpl := newKey(t), named("between")
		tmpl.IsCA = ca
		if ca {
			tmpl.KeyUsage = x509.KeyUsageCertSign
		}
		under := &authority{t, r.partner.sign(tmpl, key), key}
		return under.issue("subject", nil)
	}
	tampered := *r.partner.issue("subject", nil)
	tampered.Raw = append(bytes.Clone(tampered.Raw), 0)
	tampered.RawTBSCertificate = append(bytes.Clone(tampered.RawTBSCertificate), 0)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	self := newKey(t)
	pretends, inItsName := named("subject"), *r.partner.cert
	inItsName.PublicKey = self.Public()
	for name, c := range map[string]*x509.Certificate{
		"of another CA with the same name":   twin.issue("subject", nil),
		"signed by itself":                   (&authority{t, pretends, self}).sign(pretends, self),
		"signed by itself, in the CA's name": (&authority{t, &inItsName, self}).sign(named("subject"), self),
		"expired":                            r.partner.issue("subject", func(c *x509.Certificate) { c.NotAfter = begin.Std().Add(-time.Second) }),
		"not yet valid":                      r.partner.issue("subject", func(c *x509.Certificate) { c.NotBefore = begin.Std().Add(time.Second) }),
		"for servers":                        r.partner.issue("subject", server),
		"a CA":                               r.partner.issue("subject", func(c *x509.Certificate) { c.IsCA = true }),
		"of a leaf of the CA":                between(false),
		"of a CA below the CA":               between(true),
		"changed afterwards":                 &tampered,
		"of a weak key":                      r.partner.sign(named("subject"), weak),
		"of a longer subject":                r.partner.issue("subject 2", nil),
	} {
		t.Run(name, func(t *testing.T) {
			r.refused(c)
			r.refused(c, r.partner.cert)
		})
	}
	r.comes("subject", r.leaf)
	r.log.Pass(1001 * time.Hour)
	r.refused(r.partner.issue("subject", func(c *x509.Certificate) { c.NotAfter = begin.Std().Add(2000 * time.Hour) }), r.partner.cert) // the CA has expired
}

// TestTwoTenantsThatTrustOneCA keeps their subjects apart.
func TestTwoTenantsThatTrustOneCA(t *testing.T) {
	r := newBound(t)
	u := r.in(umbra)
	_, err := u.external("ours", r.partner)
	require.NoError(t, err)
	_, err = u.try(Enrolment{Name: "thief", By: source(t)(BySubject("ours", r.leaf.RawSubject))})
	requireKind(t, fault.Conflict, err, "bound already, or was once")
	theirs := r.partner.issue("theirs", nil)
	u.enrol("theirs", source(t)(BySubject("ours", theirs.RawSubject)))
	u.comes("theirs", theirs)
	r.comes("subject", r.leaf)
	ca, err := u.external("ours", r.partner)
	require.NoError(t, err)
	_, _, err = u.e.RemoveCA(t.Context(), u.req(), ca.UID)
	require.NoError(t, err)
	u.refused(theirs)
	r.comes("subject", r.leaf)
}

func TestWhoDoesNotComeInAnyMore(t *testing.T) {
	for name, end := range map[string]func(*bound){
		"revoked": func(b *bound) {
			for _, n := range []string{"made", "asked", "given", "printed", "keyed", "subject"} {
				require.NoError(b.t, b.revoke(n))
				require.Equal(b.t, Ended, b.info(n).State)
			}
		},
		"deleted": func(b *bound) {
			for _, n := range []string{"made", "asked", "given", "printed", "keyed", "subject"} {
				require.NoError(b.t, b.remove(n))
			}
		},
		"expired":            func(b *bound) { b.log.Pass(2 * DefaultLifetime) },
		"of a closed tenant": func(b *bound) { b.closed[acme] = true },
		"of before a restore": func(b *bound) {
			b.log.Must(b.t, fsm.RootTenant, fsm.Restored{Epoch: 2, From: 1, How: "restore"})
			require.Equal(b.t, Suspended, b.info("made").State)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newBound(t)
			other := parsed(t, r.in(umbra).enrol("other", source(t)(MakeKey(P256, MaxLifetime))).Certificate)
			end(r)
			for _, c := range []*x509.Certificate{parsed(t, r.made.Certificate), r.asked, r.given, r.printed, r.keyed.cert, r.leaf} {
				r.refused(c)
			}
			if fsm.Epoch(r.view()) == fsm.FirstEpoch {
				r.in(umbra).comes("other", other)
			}
		})
	}
}

func TestAfterARestoreClientsAreConfirmed(t *testing.T) {
	r := newBound(t)
	require.NoError(t, r.revoke("given"))
	restore := func(epoch uint32) {
		r.log.Must(t, fsm.RootTenant, fsm.Restored{Epoch: epoch, From: epoch - 1, How: "restore"})
	}
	restore(2)
	r.refused(r.asked)
	fresh := parsed(t, r.enrol("fresh", source(t)(MakeKey(P256, 0))).Certificate)
	r.comes("fresh", fresh)
	for range 2 {
		_, _, err := r.e.Confirm(t.Context(), r.req(), "asked")
		require.NoError(t, err)
	}
	r.comes("asked", r.asked)
	r.refused(r.printed)
	rc, err := r.e.ConfirmAll(t.Context(), r.in(umbra).req())
	require.NoError(t, err)
	require.NotZero(t, rc.Index)
	r.refused(r.printed)
	_, err = r.e.ConfirmAll(t.Context(), r.req())
	require.NoError(t, err)
	r.comes("printed", r.printed)
	r.refused(r.given)
	rc, err = r.e.ConfirmAll(t.Context(), r.req())
	require.NoError(t, err)
	require.Zero(t, rc.Index, "there is nothing to confirm")
	restore(3)
	r.refused(r.printed)
	r.refused(r.asked)
	r.refused(fresh)
	_, _, err = r.e.Confirm(t.Context(), r.req(), "nobody")
	requireKind(t, fault.NotFound, err, "no KMIP client")
}

// TestAKeyThatIsReservedLetsNobodyIn but the client that has it.
func TestAKeyThatIsReservedLetsNobodyIn(t *testing.T) {
	r := newBound(t)
	key := newKey(t)
	mine := r.partner.sign(named("mine"), key)
	r.enrol("mine", source(t)(ForRequest(request(t, key), 0)))
	r.refused(mine)
	_, err := r.in(umbra).try(Enrolment{Name: "mine", By: source(t)(ByPublicKey(keyPrint(mine)))})
	requireKind(t, fault.Conflict, err, "certificate's key is bound already")
	r.enrol("another", source(t)(BySubject("partner", mine.RawSubject)))
	r.refused(mine) // the subject is another's, the key mine's
	require.NoError(t, r.remove("another"))
	_, err = r.renew("mine", source(t)(BySubject("partner", mine.RawSubject)), nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, r.comes("mine", mine).Binding)
	_, err = r.renew("mine", source(t)(ByPublicKey(keyPrint(mine))), nil)
	require.NoError(t, err)
	require.EqualValues(t, 3, r.comes("mine", mine).Binding)
}

// TestALaterClaimDrawsNobodyAway: certificates are no secret, and other tenants may claim what they see of them.
func TestALaterClaimDrawsNobodyAway(t *testing.T) {
	r := newBound(t)
	u, ok := r.in(umbra), source(t)
	next := r.keyed.sign(named("the next certificate for the key"), r.keyed.key)
	u.enrol("key", ok(ByFingerprint(printOf(next))))
	u.enrol("subject", ok(ByCertificate(r.leaf.Raw)))
	other := r.partner.issue("subject", nil)
	u.enrol("subject-key", ok(ByPublicKey(keyPrint(other))))
	u.enrol("printed", ok(ByPublicKey(keyPrint(r.printed))))
	r.comes("keyed", next)
	r.comes("subject", r.leaf)
	r.comes("subject", other)
	r.comes("printed", r.printed)
	for _, name := range []string{"keyed", "subject", "printed"} {
		require.NoError(t, r.revoke(name))
	}
	for _, c := range []*x509.Certificate{next, r.leaf, other, r.printed} {
		r.refused(c)
	}
}

func TestWhichClaimDecides(t *testing.T) {
	one, two := fsm.UID{1}, fsm.UID{2}
	a, b, c := fsm.UID{1, 1}, fsm.UID{1, 2}, fsm.UID{2, 1}
	claim := func(kind string, tenant, client fsm.UID, seq uint64, admits bool) standing {
		return standing{kind, claimRow{Tenant: tenant, Client: client, Number: seq, Admits: admits, Seq: seq}}
	}
	for name, row := range map[string]struct {
		all  []standing
		want fsm.UID // zero: nobody comes in
	}{
		"nothing":                            {},
		"a reserved key":                     {all: []standing{claim(byKey, one, a, 1, false)}},
		"a fingerprint before a key":         {[]standing{claim(byCertificate, one, a, 9, true), claim(byKey, one, b, 1, true)}, a},
		"a key before a subject":             {[]standing{claim(byKey, one, a, 9, true), claim(bySubject, one, b, 1, true)}, a},
		"a subject and its client's own key": {[]standing{claim(byKey, one, a, 9, false), claim(bySubject, one, a, 1, true)}, a},
		"a subject and another's key":        {all: []standing{claim(byKey, one, b, 9, false), claim(bySubject, one, a, 1, true)}},
		"a later tenant's fingerprint":       {[]standing{claim(byCertificate, two, c, 9, true), claim(byKey, one, a, 1, true)}, a},
		"a later tenant's reserved key":      {[]standing{claim(byKey, two, c, 9, false), claim(bySubject, one, a, 1, true)}, a},
		"a later tenant's, on a reserved":    {all: []standing{claim(byCertificate, two, c, 9, true), claim(byKey, one, a, 1, false)}},
		"an earlier tenant's fingerprint":    {[]standing{claim(byCertificate, two, c, 1, true), claim(bySubject, one, a, 9, true)}, c},
	} {
		t.Run(name, func(t *testing.T) {
			ref, found := decideMatch(row.all)
			require.Equal(t, !row.want.IsZero(), found)
			if found {
				require.Equal(t, row.want, ref.Client)
			}
		})
	}
}

func TestSubjectsThatAreNone(t *testing.T) {
	empty, err := asn1.Marshal([]int{})
	require.NoError(t, err)
	good := selfSigned(t, "x").RawSubject
	for _, bad := range [][]byte{nil, {0}, empty, []byte("CN=x"), append(bytes.Clone(good), 0), bytes.Repeat([]byte{0x30}, 4000)} {
		_, err := BySubject("partner", bad)
		requireKind(t, fault.Invalid, err, "is ")
	}
	r := withCAs(t)
	_, err = r.try(Enrolment{Name: "a", By: source(t)(BySubject("partner", good))})
	requireKind(t, fault.NotFound, err, "no external KMIP CA")
}

// TestADamagedStateIsNoRefusal: who asks must not be told that a client is unknown when nobody can tell.
func TestADamagedStateIsNoRefusal(t *testing.T) {
	r := withCAs(t)
	c := parsed(t, r.enrol("a", source(t)(MakeKey(P256, 0))).Certificate)
	r.log.Must(t, acme, Configured{Client: r.info("a").UID, Role: "gone"})
	_, err := r.login(c)
	requireKind(t, fault.Corrupt, err, "role")
	_, err = r.log.Apply(fsmtest.Entry(acme, Revoked{Client: fsm.UID{9}}))
	require.ErrorContains(t, err, "which there is not")
}
