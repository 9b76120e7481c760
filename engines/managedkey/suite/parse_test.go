package suite

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
)

func everyKey(t testing.TB) []*Key {
	private := []*Key{rsaKey(t), edKey(t), ecKey(t, P224), ecKey(t, P256), ecKey(t, P384), ecKey(t, P521), ecKey(t, SECP256K1)}
	keys := []*Key{symmetric(t, AES, random(32)), symmetric(t, TripleDES, random(24)), symmetric(t, HMACSHA512, random(64))}
	for _, k := range private {
		keys = append(keys, k, public(t, k))
	}
	return keys
}

// TestEveryFormatComesBack goes from every format of a key to every other, and ends where it began.
func TestEveryFormatComesBack(t *testing.T) {
	for _, k := range everyKey(t) {
		for _, f := range k.Formats() {
			first, err := k.Block(f)
			require.NoError(t, err, "%v %v", k.Algorithm(), f)
			again := parse(t, first)
			require.True(t, k.same(again))
			require.Equal(t, k.Length(), again.Length())
			require.Equal(t, k.Curve(), again.Curve())
			for _, g := range again.Formats() {
				if g == TransparentECDHPrivate || g == TransparentECDHPublic || g == TransparentECDSAPrivate || g == TransparentECDSAPublic {
					continue // the same fields under another name
				}
				second, err := again.Block(g)
				require.NoError(t, err)
				back, err := parse(t, second).Block(f)
				require.NoError(t, err)
				require.Equal(t, first, back, "%v: %v to %v", k.Algorithm(), f, g)
			}
		}
		_, err := k.Block(0x16)
		bad(t, "key_format_type", err)
	}
}

// TestOthersReadTheFormats asks the standard library.
func TestOthersReadTheFormats(t *testing.T) {
	for _, k := range everyKey(t) {
		if k.Class() != PrivateKey || k.Curve() == SECP256K1 {
			continue
		}
		b, err := k.Block(PKCS8)
		require.NoError(t, err)
		private, err := x509.ParsePKCS8PrivateKey(b.Material)
		require.NoError(t, err)
		p, err := public(t, k).Block(X509)
		require.NoError(t, err)
		pub, err := x509.ParsePKIXPublicKey(p.Material)
		require.NoError(t, err)
		theirs, err := x509.MarshalPKIXPublicKey(pub)
		require.NoError(t, err)
		require.Equal(t, theirs, p.Material)
		if k.Curve() != 0 {
			sec1, err := x509.MarshalECPrivateKey(private.(*ecdsa.PrivateKey))
			require.NoError(t, err)
			ours, err := k.Block(ECPrivateKey)
			require.NoError(t, err)
			require.Equal(t, hex.EncodeToString(sec1), hex.EncodeToString(ours.Material))
		}
		if again, err := x509.MarshalPKCS8PrivateKey(private); k.Algorithm() != RSA {
			require.NoError(t, err)
			require.Equal(t, again, b.Material)
		}
	}
}

func TestIntegers(t *testing.T) {
	for _, c := range []struct{ value, want string }{
		{"0", "0000000000000000"}, {"1", "0000000000000001"}, {"10001", "0000000000010001"}, {"7fffffffffffffff", "7fffffffffffffff"},
		{"8000000000000000", "00000000000000008000000000000000"}, {"ffffffffffffffff", "0000000000000000ffffffffffffffff"},
	} {
		v, _ := new(big.Int).SetString(c.value, 16)
		require.Equal(t, c.want, hex.EncodeToString(integer(v)))
		got, ok := positive(integer(v), 64)
		require.Equal(t, v.Sign() > 0, ok)
		require.Zero(t, v.Cmp(got))
	}
	for _, wrong := range []string{"", "80", "ffffffffffffffff", "0000", "00ff"} {
		_, ok := positive(unhex(t, wrong), 7)
		require.False(t, ok, wrong)
	}
	got, ok := positive(unhex(t, "00000000000000000000000000007f"), 7)
	require.True(t, ok)
	require.EqualValues(t, 0x7f, got.Int64())
}

func TestSizesOfSymmetricKeys(t *testing.T) {
	for _, c := range []struct {
		alg          Algorithm
		bytes, given int
		want         int // 0: refused
	}{
		{AES, 16, 0, 128}, {AES, 24, 192, 192}, {AES, 32, 256, 256}, {AES, 16, 256, 0}, {AES, 15, 0, 0}, {AES, 0, 0, 0}, {AES, 64, 512, 0},
		{TripleDES, 24, 168, 168}, {TripleDES, 24, 192, 192}, {TripleDES, 16, 112, 112}, {TripleDES, 16, 0, 112}, {TripleDES, 8, 56, 0}, {TripleDES, 24, 112, 0},
		{HMACSHA256, 8, 64, 64}, {HMACSHA256, 7, 0, 0}, {HMACSHA256, 1024, 8192, 8192}, {HMACSHA256, 1025, 0, 0}, {HMACSHA256, 32, 255, 0}, {HMACSHA256, 32, -1, 0},
		{ChaCha20Poly1305, 32, 0, 256}, {ChaCha20, 16, 0, 0}, {0, 16, 0, 0},
	} {
		k, err := Parse(Block{Class: SymmetricKey, Format: Raw, Algorithm: c.alg, Length: c.given, Material: make([]byte, c.bytes)})
		require.Equal(t, c.want != 0, err == nil, "%+v: %v", c, err)
		if err == nil {
			require.Equal(t, c.want, k.Length())
			require.True(t, k.Usable())
		}
	}
}

func TestKeysThatAreStoredOnly(t *testing.T) {
	for _, b := range []Block{
		{Class: SymmetricKey, Format: Raw, Algorithm: 0x11, Length: 128, Material: make([]byte, 16)}, // Camellia
		{Class: SymmetricKey, Format: Opaque, Algorithm: AES, Length: 77, Material: []byte{1}},
		{Class: PrivateKey, Format: PKCS8, Algorithm: DSA, Length: 2048, Material: []byte{1}},
		{Class: PublicKey, Format: Opaque, Material: []byte{1}},
	} {
		k := parse(t, b)
		require.False(t, k.Usable())
		got, err := k.Block(0)
		require.NoError(t, err)
		require.Equal(t, b, got)
		require.Equal(t, []Format{b.Format}, k.Formats())
		_, err = Encrypt(k, Params{Mode: CBC}, Message{})
		classified(t, err)
		_, err = k.Public()
		classified(t, err)
		require.False(t, k.same(k))
	}
	for _, b := range []Block{
		{Class: SymmetricKey, Format: Raw, Algorithm: RSA, Material: []byte{1}},
		{Class: PrivateKey, Format: Raw, Algorithm: AES, Material: make([]byte, 16)},
		{Class: PrivateKey, Format: 0x08, Algorithm: DSA},
		{Class: SymmetricKey, Format: PKCS1, Algorithm: AES},
		{Class: SymmetricKey, Format: Opaque, Algorithm: AES},
		{Class: 8, Format: Opaque, Material: []byte{1}},
		{Class: PublicKey, Format: PKCS1, Material: make([]byte, MaxMaterial+1)},
	} {
		_, err := Parse(b)
		classified(t, err)
	}
}

func TestTransparentRSA(t *testing.T) {
	k := rsaKey(t)
	all, err := k.Block(TransparentRSAPrivate)
	require.NoError(t, err)
	want, err := k.Block(PKCS1)
	require.NoError(t, err)
	change := func(f func(*Fields)) Block {
		b := all.clone()
		f(&b.Fields)
		return b
	}
	for name, b := range map[string]Block{
		"everything":   all,
		"factors only": change(func(f *Fields) { f.PrimeExponentP, f.PrimeExponentQ, f.CRTCoefficient = nil, nil, nil }),
		"exponents only": change(func(f *Fields) {
			f.P, f.Q, f.PrimeExponentP, f.PrimeExponentQ, f.CRTCoefficient = nil, nil, nil, nil, nil
		}),
		"more zeros": change(func(f *Fields) { f.Modulus = append(make([]byte, 16), f.Modulus...) }),
	} {
		got := parse(t, b)
		require.NoError(t, got.Sound())
		require.True(t, k.same(got), name)
		if name != "exponents only" { // which factor is found first cannot be told
			p, err := got.Block(PKCS1)
			require.NoError(t, err)
			require.Equal(t, want.Material, p.Material, name)
		}
	}
	derived := parse(t, change(func(f *Fields) {
		f.PrivateExponent, f.PrimeExponentP, f.PrimeExponentQ, f.CRTCoefficient = nil, nil, nil, nil
	}))
	signature, err := Sign(derived, Params{Padding: PKCS1v15, Hash: SHA256}, Signed{Data: []byte("m")})
	require.NoError(t, err)
	good, err := VerifySignature(public(t, k), Params{Padding: PKCS1v15, Hash: SHA256}, Signed{Data: []byte("m")}, signature)
	require.NoError(t, err)
	require.True(t, good)
	flip := func(b []byte) { b[len(b)-1] ^= 2 }
	one := big.NewInt(1)
	n := new(big.Int).SetBytes(all.Fields.Modulus)
	by := func(p, q *big.Int) Block {
		return change(func(f *Fields) { f.P, f.Q, f.Modulus = integer(p), integer(q), integer(new(big.Int).Mul(p, q)) })
	}
	for name, b := range map[string]Block{
		"factor 1":    by(one, n),
		"even factor": by(big.NewInt(2), n),
		"factor 3":    by(big.NewInt(3), n),
		"square":      by(new(big.Int).SetBytes(all.Fields.P), new(big.Int).SetBytes(all.Fields.P)),
		"prime modulus": change(func(f *Fields) {
			f.P, f.Q, f.Modulus = nil, nil, append(make([]byte, 8), bytes.Repeat([]byte{0xff}, 128)...)
		}),
		"d of 1":           change(func(f *Fields) { f.P, f.Q, f.PrivateExponent = nil, nil, []byte{1} }),
		"no modulus":       change(func(f *Fields) { f.Modulus = nil }),
		"no exponent":      change(func(f *Fields) { f.PublicExponent = nil }),
		"no secret":        change(func(f *Fields) { f.P, f.Q, f.PrivateExponent = nil, nil, nil }),
		"one factor":       change(func(f *Fields) { f.Q = nil }),
		"negative modulus": change(func(f *Fields) { f.Modulus = f.Modulus[8:] }),
		"wrong modulus":    change(func(f *Fields) { flip(f.Modulus) }),
		"wrong d":          change(func(f *Fields) { flip(f.PrivateExponent) }),
		"wrong d alone":    change(func(f *Fields) { flip(f.PrivateExponent); f.P, f.Q = nil, nil }),
		"wrong p":          change(func(f *Fields) { flip(f.P) }),
		"wrong dp":         change(func(f *Fields) { flip(f.PrimeExponentP) }),
		"wrong qinv":       change(func(f *Fields) { flip(f.CRTCoefficient) }),
		"even exponent":    change(func(f *Fields) { f.PublicExponent = []byte{2} }),
		"large exponent":   change(func(f *Fields) { f.PublicExponent = []byte{1, 0, 0, 0, 1} }),
		"length":           {Class: PrivateKey, Format: TransparentRSAPrivate, Length: 1024, Fields: all.Fields},
		"algorithm":        {Class: PrivateKey, Format: TransparentRSAPrivate, Algorithm: EC, Fields: all.Fields},
		"class":            {Class: PublicKey, Format: TransparentRSAPrivate, Fields: all.Fields},
	} {
		_, err := Parse(b)
		require.Error(t, err, name)
		classified(t, err)
	}
}

func TestKeysThatAreNotTaken(t *testing.T) {
	k, ec := rsaKey(t), ecKey(t, P256)
	pkcs1, _ := k.Block(PKCS1)
	pkcs8, _ := k.Block(PKCS8)
	sec1, _ := ec.Block(ECPrivateKey)
	spki, _ := public(t, ec).Block(X509)
	point, _ := public(t, ec).Block(TransparentECPublic)
	for _, b := range []Block{pkcs1, pkcs8, sec1, spki} {
		for _, material := range [][]byte{nil, b.Material[:len(b.Material)-1], append(bytes.Clone(b.Material), 0)} {
			_, err := Parse(Block{Class: b.Class, Format: b.Format, Material: material})
			require.Error(t, err)
			classified(t, err)
		}
	}
	off := bytes.Clone(point.Fields.QString)
	off[64] ^= 1
	other, _ := ecKey(t, P256).Block(ECPrivateKey)
	mixed := append(bytes.Clone(sec1.Material[:len(sec1.Material)-64]), other.Material[len(other.Material)-64:]...)
	n := elliptic.P256().Params().N
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	for name, b := range map[string]Block{
		"PKCS#8 with another's public": {Class: PrivateKey, Format: PKCS8, Material: unhex(t, "3051020101300506032b657004220420"+
			"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"+"812100"+"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511b")},
		"off the curve":       {Class: PublicKey, Format: TransparentECPublic, Fields: Fields{Curve: P256, QString: off}},
		"another curve":       {Class: PublicKey, Format: TransparentECPublic, Fields: Fields{Curve: P384, QString: point.Fields.QString}},
		"infinity":            {Class: PublicKey, Format: TransparentECPublic, Fields: Fields{Curve: P256, QString: []byte{0}}},
		"no curve":            {Class: PublicKey, Format: TransparentECPublic, Fields: Fields{QString: point.Fields.QString}},
		"compressed":          {Class: PublicKey, Format: TransparentECPublic, Fields: Fields{Curve: P256, QString: append([]byte{2 | off[64]&1 ^ 1}, off[1:33]...)}},
		"zero":                {Class: PrivateKey, Format: TransparentECPrivate, Fields: Fields{Curve: P256, D: make([]byte, 8)}},
		"the order":           {Class: PrivateKey, Format: TransparentECPrivate, Fields: Fields{Curve: P256, D: integer(n)}},
		"another's public":    {Class: PrivateKey, Format: ECPrivateKey, Material: mixed},
		"ECDH for ECDSA":      {Class: PublicKey, Format: TransparentECDSAPublic, Algorithm: ECDH, Fields: point.Fields},
		"small, said to be 2": {Class: PublicKey, Format: PKCS1, Length: 2048, Material: x509.MarshalPKCS1PublicKey(&small.PublicKey)},
		"even modulus":        {Class: PublicKey, Format: PKCS1, Material: x509.MarshalPKCS1PublicKey(&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537})},
		"8193 bits":           {Class: PublicKey, Format: PKCS1, Material: x509.MarshalPKCS1PublicKey(&rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 8192), big.NewInt(1)), E: 65537})},
		"Ed25519 of 31":       {Class: PublicKey, Format: Raw, Algorithm: Ed25519, Material: make([]byte, 31)},
		"raw RSA":             {Class: PublicKey, Format: Raw, Algorithm: RSA, Material: make([]byte, 32)},
	} {
		_, err := Parse(b)
		require.Error(t, err, name)
		classified(t, err)
	}
	parse(t, Block{Class: PrivateKey, Format: PKCS8, Material: unhex(t, "3051020101300506032b657004220420"+
		"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"+"812100"+"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")})
	parse(t, Block{Class: PublicKey, Format: PKCS1, Length: 1024, Material: x509.MarshalPKCS1PublicKey(&small.PublicKey)})
}

// TestSoundFindsCompositeFactors gives a key of four primes as one of two.
func TestSoundFindsCompositeFactors(t *testing.T) {
	prime := func() *big.Int {
		for {
			p, err := rand.Prime(rand.Reader, 512)
			require.NoError(t, err)
			if new(big.Int).Mod(new(big.Int).Sub(p, big.NewInt(1)), big.NewInt(65537)).Sign() != 0 {
				return p
			}
		}
	}
	p, q := new(big.Int).Mul(prime(), prime()), new(big.Int).Mul(prime(), prime())
	k, err := Parse(Block{Class: PrivateKey, Format: TransparentRSAPrivate, Fields: Fields{Modulus: integer(new(big.Int).Mul(p, q)), PublicExponent: []byte{1, 0, 1}, P: integer(p), Q: integer(q)}})
	if err == nil {
		err = k.Sound()
	}
	bad(t, "key_material", err)
}

func TestGeneration(t *testing.T) {
	for _, c := range []struct {
		alg        Algorithm
		bits, size int
	}{{AES, 128, 16}, {AES, 192, 24}, {AES, 256, 32}, {TripleDES, 112, 16}, {TripleDES, 168, 24}, {HMACSHA1, 160, 20}, {HMACSHA512, 512, 64}, {ChaCha20, 256, 32}, {ChaCha20Poly1305, 256, 32}} {
		k, err := GenerateSymmetric(c.alg, c.bits)
		require.NoError(t, err)
		require.Equal(t, c.bits, k.Length())
		require.Len(t, k.secret, c.size)
	}
	for _, c := range []struct {
		alg  Algorithm
		bits int
	}{{AES, 0}, {AES, 127}, {AES, 512}, {TripleDES, 56}, {HMACSHA256, 104}, {HMACSHA256, 129}, {HMACSHA256, 1 << 40}, {AES, -128}, {RSA, 2048}, {0x11, 128}} {
		_, err := GenerateSymmetric(c.alg, c.bits)
		require.Error(t, err)
		classified(t, err)
	}
	three, err := GenerateSymmetric(TripleDES, 168)
	require.NoError(t, err)
	for _, b := range three.secret {
		require.NotZero(t, (b^b>>1^b>>2^b>>3^b>>4^b>>5^b>>6^b>>7)&1, "odd parity")
	}
	for _, w := range []Wanted{{Algorithm: RSA, Length: 1024, Allow: SmallRSA}, {Algorithm: RSA, Length: 2048}, {Algorithm: EC, Length: 256}, {Algorithm: ECDSA, Curve: P521, Length: 521},
		{Algorithm: ECDH, Curve: P224}, {Algorithm: EC, Curve: SECP256K1}, {Algorithm: Ed25519}} {
		private, public, err := GeneratePair(w)
		require.NoError(t, err)
		require.True(t, Pair(private, public))
		require.False(t, Pair(public, private))
		require.Equal(t, w.Algorithm, private.Algorithm())
		require.Equal(t, w.Algorithm, public.Algorithm())
	}
	for _, w := range []Wanted{{}, {Algorithm: RSA, Length: 1024}, {Algorithm: RSA, Length: 8192}, {Algorithm: EC}, {Algorithm: EC, Curve: 1}, {Algorithm: EC, Curve: P256, Length: 384},
		{Algorithm: Ed25519, Length: 255}, {Algorithm: DSA, Length: 2048}, {Algorithm: AES, Length: 128}} {
		_, _, err := GeneratePair(w)
		require.Error(t, err, "%+v", w)
		classified(t, err)
	}
}

func TestNothingPrintsAKey(t *testing.T) {
	k := symmetric(t, AES, []byte("sixteen bytes ..."[:16]))
	text, err := json.Marshal(k)
	require.NoError(t, err)
	for _, printed := range []string{fmt.Sprint(k), fmt.Sprintf("%v %+v %#v %s %x", k, k, k, k, k), k.String(), k.GoString(), k.LogValue().String(), string(text)} {
		require.NotContains(t, printed, "sixteen")
		require.NotContains(t, printed, hex.EncodeToString([]byte("sixteen")))
	}
	k.Wipe()
	require.Equal(t, make([]byte, 16), k.secret)
	require.False(t, k.Usable())
}
