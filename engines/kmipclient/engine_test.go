package kmipclient

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestNames(t *testing.T) {
	r := withCAs(t)
	ok := source(t)
	for _, bad := range []string{"", ".", "..", "a/b", "a b", "ä", "a\x00", "*", "@own", strings.Repeat("a", 129)} {
		_, err := r.try(Enrolment{Name: bad, By: ok(MakeKey(P256, 0))})
		requireKind(t, fault.Invalid, err, "letters")
	}
	long := strings.Repeat("a", 128)
	for _, good := range []string{long, "-", "a.B_1"} {
		c := parsed(t, r.enrol(good, ok(MakeKey(P256, 0))).Certificate)
		require.Equal(t, "trstctl://"+acme.String()+"/kmip/"+good, c.URIs[0].String())
		require.Equal(t, good[:min(len(good), 64)], c.Subject.CommonName)
		r.comes(good, c)
	}
	_, err := r.try(Enrolment{Name: long, By: ok(MakeKey(P256, 0))})
	requireKind(t, fault.Conflict, err, "there is a KMIP client")
	r.in(umbra).enrol(long, ok(MakeKey(P256, 0)))
	_, err = r.try(Enrolment{Name: "b"})
	requireKind(t, fault.Invalid, err, "known by something")
	_, err = Get(r.view(), umbra, "-")
	requireKind(t, fault.NotFound, err, "no KMIP client")
	_, err = r.try(Enrolment{Name: "b", Role: "none", By: ok(MakeKey(P256, 0))})
	requireKind(t, fault.NotFound, err, "no KMIP role")
	_, err = r.in(fsm.RootTenant).try(Enrolment{Name: "b", By: ok(MakeKey(P256, 0))})
	requireKind(t, fault.Conflict, err, "kmip ca init")
}

// TestARepeatedRequestGetsTheSameKey while it is kept.
func TestARepeatedRequestGetsTheSameKey(t *testing.T) {
	r := withCAs(t)
	req := r.req()
	req.Receipt = &fsm.ReceiptKey{Key: [32]byte{1}, Request: [32]byte{2}}
	enrol := func(key string) (Issued, error) {
		out, _, err := r.e.Enrol(t.Context(), req, Enrolment{Name: "a", By: source(t)(MakeKey(P256, 0))}, key)
		return out, err
	}
	first, err := enrol("key")
	require.NoError(t, err)
	block, _ := pem.Decode(first.Key)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	require.True(t, key.(*ecdsa.PrivateKey).PublicKey.Equal(parsed(t, first.Certificate).PublicKey))
	again, err := enrol("key")
	require.NoError(t, err)
	require.Equal(t, first, again)
	_, err = enrol("another key")
	requireKind(t, fault.Denied, err, "")
	require.Equal(t, 1, answers(t, r))
	require.NoError(t, r.revoke("a"))
	require.Zero(t, answers(t, r), "a revocation destroys the answer")
	_, err = enrol("key")
	requireKind(t, fault.Conflict, err, "no longer kept")

	req.Receipt = &fsm.ReceiptKey{Key: [32]byte{3}, Request: [32]byte{4}}
	csr := request(t, newKey(t))
	var issued []Issued
	for range 2 {
		out, _, err := r.e.Enrol(t.Context(), req, Enrolment{Name: "b", By: source(t)(ForRequest(csr, 0))}, "key")
		require.NoError(t, err)
		require.Empty(t, out.Key, "the key is the client's")
		issued = append(issued, out)
	}
	require.Equal(t, issued[0], issued[1])
	req.Receipt = &fsm.ReceiptKey{Key: [32]byte{5}, Request: [32]byte{6}}
	_, err = enrol("key")
	requireKind(t, fault.Conflict, err, "there is a KMIP client")
}

// answers counts the sealed answers that can still be read.
func answers(t *testing.T, r *rig) (n int) {
	require.NoError(t, Places(r.view(), func(at fsm.Binding, s fsm.Sealed) error {
		if at.Field == "client-key" {
			n++
		}
		return nil
	}))
	return n
}

// TestTwoTenantsRaceForOneCertificate: the second is told no more than one who is late by a year.
func TestTwoTenantsRaceForOneCertificate(t *testing.T) {
	for name, by := range map[string]func(*x509.Certificate) (Source, error){
		"certificate": func(c *x509.Certificate) (Source, error) { return ByCertificate(c.Raw) },
		"fingerprint": func(c *x509.Certificate) (Source, error) { return ByFingerprint(printOf(c)) },
		"key":         func(c *x509.Certificate) (Source, error) { return ByPublicKey(keyPrint(c)) },
	} {
		t.Run(name, func(t *testing.T) {
			r := withCAs(t)
			c := selfSigned(t, "x")
			s := source(t)(by(c))
			r.log.Before(func() { r.in(umbra).enrol("first", s) })
			_, err := r.try(Enrolment{Name: "second", By: s})
			requireKind(t, fault.Conflict, err, "belongs to one client for ever")
			r.in(umbra).comes("first", c)
			_, late := r.try(Enrolment{Name: "late", By: s})
			_, own := r.in(umbra).try(Enrolment{Name: "own", By: s})
			require.Equal(t, err.Error(), late.Error())
			require.Equal(t, err.Error(), own.Error())
			for _, word := range []string{"first", umbra.String()} {
				require.NotContains(t, err.Error(), word)
			}
			_, err = Get(r.view(), acme, "second")
			requireKind(t, fault.NotFound, err, "")
		})
	}
}

// TestWhatWasBoundIsNotBoundAgain, whoever asks, but a subject by its own tenant.
func TestWhatWasBoundIsNotBoundAgain(t *testing.T) {
	for _, revoked := range []bool{false, true} {
		r := newBound(t)
		_, err := r.in(umbra).external("partner", r.partner)
		require.NoError(t, err)
		for _, name := range []string{"made", "given", "printed", "keyed", "subject"} {
			if revoked {
				require.NoError(t, r.revoke(name))
			}
			require.NoError(t, r.remove(name))
		}
		ok := source(t)
		for _, s := range []Source{ok(ByCertificate(r.made.Certificate)), ok(ByCertificate(r.given.Raw)), ok(ByFingerprint(printOf(r.printed))),
			ok(ByPublicKey(keyPrint(r.keyed.cert))), ok(ByPublicKey(r.made.PublicKey)), ok(BySubject("partner", r.leaf.RawSubject))} {
			for _, tenant := range []fsm.UID{acme, umbra} {
				_, err := r.in(tenant).try(Enrolment{Name: fmt.Sprint("again-", s.kind), By: s})
				if s.kind == Subject && tenant == acme && !revoked {
					require.NoError(t, err)
					r.comes("again-subject", r.leaf)
					continue
				}
				requireKind(t, fault.Conflict, err, "or was once")
			}
		}
	}
}

func TestRenewal(t *testing.T) {
	r := withCAs(t)
	ok := source(t)
	made := func() Source { return ok(MakeKey(P256, 0)) }
	one := parsed(t, r.enrol("a", made()).Certificate)
	renewed := func(overlap *time.Duration) *x509.Certificate {
		out, err := r.renew("a", made(), overlap)
		require.NoError(t, err)
		return parsed(t, out.Certificate)
	}
	two := renewed(nil)
	r.comes("a", one)
	r.comes("a", two)
	three := renewed(to(time.Hour))
	r.comes("a", one)
	r.log.Pass(time.Hour)
	r.refused(one)
	r.refused(two)
	r.comes("a", three)
	four := renewed(to(time.Duration(0)))
	r.refused(three)
	require.EqualValues(t, 4, r.comes("a", four).Binding)

	all, err := Bindings(r.view(), acme, "a")
	require.NoError(t, err)
	require.Len(t, all, 4)
	require.Equal(t, one.Raw, all[0].Certificate)
	require.Equal(t, [2]any{Made, "ann"}, [2]any{all[3].Kind, all[3].By})
	_, err = r.renew("a", made(), to(400*24*time.Hour))
	requireKind(t, fault.Invalid, err, "365 days")
	_, _, err = r.e.RevokeBinding(t.Context(), r.req(), "a", 4)
	require.NoError(t, err)
	r.refused(four)
	_, _, err = r.e.RevokeBinding(t.Context(), r.req(), "a", 4)
	requireKind(t, fault.Conflict, err, "binding 4")
	_, _, err = r.e.RevokeBinding(t.Context(), r.req(), "a", 9)
	requireKind(t, fault.NotFound, err, "no binding 9")
	_, _, err = r.e.RevokeBinding(t.Context(), r.req(), "a", 0)
	requireKind(t, fault.NotFound, err, "no binding 0")
	r.comes("a", renewed(nil))
	require.NoError(t, r.revoke("a"))
	requireKind(t, fault.Conflict, r.revoke("a"), "is revoked")
	_, err = r.renew("a", made(), nil)
	requireKind(t, fault.Conflict, err, "for ever")
}

// TestOldBindingsMakeRoom for new ones, and only when they are good for nothing.
func TestOldBindingsMakeRoom(t *testing.T) {
	r := withCAs(t)
	first := r.enrol("a", source(t)(MakeKey(P256, 0)))
	for range maxBindings - 1 {
		_, err := r.renew("a", source(t)(MakeKey(P256, 0)), nil)
		require.NoError(t, err)
	}
	_, err := r.renew("a", source(t)(MakeKey(P256, 0)), nil)
	requireKind(t, fault.Limit, err, "16 certificates")
	_, _, err = r.e.RevokeBinding(t.Context(), r.req(), "a", 1)
	require.NoError(t, err)
	out, err := r.renew("a", source(t)(MakeKey(P256, 0)), nil)
	require.NoError(t, err)
	require.EqualValues(t, maxBindings+1, out.Number)
	all, err := Bindings(r.view(), acme, "a")
	require.NoError(t, err)
	require.Len(t, all, maxBindings)
	require.EqualValues(t, 2, all[0].Number)
	r.refused(parsed(t, first.Certificate))
	_, err = r.try(Enrolment{Name: "b", By: source(t)(ByCertificate(first.Certificate))})
	requireKind(t, fault.Conflict, err, "or was once")
}

func TestKeysThatAreTooWeak(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	_, err = ForRequest(request(t, weak), 0)
	requireKind(t, fault.Invalid, err, "2048")
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	_, err = ForRequest(request(t, small), 0)
	requireKind(t, fault.Invalid, err, "none of RSA")
	key, tmpl := weak, named("weak")
	_, err = ByCertificate((&authority{t, tmpl, key}).sign(tmpl, key).Raw)
	requireKind(t, fault.Invalid, err, "2048")
	requireKind(t, fault.Invalid, checkKey("csr", &rsa.PublicKey{N: weak.N, E: 1}), "2048")

	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		source(t)(ForRequest(request(t, key), 0))
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	der := request(t, ed)
	source(t)(ForRequest(pemOf("CERTIFICATE REQUEST", der), 0))
	source(t)(ForRequest(pemOf("NEW CERTIFICATE REQUEST", der), 0))
	_, err = ForRequest(pemOf("CERTIFICATE", der), 0)
	requireKind(t, fault.Invalid, err, "CERTIFICATE REQUEST")
	_, err = ForRequest(append(pemOf("CERTIFICATE REQUEST", der), der...), 0)
	requireKind(t, fault.Invalid, err, "nothing behind")
	_, err = ForRequest(make([]byte, maxEncoded+1), 0)
	requireKind(t, fault.Invalid, err, "bytes at most")
	der[len(der)-1] ^= 1
	_, err = ForRequest(der, 0)
	requireKind(t, fault.Invalid, err, "signature")
	for _, life := range []time.Duration{-1, time.Second, MaxLifetime + 1} {
		_, err = ForRequest(request(t, ed), life)
		requireKind(t, fault.Invalid, err, "lives for")
	}
}

func TestRolesSayWhatTheirClientsMay(t *testing.T) {
	r := withCAs(t)
	set := func(role Role) error {
		_, _, err := r.e.SetRole(t.Context(), r.req(), role)
		return err
	}
	for _, bad := range []Role{{Name: "a"}, {Name: "a b", All: true}, {Name: "a", All: true, Operations: []uint32{1}}, {Name: "a", Operations: []uint32{0}},
		{Name: "a", All: true, Groups: []string{"*", "b"}}, {Name: "a", All: true, Groups: []string{""}}, {Name: "a", All: true, Groups: []string{"@all"}},
		{Name: "a", All: true, Groups: []string{"a\nb"}}, {Name: "a", All: true, Groups: []string{strings.Repeat("g", 257)}}} {
		requireKind(t, fault.Invalid, set(bad), "")
	}
	requireKind(t, fault.Conflict, set(Role{Name: "default", All: true}), "built in")
	require.NoError(t, set(Role{Name: "disks", Operations: []uint32{10, 1, 10}, Groups: []string{"tape", OwnGroup}, Objects: 5, PKCS1: true}))
	out, err := r.try(Enrolment{Name: "a", Role: "disks", By: source(t)(MakeKey(P256, 0))})
	require.NoError(t, err)
	c := parsed(t, out.Certificate)
	got := r.comes("a", c)
	require.Equal(t, Role{Name: "disks", Operations: []uint32{1, 10}, Groups: []string{OwnGroup, "tape"}, Objects: 5, PKCS1: true}, got.Role)
	require.Equal(t, [3]bool{true, false, true}, [3]bool{got.Role.Allows(1), got.Role.Allows(2), got.Role.Allows(10)})
	require.Equal(t, [4]bool{true, true, false, false}, [4]bool{got.Sees("a"), got.Sees("tape"), got.Sees("b"), got.Sees("")})
	require.NoError(t, set(Role{Name: "disks", All: true, Groups: []string{EveryGroup}}))
	got = r.comes("a", c)
	require.True(t, got.Role.Allows(99) && got.Sees("b") && got.Sees(""))

	remove := func(name string) error {
		_, _, err := r.e.DeleteRole(t.Context(), r.req(), name)
		return err
	}
	requireKind(t, fault.Conflict, remove("disks"), `client "a" has role`)
	requireKind(t, fault.Conflict, remove("default"), "built in")
	requireKind(t, fault.NotFound, remove("none"), "no KMIP role")
	_, _, err = r.e.Configure(t.Context(), r.req(), "a", Change{Role: to("none")})
	requireKind(t, fault.NotFound, err, "no KMIP role")
	_, _, err = r.e.Configure(t.Context(), r.req(), "a", Change{Role: to(DefaultRole)})
	require.NoError(t, err)
	got = r.comes("a", c)
	require.True(t, got.Role.Allows(1) && got.Sees("a") && !got.Sees("b") && !got.Role.PKCS1)
	require.NoError(t, remove("disks"))
	require.NoError(t, set(Role{Name: "disks", All: true}))
	page, next, err := Roles(r.view(), acme, "", 1)
	require.NoError(t, err)
	require.Equal(t, []Role{standard()}, page)
	page, next, err = Roles(r.view(), acme, next, 1)
	require.NoError(t, err)
	require.Equal(t, [2]string{"disks", ""}, [2]string{page[0].Name, next})
}

func TestListsAndCounts(t *testing.T) {
	r := withCAs(t)
	ok := source(t)
	for i, name := range []string{"c", "a", "b"} {
		r.enrol(name, ok(ForRequest(request(t, newKey(t)), time.Duration(i+1)*time.Hour)))
	}
	r.enrol("d", ok(ByPublicKey(Fingerprint{7})))
	r.in(umbra).enrol("z", ok(ForRequest(request(t, newKey(t)), time.Hour)))
	var seen []string
	for after := ""; ; {
		page, next, err := List(r.view(), acme, after, 3)
		require.NoError(t, err)
		for _, i := range page {
			seen = append(seen, i.Name)
		}
		if after = next; next == "" {
			break
		}
	}
	require.Equal(t, []string{"a", "b", "c", "d"}, seen)
	expiring := func(within time.Duration) (all []fsm.UID) {
		out, err := r.e.Expiring(r.view(), begin, begin.Add(within), 10)
		require.NoError(t, err)
		for _, x := range out {
			all = append(all, x.Client)
		}
		return all
	}
	uid := func(r *rig, name string) fsm.UID { return r.info(name).UID }
	require.ElementsMatch(t, []fsm.UID{uid(r, "c"), uid(r.in(umbra), "z")}, expiring(time.Hour))
	require.Len(t, expiring(3*time.Hour), 4)
	r.closed[umbra] = true
	require.Equal(t, []fsm.UID{uid(r, "c")}, expiring(time.Hour))
	require.NoError(t, r.revoke("c"))
	_, err := r.renew("a", ok(MakeKey(P256, 0)), to(time.Hour))
	require.NoError(t, err)
	require.Equal(t, []fsm.UID{uid(r, "b")}, expiring(24*time.Hour))
	require.NoError(t, r.remove("b"))
	require.Empty(t, expiring(24*time.Hour))
	n, err := Count(r.view(), acme)
	require.NoError(t, err)
	require.Equal(t, Counts{1, 3, 0}, n)
	n, err = Total(r.view())
	require.NoError(t, err)
	require.Equal(t, Counts{2, 4, 0}, n)
}
