package kmipclient

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// TestWhatIsMadeByDefaultIsForOldAppliances: RSA throughout, and certificates as RFC 5280 wants them.
func TestWhatIsMadeByDefaultIsForOldAppliances(t *testing.T) {
	r := newRig(t)
	ca, _, err := r.e.InitCA(t.Context(), r.req(), "")
	require.NoError(t, err)
	root := parsed(t, ca.Certificate)
	require.Equal(t, 3072, root.PublicKey.(*rsa.PublicKey).N.BitLen())
	require.True(t, root.IsCA && root.BasicConstraintsValid && root.MaxPathLen == 0 && root.MaxPathLenZero)
	require.Equal(t, x509.KeyUsageCertSign|x509.KeyUsageCRLSign, root.KeyUsage)
	require.Equal(t, begin.Std().Add(caLife), root.NotAfter)
	require.Equal(t, fsm.At(root.NotAfter), ca.Expires)
	require.Greater(t, root.SerialNumber.BitLen(), 64)
	require.LessOrEqual(t, root.SerialNumber.BitLen(), 128)

	made := r.enrol("a", source(t)(MakeKey("", 0)))
	leaf := parsed(t, made.Certificate)
	require.Equal(t, 2048, leaf.PublicKey.(*rsa.PublicKey).N.BitLen())
	require.Equal(t, root.Raw, made.CA)
	require.NoError(t, leaf.CheckSignatureFrom(root))
	require.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, leaf.ExtKeyUsage)
	require.Equal(t, x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment, leaf.KeyUsage)
	require.Equal(t, begin.Std().Add(DefaultLifetime), leaf.NotAfter)
	require.True(t, leaf.NotBefore.Before(begin.Std()))
	require.Equal(t, [3]any{printOf(leaf), keyPrint(leaf), fsm.At(leaf.NotAfter)}, [3]any{made.Print, made.PublicKey, made.Expires})
	roots := x509.NewCertPool()
	roots.AddCert(root)
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: begin.Std(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	require.NoError(t, err)
	r.log.Pass(time.Hour)
	long := r.enrol("b", source(t)(ForRequest(request(t, newKey(t)), MaxLifetime)))
	require.Equal(t, ca.Expires, long.Expires, "a certificate ends with its CA")
	r.comes("a", leaf)
}

func TestGenerationsOfTheClientCA(t *testing.T) {
	r := withCAs(t)
	_, _, err := r.e.InitCA(t.Context(), r.req(), P256)
	requireKind(t, fault.Conflict, err, "ca rotate")
	_, _, err = r.e.RotateCA(t.Context(), r.in(fsm.RootTenant).req(), P256)
	requireKind(t, fault.Conflict, err, "no KMIP CA yet")
	_, _, err = r.e.InitCA(t.Context(), r.in(fsm.RootTenant).req(), "rsa-512")
	requireKind(t, fault.Invalid, err, "rsa-2048")
	remove := func(uid fsm.UID) error {
		_, _, err := r.e.RemoveCA(t.Context(), r.req(), uid)
		return err
	}
	old := r.enrol("a", source(t)(MakeKey(P256, 0)))
	all, err := CAs(r.view(), acme)
	require.NoError(t, err)
	require.Len(t, all, 1)
	requireKind(t, fault.Conflict, remove(all[0].UID), "generation 1")
	second, _, err := r.e.RotateCA(t.Context(), r.req(), P256)
	require.NoError(t, err)
	require.EqualValues(t, 2, second.Generation)
	fresh := r.enrol("b", source(t)(MakeKey(P256, 0)))
	require.Equal(t, [2][]byte{all[0].Certificate, second.Certificate}, [2][]byte{old.CA, fresh.CA})
	r.comes("a", parsed(t, old.Certificate))
	requireKind(t, fault.NotFound, r.in(umbra).removeCA(all[0].UID), "no KMIP CA")
	require.NoError(t, remove(all[0].UID))
	r.refused(parsed(t, old.Certificate))
	r.comes("b", parsed(t, fresh.Certificate))
	requireKind(t, fault.NotFound, remove(all[0].UID), "no KMIP CA")
	require.Equal(t, 2, sealedKeys(t, r), "the key of the CA that was removed is destroyed")
	r.log.Pass(caLife + time.Hour)
	_, err = r.try(Enrolment{Name: "c", By: source(t)(MakeKey(P256, 0))})
	requireKind(t, fault.Conflict, err, "has expired")
}

func (r *rig) removeCA(uid fsm.UID) error {
	_, _, err := r.e.RemoveCA(r.t.Context(), r.req(), uid)
	return err
}

// sealedKeys counts the keys of CAs that can still be opened.
func sealedKeys(t *testing.T, r *rig) (n int) {
	v := r.view()
	require.NoError(t, Places(v, func(at fsm.Binding, s fsm.Sealed) error {
		_, err := r.keys.Open(v, at, s)
		if at.Field == "ca-key" {
			n++
		}
		return err
	}))
	return n
}

func TestExternalCAs(t *testing.T) {
	r := withCAs(t)
	partner := elsewhere(t, "partner")
	first, err := r.external("partner", partner)
	require.NoError(t, err)
	require.Equal(t, [2]any{ExternalCA, "partner"}, [2]any{first.Kind, first.Name})
	_, err = r.external("other", partner)
	requireKind(t, fault.Conflict, err, `registered as "partner"`)
	_, err = r.external("partner", elsewhere(t, "partner"))
	requireKind(t, fault.Conflict, err, "another key")
	for name, change := range map[string]func(*x509.Certificate){
		"a leaf":    func(*x509.Certificate) {},
		"no signer": func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCRLSign },
		"expired":   func(c *x509.Certificate) { c.IsCA, c.NotAfter = true, begin.Std().Add(-time.Second) },
	} {
		_, _, err := r.e.AddCA(t.Context(), r.req(), "bad", partner.issue("bad", change).Raw)
		require.Equal(t, fault.Invalid, fault.KindOf(err), name)
	}
	leaf := partner.issue("subject", func(c *x509.Certificate) { c.NotAfter = begin.Std().Add(5000 * time.Hour) })
	r.enrol("a", source(t)(BySubject("partner", leaf.RawSubject)))
	r.log.Pass(2000 * time.Hour)
	r.refused(leaf)
	_, err = r.try(Enrolment{Name: "b", By: source(t)(BySubject("partner", partner.cert.RawSubject))})
	requireKind(t, fault.Conflict, err, "has expired")
	tmpl := named("partner")
	tmpl.IsCA, tmpl.KeyUsage, tmpl.NotAfter = true, x509.KeyUsageCertSign, begin.Std().Add(9000*time.Hour)
	renewed := &authority{t, partner.sign(tmpl, partner.key), partner.key}
	again, _, err := r.e.AddCA(t.Context(), r.req(), "partner", pemOf("CERTIFICATE", renewed.cert.Raw))
	require.NoError(t, err)
	require.Equal(t, first.UID, again.UID)
	r.comes("a", leaf)
	require.NoError(t, r.removeCA(first.UID))
	r.refused(leaf)
}

// TestCertificatesThatSayNever expire beyond what fsm.Time can say.
func TestCertificatesThatSayNever(t *testing.T) {
	r := withCAs(t)
	never := func(c *x509.Certificate) { c.NotAfter = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }
	key, tmpl := newKey(t), named("never")
	never(tmpl)
	tmpl.IsCA, tmpl.KeyUsage = true, x509.KeyUsageCertSign
	ca := &authority{t, tmpl, key}
	ca.cert = ca.sign(tmpl, key)
	_, err := r.external("never", ca)
	require.NoError(t, err)
	leaf, pinned := ca.issue("subject", never), ca.issue("pinned", never)
	r.enrol("a", source(t)(BySubject("never", leaf.RawSubject)))
	require.Zero(t, r.enrol("b", source(t)(ByCertificate(pinned.Raw))).Expires)
	r.log.Pass(20 * 365 * 24 * time.Hour)
	r.comes("a", leaf)
	r.comes("b", pinned)
	old := selfSigned(t, "old")
	_, err = r.try(Enrolment{Name: "c", By: source(t)(ByCertificate(old.Raw))})
	requireKind(t, fault.Invalid, err, "has expired")
}

func TestServersShowCertificatesOfTheClusterCA(t *testing.T) {
	r := newRig(t)
	want := ServerNames{Names: []string{"kmip.example", "a.example"}, Addresses: []net.IP{net.IPv4(127, 0, 0, 1)}, Algorithm: P256, Lifetime: time.Hour}
	_, err := ServerCertificate(r.view(), r.keys, want, begin)
	requireKind(t, fault.NotDone, err, "no CA")
	_, _, err = r.e.EnsureServerCA(t.Context(), r.req(), P256)
	requireKind(t, fault.Denied, err, "root tenant")
	root := r.in(fsm.RootTenant)
	first, rc, err := r.e.EnsureServerCA(t.Context(), root.req(), P256)
	require.NoError(t, err)
	require.NotZero(t, rc.Index)
	again, rc, err := r.e.EnsureServerCA(t.Context(), root.req(), P256)
	require.NoError(t, err)
	require.Equal(t, [2]any{first.UID, uint64(0)}, [2]any{again.UID, rc.Index})

	shown := func(now fsm.Time) *x509.Certificate {
		c, err := ServerCertificate(r.view(), r.keys, want, now)
		require.NoError(t, err)
		require.Equal(t, "kmip.example", c.Leaf.Subject.CommonName)
		require.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, c.Leaf.ExtKeyUsage)
		require.IsType(t, &ecdsa.PrivateKey{}, c.PrivateKey)
		pool := rootsOf(t, r)
		for _, name := range []string{"kmip.example", "a.example", "127.0.0.1"} {
			_, err = c.Leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: now.Std(), DNSName: name})
			require.NoError(t, err)
		}
		return parsed(t, c.Certificate[1])
	}
	require.Equal(t, first.Certificate, shown(begin).Raw)
	_, _, err = r.e.RotateServerCA(t.Context(), root.req(), P256, -1)
	requireKind(t, fault.Invalid, err, "365 days")
	second, _, err := r.e.RotateServerCA(t.Context(), root.req(), P256, 30*24*time.Hour)
	require.NoError(t, err)
	require.Equal(t, first.Certificate, shown(begin).Raw, "clients learn the next one first")
	requireKind(t, fault.Conflict, root.removeCA(first.UID), "in use")
	requireKind(t, fault.Conflict, root.removeCA(second.UID), "in use")
	r.log.Pass(30 * 24 * time.Hour)
	require.Equal(t, second.Certificate, shown(r.log.Now()).Raw)
	pems, err := Roots(r.view())
	require.NoError(t, err)
	block, rest := pem.Decode(pems)
	require.Equal(t, first.Certificate, block.Bytes)
	require.NoError(t, root.removeCA(first.UID))
	pems, err = Roots(r.view())
	require.NoError(t, err)
	require.Equal(t, rest, pems)

	for _, bad := range []ServerNames{{}, {Names: []string{""}}, {Names: []string{"a b"}}, {Names: []string{"ä.example"}},
		{Names: want.Names, Algorithm: "x"}, {Names: want.Names, Lifetime: 1}} {
		_, err := ServerCertificate(r.view(), r.keys, bad, begin)
		requireKind(t, fault.Invalid, err, "")
	}
	r.keys.Close()
	_, err = ServerCertificate(r.view(), r.keys, want, r.log.Now())
	requireKind(t, fault.Sealed, err, "sealed")
}

func rootsOf(t *testing.T, r *rig) *x509.CertPool {
	pems, err := Roots(r.view())
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pems))
	return pool
}

// TestTheKeysOfCAsAreWrappedAnew, and the answers that are still kept: Places says where they stand.
func TestTheKeysOfCAsAreWrappedAnew(t *testing.T) {
	r := withCAs(t)
	req := r.req()
	req.Receipt = &fsm.ReceiptKey{Key: [32]byte{1}, Request: [32]byte{2}}
	n := Enrolment{Name: "a", By: source(t)(MakeKey(P256, 0))}
	first, _, err := r.e.Enrol(t.Context(), req, n, "key")
	require.NoError(t, err)
	_, err = r.external("partner", elsewhere(t, "partner"))
	require.NoError(t, err)
	before := wraps(t, r)
	require.Len(t, before, 3)
	w := keyring.NewRotator(r.keys, r.ledger, nil, slog.New(slog.DiscardHandler), Places)
	_, err = w.Tenant(t.Context(), r.in(fsm.RootTenant).req(), acme)
	require.NoError(t, err)
	done := make(chan error)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { done <- w.Run(ctx) }()
	require.Eventually(t, func() bool { return rotated(r.store) }, 5*time.Minute, 10*time.Millisecond)
	stop()
	require.NoError(t, <-done)
	after := wraps(t, r)
	require.Len(t, after, 3)
	for at, b := range before {
		require.Equal(t, at.Tenant != acme, bytes.Equal(b, after[at]), "%v", at)
	}
	require.Equal(t, 2, sealedKeys(t, r))
	again, _, err := r.e.Enrol(t.Context(), req, n, "key")
	require.NoError(t, err)
	require.Equal(t, first, again)
	r.enrol("b", source(t)(MakeKey(P256, 0)))
}

// rotated reports whether the one rotation of a key that there was has ended.
func rotated(s *fsm.Store) bool {
	v, err := s.View()
	if err != nil {
		return false
	}
	defer v.Close()
	all, err := keyring.Rotations(v)
	return err == nil && len(all) == 1 && all[0].Ended > 0
}

// wraps are the bytes of all that is sealed, by where it stands.
func wraps(t *testing.T, r *rig) map[fsm.Binding][]byte {
	v, out := r.view(), map[fsm.Binding][]byte{}
	require.NoError(t, Places(v, func(at fsm.Binding, s fsm.Sealed) error {
		full, found, err := fsm.Load(v, s)
		require.True(t, err == nil && found, "%v: %v", at, err)
		out[at] = full.Bytes()
		return nil
	}))
	return out
}
