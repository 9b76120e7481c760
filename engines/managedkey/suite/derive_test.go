package suite

import (
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDerivationVectors(t *testing.T) {
	const (
		base     = "000102030405060708090a0b0c0d0e0f"
		fixed    = "6c6162656c00636f6e74657874"
		password = "70617373776f7264"
		salt     = "73616c74"
	)
	for _, c := range []struct {
		source, base string
		d            Derivation
		want         string
	}{
		{"RFC 6070, 1", password, Derivation{Method: PBKDF2, Params: Params{Hash: SHA1}, Salt: unhex(t, salt), Iterations: 1}, "0c60c80f961f0e71f3a9b524af6012062fe037a6"},
		{"RFC 6070, 2", password, Derivation{Method: PBKDF2, Params: Params{Hash: SHA1}, Salt: unhex(t, salt), Iterations: 2}, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"},
		{"RFC 6070, 3", password, Derivation{Method: PBKDF2, Params: Params{Algorithm: HMACSHA1}, Salt: unhex(t, salt), Iterations: 4096}, "4b007901b765489abead49d926f721d065a429c1"},
		{"RFC 7914, section 11", "706173737764", Derivation{Method: PBKDF2, Params: Params{Hash: SHA256}, Salt: unhex(t, salt), Iterations: 1},
			"55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645"},
		{"RFC 5869, A.1", strings.Repeat("0b", 22), Derivation{Method: HKDF, Params: Params{Hash: SHA256}, Salt: unhex(t, "000102030405060708090a0b0c"), Data: unhex(t, "f0f1f2f3f4f5f6f7f8f9")},
			"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
		{"RFC 5869, A.3", strings.Repeat("0b", 22), Derivation{Method: HKDF, Params: Params{Hash: SHA256}}, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"},
		{"RFC 4231, 1", strings.Repeat("0b", 20), Derivation{Method: HMACMethod, Params: Params{Hash: SHA256}, Data: []byte("Hi There")}, "b0344c61d8db38535ca8afceaf0bf12b881dc200"},
		{"TC-DERIVEKEY-1", "00112233445566778899aabbccddeeff", Derivation{Method: HashMethod, Params: Params{Hash: SHA256}}, "a8faed6abbf35c12a4b26e40f6feb19d"},
		{"SP 800-38A, F.2.1", "2b7e151628aed2a6abf7158809cf4f3c", Derivation{Method: EncryptMethod, Params: Params{Algorithm: AES, Mode: CBC}, IV: unhex(t, base), Data: unhex(t, blocks)},
			"7649abac8119b246cee98e9b12e9197d5086cb9b507219ee"},
		{"pyca/cryptography", base, Derivation{Method: Counter108, Params: Params{Hash: SHA256}, Data: unhex(t, fixed)},
			"c54e1eb4dc54b9cdcf41b7bed4f738e7eb284c2a1edec68bf0a77577a3d1560154b3423dd761d75c"},
		{"pyca/cryptography", base, Derivation{Method: Counter108, Params: Params{Hash: SHA256, CounterLength: 16}, Data: unhex(t, fixed)},
			"2c9d19f412e18c201472a3e20ab1ae75926696a70b53c0260481360723ccbab342fbd680891c3bfd"},
		{"pyca/cryptography", base, Derivation{Method: Counter108, Params: Params{Mode: CMAC, Algorithm: AES}, Data: unhex(t, fixed)},
			"042226feaeda38b74d524e5778eac4bf3532e39ce7c2552c025c69c9d0b56d7b208957e6946947f3"},
		{"OpenSSL 3", base, Derivation{Method: Feedback108, Params: Params{Hash: SHA256}, Data: unhex(t, fixed), IV: unhex(t, strings.Repeat("00112233445566778899aabbccddeeff", 2))},
			"8b19fcd94ccbe85311adc163c8c42ce1b2869948491e073fdb2fae99ec1c205554ec4a4007f7042d"},
		{"the definition, in Python", base, Derivation{Method: Pipeline108, Params: Params{Hash: SHA256}, Data: unhex(t, fixed)},
			"89ff340db85a56477c9a02c872859441084653ad437cdf71684b7e79dc6424dd494077a435a184ca"},
	} {
		got, err := Derive(unhex(t, c.base), c.d, len(c.want)/2)
		require.NoError(t, err, c.source)
		require.Equal(t, c.want, hex.EncodeToString(got), c.source)
		shorter, err := Derive(unhex(t, c.base), c.d, 5)
		require.NoError(t, err)
		require.Equal(t, got[:5], shorter)
	}
}

func TestDerivationsThatDoNotFit(t *testing.T) {
	base := make([]byte, 16)
	for _, c := range []struct {
		field string
		d     Derivation
		size  int
	}{
		{"derivation_method", Derivation{}, 16},
		{"derivation_method", Derivation{Method: AsymmetricKey}, 16},
		{"cryptographic_length", Derivation{Method: HashMethod, Params: Params{Hash: SHA256}}, 33},
		{"cryptographic_length", Derivation{Method: HashMethod, Params: Params{Hash: SHA256}}, 0},
		{"cryptographic_length", Derivation{Method: HashMethod, Params: Params{Hash: SHA256}}, MaxDerived + 1},
		{"cryptographic_length", Derivation{Method: HMACMethod, Params: Params{Hash: SHA1}, Data: base}, 21},
		{"cryptographic_length", Derivation{Method: EncryptMethod, Params: Params{Algorithm: AES, Mode: ECB}, Data: base}, 17},
		{"derivation_data", Derivation{Method: HashMethod, Params: Params{Hash: SHA256}, Data: base}, 16},
		{"derivation_data", Derivation{Method: HMACMethod, Params: Params{Hash: SHA256}}, 16},
		{"derivation_data", Derivation{Method: PBKDF2, Params: Params{Hash: SHA256}, Data: base, Salt: base, Iterations: 1}, 16},
		{"salt", Derivation{Method: PBKDF2, Params: Params{Hash: SHA256}, Iterations: 1}, 16},
		{"salt", Derivation{Method: HashMethod, Params: Params{Hash: SHA256}, Salt: base}, 16},
		{"iteration_count", Derivation{Method: PBKDF2, Params: Params{Hash: SHA256}, Salt: base}, 16},
		{"iteration_count", Derivation{Method: PBKDF2, Params: Params{Hash: SHA256}, Salt: base, Iterations: MaxIterations + 1}, 16},
		{"iteration_count", Derivation{Method: PBKDF2, Params: Params{Hash: SHA256}, Salt: base, Iterations: MaxIterations}, 1024},
		{"iteration_count", Derivation{Method: HKDF, Params: Params{Hash: SHA256}, Iterations: 1}, 16},
		{"hashing_algorithm", Derivation{Method: HKDF}, 16},
		{"hashing_algorithm", Derivation{Method: HKDF, Params: Params{Hash: MD5}}, 16},
		{"hashing_algorithm", Derivation{Method: HMACMethod, Params: Params{Hash: SHA256, Algorithm: HMACSHA1}, Data: base}, 16},
		{"initialization_vector", Derivation{Method: Counter108, Params: Params{Hash: SHA256}, IV: base}, 16},
		{"counter_length", Derivation{Method: Counter108, Params: Params{Hash: SHA256, CounterLength: 12}}, 16},
		{"block_cipher_mode", Derivation{Method: EncryptMethod, Params: Params{Algorithm: AES, Mode: GCM}, Data: base}, 16},
		{"iv_counter_nonce", Derivation{Method: EncryptMethod, Params: Params{Algorithm: AES, Mode: CBC, RandomIV: true}, Data: base}, 16},
	} {
		_, err := Derive(base, c.d, c.size)
		bad(t, c.field, err, "%+v", c.d)
	}
	_, err := Derive(nil, Derivation{Method: HashMethod, Params: Params{Hash: SHA256}}, 16)
	classified(t, err)
	for _, d := range []Derivation{{Method: Counter108, Params: Params{Mode: CMAC}}, {Method: Counter108, Params: Params{Mode: CMAC, Algorithm: TripleDES}}} {
		_, err = Derive(make([]byte, 15), d, 16)
		bad(t, "block_cipher_mode", err)
	}
}

func TestAgreement(t *testing.T) {
	for _, c := range []Curve{P256, P384, P521, SECP256K1} {
		a, b := ecKey(t, c), ecKey(t, c)
		one, err := Agree(a, public(t, b), a.ec.curve.width())
		require.NoError(t, err)
		other, err := Agree(b, public(t, a), a.ec.curve.width())
		require.NoError(t, err)
		require.Equal(t, one, other)
		_, err = Agree(a, public(t, b), a.ec.curve.width()+1)
		bad(t, "cryptographic_length", err)
		_, err = Agree(a, public(t, ecKey(t, P224)), 16)
		classified(t, err)
	}
	a := parse(t, Block{Class: PrivateKey, Format: TransparentECPrivate, Fields: Fields{Curve: SECP256K1, D: unhex(t, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")}})
	b := parse(t, Block{Class: PublicKey, Format: TransparentECPublic, Fields: Fields{Curve: SECP256K1,
		QString: unhex(t, "0488e2ddeb04657dbd0edadf9c1f98da3b3895faa1f00527934dd35d17542ffe9b1e7640d7737e24e36d208effb77e86affe670a9a497aa7fb52bf4e687a17fff4")}})
	got, err := Agree(a, b, 32) // OpenSSL's
	require.NoError(t, err)
	require.Equal(t, "e2b54e038a31993102766f2aa031a4f00fade5968246cbf9d8e1f6b1a63bcd44", hex.EncodeToString(got))
	_, err = Agree(ecKey(t, P224), public(t, ecKey(t, P224)), 16)
	bad(t, "derivation_method", err)
	signing, _, err := GeneratePair(Wanted{Algorithm: ECDSA, Curve: P256})
	require.NoError(t, err)
	_, err = Agree(signing, public(t, ecKey(t, P256)), 16)
	classified(t, err)
	_, err = Agree(rsaKey(t), public(t, rsaKey(t)), 16)
	classified(t, err)
}

func TestWrapping(t *testing.T) {
	kek, p := symmetric(t, AES, unhex(t, "000102030405060708090a0b0c0d0e0f")), Params{Mode: NISTKeyWrap}
	got, err := Wrap(kek, Encrypted, p, unhex(t, "00112233445566778899aabbccddeeff")) // RFC 3394, section 4.1; TC-141
	require.NoError(t, err)
	require.Equal(t, "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5", hex.EncodeToString(got))
	kwp := symmetric(t, AES, unhex(t, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8"))
	got, err = Wrap(kwp, Encrypted, Params{Mode: AESKeyWrapPadding}, unhex(t, "466f7250617369")) // RFC 5649, section 6
	require.NoError(t, err)
	require.Equal(t, "afbeb0f07dfbf5419200f2ccb50bb24f", hex.EncodeToString(got))
	private := rsaKey(t)
	for _, w := range []struct {
		out, in *Key
		p       Params
	}{
		{kek, kek, p}, {kek, kek, Params{Mode: AESKeyWrapPadding}}, {public(t, private), private, Params{Padding: OAEP, Hash: SHA256}},
		{public(t, private), private, Params{Padding: PKCS1v15, Allow: PKCS1v15Decryption}},
	} {
		wrapped, err := Wrap(w.out, Encrypted, w.p, []byte("a key of 24 bytes ......"))
		require.NoError(t, err)
		back, err := Unwrap(w.in, Encrypted, w.p, wrapped)
		require.NoError(t, err)
		require.Equal(t, []byte("a key of 24 bytes ......"), back)
		wrapped[7] ^= 1
		for _, wrong := range [][]byte{nil, wrapped, wrapped[1:], wrapped[:8]} {
			_, err = Unwrap(w.in, Encrypted, w.p, wrong)
			require.Equal(t, ErrFailed, err)
		}
	}
	for field, c := range map[string]struct {
		k *Key
		m Wrapping
		p Params
	}{
		"wrapping_method":         {kek, 2, p},
		"block_cipher_mode":       {kek, Encrypted, Params{Mode: CBC}},
		"padding_method":          {public(t, private), Encrypted, Params{}},
		"cryptographic_algorithm": {kek, Encrypted, Params{Mode: NISTKeyWrap, Algorithm: RSA}},
	} {
		_, err := Wrap(c.k, c.m, c.p, make([]byte, 16))
		bad(t, field, err)
	}
	_, err = Wrap(kek, Encrypted, p, make([]byte, 17))
	classified(t, err)
	_, err = Unwrap(private, Encrypted, Params{Padding: PKCS1v15}, make([]byte, 256))
	bad(t, "padding_method", err)
}

func TestPrimes(t *testing.T) {
	for _, p := range primes {
		v := new(big.Int).Lsh(big.NewInt(1), p.exponent)
		v.Add(v, big.NewInt(p.offset))
		if p.exponent <= 2203 { // above, only the list of Mersenne's says so: testing takes minutes
			require.True(t, v.ProbablyPrime(2), p.exponent)
		}
		if p.offset > 0 {
			require.Positive(t, v.Cmp(new(big.Int).Lsh(big.NewInt(1), p.exponent)))
		}
	}
}
