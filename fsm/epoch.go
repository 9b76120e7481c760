package fsm

import (
	"fmt"

	"github.com/trstctl/trstctl/fsm/fault"
)

// FirstEpoch is the epoch of a cluster that was never restored. A restore or recovery begins another: indexes, tokens and version numbers
// of the history that was given up must not be taken for those of the new one.
const FirstEpoch = 1

// Restored begins an epoch: the cluster goes on from what stood at Index, and whatever else an earlier epoch held after that is given up.
// The entry that brings it also says who the members are from here on.
type Restored struct {
	Epoch uint32   `cbor:"1,keyasint"`
	From  uint32   `cbor:"2,keyasint"` // epoch that is left
	Index uint64   `cbor:"3,keyasint"` // up to which it is kept
	Seq   uint64   `cbor:"4,keyasint"` // record at that index
	Head  [32]byte `cbor:"5,keyasint"` // its hash
	Node  string   `cbor:"6,keyasint"` // that it was done on
	How   string   `cbor:"7,keyasint"` // "restore" of a snapshot, or "recover" of a data directory
	Taken Time     `cbor:"8,keyasint"` // moment of the snapshot; 0 when it is a recovery
}

// EventType, EventStream and Since implement Newer.
func (Restored) EventType() string   { return "cluster.restored" }
func (Restored) EventStream() string { return "cluster/epoch" }
func (Restored) Since() uint32       { return 2 }

func applyRestored(tx *Tx, _ Meta, e Restored) error {
	if e.Epoch <= tx.epoch() {
		return fmt.Errorf("epoch %d does not follow epoch %d", e.Epoch, tx.epoch())
	}
	tx.meta.Epoch = e.Epoch
	return nil
}

func (m meta) epoch() uint32 { return max(m.Epoch, FirstEpoch) }

func (v *View) epoch() uint32 { return v.meta.epoch() }
func (tx *Tx) epoch() uint32  { return tx.meta.epoch() }

// Epoch returns which history of the cluster r belongs to.
func Epoch(r Reader) uint32 { return r.epoch() }

// Epoch returns which history of the cluster the present state belongs to.
func (s *Store) Epoch() uint32 { return s.epoch.Load() }

// Epoch returns which history of the cluster the present state belongs to.
func (l *Ledger) Epoch() uint32 { return l.store.Epoch() }

// Restore returns the event with which the cluster goes on from v.
func (v *View) Restore(epoch uint32, node, how string, taken Time) (Restored, error) {
	if epoch == 0 {
		epoch = v.epoch() + 1
	}
	if epoch <= v.epoch() {
		return Restored{}, fault.Bad("epoch", "the state is of epoch %d already: name a higher one", v.epoch())
	}
	return Restored{Epoch: epoch, From: v.epoch(), Index: v.meta.Index, Seq: v.meta.Seq, Head: v.meta.Head, Node: node, How: how, Taken: taken}, nil
}
