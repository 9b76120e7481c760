package primitive

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

func TestAlgorithms(t *testing.T) {
	require.Len(t, Algorithms(), 15)
	for _, a := range Algorithms() {
		got, err := ParseAlgorithm(a.String())
		require.NoError(t, err)
		require.Equal(t, a, got)
		require.True(t, a.Can(ToMAC))
	}
	for _, name := range []string{"", "AES256-GCM", "aes256", "unknown", "rsa-1024", "aes256-gcm "} {
		_, err := ParseAlgorithm(name)
		invalid(t, err, name)
	}
	for _, a := range []Algorithm{0, MLKEM768 + 1, 255} {
		require.Equal(t, "unknown", a.String())
		require.False(t, a.Can(ToMAC))
		require.False(t, a.Asymmetric())
		_, err := Generate(a)
		invalid(t, err)
		_, err = Import(a, make([]byte, 32))
		invalid(t, err)
	}
}

func TestWhatKeysCanDo(t *testing.T) {
	can := map[Use]string{}
	var short, asymmetric string
	for _, a := range Algorithms() {
		for _, u := range []Use{ToEncrypt, ToSign, ToDerive, ToEncapsulate} {
			if a.Can(u) {
				can[u] += a.String() + " "
			}
		}
		if a.ShortNonces() {
			short += a.String() + " "
		}
		if a.Asymmetric() {
			asymmetric += a.String() + " "
		}
	}
	require.Equal(t, map[Use]string{
		ToEncrypt:     "aes256-gcm aes128-gcm chacha20-poly1305 xchacha20-poly1305 rsa-2048 rsa-3072 rsa-4096 ",
		ToSign:        "ed25519 ecdsa-p256 ecdsa-p384 ecdsa-p521 rsa-2048 rsa-3072 rsa-4096 ",
		ToDerive:      "aes256-gcm aes128-gcm chacha20-poly1305 xchacha20-poly1305 ",
		ToEncapsulate: "ml-kem-768 ",
	}, can)
	require.Equal(t, "aes256-gcm aes128-gcm chacha20-poly1305 ", short)
	require.Equal(t, "ed25519 ecdsa-p256 ecdsa-p384 ecdsa-p521 rsa-2048 rsa-3072 rsa-4096 ml-kem-768 ", asymmetric)
}

// TestKeysComeBackFromTheirFormAtRest: they are the same keys in all they do, which a MAC under their own bytes shows.
func TestKeysComeBackFromTheirFormAtRest(t *testing.T) {
	for _, a := range Algorithms() {
		k := someKey(t, a)
		stored, err := k.Marshal()
		require.NoError(t, err)
		require.Equal(t, []byte{1, byte(a)}, stored[:2])
		given := bytes.Clone(stored)
		again, err := Unmarshal(given)
		require.NoError(t, err, a)
		clear(given) // it kept its own
		require.Equal(t, a, again.Algorithm())
		got, err := again.Marshal()
		require.NoError(t, err)
		require.Equal(t, stored, got)
		want, err := k.MAC(nil, 0, []byte("message"))
		require.NoError(t, err)
		mac, err := again.MAC(nil, 0, []byte("message"))
		require.NoError(t, err)
		require.Equal(t, want, mac)
	}
}

func TestWhatIsStoredIsVerified(t *testing.T) {
	for _, a := range Algorithms() {
		stored, err := someKey(t, a).Marshal()
		require.NoError(t, err)
		bad := map[string][]byte{
			"nothing":           nil,
			"no body":           stored[:2],
			"another version":   append([]byte{2}, stored[1:]...),
			"no algorithm":      append([]byte{1, 0}, stored[2:]...),
			"unknown algorithm": append([]byte{1, 200}, stored[2:]...),
		}
		if traits[a].family != hmacKey {
			bad["truncated"] = stored[:len(stored)-1] // of an HMAC key any size is as good
			bad["extended"] = append(bytes.Clone(stored), 0)
		}
		if traits[a].family == rsaKey {
			bad["another size of RSA"] = append([]byte{1, byte(RSA2048 + (a-RSA2048+1)%3)}, stored[2:]...)
			flipped := bytes.Clone(stored)
			flipped[40] ^= 4 // in the modulus
			bad["another modulus"] = flipped
		}
		if traits[a].family == ecdsaKey {
			bad["scalar 0"] = append([]byte{1, byte(a)}, make([]byte, traits[a].size)...)
			bad["scalar n"] = append([]byte{1, byte(a)}, a.curve().Params().N.FillBytes(make([]byte, traits[a].size))...)
		}
		for what, b := range bad {
			k, err := Unmarshal(b)
			require.True(t, fault.Is(err, fault.Corrupt), "%s: %s", a, what)
			require.Nil(t, k)
		}
	}
}

func TestAWipedKeyDoesNothing(t *testing.T) {
	for _, a := range Algorithms() {
		k, err := Unmarshal(marshal(t, someKey(t, a)))
		require.NoError(t, err)
		secret, ed := k.secret, k.ed
		var ints []*big.Int
		if k.rsa != nil {
			ints = append(k.rsa.Primes, k.rsa.D, k.rsa.Precomputed.Dp, k.rsa.Precomputed.Dq, k.rsa.Precomputed.Qinv)
		}
		if k.ec != nil {
			ints = append(ints, k.ec.D)
		}
		words := make([][]big.Word, len(ints))
		for i := range ints {
			words[i] = ints[i].Bits()
		}
		k.Wipe()
		k.Wipe()
		require.Equal(t, a, k.Algorithm())
		require.Empty(t, bytes.Trim(secret, "\x00"))
		require.Empty(t, bytes.Trim(ed, "\x00"))
		for _, w := range words {
			require.Equal(t, make([]big.Word, len(w)), w)
		}
		refuses(t, k)
	}
}

func marshal(t testing.TB, k *Key) []byte {
	b, err := k.Marshal()
	require.NoError(t, err)
	return b
}

func refuses(t *testing.T, k *Key) {
	a, w := k.Algorithm(), terms()
	_, errs := k.Marshal()
	require.Equal(t, ErrWiped, errs)
	_, errs = k.Export(Raw)
	require.Equal(t, ErrWiped, errs)
	_, errs = k.MAC(nil, 0, nil)
	require.Equal(t, ErrWiped, errs)
	_, errs = k.VerifyMAC(0, nil, nil)
	require.Equal(t, ErrWiped, errs)
	_, errs = k.PublicJWK()
	require.Equal(t, ErrWiped, errs)
	if a.Asymmetric() {
		_, errs = k.PublicPEM()
		require.Equal(t, ErrWiped, errs)
	}
	_, errs = k.Encrypt(nil, w, nil)
	require.Equal(t, ErrWiped, errs)
	_, errs = k.Decrypt(nil, w, nil)
	require.Equal(t, ErrWiped, errs)
	if a.Can(ToSign) {
		_, errs = k.Sign(nil, Signing{}, nil)
		require.Equal(t, ErrWiped, errs)
	}
	_, errs = k.Verify(Signing{}, nil, nil)
	require.Equal(t, ErrWiped, errs)
	if a.Can(ToEncapsulate) {
		_, _, errs = k.Encapsulate(w, 32)
		require.Equal(t, ErrWiped, errs)
		_, errs = k.Decapsulate(w, 32, nil)
		require.Equal(t, ErrWiped, errs)
	}
	if traits[a].family == rsaKey {
		_, errs = k.ImportWrapped(AES256GCM, 0, nil)
		require.Equal(t, ErrWiped, errs)
	}
}

// TestAKeyIsUsedAndWipedAtOnce: under the race detector; a call gives a true answer or ErrWiped.
func TestAKeyIsUsedAndWipedAtOnce(t *testing.T) {
	for _, a := range []Algorithm{AES256GCM, XChaCha20Poly1305, Ed25519, ECDSAP256, RSA2048, HMACSHA256, MLKEM768} {
		shared, err := Unmarshal(marshal(t, someKey(t, a)))
		require.NoError(t, err)
		want, err := shared.MAC(nil, 0, []byte("message"))
		require.NoError(t, err)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 20 {
					useOnce(t, shared, want)
				}
			})
		}
		wg.Go(shared.Wipe)
		wg.Wait()
		refuses(t, shared)
	}
}

func useOnce(t *testing.T, k *Key, mac []byte) {
	check := func(err error, good bool) {
		if err != ErrWiped && (err != nil || !good) {
			t.Errorf("%s: %v", k.Algorithm(), err)
		}
	}
	got, err := k.MAC(nil, 0, []byte("message"))
	check(err, bytes.Equal(mac, got))
	if k.Algorithm().Can(ToEncrypt) {
		text, err := k.Encrypt(nil, terms(), []byte("plaintext"))
		check(err, len(text) > 0)
	}
	if k.Algorithm().Can(ToSign) {
		signature, err := k.Sign(nil, Signing{}, []byte("message"))
		check(err, len(signature) > 0)
	}
	if k.Algorithm().Can(ToEncapsulate) {
		_, payload, err := k.Encapsulate(terms(), 32)
		check(err, len(payload) > 0)
	}
}

func TestNoFormatterPrintsAKey(t *testing.T) {
	k, err := Import(AES256GCM, []byte("0123456789abcdef0123456789abcdef"))
	require.NoError(t, err)
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("a key", "key", k, "group", slog.GroupValue(slog.Any("key", k)))
	encoded, err := json.Marshal(map[string]any{"key": k})
	require.NoError(t, err)
	for _, text := range []string{logged.String(), string(encoded), k.String(), fmt.Sprintf("%v %+v %#v %s %q %x %X %d %v", k, k, k, k, k, k, k, k, struct{ K *Key }{k})} {
		for _, leak := range []string{"0123456789", hex.EncodeToString([]byte("0123456789")), "48 49 50"} {
			require.NotContains(t, text, leak)
		}
	}
}

func TestRandom(t *testing.T) {
	for _, n := range []int{1, 32, MaxRandom} {
		b, err := Random(n)
		require.NoError(t, err)
		require.Len(t, b, n)
	}
	a, _ := Random(32)
	b, _ := Random(32)
	require.NotEqual(t, a, b)
	for _, n := range []int{-1, 0, MaxRandom + 1} {
		_, err := Random(n)
		invalid(t, err)
	}
}

func TestHashesThatMakeNoDigests(t *testing.T) {
	for _, h := range []Hash{0, SHA1, SHA1 + 1, 255} {
		_, err := Sum(nil, h, nil)
		invalid(t, err)
	}
	for _, name := range []string{"", "sha256", "SHA2-256", "md5", "unknown"} {
		_, err := ParseHash(name)
		invalid(t, err)
	}
}

func TestRSAKeysAreMade(t *testing.T) {
	k := generate(t, RSA2048)
	require.True(t, soundRSA(k.rsa, 2048))
	require.Equal(t, 65537, k.rsa.E)
}
