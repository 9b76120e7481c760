package fsm_test

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

type coded struct {
	A uint64            `cbor:"1,keyasint"`
	B string            `cbor:"2,keyasint,omitempty"`
	M map[string]string `cbor:"3,keyasint,omitempty"`
	L []any             `cbor:"4,keyasint,omitempty"`
}

func TestDecodeRefusesWhatEncodeWouldNotWrite(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":                   "",
		"a field twice":             "a201010102",
		"a map key twice":           "a103a2616160616160",
		"an unknown field":          "a101010901",
		"an unknown field, alone":   "a10901",
		"a field's name for its id": "a1614101",
		"an indefinite map":         "bf0101ff",
		"an indefinite string":      "a1027f6161ff",
		"an indefinite array":       "a1049fff",
		"a tag":                     "c1a10101",
		"a tag within":              "a10481c100",
		"trailing bytes":            "a1010100",
		"a cut map":                 "a101",
		"text that is not UTF-8":    "a10261ff",
		"a number too large":        "a101c249010000000000000000",
		"a negative number":         "a10120",
		"a string for a number":     "a1016131",
		"deep nesting":              "a104818181818181818181818181818181818180",
		"an array too long":         "a1049a00ffffff",
		"a map too long":            "a103ba00ffffff",
		"a length beyond the input": "a1025bffffffffffffffff",
	} {
		b, err := hex.DecodeString(in)
		require.NoError(t, err, name)
		var v coded
		require.Error(t, fsm.Decode(b, &v), name)
	}
}

func TestEncodeIsDeterministic(t *testing.T) {
	v := coded{A: 1, M: map[string]string{"b": "2", "a": "1", "ccc": "3", "": "0"}}
	for range 50 {
		b, err := fsm.Encode(v)
		require.NoError(t, err)
		require.Equal(t, "a2010103a4"+"606130"+"61616131"+"61626132"+"636363636133", hex.EncodeToString(b))
	}
	b, err := fsm.Encode(v)
	require.NoError(t, err)
	var back coded
	require.NoError(t, fsm.Decode(b, &back))
	require.Equal(t, v, back)
}

// FuzzDecode holds Decode to it: what it accepts, Encode writes again, and that means the same.
func FuzzDecode(f *testing.F) {
	for _, v := range []coded{{}, {A: 300, B: "b"}, {M: map[string]string{"a": "b", "c": "d"}, L: []any{uint64(1), "x", []byte{0}}}} {
		b, err := fsm.Encode(v)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Add([]byte{0xf6})
	f.Add([]byte{0xbf, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		var v, again coded
		if fsm.Decode(b, &v) != nil {
			return
		}
		out, err := fsm.Encode(v)
		require.NoError(t, err)
		require.NoError(t, fsm.Decode(out, &again))
		third, err := fsm.Encode(again)
		require.NoError(t, err)
		require.Equal(t, out, third)
	})
}
