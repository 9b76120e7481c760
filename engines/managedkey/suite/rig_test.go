package suite

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

// octets are written in hexadecimal.
type octets []byte

func (o *octets) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*o = b
	return err
}

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

// vectors are those of Wycheproof that transit keeps.
func vectors[T any](t testing.TB, file string) (cases []T) {
	raw, err := os.ReadFile("../../transit/primitive/testdata/" + file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &cases))
	require.NotEmpty(t, cases)
	return cases
}

func parse(t testing.TB, b Block) *Key {
	k, err := Parse(b)
	require.NoError(t, err)
	return k
}

func symmetric(t testing.TB, a Algorithm, material []byte) *Key {
	return parse(t, Block{Class: SymmetricKey, Format: Raw, Algorithm: a, Material: material})
}

// rsaKey is of 2048 bits.
func rsaKey(t testing.TB) *Key {
	for _, group := range vectors[struct {
		Alg string
		Key octets
	}](t, "oaep.json") {
		if group.Alg == "rsa-2048" {
			return parse(t, Block{Class: PrivateKey, Format: PKCS8, Material: group.Key})
		}
	}
	t.Fatal("no key")
	return nil
}

func ecKey(t testing.TB, c Curve) *Key {
	k, _, err := GeneratePair(Wanted{Algorithm: EC, Curve: c})
	require.NoError(t, err)
	return k
}

func edKey(t testing.TB) *Key {
	return parse(t, Block{Class: PrivateKey, Format: Raw, Algorithm: Ed25519, Material: unhex(t, "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")})
}

func public(t testing.TB, k *Key) *Key {
	p, err := k.Public()
	require.NoError(t, err)
	return p
}

// bad wants a fault about a field.
func bad(t testing.TB, field string, err error, note ...any) {
	var f *fault.Error
	require.ErrorAs(t, err, &f, note...)
	require.Equal(t, fault.Invalid, f.Kind, note...)
	require.Equal(t, field, f.Field, note...)
	require.NotErrorIs(t, err, ErrFailed, note...)
}

// classified wants a fault that a caller can act on.
func classified(t testing.TB, err error) {
	require.True(t, fault.Is(err, fault.Invalid) || fault.Is(err, fault.TooLarge), "%v", err)
}
