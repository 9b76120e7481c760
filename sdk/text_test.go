package sdk

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func FuzzUnquoteAgreesWithEncodingJSON(f *testing.F) {
	for _, s := range []string{`""`, `"a"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ud83dx"`, `"\udc00\ud800"`, `"\n\t\"\\\/"`, "\"\xff\"", `null`, `1`, `"\u0000"`, `"\ud83d\u0041"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var want string
		if json.Unmarshal(b, &want) != nil {
			return
		}
		var got Text
		require.NoError(t, json.Unmarshal(b, &got))
		require.Equal(t, want, string(got))
	})
}

func FuzzQuoteSurvives(f *testing.F) {
	f.Add([]byte("a\"\\\x00\x1f\u2028é😀"))
	f.Add([]byte{0xff, 0xfe})
	f.Fuzz(func(t *testing.T, b []byte) {
		j, err := json.Marshal(Text(b))
		require.NoError(t, err)
		var s string
		require.NoError(t, json.Unmarshal(j, &s))
		require.Equal(t, strings.ToValidUTF8(s, ""), s)
		if utf8.Valid(b) {
			require.Equal(t, string(b), s)
		}
	})
}

func FuzzValuesSurvive(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("text\nwith a line"))
	f.Add([]byte{0, 0xff, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		j, err := json.Marshal(Item{Path: "p", Value: b})
		require.NoError(t, err)
		var i Item
		require.NoError(t, json.Unmarshal(j, &i))
		require.Equal(t, string(b), string(i.Value))
	})
}

func TestSecretShowsNothing(t *testing.T) {
	s := Secret("trs.hush")
	j, err := json.Marshal(Issued{Secret: s})
	require.NoError(t, err)
	for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%s %x %q %#v %d", s, s, s, s, s), string(j), slog.AnyValue(s).Resolve().String(),
		fmt.Sprintf("%+v %#v", Issued{Secret: s}, Options{Token: s})} {
		require.NotContains(t, shown, "hush")
		require.NotContains(t, shown, fmt.Sprintf("%x", "hush"))
	}
}

func TestAnItemWithAMisspeltFieldIsRefused(t *testing.T) {
	var i Item
	require.Error(t, json.Unmarshal([]byte(`{"path":"a","value":"b","csa":1}`), &i))
	require.Error(t, json.Unmarshal([]byte(`{"path":"a"}`), &i))
	require.Error(t, json.Unmarshal([]byte(`{"path":"a","value":"b","value_base64":"Yg=="}`), &i))
}

func TestQuotedTextMovesNoCursor(t *testing.T) {
	b, err := json.Marshal(Text("a\x7f\u0080\u009b31m\u009f\u00a0\u2028\u2029é"))
	require.NoError(t, err)
	require.Equal(t, `"a\u007f\u0080\u009b31m\u009f`+"\u00a0"+`\u2028\u2029é"`, string(b))
}
