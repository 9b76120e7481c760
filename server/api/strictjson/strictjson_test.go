package strictjson_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

type item struct {
	Path string `json:"path" strict:"required"`
	rest
}

type rest struct {
	Value strictjson.Text `json:"value"`
	Cas   *uint64         `json:"cas"`
}

type body struct {
	Value  strictjson.Text   `json:"value"`
	Raw    strictjson.Base64 `json:"value_base64"`
	Cas    *uint64           `json:"cas"`
	Labels map[string]string `json:"labels"`
	Items  []item            `json:"items"`
	At     time.Time         `json:"at"`
	Orphan bool              `json:"orphan"`
}

var decoder = strictjson.For[body]()

func read(in string) (b body, err error) {
	if err = strictjson.Check([]byte(in)); err != nil {
		return b, err
	}
	return b, decoder.Decode([]byte(in), &b)
}

func TestBodiesAreReadAsTheyAreMeant(t *testing.T) {
	b, err := read(` {"value":"a\u00e9\ud83d\ude00\n\"/","value_base64":"AAH/","cas":7,"labels":{"k":"v","":"x"},
		"items":[{"path":"p","value":""},{"path":"q","cas":0}],"at":"2026-01-02T03:04:05Z","orphan":true} `)
	require.NoError(t, err)
	require.Equal(t, "aé😀\n\"/", string(b.Value))
	require.Equal(t, []byte{0, 1, 255}, []byte(b.Raw))
	require.Equal(t, uint64(7), *b.Cas)
	require.Equal(t, map[string]string{"k": "v", "": "x"}, b.Labels)
	require.NotNil(t, b.Items[0].Value, "an empty value is a value")
	require.Nil(t, b.Items[1].Value)
	require.True(t, b.Orphan)
	require.Equal(t, 2026, b.At.Year())
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", b.Value, b.Raw, b.Value), "97")
}

func TestRefusalsNameTheField(t *testing.T) {
	for in, want := range map[string]string{
		``: "", `[]`: "", `"x"`: "", `{`: "", `{}x`: "", `{}{}`: "", `{"a":1,}`: "", `{"a" 1}`: "", `{"a":01}`: "", `{"a":+1}`: "",
		`{"a":nul}`: "", `{"value":"` + "\xff" + `"}`: "", `{"value":"\ud800"}`: "", `{"value":"\ud800\u0041"}`: "", `{"value":"\x"}`: "",
		"{\"value\":\"a\nb\"}": "", `{"value":"`: "", `{"value":"\`: "", `{"value":"\u12`: "",
		`{"value":"a","value":"b"}`:               "value",
		`{"value":"a","\u0076alue":"b"}`:          "value",
		`{"labels":{"a":"1","a":"2"}}`:            "a",
		`{"Value":"a"}`:                           "Value",
		`{"nope":1}`:                              "nope",
		`{"value":1}`:                             "value",
		`{"value":null}`:                          "value",
		`{"value_base64":"a"}`:                    "value_base64",
		`{"cas":-1}`:                              "cas",
		`{"cas":1.0}`:                             "cas",
		`{"cas":1e3}`:                             "cas",
		`{"cas":99999999999999999999}`:            "cas",
		`{"cas":"1"}`:                             "cas",
		`{"labels":{"a":1}}`:                      "labels.a",
		`{"labels":[]}`:                           "labels",
		`{"items":{}}`:                            "items",
		`{"items":[{"path":"a"},{"path":false}]}`: "items[1].path",
		`{"items":[{"x":1}]}`:                     "items[0].x",
		`{"items":[{"path":"a"},{"cas":1}]}`:      "items[1].path",
		`{"orphan":"true"}`:                       "orphan",
		`{"at":"yesterday"}`:                      "at",
	} {
		_, err := read(in)
		require.Equal(t, fault.Invalid, fault.KindOf(err), "%s: %v", in, err)
		require.Equal(t, want, err.(*fault.Error).Field, in)
	}
}

func TestBombsAreRefused(t *testing.T) {
	nest := func(n int) string { return strings.Repeat(`{"a":`, n) + `1` + strings.Repeat(`}`, n) }
	require.NoError(t, strictjson.Check([]byte(nest(strictjson.MaxDepth))))
	require.ErrorContains(t, strictjson.Check([]byte(nest(strictjson.MaxDepth+1))), "deeper")
	require.ErrorContains(t, strictjson.Check([]byte(`{"a":`+strings.Repeat("[", 1<<20))), "deeper")
	var many strings.Builder
	for i := range strictjson.MaxMembers + 1 {
		fmt.Fprintf(&many, `"k%d":0,`, i)
	}
	require.ErrorContains(t, strictjson.Check([]byte("{"+many.String()+`"z":0}`)), "more than 256")
	require.Error(t, strictjson.Check([]byte("{"+many.String()[:200]+`"k3":0}`)), "a double among many")
}

func TestNoSecretInARefusal(t *testing.T) {
	for _, in := range []string{`{"value_base64":"planted-secret"}`, `{"at":"planted-secret"}`, `{"cas":"planted-secret"}`, `{"orphan":"planted-secret"}`,
		`{"value":"planted-secret\q"}`} {
		_, err := read(in)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "planted-secret")
	}
}

func FuzzCheckAndDecode(f *testing.F) {
	for _, in := range []string{`{}`, `{"value":"a\u00e9"}`, `{"items":[{"path":"p","cas":1}],"labels":{"a":"b"}}`, `{"cas":1e5}`, `{"a":[[[[]]]]}`, `{"a":"\ud83d\ude00"}`} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if strictjson.Check(in) != nil {
			return
		}
		require.True(t, json.Valid(in), "accepts only JSON")
		var ours body
		if decoder.Decode(in, &ours) != nil {
			return
		}
		var theirs struct {
			Value string `json:"value"`
		}
		require.NoError(t, json.Unmarshal(in, &theirs))
		require.Equal(t, theirs.Value, string(ours.Value), "and reads it as the standard library does")
	})
}

func FuzzAppendString(f *testing.F) {
	f.Add("plain")
	f.Add("\x00\x1f\"\\\n\u2028\x7f é")
	f.Fuzz(func(t *testing.T, in string) {
		in = strings.ToValidUTF8(in, "?")
		var back string
		require.NoError(t, json.Unmarshal(strictjson.AppendString(nil, in), &back))
		require.Equal(t, in, back)
	})
}

// TestEveryByteOfALongStringIsLookedAt puts each byte at each place of sixteen.
func TestEveryByteOfALongStringIsLookedAt(t *testing.T) {
	for c := range 256 {
		for at := range 17 {
			plain := []byte("ABCDEFGHIJKLMNOPQ")
			plain[at] = byte(c)
			err := strictjson.Check(append(append([]byte(`{"a":"`), plain...), `"}`...))
			if c == '"' || c == '\\' || c < ' ' || c >= 0x80 {
				require.Error(t, err, "%q", plain)
			} else {
				require.NoError(t, err, "%q", plain)
			}
		}
	}
}
