package pki

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func (r *rig) issuer(name string) Issuer {
	i, err := r.e.GetIssuer(r.view(), r.tenant, name)
	require.NoError(r.t, err)
	return i
}

func (r *rig) crl(name string, delta bool) *x509.RevocationList {
	der, next, err := r.e.CRL(r.view(), r.issuer(name).UID, delta)
	require.NoError(r.t, err)
	list, err := x509.ParseRevocationList(der)
	require.NoError(r.t, err)
	require.NoError(r.t, list.CheckSignatureFrom(parse(r.t, r.issuer(name).Chain[0])))
	require.Equal(r.t, next, list.NextUpdate)
	require.False(r.t, list.ThisUpdate.After(r.log.Now().Std()))
	require.True(r.t, list.NextUpdate.After(r.log.Now().Std()))
	return list
}

// listed are the serial numbers on a CRL.
func (r *rig) listed(name string, delta bool) (out []string) {
	for _, e := range r.crl(name, delta).RevokedCertificateEntries {
		out = append(out, e.SerialNumber.Text(16))
	}
	return out
}

// ask is what an OCSP client that trusts the issuer learns.
func (r *rig) ask(name, serial string) *ocsp.Response {
	r.t.Helper()
	i := r.issuer(name)
	ca := parse(r.t, i.Chain[0])
	n, ok := new(big.Int).SetString(serial, 16)
	require.True(r.t, ok)
	q, err := ocsp.CreateRequest(&x509.Certificate{SerialNumber: n, RawIssuer: ca.RawSubject}, ca, &ocsp.RequestOptions{Hash: crypto.SHA1})
	require.NoError(r.t, err)
	raw, err := r.e.OCSP(r.view(), i.UID, q)
	require.NoError(r.t, err)
	answer, err := ocsp.ParseResponseForCert(raw, &x509.Certificate{SerialNumber: n}, ca)
	require.NoError(r.t, err)
	return answer
}

func TestOCSPSaysWhatTheStateSays(t *testing.T) {
	r := ready(t)
	c := r.issued(Order{Role: "hosts", DNS: []string{"a.example.com"}})
	require.Equal(t, ocsp.Good, r.ask("web", c.Serial).Status)
	require.Equal(t, ocsp.Unknown, r.ask("root", c.Serial).Status, "another issuer's")
	require.Equal(t, ocsp.Unknown, r.ask("web", "1234").Status)
	require.Equal(t, ocsp.Good, r.ask("root", serialOf(parse(t, r.issuer("web").Chain[0]))).Status, "the intermediate itself")
	_, _, err := r.e.Revoke(t.Context(), r.req(), c.Serial, "keyCompromise")
	require.NoError(t, err)
	a := r.ask("web", c.Serial)
	require.Equal(t, []int{ocsp.Revoked, ocsp.KeyCompromise}, []int{a.Status, a.RevocationReason})
	require.Equal(t, []asn1.ObjectIdentifier{oidNoCheck}, nocheck(a.Certificate))
	require.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}, a.Certificate.ExtKeyUsage)

	web := r.issuer("web")
	for _, junk := range [][]byte{nil, []byte("x"), make([]byte, 2000)} {
		raw, err := r.e.OCSP(r.view(), web.UID, junk)
		require.NoError(t, err)
		require.Equal(t, OCSPMalformed, raw)
	}
	q, err := ocsp.CreateRequest(parse(t, c.DER), parse(t, r.issuer("root").Chain[0]), nil)
	require.NoError(t, err)
	raw, err := r.e.OCSP(r.view(), web.UID, q)
	require.NoError(t, err)
	require.Equal(t, OCSPUnauthorized, raw, "a request about another issuer's certificates")
	_, err = r.e.OCSP(r.view(), fsm.UID{7}, q)
	require.True(t, fault.Is(err, fault.NotFound))
}

func nocheck(c *x509.Certificate) (out []asn1.ObjectIdentifier) {
	for _, x := range c.Extensions {
		if x.Id.Equal(oidNoCheck) {
			out = append(out, x.Id)
		}
	}
	return out
}

// TestCRLsGrow: numbers grow whatever happens, two nodes say the same, and a delta has what is new.
func TestCRLsGrow(t *testing.T) {
	r := ready(t)
	var serials []string
	for range 4 {
		serials = append(serials, r.issued(Order{Role: "hosts", DNS: []string{"a.example.com"}, TTL: 40 * time.Hour}).Serial)
	}
	revoke := func(i int) {
		r.log.Pass(time.Second)
		_, _, err := r.e.Revoke(t.Context(), r.req(), serials[i], "superseded")
		require.NoError(t, err)
	}
	empty := r.crl("web", false)
	revoke(0)
	one := r.crl("web", false)
	require.Positive(t, one.Number.Cmp(empty.Number))
	require.Equal(t, serials[:1], r.listed("web", false))
	require.Equal(t, serials[:1], r.listed("web", true))
	require.Equal(t, empty.Number.String(), base(t, r.crl("web", true)), "what the delta rests on was a CRL")

	r.log.Pass(25 * time.Hour) // the next slot
	begun := r.crl("web", false)
	require.Positive(t, begun.Number.Cmp(one.Number))
	require.Empty(t, r.listed("web", true))
	revoke(1)
	require.ElementsMatch(t, serials[:2], r.listed("web", false))
	require.Equal(t, serials[1:2], r.listed("web", true))
	require.Equal(t, begun.Number.String(), base(t, r.crl("web", true)))

	mine, theirs := r.crl("web", false), (&rig{t: t, tenant: acme, store: r.store, log: r.log, e: r.node()}).crl("web", false)
	require.Equal(t, mine.RawTBSRevocationList, theirs.RawTBSRevocationList)

	r.in(fsm.RootTenant).log.Must(t, fsm.RootTenant, fsm.Restored{Epoch: 2, From: 1, How: "restore"})
	require.Positive(t, r.crl("web", false).Number.Cmp(mine.Number), "a restore")

	r.log.Pass(5 * 24 * time.Hour)
	require.Empty(t, r.listed("web", false), "they have expired")
	require.NoError(t, r.e.Worker().tidy(t.Context()))
	all, _, err := Certificates(r.view(), acme, "", 10)
	require.NoError(t, err)
	require.Len(t, all, 1, "the intermediate's")
	n := 0
	require.NoError(t, revoked.Scan(r.view(), fsm.Span{}, func(fsm.Key, revokedRow) (bool, error) { n++; return true, nil }))
	require.Zero(t, n)
}

func base(t *testing.T, l *x509.RevocationList) string {
	i := slices.IndexFunc(l.Extensions, func(x pkix.Extension) bool { return x.Id.Equal(oidDelta) })
	require.GreaterOrEqual(t, i, 0)
	require.True(t, l.Extensions[i].Critical)
	var n *big.Int
	_, err := asn1.Unmarshal(l.Extensions[i].Value, &n)
	require.NoError(t, err)
	return n.String()
}

func TestTheSignerOfOCSPAnswersIsRenewed(t *testing.T) {
	r := ready(t)
	before := r.ask("web", "1").Certificate
	w := r.e.Worker()
	require.NoError(t, w.renew(t.Context()))
	require.Equal(t, before.Raw, r.ask("web", "1").Certificate.Raw, "it is good for long enough")
	r.log.Pass(21 * 24 * time.Hour)
	require.NoError(t, w.renew(t.Context()))
	after := r.ask("web", "1").Certificate
	require.True(t, after.NotAfter.After(before.NotAfter))
	r.e.Forget()
	require.Equal(t, after.Raw, r.ask("web", "1").Certificate.Raw)
	places := 0
	require.NoError(t, Places(r.view(), func(at fsm.Binding, s fsm.Sealed) error {
		places++
		_, err := r.keys.Open(r.view(), at, s)
		return err
	}))
	require.Equal(t, 4, places)
	r.log.Pass(31 * 24 * time.Hour)
	web := r.issuer("web")
	raw, err := r.e.OCSP(r.view(), web.UID, someRequest(t, parse(t, web.Chain[0])))
	require.NoError(t, err)
	require.Equal(t, OCSPTryLater, raw, "an expired signer signs nothing")
}

func someRequest(t testing.TB, ca *x509.Certificate) []byte {
	q, err := ocsp.CreateRequest(&x509.Certificate{SerialNumber: big.NewInt(1), RawIssuer: ca.RawSubject}, ca, nil)
	require.NoError(t, err)
	return q
}
