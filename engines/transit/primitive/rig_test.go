package primitive

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"sync"
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
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func vectors[T any](t testing.TB, file string) (cases []T) {
	raw, err := os.ReadFile("testdata/" + file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &cases))
	require.NotEmpty(t, cases)
	return cases
}

func algorithm(t testing.TB, name string) Algorithm {
	a, err := ParseAlgorithm(name)
	require.NoError(t, err)
	return a
}

func hashOf(t testing.TB, name string) Hash {
	h, err := ParseHash(name)
	require.NoError(t, err)
	return h
}

// some are keys that tests share, one of each algorithm. None may be wiped.
var some struct {
	mu   sync.Mutex
	keys map[Algorithm]*Key
}

func someKey(t testing.TB, a Algorithm) *Key {
	some.mu.Lock()
	defer some.mu.Unlock()
	if k := some.keys[a]; k != nil {
		return k
	}
	k := made(t, a)
	if some.keys == nil {
		some.keys = map[Algorithm]*Key{}
	}
	some.keys[a] = k
	return k
}

// made takes the RSA keys of the OAEP vectors instead of waiting for new ones.
func made(t testing.TB, a Algorithm) *Key {
	if traits[a].family != rsaKey {
		return generate(t, a)
	}
	for _, group := range vectors[struct {
		Alg string
		Key octets
	}](t, "oaep.json") {
		if group.Alg == a.String() {
			k, err := Import(a, group.Key)
			require.NoError(t, err)
			return k
		}
	}
	t.Fatalf("no %s", a)
	return nil
}

func generate(t testing.TB, a Algorithm) *Key {
	k, err := Generate(a)
	require.NoError(t, err)
	return k
}

// fixed is a key whose body counts up from 0.
func fixed(t testing.TB, a Algorithm) *Key {
	body := make([]byte, traits[a].size)
	for i := range body {
		body[i] = byte(i)
	}
	k, err := newKey(a, body)
	require.NoError(t, err)
	return k
}

func terms() Terms {
	return Terms{UID: [16]byte{1, 2, 3}, Place: []byte("tenant"), Version: 7, Associated: []byte("row 12")}
}

func invalid(t testing.TB, err error, note ...any) {
	require.True(t, fault.Is(err, fault.Invalid) || fault.Is(err, fault.TooLarge), append([]any{"%v"}, err)...)
	require.NotErrorIs(t, err, ErrDecrypt, note...)
}

func aeads() []Algorithm {
	return []Algorithm{AES256GCM, AES128GCM, ChaCha20Poly1305, XChaCha20Poly1305}
}
