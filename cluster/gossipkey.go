package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// The gossip key rotates in three steps, each an entry: every node gets the new key and reads with both; when all that gossip have it they write
// with it; when all do that the old one is destroyed. A node that is away meanwhile finds the keys in its state when it is back.

// GossipKeyMade brings the next key. Version 1 is the founding's.
type GossipKeyMade struct {
	Version uint64     `cbor:"1,keyasint"`
	Key     fsm.Sealed `cbor:"2,keyasint"` // 32 bytes
}

// GossipKeyTaken has all nodes write with a key.
type GossipKeyTaken struct {
	Version uint64 `cbor:"1,keyasint"`
}

// GossipKeysRetired destroys the keys before one.
type GossipKeysRetired struct {
	Before uint64 `cbor:"1,keyasint"`
}

const gossipStream = "cluster/gossip"

// EventType, EventStream and Since implement fsm.Newer.
func (GossipKeyMade) EventType() string       { return "cluster.gossip_key.made" }
func (GossipKeyMade) EventStream() string     { return gossipStream }
func (GossipKeyMade) Since() uint32           { return 2 }
func (GossipKeyTaken) EventType() string      { return "cluster.gossip_key.taken" }
func (GossipKeyTaken) EventStream() string    { return gossipStream }
func (GossipKeyTaken) Since() uint32          { return 2 }
func (GossipKeysRetired) EventType() string   { return "cluster.gossip_keys.retired" }
func (GossipKeysRetired) EventStream() string { return gossipStream }
func (GossipKeysRetired) Since() uint32       { return 2 }

// gossipRow says which keys there are: from Oldest to Newest; Primary is written with.
type gossipRow struct {
	Oldest  uint64 `cbor:"1,keyasint"`
	Primary uint64 `cbor:"2,keyasint"`
	Newest  uint64 `cbor:"3,keyasint"`
}

var (
	gossipState = fsm.NewTable[gossipRow]("cluster.gossip")      // key: none
	gossipKeys  = fsm.NewTable[fsm.Sealed]("cluster.gossip_key") // key: version, from 2
)

func registerGossip(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e GossipKeyMade) error {
		row, err := gossipRowOf(tx)
		if err != nil {
			return err
		}
		row.Newest = e.Version
		return errors.Join(gossipKeys.Put(tx, fsm.K(e.Version), e.Key), gossipState.Put(tx, fsm.K(), row))
	})
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e GossipKeyTaken) error {
		row, err := gossipRowOf(tx)
		if err != nil {
			return err
		}
		row.Primary = e.Version
		return gossipState.Put(tx, fsm.K(), row)
	})
	fsm.On(r, applyKeysRetired)
}

func applyKeysRetired(tx *fsm.Tx, _ fsm.Meta, e GossipKeysRetired) error {
	row, err := gossipRowOf(tx)
	if err != nil {
		return err
	}
	for v := row.Oldest; v < e.Before; v++ {
		key, err := sealedGossipKey(tx, v)
		if err != nil {
			return err
		}
		if err := errors.Join(tx.Destroy(key), gossipKeys.Delete(tx, fsm.K(v))); err != nil {
			return err
		}
	}
	row.Oldest = e.Before
	return gossipState.Put(tx, fsm.K(), row)
}

func gossipRowOf(r fsm.Reader) (gossipRow, error) {
	row, found, err := gossipState.Get(r, fsm.K())
	if err == nil && !found {
		row = gossipRow{1, 1, 1}
	}
	return row, err
}

// sealedGossipKey returns a key; the first one came with the founding.
func sealedGossipKey(r fsm.Reader, version uint64) (fsm.Sealed, error) {
	if version == 1 {
		row, found, err := genesis(r)
		if err == nil && !found {
			err = errors.New("the gossip key is not here yet")
		}
		return row.Founded.GossipKey, err
	}
	key, found, err := gossipKeys.Get(r, fsm.K(version))
	if err == nil && !found {
		err = fault.New(fault.Corrupt, "version %d of the gossip key is missing", version)
	}
	return key, err
}

func gossipBinding(version uint64) fsm.Binding {
	return fsm.Binding{Tenant: fsm.RootTenant, Feature: "cluster", Field: "gossip-key", Path: "gossip", Version: version}
}

// RotateGossip makes a new gossip key, which the nodes take into use within moments, and returns its version.
func (n *Node) RotateGossip(ctx context.Context, r fsm.Request) (uint64, error) {
	rc, err := n.ledger.Commit(Urgent(ctx), r, gossipStream, n.decideGossipKey)
	if err != nil {
		return 0, err
	}
	var version uint64
	if err := fsm.Decode(rc.Reply.Public, &version); err != nil {
		return 0, fmt.Errorf("read the answer of a rotation: %w", err)
	}
	return version, nil
}

func (n *Node) decideGossipKey(v *fsm.View, e *fsm.Entry) error {
	row, err := gossipRowOf(v)
	if err != nil {
		return err
	}
	if row.Oldest != row.Newest {
		return fault.New(fault.Conflict, "the rotation to version %d of the gossip key is under way: wait until all nodes that gossip use it", row.Newest)
	}
	key := make([]byte, 32)
	defer clear(key)
	rand.Read(key)
	next := GossipKeyMade{Version: row.Newest + 1}
	if next.Key, err = n.keys.Seal(v, gossipBinding(next.Version), key); err != nil {
		return fmt.Errorf("seal the gossip key: %w", err)
	}
	e.Add(next)
	if e.Reply.Public, err = fsm.Encode(next.Version); err != nil {
		return err
	}
	return guard(v, e, gossipStream)
}

// stepGossip is the leader's worker that takes a rotation on when every node that gossips has made the step before.
func (n *Node) stepGossip(ctx context.Context) error {
	for ctx.Err() == nil {
		pause(ctx, time.Second)
		if err := n.stepGossipOnce(ctx); err != nil && ctx.Err() == nil {
			n.log.Warn("the rotation of the gossip key does not go on, will retry", "err", err)
		}
	}
	return nil
}

func (n *Node) stepGossipOnce(ctx context.Context) error {
	v, err := n.store.View()
	if err != nil {
		return err
	}
	row, err := gossipRowOf(v)
	v.Close()
	if err != nil || row.Oldest == row.Newest {
		return err
	}
	has, uses := n.gossiping(ctx)
	var step fsm.Event = GossipKeyTaken{row.Newest}
	ready := has
	if row.Primary == row.Newest {
		step, ready = GossipKeysRetired{row.Newest}, uses
	}
	if slices.ContainsFunc(ready, func(version uint64) bool { return version < row.Newest }) {
		return nil
	}
	_, err = n.ledger.Commit(ctx, n.own(), gossipStream, func(v *fsm.View, e *fsm.Entry) error {
		now, err := gossipRowOf(v)
		if err == nil && now == row {
			e.Add(step)
		}
		return errors.Join(err, guard(v, e, gossipStream))
	})
	return err
}

// gossiping returns which key the nodes that gossip have at best, and which they write with.
func (n *Node) gossiping(ctx context.Context) (has, uses []uint64) {
	for _, id := range append(n.others(), n.id.Node) {
		if s, err := n.ask(ctx, id); err == nil && !s.Sealed && s.GossipHas > 0 {
			has, uses = append(has, s.GossipHas), append(uses, s.GossipUses)
		}
	}
	return has, uses
}
