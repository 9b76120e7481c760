package pki

import (
	"encoding/pem"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, text, stop string
		want                bool
	}{
		{"a.b", "a.b", ".", true}, {"a.b", "a.b.", ".", false}, {"a.b", "xa.b", ".", false},
		{"*.b", "a.b", ".", true}, {"*.b", ".b", ".", false}, {"*.b", "a.c.b", ".", false}, {"*.b", "ab", ".", false},
		{"**.b", "a.c.b", ".", true}, {"**.b", "b", ".", false}, {"**.b", "ab", ".", false},
		{"app-*.b", "app-1.b", ".", true}, {"app-*.b", "app-.b", ".", false}, {"a*c*.b", "abcd.b", ".", true},
		{"${identity}.b", "ann*x.b", ".", true}, {"${identity}.b", "annyx.b", ".", false}, {"x/${identity}/*", "x/ann*x/y", "/", true}, {"x/*", "x/y/z", "/", false},
		{"*", "", ".", false}, {"", "", ".", true},
	} {
		require.Equal(t, c.want, matches(c.pattern, c.text, "ann*x", c.stop), "%q %q", c.pattern, c.text)
	}
	require.False(t, matches("${identity}", "", "", "."), "nobody has no identity")
}

func TestAWildcardIsMatchedByAStarAlone(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*.example.com", "*.example.com", true}, {"*.example.com", "*.a.example.com", false}, {"**.example.com", "*.example.com", true}, {"**.example.com", "*.a.example.com", true},
		{"a*.example.com", "*.example.com", false}, {"a.example.com", "*.example.com", false}, {"*.*.example.com", "*.a.example.com", true}, {"*.*.example.com", "*.example.com", false},
		{"**.example.com", "*.com", false}, {"*.${identity}.b", "*.ann.b", true},
	} {
		require.Equal(t, c.want, matchesHost(c.pattern, c.name, "ann"), "%q %q", c.pattern, c.name)
	}
}

func TestSerialNumbersAsPeopleCopyThem(t *testing.T) {
	for in, want := range map[string]string{"0A:bc": "abc", "ABC": "abc", "00": "", "": "", "xyz": "", strings.Repeat("a", 41): "", " a": ""} {
		got, err := Serial(in)
		require.Equal(t, want, got)
		require.Equal(t, want == "", err != nil, in)
	}
}

// FuzzNames: whatever is let into a certificate has the form that clients expect, and a role lets in nothing that lies outside.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"a.example.com", "*.example.com", "ann@example.com", "spiffe://example.com/ns/a/sa/ann", "example.com", "a.example.com\x00", "10.0.0.1", "ä.example.com"} {
		f.Add(s)
	}
	role := Role{Name: "r", Domains: []string{"**.example.com"}, Wildcards: true, URIs: []string{"spiffe://example.com/**"}, Emails: []string{"*@example.com"}}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := role.allow(names{dns: []string{s}}, "ann"); err == nil {
			require.Regexp(t, `^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+com$`, n.dns[0])
			require.True(t, strings.HasSuffix(n.dns[0], ".example.com"))
		}
		if n, err := role.allow(names{emails: []string{s}}, "ann"); err == nil {
			require.Equal(t, 1, strings.Count(n.emails[0], "@"))
			require.True(t, strings.HasSuffix(n.emails[0], "@example.com"))
		}
		if n, err := role.allow(names{uris: []string{s}}, "ann"); err == nil {
			require.True(t, strings.HasPrefix(n.uris[0], "spiffe://example.com/"))
		}
		if n, err := role.allow(names{common: s}, "ann"); err == nil && s != "" {
			require.NotZero(t, n.count(), "a common name is one of the names here")
		}
	})
}

// FuzzPEM reads certificates, requests and keys as strangers send them.
func FuzzPEM(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: []byte{0x30, 0x80}}))
	f.Add(request509(f, requestTemplate))
	f.Fuzz(func(t *testing.T, text []byte) {
		if csr, err := requestOf(text); err == nil {
			_, _ = keyTypeOf("csr", csr.PublicKey)
			_, _ = Role{Domains: []string{"**"}}.allow(requested(csr), "ann")
		}
		_, _, _ = chainOf("certificate", text)
		_, _ = keyOf(text)
	})
}

// FuzzOCSP asks for the status of anything.
func FuzzOCSP(f *testing.F) {
	r := ready(f)
	web := r.issuer("web")
	f.Add(someRequest(f, parse(f, web.Chain[0])))
	f.Add([]byte{0x30, 0x80})
	v := r.view()
	f.Fuzz(func(t *testing.T, request []byte) {
		answer, err := r.e.OCSP(v, web.UID, request)
		require.NoError(t, err)
		require.NotEmpty(t, answer)
	})
}
