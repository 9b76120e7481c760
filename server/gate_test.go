package server

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm/fault"
)

// slowSeal answers when it is let, once slow is set.
type slowSeal struct {
	seal.Seal
	slow         atomic.Bool
	asked, reply chan struct{}
}

func (s *slowSeal) Unwrap(ctx context.Context, wrapped, aad []byte) ([]byte, error) {
	if s.slow.Load() {
		s.asked <- struct{}{}
		<-s.reply
	}
	return s.Seal.Unwrap(ctx, wrapped, aad)
}

// aMember is a cluster of one that runs until the test ends.
func aMember(t *testing.T, c Config) (*member, *slowSeal) {
	n, err := NewNode(c, Options{Log: slog.New(slog.DiscardHandler), Version: "test"})
	require.NoError(t, err)
	s := &slowSeal{Seal: n.seals[0], asked: make(chan struct{}, 16), reply: make(chan struct{})}
	n.seals[0] = s
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- n.Run(ctx) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-ran) })
	require.Eventually(t, func() bool {
		conn, err := net.Dial("unix", c.Socket())
		return err == nil && conn.Close() == nil
	}, 10*time.Second, 10*time.Millisecond)
	require.Contains(t, initialise(t, c), "200 ")
	return n.current(), s
}

// TestALateAnswerDoesNotReopenASealedNode: an operator seals the node while an HSM is being asked for its keys.
func TestALateAnswerDoesNotReopenASealedNode(t *testing.T) {
	m, s := aMember(t, aConfig(t))
	require.NoError(t, m.gate.close())
	s.slow.Store(true)
	opened := make(chan error, 1)
	go func() { opened <- m.gate.reopen(t.Context()) }()
	<-s.asked
	require.NoError(t, m.gate.close(), "it waits for no seal")
	s.slow.Store(false)
	close(s.reply)
	err := <-opened
	require.ErrorIs(t, err, errByOperator)
	require.False(t, m.keys.Unsealed())
	require.Equal(t, errByOperator.Error(), m.gate.Reason())
	require.True(t, m.gate.byOperator())
	require.NoError(t, m.gate.reopen(t.Context()))
	require.True(t, m.keys.Unsealed())
	require.False(t, m.gate.byOperator())
}

// TestANodeIsSealedAlsoWhereItCannotBeNoted: a disk that takes nothing is no reason to keep keys in memory.
func TestANodeIsSealedAlsoWhereItCannotBeNoted(t *testing.T) {
	m, _ := aMember(t, aConfig(t))
	require.NoError(t, m.gate.close())
	g := newGate(m, Config{Data: filepath.Join(t.TempDir(), "gone")}, m.gate.seals)
	err := g.close()
	require.ErrorContains(t, err, "restart")
	require.ErrorIs(t, g.try(t.Context()), errByOperator, "it stays sealed as long as it runs")
	require.False(t, m.keys.Unsealed())
	require.True(t, fault.Is(errByOperator, fault.Sealed))
}
