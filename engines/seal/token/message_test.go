package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMessagesArriveAsTheyWereSent(t *testing.T) {
	for _, m := range []Message{{Kind: Open}, {Kind: Wrap, A: []byte("a"), B: []byte("bb")}, {Kind: Done, B: make([]byte, MaxMessage-messageHead)}} {
		var b bytes.Buffer
		require.NoError(t, Write(&b, m))
		got, err := Read(&b)
		require.NoError(t, err)
		require.True(t, got.Kind == m.Kind && bytes.Equal(got.A, m.A) && bytes.Equal(got.B, m.B))
		require.Zero(t, b.Len())
	}
	require.ErrorContains(t, Write(io.Discard, Message{A: make([]byte, MaxMessage)}), "at most")
	_, err := Read(strings.NewReader("\xff\xff\xff\xff"))
	require.ErrorContains(t, err, "4294967295 bytes", "nothing of that size is allocated")
}

func TestAMessageShowsNothing(t *testing.T) {
	m := Message{Kind: Login, A: []byte("1234"), B: []byte("1234")}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		require.Equal(t, "message 2 [redacted]", fmt.Sprintf(verb, m))
	}
	b, err := json.Marshal(m)
	require.NoError(t, err)
	require.Equal(t, `"[redacted]"`, string(b))
}

func FuzzRead(f *testing.F) {
	for _, m := range []Message{{Kind: Open}, {Kind: Wrap, A: []byte("a"), B: []byte("bb")}} {
		var b bytes.Buffer
		require.NoError(f, Write(&b, m))
		f.Add(b.Bytes())
	}
	f.Add([]byte{0, 0, 0, 9, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		m, err := Read(r)
		if err != nil {
			return
		}
		var again bytes.Buffer
		require.NoError(t, Write(&again, m))
		require.Equal(t, b[:len(b)-r.Len()], again.Bytes(), "there is one way to write a message")
	})
}

func FuzzBlob(f *testing.F) {
	f.Add([]byte{1, 1, 0}, byte(GCM))
	f.Add(append(head(CBC), make([]byte, 80)...), byte(CBC))
	f.Fuzz(func(t *testing.T, b []byte, m byte) {
		rest, err := body(b, Mechanism(m))
		if err != nil {
			require.ErrorIs(t, err, errWrongKey)
			return
		}
		require.Equal(t, b, append(head(Mechanism(m)), rest...))
		first, middle, last, err := split(rest, blockSize, macSize)
		if err != nil {
			require.ErrorIs(t, err, errWrongKey)
			return
		}
		require.Equal(t, rest, append(append(bytes.Clone(first), middle...), last...))
		require.Len(t, first, blockSize)
		require.Len(t, last, macSize)
		require.NotEmpty(t, middle)
	})
}

func FuzzBound(f *testing.F) {
	f.Add(bound(KWP, []byte("root"), []byte("aad")), []byte("aad"))
	f.Add(append(bound(KWP, []byte("root"), nil), 0, 0, 0, 0), []byte{})
	f.Fuzz(func(t *testing.T, b, aad []byte) {
		given := bytes.Clone(b)
		plaintext, err := unbound(KWP, b, aad)
		require.Equal(t, make([]byte, len(b)), b, "it is zeroed")
		if err != nil {
			require.ErrorIs(t, err, errWrongKey)
			require.Nil(t, plaintext)
			return
		}
		require.True(t, bytes.HasPrefix(given, bound(KWP, plaintext, aad)))
	})
}

func TestWhatIsBoundOpensWithTheSameDataOnly(t *testing.T) {
	b := bound(KWP, []byte("root"), []byte("aad"))
	for _, padding := range []string{"", "\x00\x00\x00\x00"} {
		got, err := unbound(KWP, append(bytes.Clone(b), padding...), []byte("aad"))
		require.NoError(t, err)
		require.Equal(t, "root", string(got))
	}
	for name, c := range map[string]struct {
		m   Mechanism
		b   []byte
		aad string
	}{
		"other data":      {KWP, b, "aae"},
		"other mechanism": {OAEP, b, "aad"},
		"moved border":    {KWP, bound(KWP, []byte("droot"), []byte("aa")), "aad"},
		"too much":        {KWP, append(bytes.Clone(b), make([]byte, 8)...), "aad"},
		"not zero":        {KWP, append(bytes.Clone(b), 1), "aad"},
		"cut":             {KWP, b[:len(b)-1], "aad"},
		"nothing":         {KWP, nil, "aad"},
	} {
		_, err := unbound(c.m, bytes.Clone(c.b), []byte(c.aad))
		require.ErrorIs(t, err, errWrongKey, name)
	}
}
