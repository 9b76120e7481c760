package kmipclient

import (
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Nothing but a good request is signed, and nothing but a certificate is bound, whatever the bytes.
func FuzzForRequest(f *testing.F) {
	key := newKey(f)
	good := request(f, key)
	f.Add([]byte(nil))
	f.Add(good)
	f.Add(pemOf("CERTIFICATE REQUEST", good))
	f.Add(pemOf("PRIVATE KEY", good))
	f.Add(good[:len(good)-1])
	f.Add(selfSigned(f, "x").Raw)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ForRequest(b, 0)
		if err != nil {
			requireKind(t, fault.Invalid, err, "")
			return
		}
		der := b
		if block, _ := pem.Decode(b); block != nil {
			der = block.Bytes
		}
		csr, err := x509.ParseCertificateRequest(der)
		require.NoError(t, err)
		require.NoError(t, csr.CheckSignature())
		require.NoError(t, checkKey("csr", s.public))
	})
}

func FuzzByCertificate(f *testing.F) {
	r := withCAs(f)
	known := selfSigned(f, "known")
	s, err := ByCertificate(known.Raw)
	require.NoError(f, err)
	r.enrol("a", s)
	v := r.view()
	f.Add(known.Raw)
	f.Add(pemOf("CERTIFICATE", known.Raw))
	f.Add(selfSigned(f, "x").Raw)
	f.Add(elsewhere(f, "ca").cert.Raw)
	f.Add(request(f, newKey(f)))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ByCertificate(b)
		if err != nil {
			requireKind(t, fault.Invalid, err, "")
			return
		}
		require.NoError(t, checkKey("certificate", s.given.PublicKey))
		var bound Bound
		_ = s.bind(&bound, begin)
		_, err = r.e.Authenticate(v, []*x509.Certificate{s.given}, begin)
		require.Equal(t, printOf(s.given) == printOf(known), err == nil)
	})
}

func FuzzBySubject(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(selfSigned(f, "x").RawSubject)
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := BySubject("ca", b)
		if err != nil {
			requireKind(t, fault.Invalid, err, "")
			return
		}
		require.Equal(t, b, s.subject)
		require.Greater(t, len(b), 2)
	})
}
