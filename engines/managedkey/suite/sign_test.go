package suite

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatIsSignedVerifies(t *testing.T) {
	keys := []*Key{rsaKey(t), edKey(t), ecKey(t, P224), ecKey(t, P256), ecKey(t, P384), ecKey(t, P521), ecKey(t, SECP256K1)}
	for _, k := range keys {
		for _, w := range Ways() {
			if w.Use != ToSign || w.Algorithm != k.alg.family() {
				continue
			}
			p := Params{Padding: w.Padding, Hash: w.Hash}
			byName := Params{Signature: w.Signature}
			if w.Signature == RSASSAPSS {
				byName.Hash = w.Hash
			}
			signature, err := Sign(k, p, Signed{Data: []byte("message")})
			require.NoError(t, err, "%+v", w)
			for _, q := range []Params{p, byName} {
				good, err := VerifySignature(public(t, k), q, Signed{Data: []byte("message")}, signature)
				require.NoError(t, err, "%+v", w)
				require.True(t, good, "%+v", w)
				good, err = VerifySignature(public(t, k), q, Signed{Data: []byte("Message")}, signature)
				require.NoError(t, err)
				require.False(t, good)
			}
			if w.Hash == 0 {
				continue
			}
			digest, err := Sum(w.Hash, []byte("message"))
			require.NoError(t, err)
			signature, err = Sign(k, byName, Signed{Digest: digest})
			require.NoError(t, err)
			good, err := VerifySignature(public(t, k), p, Signed{Data: []byte("message")}, signature)
			require.NoError(t, err)
			require.True(t, good)
		}
	}
}

func TestSaltLengths(t *testing.T) {
	k := rsaKey(t)
	length := func(n int) *int { return &n }
	for _, n := range []int{1, 20, 32, 222} {
		p := Params{Padding: PSS, Hash: SHA256, SaltLength: length(n)}
		signature, err := Sign(k, p, Signed{Data: []byte("message")})
		require.NoError(t, err)
		for _, given := range []*int{nil, length(n), length(n ^ 2)} {
			p.SaltLength = given
			good, err := VerifySignature(public(t, k), p, Signed{Data: []byte("message")}, signature)
			require.NoError(t, err)
			require.Equal(t, given == nil || *given == n, good)
		}
	}
	for _, n := range []int{-1, 0, 223, 1 << 40} {
		_, err := Sign(k, Params{Padding: PSS, Hash: SHA256, SaltLength: length(n)}, Signed{})
		bad(t, "salt_length", err)
		_, err = VerifySignature(public(t, k), Params{Padding: PSS, Hash: SHA256, SaltLength: length(n)}, Signed{}, nil)
		bad(t, "salt_length", err)
	}
}

func TestSigningsThatDoNotFit(t *testing.T) {
	k, ec, ed := rsaKey(t), ecKey(t, P256), edKey(t)
	digest := sha256.Sum256(nil)
	for _, c := range []struct {
		field string
		key   *Key
		p     Params
		in    Signed
	}{
		{"hashing_algorithm", k, Params{Padding: PKCS1v15, Hash: SHA1}, Signed{}},
		{"hashing_algorithm", k, Params{Padding: PKCS1v15}, Signed{}},
		{"hashing_algorithm", k, Params{Padding: PKCS1v15, Hash: MD5}, Signed{}},
		{"hashing_algorithm", k, Params{Signature: SHA1WithRSA}, Signed{}},
		{"hashing_algorithm", ec, Params{Hash: SHA1}, Signed{}},
		{"digital_signature_algorithm", k, Params{Signature: RSASSAPSS}, Signed{}},
		{"digital_signature_algorithm", k, Params{Signature: ECDSAWithSHA256}, Signed{}},
		{"digital_signature_algorithm", k, Params{Signature: DSAWithSHA256}, Signed{}},
		{"digital_signature_algorithm", k, Params{Signature: SHA256WithRSA, Hash: SHA384}, Signed{}},
		{"digital_signature_algorithm", k, Params{Signature: SHA256WithRSA, Padding: PSS}, Signed{}},
		{"digital_signature_algorithm", ed, Params{Signature: ECDSAWithSHA256}, Signed{}},
		{"padding_method", k, Params{Hash: SHA256}, Signed{}},
		{"padding_method", k, Params{Hash: SHA256, Padding: OAEP}, Signed{}},
		{"mask_generator_hashing_algorithm", k, Params{Hash: SHA256, Padding: PSS, MaskGeneratorHash: SHA1}, Signed{}},
		{"cryptographic_algorithm", k, Params{Hash: SHA256, Padding: PSS, Algorithm: ECDSA}, Signed{}},
		{"digested_data", k, Params{Hash: SHA256, Padding: PSS}, Signed{Digest: digest[1:]}},
		{"digested_data", k, Params{Hash: SHA256, Padding: PSS}, Signed{Digest: digest[:], Data: []byte{1}}},
		{"digested_data", ed, Params{}, Signed{Digest: digest[:]}},
		{"correlation_value", ed, Params{}, Signed{Partial: true}},
	} {
		_, err := Sign(c.key, c.p, c.in)
		bad(t, c.field, err, "%+v", c.p)
	}
	_, err := Sign(public(t, k), Params{}, Signed{})
	classified(t, err)
	_, err = VerifySignature(k, Params{}, Signed{}, nil)
	classified(t, err)
	_, err = Sign(symmetric(t, AES, make([]byte, 16)), Params{}, Signed{})
	classified(t, err)
	agreeing, _, err := GeneratePair(Wanted{Algorithm: ECDH, Curve: P256})
	require.NoError(t, err)
	_, err = Sign(agreeing, Params{}, Signed{})
	classified(t, err)
}

func TestEd25519VectorOfRFC8032(t *testing.T) {
	signature, err := Sign(edKey(t), Params{}, Signed{})
	require.NoError(t, err)
	require.Equal(t, "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b", hex.EncodeToString(signature))
}

func TestRSASignatureVectorsOfWycheproof(t *testing.T) {
	for _, group := range vectors[struct {
		Hash, Scheme, Salt string
		Key                octets
		Tests              []struct {
			Note     string
			Msg, Sig octets
			Valid    bool
		}
	}](t, "rsa.json") {
		p := Params{Hash: map[string]Hash{"sha2-256": SHA256, "sha2-384": SHA384, "sha2-512": SHA512}[group.Hash], Padding: PKCS1v15}
		if group.Scheme == "pss" {
			size := p.Hash.Size()
			p.Padding = PSS
			if group.Salt == "hash" {
				p.SaltLength = &size
			}
		}
		k := parse(t, Block{Class: PublicKey, Format: X509, Material: group.Key})
		for _, c := range group.Tests {
			good, err := VerifySignature(k, p, Signed{Data: c.Msg}, c.Sig)
			require.NoError(t, err)
			require.Equal(t, c.Valid, good, c.Note)
		}
	}
}

func TestECDSAVectorsOfWycheproof(t *testing.T) {
	curve := map[string]Curve{"ecdsa-p256": P256, "ecdsa-p384": P384, "ecdsa-p521": P521}
	for _, c := range vectors[struct {
		Alg, Hash, Encoding, Note string
		Key, Msg, Sig             octets
		Valid                     bool
	}](t, "ecdsa.json") {
		if c.Encoding != "asn1" {
			continue
		}
		k := parse(t, Block{Class: PublicKey, Format: TransparentECPublic, Fields: Fields{Curve: curve[c.Alg], QString: c.Key}})
		good, err := VerifySignature(k, Params{Hash: map[string]Hash{"sha2-256": SHA256, "sha2-384": SHA384, "sha2-512": SHA512}[c.Hash]}, Signed{Data: c.Msg}, c.Sig)
		require.NoError(t, err)
		require.Equal(t, c.Valid, good, c.Note)
	}
}

// The figures are OpenSSL's.
func TestSecp256k1(t *testing.T) {
	scalar := unhex(t, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
	k := parse(t, Block{Class: PrivateKey, Format: TransparentECPrivate, Fields: Fields{Curve: SECP256K1, D: scalar}})
	p := public(t, k)
	require.Equal(t, "044646ae5047316b4230d0086c8acec687f00b1cd9d1dc634f6cb358ac0a9a8ffffe77b4dd0a4bfb95851f3b7355c781dd60f8418fc8a65d14907aff47c903a559", hex.EncodeToString(p.ec.public))
	for h, text := range map[Hash]string{
		SHA224: "304502207e3e406fbc2e693f6ae9dba86b58131e88f505c427c9dcb20021bd8f0b0e6b9f0221008f5c5f293ade8fb031caed86862c6fa6edc24affd016f9999b819dfb7a03f97c",
		SHA256: "3045022100c8e8934ec8b38c97912b41bd699aac2ee84e5dc3c1362f99585c5536fa599368022028ec1893685c14aebf35a09930a26177e732b3c71a3eed8cb6c7feb408c0415f",
		SHA512: "304602210081881eab79bf1dc5c099c398a8b132e14f531f3fb091abff52e58581a0c71eeb022100f94d3872ef3e5cf4e347da07049670202cbf11cbc2477f2995d8b328d14e9c7e",
	} {
		signature := unhex(t, text)
		good, err := VerifySignature(p, Params{Hash: h}, Signed{Data: []byte("message for secp256k1")}, signature)
		require.NoError(t, err)
		require.True(t, good)
		for i := range signature {
			signature[i] ^= 1
			good, err := VerifySignature(p, Params{Hash: h}, Signed{Data: []byte("message for secp256k1")}, signature)
			require.NoError(t, err)
			require.False(t, good)
			signature[i] ^= 1
		}
	}
	for n, want := range map[string]string{
		"0000000000000000000000000000000000000000000000000000000000000001": "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
		"0000000000000000000000000000000000000000000000000000000000000002": "04c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee51ae168fea63dc339a3c58419466ceaeef7f632653266d0e1236431a950cfe52a",
		"0000000000000000000000000000000000000000000000000000000000000003": "04f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9388f7b0f632de8140fe337e62a37f3566500a99934c2231b6cb9fd7584b8e672",
		"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140": "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798b7c52588d95c3b9aa25b0403f1eef75702e84bb7597aabe663b82f6f04ef2777",
	} {
		got, ok := koblitz{}.public(unhex(t, n))
		require.True(t, ok)
		require.Equal(t, want, hex.EncodeToString(got))
	}
	for _, n := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000", "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "01",
	} {
		_, ok := koblitz{}.public(unhex(t, n))
		require.False(t, ok, n)
	}
}
