package primitive

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEncapsulatedKeysComeBack(t *testing.T) {
	k := someKey(t, MLKEM768)
	for _, size := range []int{16, 32, 64} {
		key, payload, err := k.Encapsulate(terms(), size)
		require.NoError(t, err)
		require.Len(t, key, size)
		require.Len(t, payload, 1120)
		got, err := k.Decapsulate(terms(), size, payload)
		require.NoError(t, err)
		require.Equal(t, key, got)
		another, _, err := k.Encapsulate(terms(), size)
		require.NoError(t, err)
		require.NotEqual(t, key, another)
	}
}

func TestNothingElseDecapsulates(t *testing.T) {
	k := someKey(t, MLKEM768)
	_, payload, err := k.Encapsulate(terms(), 32)
	require.NoError(t, err)
	for what, change := range map[string]func(*Terms){
		"UID":             func(t *Terms) { t.UID[0] ^= 1 },
		"version":         func(t *Terms) { t.Version++ },
		"place":           func(t *Terms) { t.Place = nil },
		"associated data": func(t *Terms) { t.Associated = nil },
	} {
		changed := terms()
		change(&changed)
		_, err := k.Decapsulate(changed, 32, payload)
		require.Equal(t, ErrDecrypt, err, what)
	}
	refused := func(k *Key, size int, payload []byte) {
		got, err := k.Decapsulate(terms(), size, payload)
		require.Equal(t, ErrDecrypt, err)
		require.Nil(t, got)
	}
	refused(generate(t, MLKEM768), 32, payload)
	refused(k, 16, payload)
	for i := 0; i < len(payload); i += 13 {
		flipped := bytes.Clone(payload)
		flipped[i] ^= 1
		refused(k, 32, flipped)
	}
	for _, b := range [][]byte{nil, payload[:1088], payload[:1119], append(bytes.Clone(payload), 0), make([]byte, 1120), bytes.Repeat([]byte{0xff}, 1120)} {
		refused(k, 32, b)
	}
}

func TestEncapsulationsThatDoNotFit(t *testing.T) {
	derived := terms()
	derived.Derived, derived.Context = true, []byte("x")
	hashed := terms()
	hashed.Hash = SHA256
	for _, c := range []struct {
		alg  Algorithm
		t    Terms
		size int
	}{{AES256GCM, terms(), 32}, {RSA2048, terms(), 32}, {MLKEM768, terms(), 15}, {MLKEM768, terms(), 65}, {MLKEM768, terms(), -1}, {MLKEM768, Terms{}, 32}, {MLKEM768, derived, 32}, {MLKEM768, hashed, 32}} {
		_, _, err := someKey(t, c.alg).Encapsulate(c.t, c.size)
		invalid(t, err)
		_, err = someKey(t, c.alg).Decapsulate(c.t, c.size, make([]byte, 1120))
		invalid(t, err)
	}
}
