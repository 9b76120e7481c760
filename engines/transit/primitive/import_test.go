package primitive

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

func armored(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// sameKey compares by the MAC, whose key is derived from the body.
func sameKey(t *testing.T, want, got *Key) {
	require.Equal(t, marshal(t, want), marshal(t, got))
	require.Equal(t, want.Algorithm(), got.Algorithm())
}

func TestWhatIsExportedIsImported(t *testing.T) {
	for _, a := range Algorithms() {
		k := someKey(t, a)
		for _, f := range []Format{Raw, PKCS8, PEM} {
			material, err := k.Export(f)
			raw := traits[a].family != ecdsaKey && traits[a].family != rsaKey
			if f == Raw && !raw || f != Raw && !a.Asymmetric() {
				invalid(t, err)
				continue
			}
			require.NoError(t, err)
			got, err := Import(a, material)
			require.NoError(t, err, "%s, %s", a, f)
			sameKey(t, k, got)
		}
		_, err := k.Export("jwk")
		invalid(t, err)
	}
}

func TestEveryFormOfECDSAAndRSAIsTaken(t *testing.T) {
	for _, a := range []Algorithm{ECDSAP256, ECDSAP384, ECDSAP521} {
		k := someKey(t, a)
		sec1, err := x509.MarshalECPrivateKey(k.ec)
		require.NoError(t, err)
		for _, material := range [][]byte{sec1, armored(inSEC1, sec1), append([]byte("\n "), armored(inSEC1, sec1)...), append(armored(inSEC1, sec1), "\n\n"...)} {
			got, err := Import(a, material)
			require.NoError(t, err)
			sameKey(t, k, got)
		}
	}
	k := someKey(t, RSA2048)
	for _, material := range [][]byte{k.secret, armored(inPKCS1, k.secret)} {
		got, err := Import(RSA2048, material)
		require.NoError(t, err)
		sameKey(t, k, got)
	}
}

func TestSizesOfRawKeys(t *testing.T) {
	for a, sizes := range map[Algorithm][2]int{
		AES256GCM: {32, 32}, AES128GCM: {16, 16}, ChaCha20Poly1305: {32, 32}, XChaCha20Poly1305: {32, 32}, Ed25519: {32, 32}, MLKEM768: {64, 64},
		HMACSHA256: {32, 512}, HMACSHA384: {32, 512}, HMACSHA512: {32, 512},
	} {
		for _, n := range []int{0, 1, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 511, 512, 513, maxImport, maxImport + 1} {
			_, err := Import(a, bytes.Repeat([]byte{0x42}, n))
			if n >= sizes[0] && n <= sizes[1] {
				require.NoError(t, err, "%s: %d", a, n)
				continue
			}
			invalid(t, err, "%s: %d", a, n)
			require.NotContains(t, err.Error(), "BBBB")
		}
	}
}

// TestPublishedKeys: RFC 8410, section 10.3; RFC 9935, C.1.2.1; RFC 7517, A.2.
func TestPublishedKeys(t *testing.T) {
	k, err := Import(Ed25519, []byte("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n"))
	require.NoError(t, err)
	public, err := k.PublicPEM()
	require.NoError(t, err)
	require.Equal(t, "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n", string(public))

	const kem = "-----BEGIN PRIVATE KEY-----\nMFQCAQAwCwYJYIZIAWUDBAQCBEKAQAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZ\nGhscHR4fICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n-----END PRIVATE KEY-----\n"
	k, err = Import(MLKEM768, []byte(kem))
	require.NoError(t, err)
	sameKey(t, fixed(t, MLKEM768), k)
	got, err := k.Export(PEM)
	require.NoError(t, err)
	require.Equal(t, kem, string(got))

	d, err := base64.RawURLEncoding.DecodeString("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE")
	require.NoError(t, err)
	k, err = newKey(ECDSAP256, d)
	require.NoError(t, err)
	jwk, err := k.PublicJWK()
	require.NoError(t, err)
	require.Equal(t, JWK{Type: "EC", Curve: "P-256", X: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", Y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}, jwk)
}

func TestPublicKeys(t *testing.T) {
	for _, a := range Algorithms() {
		k := someKey(t, a)
		der, err := k.PublicDER()
		jwk, errJWK := k.PublicJWK()
		if !a.Asymmetric() {
			invalid(t, err)
			invalid(t, errJWK)
			continue
		}
		require.NoError(t, err)
		if a == MLKEM768 {
			invalid(t, errJWK)
			var s spki
			rest, err := asn1.Unmarshal(der, &s)
			require.NoError(t, err)
			require.Empty(t, rest)
			require.Equal(t, kemOID, s.Algorithm.Algorithm)
			_, err = mlkem.NewEncapsulationKey768(s.PublicKey.Bytes)
			require.NoError(t, err)
			continue
		}
		require.NoError(t, errJWK)
		public, err := x509.ParsePKIXPublicKey(der)
		require.NoError(t, err)
		part := func(s string) []byte {
			b, err := base64.RawURLEncoding.DecodeString(s)
			require.NoError(t, err)
			return b
		}
		switch p := public.(type) {
		case ed25519.PublicKey:
			require.Equal(t, JWK{Type: "OKP", Curve: "Ed25519", X: jwk.X}, jwk)
			require.Equal(t, []byte(p), part(jwk.X))
		case *ecdsa.PublicKey:
			require.Equal(t, JWK{Type: "EC", Curve: p.Curve.Params().Name, X: jwk.X, Y: jwk.Y}, jwk)
			got, err := ecdsa.ParseUncompressedPublicKey(p.Curve, append(append([]byte{4}, part(jwk.X)...), part(jwk.Y)...))
			require.NoError(t, err)
			require.True(t, p.Equal(got))
		case *rsa.PublicKey:
			require.Equal(t, JWK{Type: "RSA", Modulus: jwk.Modulus, Exponent: "AQAB"}, jwk)
			require.Zero(t, p.N.Cmp(new(big.Int).SetBytes(part(jwk.Modulus))))
		}
	}
}

// rsaDER writes PKCS #1 of these primes, whatever they are, and this exponent.
func rsaDER(t *testing.T, e int64, p, q *big.Int) []byte {
	one := big.NewInt(1)
	less := func(n *big.Int) *big.Int { return new(big.Int).Sub(n, one) }
	d := new(big.Int).ModInverse(big.NewInt(e), new(big.Int).Mul(less(p), less(q)))
	require.NotNil(t, d)
	der, err := asn1.Marshal(struct {
		Version                         int
		N, E, D, P, Q, Dp, Dq, Inverted *big.Int
	}{0, new(big.Int).Mul(p, q), big.NewInt(e), d, p, q, new(big.Int).Mod(d, less(p)), new(big.Int).Mod(d, less(q)), new(big.Int).ModInverse(q, p)})
	require.NoError(t, err)
	return der
}

// prime has this many bits, the two highest set, and goes with the exponents 3 and 65537.
func prime(t *testing.T, bits int) *big.Int {
	for {
		p, err := rand.Prime(rand.Reader, bits)
		require.NoError(t, err)
		less := new(big.Int).Sub(p, big.NewInt(1))
		if new(big.Int).Mod(less, big.NewInt(3)).Sign() != 0 && new(big.Int).Mod(less, big.NewInt(65537)).Sign() != 0 {
			return p
		}
	}
}

func TestRSAKeysThatAreNotTaken(t *testing.T) {
	p, q := prime(t, 1024), prime(t, 1024)
	good := rsaDER(t, 65537, p, q)
	_, err := Import(RSA2048, good)
	require.NoError(t, err)
	short := rsaDER(t, 65537, prime(t, 512), prime(t, 512))
	three, err := rsa.GenerateMultiPrimeKey(rand.Reader, 3, 2048)
	require.NoError(t, err)
	wrongD := bytes.Clone(good)
	wrongD[300] ^= 1
	pkcs8, err := x509.MarshalPKCS8PrivateKey(someKey(t, RSA2048).rsa)
	require.NoError(t, err)
	for what, material := range map[string][]byte{
		"1024 bits":                    short,
		"2047 bits":                    rsaDER(t, 65537, p, prime(t, 1023)),
		"exponent 3":                   rsaDER(t, 3, p, q),
		"a composite prime":            rsaDER(t, 65537, p, new(big.Int).Mul(prime(t, 512), prime(t, 512))),
		"unequal primes":               rsaDER(t, 65537, prime(t, 1200), prime(t, 848)),
		"the same prime twice":         rsaDERTwice(t, p),
		"three primes":                 x509.MarshalPKCS1PrivateKey(three),
		"a changed bit":                wrongD,
		"bytes behind":                 append(bytes.Clone(good), 0),
		"bytes behind PKCS #8":         append(bytes.Clone(pkcs8), 0),
		"truncated":                    good[:len(good)-1],
		"PEM of another type":          armored(inSEC1, good),
		"PEM of an unknown type":       armored("SOMETHING", good),
		"PKCS #1 in PEM of PKCS #8":    armored(inPKCS8, good),
		"two blocks of PEM":            append(armored(inPKCS1, good), armored(inPKCS1, good)...),
		"text before PEM":              append([]byte("key:\n"), armored(inPKCS1, good)...),
		"a broken block before PEM":    append([]byte("-----BEGIN X-----\n-----END Y-----\n"), armored(inPKCS1, good)...),
		"text behind PEM":              append(armored(inPKCS1, good), "x"...),
		"PEM with headers":             pem.EncodeToMemory(&pem.Block{Type: inPKCS1, Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: good}),
		"a public key":                 x509.MarshalPKCS1PublicKey(&someKey(t, RSA2048).rsa.PublicKey),
		"an ECDSA key":                 exported(t, ECDSAP256, PKCS8),
		"an Ed25519 key":               exported(t, Ed25519, PKCS8),
		"nothing":                      nil,
		"a beginning of PEM":           []byte("-----BEGIN RSA PRIVATE KEY-----"),
		"an element that is too large": {0x30, 0x84, 0xff, 0xff, 0xff, 0xff},
	} {
		k, err := Import(RSA2048, material)
		invalid(t, err, what)
		require.Nil(t, k, what)
	}
	_, err = Import(RSA3072, good)
	invalid(t, err)
	_, err = Import(RSA4096, good)
	invalid(t, err)
}

func rsaDERTwice(t *testing.T, p *big.Int) []byte {
	one := big.NewInt(1)
	der, err := asn1.Marshal(struct {
		Version                         int
		N, E, D, P, Q, Dp, Dq, Inverted *big.Int
	}{0, new(big.Int).Mul(p, p), big.NewInt(65537), p, p, p, p, p, one})
	require.NoError(t, err)
	return der
}

func exported(t *testing.T, a Algorithm, f Format) []byte {
	b, err := someKey(t, a).Export(f)
	require.NoError(t, err)
	return b
}

type sec1 struct {
	Version int
	Private []byte
	Curve   asn1.ObjectIdentifier `asn1:"optional,explicit,tag:0"`
	Public  asn1.BitString        `asn1:"optional,explicit,tag:1"`
}

func TestECDSAKeysThatAreNotTaken(t *testing.T) {
	k := someKey(t, ECDSAP256)
	own, err := k.ec.PublicKey.Bytes()
	require.NoError(t, err)
	other, err := generate(t, ECDSAP256).ec.PublicKey.Bytes()
	require.NoError(t, err)
	p256, secp224 := asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, asn1.ObjectIdentifier{1, 3, 132, 0, 33}
	write := func(s sec1) []byte {
		b, err := asn1.Marshal(s)
		require.NoError(t, err)
		return b
	}
	bits := func(b []byte) asn1.BitString { return asn1.BitString{Bytes: b, BitLength: 8 * len(b)} }
	compressed := elliptic.MarshalCompressed(elliptic.P256(), k.ec.X, k.ec.Y)
	for what, material := range map[string][]byte{
		"without a public key":      write(sec1{1, k.secret, p256, asn1.BitString{}}),
		"with its own":              write(sec1{1, k.secret, p256, bits(own)}),
		"with its own, in short":    write(sec1{1, k.secret, p256, bits(compressed)}),
		"PKCS #8 of SEC 1 in short": exported(t, ECDSAP256, PKCS8),
	} {
		got, err := Import(ECDSAP256, material)
		require.NoError(t, err, what)
		sameKey(t, k, got)
	}
	order := elliptic.P256().Params().N
	good := write(sec1{1, k.secret, p256, bits(own)})
	for what, material := range map[string][]byte{
		"another public key":   write(sec1{1, k.secret, p256, bits(other)}),
		"a cut public key":     write(sec1{1, k.secret, p256, bits(own[:64])}),
		"scalar 0":             write(sec1{1, make([]byte, 32), p256, asn1.BitString{}}),
		"scalar n":             write(sec1{1, order.Bytes(), p256, asn1.BitString{}}),
		"scalar n + 1":         write(sec1{1, new(big.Int).Add(order, big.NewInt(1)).Bytes(), p256, asn1.BitString{}}),
		"no scalar":            write(sec1{1, nil, p256, asn1.BitString{}}),
		"another curve":        write(sec1{1, k.secret[:28], secp224, asn1.BitString{}}),
		"no curve":             write(sec1{1, k.secret, nil, bits(own)}),
		"another version":      write(sec1{2, k.secret, p256, bits(own)}),
		"P-384":                exported(t, ECDSAP384, PKCS8),
		"Ed25519":              exported(t, Ed25519, PKCS8),
		"RSA":                  exported(t, RSA2048, PKCS8),
		"bytes behind":         append(bytes.Clone(good), 0),
		"truncated":            good[:len(good)-1],
		"raw":                  k.secret,
		"PEM of another type":  armored(inPKCS1, good),
		"SEC 1 as PKCS #8":     armored(inPKCS8, good),
		"PKCS #8 as SEC 1":     armored(inSEC1, exported(t, ECDSAP256, PKCS8)),
		"the public key alone": own,
	} {
		_, err := Import(ECDSAP256, material)
		invalid(t, err, what)
	}
}

func TestSeedsThatAreNotTaken(t *testing.T) {
	write := func(oid asn1.ObjectIdentifier, parameters asn1.RawValue, inner string) []byte {
		b, err := asn1.Marshal(pkcs8{0, pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: parameters}, []byte(inner)})
		require.NoError(t, err)
		return b
	}
	seed := strings.Repeat("s", 64)
	good := write(kemOID, asn1.RawValue{}, kemSeedTag+seed)
	_, err := Import(MLKEM768, good)
	require.NoError(t, err)
	for what, material := range map[string][]byte{
		"ML-KEM-512":         write(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 4, 1}, asn1.RawValue{}, kemSeedTag+seed),
		"a parameter":        write(kemOID, asn1.NullRawValue, kemSeedTag+seed),
		"no tag":             write(kemOID, asn1.RawValue{}, seed),
		"an octet string":    write(kemOID, asn1.RawValue{}, "\x04\x40"+seed),
		"63 bytes":           write(kemOID, asn1.RawValue{}, "\x80\x3f"+seed[:63]),
		"63 bytes, declared": write(kemOID, asn1.RawValue{}, kemSeedTag+seed[:63]),
		"bytes behind":       write(kemOID, asn1.RawValue{}, kemSeedTag+seed+"x"),
		"bytes behind all":   append(bytes.Clone(good), 0),
		"the expanded key":   write(kemOID, asn1.RawValue{}, "\x04\x82\x09\x60"+strings.Repeat("x", 2400)),
		"PEM of SEC 1":       armored(inSEC1, good),
		"an Ed25519 key":     exported(t, Ed25519, PKCS8),
	} {
		_, err := Import(MLKEM768, material)
		invalid(t, err, what)
	}
	for what, material := range map[string][]byte{
		"an ECDSA key": exported(t, ECDSAP256, PKCS8),
		"PEM of SEC 1": armored(inSEC1, exported(t, Ed25519, PKCS8)),
		"64 bytes":     make([]byte, 64),
		"ML-KEM":       good,
	} {
		_, err := Import(Ed25519, material)
		invalid(t, err, what)
	}
}

func TestWrappedImport(t *testing.T) {
	wrapping := someKey(t, RSA2048)
	public, err := wrapping.PublicPEM()
	require.NoError(t, err)
	for _, h := range []Hash{0, SHA1, SHA256, SHA512} {
		for _, a := range Algorithms() {
			f := Raw
			if traits[a].family == ecdsaKey || traits[a].family == rsaKey {
				f = PKCS8
			}
			blob, err := WrapForImport(public, h, exported(t, a, f))
			require.NoError(t, err)
			got, err := wrapping.ImportWrapped(a, h, blob)
			require.NoError(t, err)
			sameKey(t, someKey(t, a), got)
		}
	}
}

func TestNoOtherBlobIsUnwrapped(t *testing.T) {
	wrapping := someKey(t, RSA2048)
	public, err := wrapping.PublicPEM()
	require.NoError(t, err)
	blob, err := WrapForImport(public, 0, make([]byte, 32))
	require.NoError(t, err)
	refused := func(k *Key, h Hash, blob []byte) {
		_, err := k.ImportWrapped(AES256GCM, h, blob)
		require.Equal(t, ErrDecrypt, err)
	}
	for i := range blob {
		flipped := bytes.Clone(blob)
		flipped[i] ^= 0x80
		refused(wrapping, 0, flipped)
	}
	for _, b := range [][]byte{nil, blob[:255], blob[:256], blob[:264], blob[:len(blob)-1], blob[:len(blob)-8], append(bytes.Clone(blob), 0), append(bytes.Clone(blob), make([]byte, 8)...), make([]byte, 1<<20)} {
		refused(wrapping, 0, b)
	}
	refused(wrapping, SHA384, blob)
	refused(generate(t, RSA2048), 0, blob)
	shortKey, err := rsa.EncryptOAEP(hashes[SHA256].new(), rand.Reader, &wrapping.rsa.PublicKey, make([]byte, 16), nil)
	require.NoError(t, err)
	refused(wrapping, 0, append(shortKey, blob[256:]...))

	_, err = wrapping.ImportWrapped(AES128GCM, 0, blob)
	invalid(t, err, "what was in it has the wrong size")
	_, err = wrapping.ImportWrapped(AES256GCM, SHA3_256, blob)
	invalid(t, err)
	_, err = someKey(t, ECDSAP256).ImportWrapped(AES256GCM, 0, blob)
	invalid(t, err)
	for what, c := range map[string]struct {
		public   []byte
		h        Hash
		material []byte
	}{
		"nothing":         {public, 0, nil},
		"no key":          {nil, 0, make([]byte, 32)},
		"an ECDSA key":    {publicPEM(t, ECDSAP256), 0, make([]byte, 32)},
		"a hash of SHA-3": {public, SHA3_512, make([]byte, 32)},
		"a private key":   {exported(t, RSA2048, PEM), 0, make([]byte, 32)},
	} {
		_, err := WrapForImport(c.public, c.h, c.material)
		require.True(t, fault.Is(err, fault.Invalid), what)
	}
}

func publicPEM(t *testing.T, a Algorithm) []byte {
	b, err := someKey(t, a).PublicPEM()
	require.NoError(t, err)
	return b
}
