// Package system proves what the cluster promises with real processes: nothing acknowledged is lost, nothing unsafe is
// answered, whatever is killed, paused or cut off.
package system

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.Clean()
	os.Exit(code)
}

// planted returns a value that can be recognized anywhere.
func planted() []byte {
	b := make([]byte, 24)
	rand.Read(b)
	return []byte("planted-" + hex.EncodeToString(b))
}

func put(t *testing.T, c *sdk.Client, path string, value []byte) uint64 {
	t.Helper()
	w, err := c.Put(t.Context(), sdk.Item{Path: path, Value: value})
	require.NoError(t, err)
	return w.Version
}

func get(t *testing.T, c *sdk.Client, path string) []byte {
	t.Helper()
	v, err := c.Get(t.Context(), path, sdk.GetOptions{})
	require.NoError(t, err)
	return v.Value
}

func TestThreeNodesKeepSecrets(t *testing.T) {
	c := harness.Start(t, harness.Options{Gossip: true})
	value := append(planted(), 0, 0xff, '\n')
	require.Equal(t, uint64(1), put(t, c.Client(), "db/password", value))
	for _, n := range c.Nodes {
		require.Equal(t, value, get(t, c.ClientOf(n), "db/password"), "through %s", n.ID)
	}
	for i, n := range c.Nodes { // followers forward
		require.Equal(t, uint64(i+2), put(t, c.ClientOf(n), "db/password", value))
	}

	c.Leader().Kill()
	require.Equal(t, value, get(t, c.Client(), "db/password"))
	require.Equal(t, uint64(5), put(t, c.Client(), "db/password", value))
	for _, n := range c.Nodes {
		if !n.Running() {
			n.Start()
		}
	}
	c.Ready(c.Nodes...)
	c.Check(bytes.TrimRight(value, "\n"))
}

func TestAllKilledAtOnceLoseNothing(t *testing.T) {
	for _, store := range []string{"bolt", "wal"} {
		t.Run(store, func(t *testing.T) {
			c := harness.Start(t, harness.Options{LogStore: store})
			value := planted()
			for i := range 20 {
				put(t, c.Client(), "k/"+string(rune('a'+i)), value)
			}
			for range 2 {
				for _, n := range c.Nodes {
					n.Kill()
				}
				for _, n := range c.Nodes {
					n.Start()
				}
				c.Ready(c.Nodes...)
				for i := range 20 {
					require.Equal(t, value, get(t, c.Client(), "k/"+string(rune('a'+i))))
				}
			}
			c.Check(value)
		})
	}
}

func TestAMinorityAnswersNothingUnsafe(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	put(t, c.Client(), "a", []byte("old"))
	leader := c.Leader()
	leader.Isolate()

	others := make([]*harness.Node, 0, 2)
	for _, n := range c.Nodes {
		if n != leader {
			others = append(others, n)
		}
	}
	put(t, c.ClientOf(others...), "a", []byte("new"))

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := c.ClientOf(leader).Get(ctx, "a", sdk.GetOptions{})
	require.True(t, sdk.Is(err, sdk.NotDone), "a read at the old leader: %v", err)
	_, err = c.ClientOf(leader).Put(ctx, sdk.Item{Path: "b", Value: []byte("x")})
	require.Error(t, err, "a write at the old leader")
	require.Error(t, c.ClientOf(leader).Ready(t.Context()))

	leader.Heal()
	c.Ready(leader)
	require.Equal(t, "new", string(get(t, c.ClientOf(leader), "a")))
	c.Check()
}

func TestAPausedLeaderServesNothingStale(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	put(t, c.Client(), "a", []byte("0"))
	for i := range 5 {
		value := []byte{byte('1' + i)}
		leader := c.Leader()
		leader.Pause()
		var rest []*harness.Node
		for _, n := range c.Nodes {
			if n != leader {
				rest = append(rest, n)
			}
		}
		put(t, c.ClientOf(rest...), "a", value)
		leader.Resume()
		require.Equal(t, value, get(t, c.ClientOf(leader), "a"))
	}
	c.Ready(c.Nodes...)
	c.Check()
}

func TestARetryAcrossALeaderChangeHasOneEffect(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	ctx := sdk.WithKey(t.Context(), "the-same-key")
	first, err := c.Client().Put(ctx, sdk.Item{Path: "a", Value: []byte("x")})
	require.NoError(t, err)
	c.Leader().Kill()
	again, err := c.Client().Put(ctx, sdk.Item{Path: "a", Value: []byte("x")})
	require.NoError(t, err)
	require.Equal(t, first.Version, again.Version)
	_, err = c.Client().Put(ctx, sdk.Item{Path: "a", Value: []byte("y")})
	require.True(t, sdk.Is(err, sdk.KeyReused), "%v", err)
}

func TestANodeIsReplaced(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	put(t, c.Client(), "a", []byte("x"))
	gone := c.Follower()
	gone.Kill()
	fresh := c.Join()
	require.NoError(t, c.Client().RemoveMember(t.Context(), gone.ID))
	require.Equal(t, "x", string(get(t, c.ClientOf(fresh), "a")))

	gone.Start()
	gone.Ended()
	require.Contains(t, gone.Log(), "was removed")
	_, err := c.Client().CreateJoinToken(t.Context(), gone.ID)
	require.True(t, sdk.Is(err, sdk.Conflict), "a removed id: %v", err)
	c.Check()
}

func TestAGracefulStopHandsOver(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	leader := c.Leader()
	leader.Stop()
	put(t, c.Client(), "a", []byte("x"))
	require.Contains(t, leader.Log(), "leadership transferred")
	leader.Start()
	c.Ready(leader)
	to, err := c.Client().Transfer(t.Context(), leader.ID)
	require.NoError(t, err)
	require.Equal(t, leader.ID, to)
	require.Equal(t, leader.ID, c.Leader().ID)
	c.Check()
}
