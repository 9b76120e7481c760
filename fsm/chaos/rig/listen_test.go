package rig

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func connected(t *testing.T) (net.Conn, *bufio.Reader) {
	path := filepath.Join(t.TempDir(), "s")
	s, err := Listen(path, New([]string{"a"}))
	require.NoError(t, err)
	t.Cleanup(s.Close)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	c, err := net.Dial("unix", path)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	return c, bufio.NewReader(c)
}

func TestOneConnectionAsksForManyThings(t *testing.T) {
	c, in := connected(t)
	for _, x := range []struct{ ask, answer string }{
		{`{"jump":"1h"}`, `{}`},
		{`{"rate":0.5}`, `{}`},
		{`{"reset":{}}`, `{}`},
		{`{"arm":{"point":"a","do":"pause","hit":1,"for":"2s"}}`, `{}`},
		{`{"disarm":""}`, `{}`},
		{`{"state":{"gc":true}}`, `{"state":{"now":`},
		{`{"jump":"1h","rate":1}`, `{"error":"a request asks for one thing, this one for 2"}`},
		{`{}`, `{"error":"a request asks for one thing, this one for 0"}`},
		{`{"jump":"1h"} {"jump":"1h"}`, `{"error":"something follows`},
		{`{"jmup":"1h"}`, `{"error":"json: unknown field`},
		{`{"state":{"GC2":true}}`, `{"error":"json: unknown field`},
		{`{"arm":{"point":"a","do":"kill","hit":-1}}`, `{"error":`},
		{`hello`, `{"error":`},
	} {
		_, err := c.Write([]byte(x.ask + "\n"))
		require.NoError(t, err)
		line, err := in.ReadString('\n')
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(line, x.answer), "%s: %s", x.ask, line)
	}
}

func TestALineThatIsTooLongEndsTheConnection(t *testing.T) {
	c, in := connected(t)
	_, err := c.Write([]byte(strings.Repeat(" ", mostLine)))
	require.NoError(t, err)
	line, err := in.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "at most")
	_, err = in.ReadByte()
	require.Error(t, err)
}

func TestAFileThatIsNoSocketIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	require.NoError(t, os.WriteFile(path, []byte("mine"), 0o600))
	_, err := Listen(path, New(nil))
	require.ErrorContains(t, err, "no socket")
}

func TestTheEnvironmentIsReadStrictly(t *testing.T) {
	r := New([]string{"a", "b"})
	require.NoError(t, r.Begin([]string{"PATH=/", "TRSTCTL_DATA=x", SocketVariable + "=", ArmVariable + "=a:kill:1,b:pause:2:1s", ClockVariable + "=-90m"}))
	require.True(t, Meant([]string{"A=1", SocketVariable + "=/x"}))
	require.False(t, Meant([]string{"TRSTCTL_DATA=x"}))
	for _, bad := range []string{ArmVariable + "=", ArmVariable + "=a:kill", ArmVariable + "=a:kill:1:2:3", ArmVariable + "=c:kill:1", ArmVariable + "=a:kill:x",
		ArmVariable + "=a:kill:0", ClockVariable + "=1", prefix + "SOKET=/x"} {
		require.Error(t, r.Begin([]string{bad}), bad)
	}
}
