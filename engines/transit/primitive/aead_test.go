package primitive

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

// ways are the terms that an AEAD key can be used under.
func ways() map[string]Terms {
	derived, convergent := terms(), terms()
	derived.Derived, derived.Context = true, []byte("user 4711")
	convergent.Convergent = true
	both := derived
	both.Convergent = true
	return map[string]Terms{"plain": terms(), "derived": derived, "convergent": convergent, "derived and convergent": both}
}

func encrypt(t testing.TB, k *Key, terms Terms, plaintext []byte) Token {
	text, err := k.Encrypt(nil, terms, plaintext)
	require.NoError(t, err)
	token, err := ParseToken(nil, text)
	require.NoError(t, err)
	require.Equal(t, terms.Version, token.Version)
	return token
}

func TestWhatIsEncryptedIsDecrypted(t *testing.T) {
	for _, a := range aeads() {
		for name, w := range ways() {
			for _, size := range []int{0, 1, 2, 3, 16, 1024, 70_001} {
				plaintext := bytes.Repeat([]byte{byte(size)}, size)
				token := encrypt(t, someKey(t, a), w, plaintext)
				got, err := someKey(t, a).Decrypt(nil, w, token.Payload)
				require.NoError(t, err, "%s, %s, %d bytes", a, name, size)
				require.True(t, bytes.Equal(plaintext, got))
			}
		}
	}
}

// TestNothingElseOpensACiphertext: of all that is bound, one thing is changed at a time, and the error is the same one.
func TestNothingElseOpensACiphertext(t *testing.T) {
	for _, a := range aeads() {
		for name, w := range ways() {
			k := someKey(t, a)
			payload := encrypt(t, k, w, []byte("plaintext")).Payload
			wrong := map[string]func(*Terms){
				"UID":                     func(t *Terms) { t.UID[15] ^= 1 },
				"version":                 func(t *Terms) { t.Version++ },
				"place":                   func(t *Terms) { t.Place = []byte("tenanu") },
				"no place":                func(t *Terms) { t.Place = nil },
				"associated data":         func(t *Terms) { t.Associated = []byte("row 13") },
				"no associated data":      func(t *Terms) { t.Associated = nil },
				"longer associated data":  func(t *Terms) { t.Associated = []byte("row 12\x00") },
				"bytes moved to the next": func(t *Terms) { t.Place, t.Associated = []byte("tenantr"), []byte("ow 12") },
				"derived or not": func(t *Terms) {
					t.Derived, t.Context = !t.Derived, map[bool][]byte{false: []byte("user 4711")}[t.Derived]
				},
			}
			if w.Derived {
				wrong["context"] = func(t *Terms) { t.Context = []byte("user 4712") }
				wrong["context with a zero"] = func(t *Terms) { t.Context = []byte("user 4711\x00") }
			}
			for what, change := range wrong {
				changed := w
				change(&changed)
				got, err := k.Decrypt(nil, changed, payload)
				require.Equal(t, ErrDecrypt, err, "%s, %s: %s", a, name, what)
				require.Nil(t, got)
			}
			_, err := generate(t, a).Decrypt(nil, w, payload)
			require.Equal(t, ErrDecrypt, err, "another key")
		}
	}
}

func TestNoChangedCiphertextOpens(t *testing.T) {
	for _, a := range aeads() {
		k, w := someKey(t, a), terms()
		payload := encrypt(t, k, w, []byte("plaintext")).Payload
		for bit := range 8 * len(payload) {
			b := bytes.Clone(payload)
			b[bit/8] ^= 1 << (bit % 8)
			_, err := k.Decrypt(nil, w, b)
			require.Equal(t, ErrDecrypt, err)
		}
		for n := range payload {
			_, err := k.Decrypt(nil, w, payload[:n])
			require.Equal(t, ErrDecrypt, err)
		}
		_, err := k.Decrypt(nil, w, append(bytes.Clone(payload), 0))
		require.Equal(t, ErrDecrypt, err)
	}
}

func TestRandomNoncesDiffer(t *testing.T) {
	for _, a := range aeads() {
		seen := map[string]bool{}
		for range 100 {
			nonce := string(encrypt(t, someKey(t, a), terms(), nil).Payload[:12])
			require.False(t, seen[nonce])
			seen[nonce] = true
		}
	}
}

// TestConvergence: the same message is the same ciphertext, and a change of anything that is bound changes the nonce too.
func TestConvergence(t *testing.T) {
	for _, a := range aeads() {
		for _, name := range []string{"convergent", "derived and convergent"} {
			k, w := someKey(t, a), ways()[name]
			size := someKey(t, a).aead.NonceSize()
			first := encrypt(t, k, w, []byte("plaintext")).Payload
			require.Equal(t, first, encrypt(t, k, w, []byte("plaintext")).Payload)
			seen := map[string]string{string(first[:size]): "the same"}
			differ := func(what string, k *Key, w Terms, plaintext string) {
				nonce := string(encrypt(t, k, w, []byte(plaintext)).Payload[:size])
				require.Empty(t, seen[nonce], what)
				seen[nonce] = what
			}
			differ("plaintext", k, w, "plaintexu")
			differ("no plaintext", k, w, "")
			differ("key", generate(t, a), w, "plaintext")
			for what, change := range map[string]func(*Terms){
				"UID":             func(t *Terms) { t.UID[0] ^= 1 },
				"place":           func(t *Terms) { t.Place = nil },
				"version":         func(t *Terms) { t.Version++ },
				"associated data": func(t *Terms) { t.Associated = []byte("row 13") },
				"context":         func(t *Terms) { t.Derived, t.Context = true, []byte("user 4712") },
			} {
				changed := w
				change(&changed)
				differ(what, k, changed, "plaintext")
			}
			moved := w
			moved.Associated = []byte("row 12plain")
			differ("bytes of the plaintext among the associated data", k, moved, "text")
		}
	}
}

// TestABatchSharesOneBuffer: results stand one behind the other, and what stood before them stays.
func TestABatchSharesOneBuffer(t *testing.T) {
	k, w := someKey(t, AES256GCM), terms()
	buffer := []byte("before")
	ends := []int{len(buffer)}
	for i := range 50 {
		var err error
		buffer, err = k.Encrypt(buffer, w, bytes.Repeat([]byte{byte(i)}, i*7))
		require.NoError(t, err)
		ends = append(ends, len(buffer))
	}
	require.Equal(t, "before", string(buffer[:6]))
	plain := []byte("before")
	for i := range 50 {
		token, err := ParseToken(nil, buffer[ends[i]:ends[i+1]])
		require.NoError(t, err)
		at := len(plain)
		plain, err = k.Decrypt(plain, w, token.Payload)
		require.NoError(t, err)
		require.True(t, bytes.Equal(bytes.Repeat([]byte{byte(i)}, i*7), plain[at:]))
	}
	require.Equal(t, "before", string(plain[:6]))
}

func TestTermsThatDoNotFit(t *testing.T) {
	for what, c := range map[string]struct {
		alg    Algorithm
		change func(*Terms)
	}{
		"version 0":                  {AES256GCM, func(t *Terms) { t.Version = 0 }},
		"version beyond":             {AES256GCM, func(t *Terms) { t.Version = MaxVersion + 1 }},
		"derived without a context":  {AES256GCM, func(t *Terms) { t.Derived = true }},
		"an empty context":           {AES256GCM, func(t *Terms) { t.Derived, t.Context = true, []byte{} }},
		"a context, not derived":     {AES256GCM, func(t *Terms) { t.Context = []byte("x") }},
		"a context too long":         {AES256GCM, func(t *Terms) { t.Derived, t.Context = true, make([]byte, MaxContext+1) }},
		"associated data too long":   {AES256GCM, func(t *Terms) { t.Associated = make([]byte, MaxAssociated+1) }},
		"a place too long":           {AES256GCM, func(t *Terms) { t.Place = make([]byte, MaxAssociated+1) }},
		"a hash with an AEAD key":    {AES256GCM, func(t *Terms) { t.Hash = SHA256 }},
		"RSA, derived":               {RSA2048, func(t *Terms) { t.Derived, t.Context = true, []byte("x") }},
		"RSA, convergent":            {RSA2048, func(t *Terms) { t.Convergent = true }},
		"RSA with a hash of SHA-3":   {RSA2048, func(t *Terms) { t.Hash = SHA3_256 }},
		"RSA with a hash that isn't": {RSA2048, func(t *Terms) { t.Hash = 99 }},
		"Ed25519":                    {Ed25519, func(*Terms) {}},
		"ECDSA":                      {ECDSAP256, func(*Terms) {}},
		"HMAC":                       {HMACSHA256, func(*Terms) {}},
		"ML-KEM":                     {MLKEM768, func(*Terms) {}},
	} {
		w := terms()
		c.change(&w)
		_, err := someKey(t, c.alg).Encrypt(nil, w, []byte("plaintext"))
		invalid(t, err, what)
		require.NotContains(t, err.Error(), "plaintext", what)
		_, err = someKey(t, c.alg).Decrypt(nil, w, []byte("0123456789012345678901234567890123456789"))
		invalid(t, err, what)
		require.NotContains(t, err.Error(), "0123456789", what)
	}
	_, err := someKey(t, AES256GCM).Encrypt(nil, terms(), make([]byte, MaxPlaintext+1))
	require.True(t, fault.Is(err, fault.TooLarge))
}

func TestTheLargestPlaintext(t *testing.T) {
	plaintext := make([]byte, MaxPlaintext)
	text, err := someKey(t, XChaCha20Poly1305).Encrypt(nil, terms(), plaintext)
	require.NoError(t, err)
	require.LessOrEqual(t, len(text), MaxToken)
	token, err := ParseToken(nil, text)
	require.NoError(t, err)
	got, err := someKey(t, XChaCha20Poly1305).Decrypt(nil, terms(), token.Payload)
	require.NoError(t, err)
	require.True(t, bytes.Equal(plaintext, got))
}

func TestOAEP(t *testing.T) {
	k, w := someKey(t, RSA2048), terms()
	for _, h := range []Hash{0, SHA1, SHA256, SHA384, SHA512} {
		w.Hash = h
		h, _ = h.forOAEP()
		most := 256 - 2*h.Size() - 2
		payload := encrypt(t, k, w, make([]byte, most)).Payload
		require.Len(t, payload, 256)
		got, err := k.Decrypt([]byte("x"), w, payload)
		require.NoError(t, err)
		require.Equal(t, append([]byte("x"), make([]byte, most)...), got)
		_, err = k.Encrypt(nil, w, make([]byte, most+1))
		require.True(t, fault.Is(err, fault.TooLarge))
		for what, change := range map[string]func(*Terms, *[]byte){
			"hash":      func(t *Terms, _ *[]byte) { t.Hash = map[bool]Hash{true: SHA384, false: SHA512}[t.Hash == SHA512] },
			"label":     func(t *Terms, _ *[]byte) { t.Associated = nil },
			"a bit":     func(_ *Terms, b *[]byte) { (*b)[100] ^= 1 },
			"truncated": func(_ *Terms, b *[]byte) { *b = (*b)[:255] },
			"extended":  func(_ *Terms, b *[]byte) { *b = append(*b, 0) },
			"empty":     func(_ *Terms, b *[]byte) { *b = nil },
			"above n":   func(_ *Terms, b *[]byte) { *b = bytes.Repeat([]byte{0xff}, 256) },
		} {
			changed, b := w, bytes.Clone(payload)
			change(&changed, &b)
			_, err := k.Decrypt(nil, changed, b)
			require.Equal(t, ErrDecrypt, err, "%s: %s", h, what)
		}
	}
}

// TestTheErrorTellsNothing: its text is the whole of it.
func TestTheErrorTellsNothing(t *testing.T) {
	require.Equal(t, "cannot be decrypted", ErrDecrypt.Error())
	require.Equal(t, fault.Invalid, fault.KindOf(ErrDecrypt))
}

func TestTokenText(t *testing.T) {
	text, err := someKey(t, AES256GCM).Encrypt(nil, terms(), []byte("x"))
	require.NoError(t, err)
	body, ok := strings.CutPrefix(string(text), "trv:7:")
	require.True(t, ok)
	raw, err := base64.StdEncoding.DecodeString(body)
	require.NoError(t, err)
	require.Len(t, raw, 12+1+16)
}
