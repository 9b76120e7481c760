package keywrap

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func TestVectorsOfRFC3394(t *testing.T) {
	const kek, data = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f"
	for _, c := range []struct {
		section   string
		kek, data int // bytes
		wrapped   string
	}{
		{"4.1", 16, 16, "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"},
		{"4.2", 24, 16, "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d"},
		{"4.3", 32, 16, "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7"},
		{"4.4", 24, 24, "031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2"},
		{"4.5", 32, 24, "a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1"},
		{"4.6", 32, 32, "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"},
	} {
		t.Run(c.section, func(t *testing.T) {
			kek, data, wrapped := unhex(t, kek)[:c.kek], unhex(t, data)[:c.data], unhex(t, c.wrapped)
			got, err := Wrap(kek, data)
			require.NoError(t, err)
			require.Equal(t, wrapped, got)
			got, err = Unwrap(kek, wrapped)
			require.NoError(t, err)
			require.Equal(t, data, got)
		})
	}
}

func TestVectorsOfRFC5649(t *testing.T) {
	kek := unhex(t, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
	for key, wrapped := range map[string]string{
		"c37b7e6492584340bed12207808941155068f738": "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a",
		"466f7250617369": "afbeb0f07dfbf5419200f2ccb50bb24f",
	} {
		got, err := WrapPadded(kek, unhex(t, key))
		require.NoError(t, err)
		require.Equal(t, wrapped, hex.EncodeToString(got))
		got, err = UnwrapPadded(kek, unhex(t, wrapped))
		require.NoError(t, err)
		require.Equal(t, key, hex.EncodeToString(got))
	}
}

func TestVectorsOfWycheproof(t *testing.T) {
	raw, err := os.ReadFile("testdata/keywrap.json")
	require.NoError(t, err)
	var cases []struct {
		Alg, Note, KEK, Key, Wrapped string
		Valid                        bool
	}
	require.NoError(t, json.Unmarshal(raw, &cases))
	require.NotEmpty(t, cases)
	for i, c := range cases {
		wrap, unwrap := Wrap, Unwrap
		if c.Alg == "kwp" {
			wrap, unwrap = WrapPadded, UnwrapPadded
		}
		kek, key, wrapped := unhex(t, c.KEK), unhex(t, c.Key), unhex(t, c.Wrapped)
		got, err := unwrap(kek, wrapped)
		if !c.Valid {
			require.ErrorIs(t, err, ErrUnwrap, "case %d: %s", i, c.Note)
			continue
		}
		require.NoError(t, err, "case %d: %s", i, c.Note)
		require.Equal(t, key, got, "case %d: %s", i, c.Note)
		got, err = wrap(kek, key)
		require.NoError(t, err, "case %d: %s", i, c.Note)
		require.Equal(t, wrapped, got, "case %d: %s", i, c.Note)
	}
}

func TestEverySizeComesBack(t *testing.T) {
	kek, key := make([]byte, 32), make([]byte, 100)
	rand.Read(kek)
	rand.Read(key)
	for n := 1; n <= len(key); n++ {
		wrapped, err := WrapPadded(kek, key[:n])
		require.NoError(t, err)
		require.Len(t, wrapped, 8+(n+7)/8*8)
		got, err := UnwrapPadded(kek, wrapped)
		require.NoError(t, err)
		require.Equal(t, key[:n], got)
		_, err = Unwrap(kek, wrapped)
		require.ErrorIs(t, err, ErrUnwrap, "the other algorithm")
	}
}

func TestEveryChangedBitIsNoticed(t *testing.T) {
	kek, key := make([]byte, 32), make([]byte, 29)
	rand.Read(kek)
	rand.Read(key)
	wrapped, err := WrapPadded(kek, key)
	require.NoError(t, err)
	for bit := range 8 * len(wrapped) {
		b := bytes.Clone(wrapped)
		b[bit/8] ^= 1 << (bit % 8)
		_, err := UnwrapPadded(kek, b)
		require.ErrorIs(t, err, ErrUnwrap)
	}
	for _, b := range [][]byte{nil, wrapped[:8], wrapped[:len(wrapped)-1], wrapped[:len(wrapped)-8], append(bytes.Clone(wrapped), 0), append(bytes.Clone(wrapped), make([]byte, 8)...)} {
		_, err := UnwrapPadded(kek, b)
		require.ErrorIs(t, err, ErrUnwrap)
	}
	kek[0] ^= 1
	_, err = UnwrapPadded(kek, wrapped)
	require.ErrorIs(t, err, ErrUnwrap)
}

// TestPaddingIsChecked wraps what no wrapper would.
func TestPaddingIsChecked(t *testing.T) {
	kek := make([]byte, 32)
	block, err := cipherOf(kek)
	require.NoError(t, err)
	for plain, good := range map[string]bool{
		"a65959a6000000100102030405060708090a0b0c0d0e0f10": true,
		"a65959a60000000f0102030405060708090a0b0c0d0e0f00": true,
		"a65959a6000000090102030405060708090000000000000a": false,
		"a65959a60000000901020304050607080900000000000000": true,
		"a65959a60000000801020304050607080000000000000000": false, // a semiblock of nothing but padding
		"a65959a60000001101020304050607080900000000000000": false,
		"a65959a60000000001020304050607080900000000000000": false,
		"a65959a6ffffffff01020304050607080900000000000000": false,
		"a65959a68000000901020304050607080900000000000000": false,
		"a65959a70000000901020304050607080900000000000000": false,
	} {
		b := unhex(t, plain)
		forward(block, b)
		_, err := UnwrapPadded(kek, b)
		require.Equal(t, good, err == nil, plain)
	}
}

func TestMistakesOfTheCaller(t *testing.T) {
	kek := make([]byte, 32)
	for name, call := range map[string]func() ([]byte, error){
		"one semiblock":     func() ([]byte, error) { return Wrap(kek, make([]byte, 8)) },
		"odd size":          func() ([]byte, error) { return Wrap(kek, make([]byte, 17)) },
		"too long":          func() ([]byte, error) { return Wrap(kek, make([]byte, MaxSize+8)) },
		"nothing":           func() ([]byte, error) { return WrapPadded(kek, nil) },
		"too long, padded":  func() ([]byte, error) { return WrapPadded(kek, make([]byte, MaxSize+1)) },
		"KEK of no bytes":   func() ([]byte, error) { return WrapPadded(nil, make([]byte, 16)) },
		"KEK of 31 bytes":   func() ([]byte, error) { return Wrap(kek[:31], make([]byte, 16)) },
		"unwrap with 33":    func() ([]byte, error) { return Unwrap(make([]byte, 33), make([]byte, 24)) },
		"unwrap with none":  func() ([]byte, error) { return UnwrapPadded(nil, make([]byte, 24)) },
		"blob of no bytes":  func() ([]byte, error) { return Unwrap(kek, nil) },
		"blob far too long": func() ([]byte, error) { return UnwrapPadded(kek, make([]byte, MaxSize+16)) },
	} {
		got, err := call()
		require.Nil(t, got, name)
		require.True(t, fault.Is(err, fault.Invalid), name)
	}
}

func FuzzUnwrap(f *testing.F) {
	kek := make([]byte, 32)
	for _, n := range []int{1, 8, 16, 31} {
		wrapped, _ := WrapPadded(kek, make([]byte, n))
		f.Add(wrapped)
	}
	wrapped, _ := Wrap(kek, make([]byte, 32))
	f.Add(wrapped)
	f.Fuzz(func(t *testing.T, blob []byte) {
		if key, err := Unwrap(kek, blob); err == nil {
			again, err := Wrap(kek, key)
			require.NoError(t, err)
			require.Equal(t, blob, again)
		}
		if key, err := UnwrapPadded(kek, blob); err == nil {
			again, err := WrapPadded(kek, key)
			require.NoError(t, err)
			require.Equal(t, blob, again)
		}
	})
}
