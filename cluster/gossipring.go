package cluster

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/memberlist"

	"github.com/trstctl/trstctl/fsm"
)

// ring is the keyring of a node that gossips. Its goroutine alone uses it.
type ring struct {
	keys    *memberlist.Keyring
	have    map[uint64][]byte
	retired [][]byte // taken off the keyring at the last look: somebody may still have been reading with them
}

// follow makes the ring what the state says.
func (g *ring) follow(n *Node) error {
	for _, key := range g.retired {
		clear(key)
	}
	g.retired = nil
	v, err := n.store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	row, err := gossipRowOf(v)
	if err != nil {
		return err
	}
	for version := row.Oldest; version <= row.Newest; version++ {
		if err := g.install(n, v, version); err != nil {
			return err
		}
	}
	if g.keys == nil {
		if g.keys, err = memberlist.NewKeyring(slices.Collect(maps.Values(g.have)), g.have[row.Primary]); err != nil {
			return fmt.Errorf("make the gossip keyring: %w", err)
		}
	}
	if err := g.keys.UseKey(g.have[row.Primary]); err != nil {
		return fmt.Errorf("use version %d of the gossip key: %w", row.Primary, err)
	}
	for version, key := range g.have {
		if version >= row.Oldest {
			continue
		}
		if err := g.keys.RemoveKey(key); err != nil {
			return fmt.Errorf("remove version %d of the gossip key: %w", version, err)
		}
		g.retired = append(g.retired, key)
		delete(g.have, version)
	}
	n.gossipHas.Store(row.Newest)
	n.gossipUses.Store(row.Primary)
	return nil
}

func (g *ring) install(n *Node, v *fsm.View, version uint64) error {
	if g.have[version] != nil {
		return nil
	}
	sealed, err := sealedGossipKey(v, version)
	if err != nil {
		return err
	}
	key, err := n.keys.Open(v, gossipBinding(version), sealed)
	if err != nil {
		return fmt.Errorf("open version %d of the gossip key: %w", version, err)
	}
	if g.keys != nil {
		if err := g.keys.AddKey(key); err != nil {
			return fmt.Errorf("install version %d of the gossip key: %w", version, err)
		}
	}
	g.have[version] = key
	return nil
}
