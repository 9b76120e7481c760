package acme

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/acme"
)

func signed(t testing.TB, payload string, key any, alg jose.SignatureAlgorithm) string {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, &jose.SignerOptions{EmbedJWK: true, ExtraHeaders: map[jose.HeaderKey]any{"url": "https://a/b", "nonce": "n"}})
	require.NoError(t, err)
	m, err := s.Sign([]byte(payload))
	require.NoError(t, err)
	return m.FullSerialize()
}

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return k
}

func TestOnlyWhatIsSignedIsRead(t *testing.T) {
	key := ecKey(t)
	good := signed(t, `{"a":1}`, key, jose.ES256)
	m, err := parse([]byte(good), algorithms)
	require.NoError(t, err)
	require.Equal(t, []string{"n", "https://a/b", `{"a":1}`}, []string{m.nonce, m.url, string(m.payload)})
	require.NoError(t, m.verify(m.jwk))
	require.Error(t, m.verify(ecKey(t).Public()))
	var flat map[string]any
	require.NoError(t, json.Unmarshal([]byte(good), &flat))
	for name, change := range map[string]func(map[string]any){
		"an unprotected header": func(f map[string]any) { f["header"] = map[string]any{"kid": "x"} },
		"several signatures":    func(f map[string]any) { f["signatures"] = []any{} },
		"no signature":          func(f map[string]any) { delete(f, "signature") },
		"no header":             func(f map[string]any) { delete(f, "protected") },
		"another payload":       func(f map[string]any) { f["payload"] = "!" },
	} {
		other := map[string]any{}
		for k, v := range flat {
			other[k] = v
		}
		change(other)
		text, err := json.Marshal(other)
		require.NoError(t, err)
		_, err = parse(text, algorithms)
		require.Error(t, err, name)
	}
	_, err = parse([]byte(signed(t, "{}", key, jose.ES256)), bindings)
	require.Equal(t, "badSignatureAlgorithm", acme.TypeOf(err))
}

func TestKeysThatNoAccountHas(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	for name, k := range map[string]*jose.JSONWebKey{"none": nil, "private": {Key: ecKey(t)}, "small": {Key: small.Public()}, "symmetric": {Key: []byte("secret")}} {
		_, _, err := publicKey(k)
		require.Equal(t, "badPublicKey", acme.TypeOf(err), name)
	}
	clean, thumb, err := publicKey(&jose.JSONWebKey{Key: ecKey(t).Public(), KeyID: "theirs"})
	require.NoError(t, err)
	require.NotContains(t, string(clean), "theirs")
	require.Len(t, thumb, 43)
}

// FuzzParse reads what anybody may send.
func FuzzParse(f *testing.F) {
	f.Add([]byte(signed(f, `{"a":1}`, ecKey(f), jose.ES256)))
	f.Add([]byte(`{"protected":"e30","payload":"","signature":"AA"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parse(raw, algorithms)
		if err != nil {
			return
		}
		if _, _, err := publicKey(m.jwk); err == nil {
			_ = m.verify(m.jwk)
		}
	})
}
