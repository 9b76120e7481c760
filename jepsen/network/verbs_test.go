package network

import (
	"time"

	"github.com/stretchr/testify/require"
)

// Times that tests wait: soon for what must not come, late for what must.
const (
	soon = 150 * time.Millisecond
	late = 20 * time.Second
)

// line is a connection of an agent.
type line struct {
	r *remote
	n int
}

func (r *remote) dial(to string) line {
	l, failed := r.try("tcp", to, late)
	require.Empty(r.t, failed)
	return l
}

// try dials and returns what failed.
func (r *remote) try(network, to string, within time.Duration) (l line, failed string) {
	l.r = r
	if err := r.rpc.Call("Agent.Dial", Call{Network: network, To: to, Within: within}, &l.n); err != nil {
		failed = err.Error()
	}
	return l, failed
}

// seen returns how often a text has come, once it has come n times or late is over.
func (r *remote) seen(text string, n int) (times int) {
	require.NoError(r.t, r.rpc.Call("Agent.Seen", Call{Text: text, Times: n, Within: late}, &times))
	return times
}

func (r *remote) push(text string) {
	require.NoError(r.t, r.rpc.Call("Agent.Push", Call{Text: text}, new(int)))
}

// write returns what failed.
func (l line) write(text string) string {
	if err := l.r.rpc.Call("Agent.Write", Call{Conn: l.n, Text: text}, new(int)); err != nil {
		return err.Error()
	}
	return ""
}

// read returns a line, or what failed.
func (l line) read(within time.Duration) string {
	var text string
	if err := l.r.rpc.Call("Agent.Read", Call{Conn: l.n, Within: within}, &text); err != nil {
		return err.Error()
	}
	return text
}

// echo requires that a line comes back.
func (l line) echo(text string) {
	l.r.t.Helper()
	require.Empty(l.r.t, l.write(text))
	require.Equal(l.r.t, text, l.read(late))
}

// silent requires that a line is not heard by to, nor answered.
func (l line) silent(text string, to *remote) {
	l.r.t.Helper()
	require.Empty(l.r.t, l.write(text))
	require.Equal(l.r.t, "timeout", l.read(soon))
	require.Zero(l.r.t, to.seen(text, 0))
}

// reset requires that who sends a line is told that the connection was reset: by the write when it comes too late, else by a read.
func (l line) reset(text string) {
	l.r.t.Helper()
	failed := l.write(text)
	if failed == "" {
		failed = l.read(late)
	}
	require.Equal(l.r.t, "reset", failed)
}

// unreachable requires that a new connection to an address hears nothing.
func (r *remote) unreachable(to string) {
	r.t.Helper()
	l, failed := r.try("tcp", to, soon)
	if failed == "" && l.write("anybody?") == "" {
		failed = l.read(soon)
	}
	require.Equal(r.t, "timeout", failed)
}
