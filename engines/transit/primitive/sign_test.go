package primitive

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
)

// signings are all the ways in which keys of a sign.
func signings(a Algorithm) (all []Signing) {
	if a == Ed25519 {
		return []Signing{{}, {Prehashed: true}, {Prehashed: true, Hash: SHA512}}
	}
	for _, h := range []Hash{0, SHA256, SHA384, SHA512} {
		for _, prehashed := range []bool{false, true} {
			s := Signing{Hash: h, Prehashed: prehashed}
			if traits[a].family == ecdsaKey {
				all = append(all, s, Signing{h, prehashed, ASN1, "", ""}, Signing{h, prehashed, JWS, "", ""})
			} else {
				all = append(all, s, Signing{h, prehashed, "", PSS, SaltHash}, Signing{h, prehashed, "", PSS, SaltAuto}, Signing{h, prehashed, "", PKCS1v15, ""})
			}
		}
	}
	return all
}

func signers() []Algorithm { return []Algorithm{Ed25519, ECDSAP256, ECDSAP384, ECDSAP521, RSA2048} }

// inputOf is a message, or its digest.
func inputOf(t *testing.T, a Algorithm, s Signing, message string) []byte {
	if !s.Prehashed {
		return []byte(message)
	}
	require.NoError(t, s.fill(a))
	digest, err := Sum(nil, s.Hash, []byte(message))
	require.NoError(t, err)
	return digest
}

func TestWhatIsSignedVerifies(t *testing.T) {
	for _, a := range signers() {
		k := someKey(t, a)
		other := generate(t, a)
		for _, s := range signings(a) {
			input := inputOf(t, a, s, "message")
			signature, err := k.Sign([]byte("before"), s, input)
			require.NoError(t, err, "%s %+v", a, s)
			require.Equal(t, "before", string(signature[:6]))
			signature = signature[6:]
			verifies := func(k *Key, input, signature []byte) bool {
				good, err := k.Verify(s, input, signature)
				require.NoError(t, err)
				return good
			}
			require.True(t, verifies(k, input, signature), "%s %+v", a, s)
			require.False(t, verifies(other, input, signature), "another key")
			require.False(t, verifies(k, inputOf(t, a, s, "massage"), signature), "another message")
			for i := 0; i < len(signature); i += 7 {
				flipped := bytes.Clone(signature)
				flipped[i] ^= 0x10
				require.False(t, verifies(k, input, flipped), "%s %+v: byte %d", a, s, i)
			}
			for _, b := range [][]byte{nil, {}, signature[:1], signature[:len(signature)-1], signature[1:], append(bytes.Clone(signature), 0), append([]byte{0}, signature...),
				make([]byte, len(signature)), bytes.Repeat([]byte{0xff}, len(signature))} {
				require.False(t, verifies(k, input, b), "%s %+v: %d bytes", a, s, len(b))
			}
		}
	}
}

// TestOneWayOfSigningDoesNotPassForAnother, but for prehashing where the scheme hashes.
func TestOneWayOfSigningDoesNotPassForAnother(t *testing.T) {
	digest256, digest512 := sha256.Sum256([]byte("message")), sha512.Sum512([]byte("message"))
	for _, c := range []struct {
		alg    Algorithm
		made   Signing
		input  []byte
		asked  Signing
		of     []byte
		passes bool
	}{
		{ECDSAP256, Signing{}, []byte("message"), Signing{Prehashed: true}, digest256[:], true},
		{ECDSAP256, Signing{}, []byte("message"), Signing{Encoding: JWS}, []byte("message"), false},
		{ECDSAP256, Signing{}, []byte("message"), Signing{Hash: SHA384}, []byte("message"), false},
		{RSA2048, Signing{}, []byte("message"), Signing{Scheme: PSS, Salt: SaltAuto}, []byte("message"), true},
		{RSA2048, Signing{Salt: SaltAuto}, []byte("message"), Signing{Salt: SaltHash}, []byte("message"), false},
		{RSA2048, Signing{}, []byte("message"), Signing{Scheme: PKCS1v15}, []byte("message"), false},
		{RSA2048, Signing{Scheme: PKCS1v15}, []byte("message"), Signing{Prehashed: true, Scheme: PKCS1v15}, digest256[:], true},
		{Ed25519, Signing{Prehashed: true}, digest512[:], Signing{}, digest512[:], false},
		{Ed25519, Signing{}, digest512[:], Signing{Prehashed: true}, digest512[:], false},
	} {
		signature, err := someKey(t, c.alg).Sign(nil, c.made, c.input)
		require.NoError(t, err)
		good, err := someKey(t, c.alg).Verify(c.asked, c.of, signature)
		require.NoError(t, err)
		require.Equal(t, c.passes, good, "%s: %+v asked as %+v", c.alg, c.made, c.asked)
	}
}

func TestSigningsThatDoNotFit(t *testing.T) {
	digest := make([]byte, 32)
	for what, c := range map[string]struct {
		alg   Algorithm
		s     Signing
		input []byte
	}{
		"AEAD key":                        {AES256GCM, Signing{}, nil},
		"HMAC key":                        {HMACSHA256, Signing{}, nil},
		"ML-KEM key":                      {MLKEM768, Signing{}, nil},
		"Ed25519 with a hash":             {Ed25519, Signing{Hash: SHA512}, nil},
		"Ed25519ph with SHA-256":          {Ed25519, Signing{Hash: SHA256, Prehashed: true}, digest},
		"Ed25519ph of 32 bytes":           {Ed25519, Signing{Prehashed: true}, digest},
		"Ed25519 with an encoding":        {Ed25519, Signing{Encoding: ASN1}, nil},
		"Ed25519 with a scheme":           {Ed25519, Signing{Scheme: PSS}, nil},
		"Ed25519 with a salt":             {Ed25519, Signing{Salt: SaltHash}, nil},
		"ECDSA with SHA-1":                {ECDSAP256, Signing{Hash: SHA1}, nil},
		"ECDSA with SHA-3":                {ECDSAP256, Signing{Hash: SHA3_256}, nil},
		"ECDSA with a hash that isn't":    {ECDSAP256, Signing{Hash: 77}, nil},
		"ECDSA of no digest":              {ECDSAP256, Signing{Prehashed: true}, nil},
		"ECDSA of a digest too long":      {ECDSAP256, Signing{Prehashed: true}, make([]byte, 33)},
		"ECDSA of another hash's digest":  {ECDSAP256, Signing{Hash: SHA384, Prehashed: true}, digest},
		"ECDSA with another encoding":     {ECDSAP256, Signing{Encoding: "der"}, nil},
		"ECDSA with a scheme":             {ECDSAP256, Signing{Scheme: PSS}, nil},
		"ECDSA with a salt":               {ECDSAP256, Signing{Salt: SaltAuto}, nil},
		"RSA with SHA-224":                {RSA2048, Signing{Hash: SHA224}, nil},
		"RSA with an encoding":            {RSA2048, Signing{Encoding: ASN1}, nil},
		"RSA with another scheme":         {RSA2048, Signing{Scheme: "raw"}, nil},
		"RSA with another salt":           {RSA2048, Signing{Salt: "32"}, nil},
		"RSA PKCS #1 v1.5 with a salt":    {RSA2048, Signing{Scheme: PKCS1v15, Salt: SaltAuto}, nil},
		"RSA of a digest of another size": {RSA2048, Signing{Prehashed: true, Hash: SHA512}, digest},
	} {
		_, err := someKey(t, c.alg).Sign(nil, c.s, c.input)
		invalid(t, err, what)
		good, err := someKey(t, c.alg).Verify(c.s, c.input, make([]byte, 64))
		invalid(t, err, what)
		require.False(t, good)
	}
}

// TestECDSASignaturesHaveOneWritingEach: numbers out of range, leading zeros, and lengths that DER does not have are refused.
func TestECDSASignaturesHaveOneWritingEach(t *testing.T) {
	k := someKey(t, ECDSAP256)
	raw, err := k.Sign(nil, Signing{Encoding: JWS}, []byte("message"))
	require.NoError(t, err)
	r, s, n := new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:]), k.alg.curve().Params().N
	der := func(v ...*big.Int) []byte {
		b, err := asn1.Marshal(v)
		require.NoError(t, err)
		return b
	}
	good := der(r, s)
	verifies := func(e Encoding, signature []byte) bool {
		good, err := k.Verify(Signing{Encoding: e}, []byte("message"), signature)
		require.NoError(t, err)
		return good
	}
	require.True(t, verifies(ASN1, good))
	require.True(t, verifies(ASN1, der(r, new(big.Int).Sub(n, s))), "the twin that FIPS 186-5 has")
	padded := append([]byte{0x30, good[1] + 1, 2, good[3] + 1, 0}, good[4:]...)
	for what, b := range map[string][]byte{
		"r + n":            der(new(big.Int).Add(r, n), s),
		"s + n":            der(r, new(big.Int).Add(s, n)),
		"-r":               der(new(big.Int).Neg(r), s),
		"zeros":            der(new(big.Int), new(big.Int)),
		"r, s, s":          der(r, s, s),
		"r":                der(r),
		"a leading zero":   padded,
		"a long length":    append([]byte{0x30, 0x81}, good[1:]...),
		"behind the end":   append(bytes.Clone(good), 0, 0),
		"indefinite":       append(append([]byte{0x30, 0x80}, good[2:]...), 0, 0),
		"a set":            append([]byte{0x31}, good[1:]...),
		"the JWS encoding": raw,
	} {
		require.False(t, verifies(ASN1, b), what)
	}
	for what, b := range map[string][]byte{
		"the ASN.1 encoding": good,
		"r = n":              append(n.Bytes(), raw[32:]...),
		"s = n":              append(bytes.Clone(raw[:32]), n.Bytes()...),
		"r = 0":              append(make([]byte, 32), raw[32:]...),
		"longer halves":      append(append([]byte{0}, raw[:32]...), append([]byte{0}, raw[32:]...)...),
	} {
		require.False(t, verifies(JWS, b), what)
	}
}

func TestMACs(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range Algorithms() {
		k := someKey(t, a)
		for _, h := range []Hash{0, SHA256, SHA384, SHA512} {
			mac, err := k.MAC([]byte("before"), h, []byte("message"))
			if traits[a].family == hmacKey && h != 0 && h != traits[a].hash {
				invalid(t, err)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, "before", string(mac[:6]))
			mac = mac[6:]
			if h != 0 {
				require.Len(t, mac, h.Size())
				require.False(t, seen[string(mac[:16])], "the hashes' keys differ too")
				seen[string(mac[:16])] = true
			}
			verifies := func(message string, mac []byte) bool {
				good, err := k.VerifyMAC(h, []byte(message), mac)
				require.NoError(t, err)
				return good
			}
			require.True(t, verifies("message", mac))
			require.False(t, verifies("massage", mac))
			require.False(t, verifies("message\x00", mac))
			require.False(t, verifies("message", mac[:len(mac)-1]))
			require.False(t, verifies("message", append(bytes.Clone(mac), 0)))
			require.False(t, verifies("message", nil))
			for bit := range 8 * len(mac) {
				mac[bit/8] ^= 1 << (bit % 8)
				require.False(t, verifies("message", mac))
				mac[bit/8] ^= 1 << (bit % 8)
			}
		}
		for _, h := range []Hash{SHA1, SHA224, SHA3_256, 99} {
			_, err := k.MAC(nil, h, nil)
			invalid(t, err)
			_, err = k.VerifyMAC(h, nil, nil)
			invalid(t, err)
		}
	}
}
