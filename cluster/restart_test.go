package cluster_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// halt ends all nodes and returns their identities.
func (f *fixture) halt() map[string]*cluster.Identity {
	f.end()
	ids := map[string]*cluster.Identity{}
	for id := range f.nodes {
		var err error
		ids[id], err = cluster.LoadIdentity(filepath.Join(f.dir, id))
		require.NoError(f.t, err)
	}
	clear(f.nodes)
	return ids
}

// agrees waits for a leader and commits through it.
func (f *fixture) agrees(n uint64) {
	f.t.Helper()
	var leader *node
	f.eventually("a leader", func() bool {
		for _, one := range f.nodes {
			if one.Leads() {
				leader = one
			}
		}
		return leader != nil
	})
	f.commit(leader, func(*fsm.View) []fsm.Event { return []fsm.Event{noted{"again", n}} })
	for id, one := range f.nodes {
		f.eventually(id+" has it", func() bool {
			v, err := one.Store().View()
			require.NoError(f.t, err)
			defer v.Close()
			got, _, err := notes.Get(v, fsm.K("again"))
			require.NoError(f.t, err)
			return got == n
		})
	}
}

func TestAClusterWhoseCertificatesAllExpiredComesBack(t *testing.T) {
	f := found(t)
	f.agrees(1)
	for _, n := range f.nodes {
		require.NoError(t, n.ExpireCertificates())
	}
	for _, id := range f.halt() {
		f.start(f.configs[id.Node], id, false)
	}
	f.agrees(2)
	for id, n := range f.nodes {
		f.eventually(id+" renewed its certificate", func() bool { return time.Until(n.CertificateEnds()) > time.Hour })
	}
}

func TestAClusterWhoseAddressesAllChangedComesBack(t *testing.T) {
	f := found(t)
	f.agrees(1)
	ids := f.halt()
	var peers []string
	for id := range ids {
		cfg := f.config(id)
		peers = append(peers, cfg.Listen)
		f.configs[id] = cfg
	}
	for id, identity := range ids {
		cfg := f.configs[id]
		cfg.Peers = peers
		f.start(cfg, identity, false)
	}
	f.agrees(2)
	f.eventually("the members' table follows", func() bool {
		for id, n := range f.nodes {
			if n.AddressOf(id) != f.configs[id].Self.API {
				return false
			}
		}
		return true
	})
}

func TestACopyOfARunningNodeIsRefused(t *testing.T) {
	f := found(t)
	f.agrees(1)
	dir := filepath.Join(t.TempDir(), "copy")
	f.nodes["n2"].stop() // a copy of a store that is being written would be torn
	require.NoError(t, <-f.nodes["n2"].done)
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(f.dir, "n2"))))
	id, err := cluster.LoadIdentity(filepath.Join(f.dir, "n2"))
	require.NoError(t, err)
	f.start(f.configs["n2"], id, false)

	twin, err := cluster.LoadIdentity(dir)
	require.NoError(t, err)
	cfg := f.config("n2")
	cfg.Dir, cfg.Log = dir, slog.New(slog.DiscardHandler)
	_, err = cluster.Open(cfg, twin, registry("n2"), f.nodes["n2"].keys, false)
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)
	require.ErrorContains(t, err, "runs already")
	f.agrees(2)
}
