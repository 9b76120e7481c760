package auth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

func TestASecretPrintsNothing(t *testing.T) {
	s := newSecret()
	made := Created{Token: Token{Accessor: "acc_x"}, Secret: s}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb, s, made, &made)
	}
	fmt.Fprintln(&out, s, made)
	require.NoError(t, json.NewEncoder(&out).Encode(made))
	slog.New(slog.NewJSONHandler(&out, nil)).Info("made", "secret", s, "token", made)
	slog.New(slog.NewTextHandler(&out, nil)).Info("made", "secret", s, "token", made)
	require.Contains(t, out.String(), "[redacted]")
	require.NotContains(t, out.String(), string([]byte(s)[4:]))
	require.NotContains(t, out.String(), fmt.Sprintf("%x", []byte(s)[4:12]))
	require.NotContains(t, out.String(), fmt.Sprint([]byte(s)[4:8])[1:])
	s.Zero()
	require.Equal(t, make([]byte, secretLen), []byte(s))
}

func TestSecretsHaveTheirForm(t *testing.T) {
	s := newSecret()
	require.Len(t, s, secretLen)
	require.Regexp(t, `^trs\.[A-Za-z0-9_-]{43}$`, string([]byte(s)))
	require.Regexp(t, `^acc_[A-Za-z0-9_-]{22}$`, newAccessor())
	require.NotEqual(t, newAccessor(), newAccessor())
}

// Nothing but the one secret logs in, whatever the bytes.
func FuzzAuthenticate(f *testing.F) {
	r := newRig(f)
	v, now := r.view(), fsm.At(begin)
	good := []byte(r.root.Secret)
	f.Add([]byte(nil))
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(bytes.Clone(good), 'A'))
	f.Add(bytes.ToUpper(good))
	f.Add([]byte(r.root.Accessor))
	f.Add(bytes.Repeat([]byte{0xff}, secretLen))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := r.e.Authenticate(v, b, now)
		require.Equal(t, bytes.Equal(b, good), err == nil)
	})
}
