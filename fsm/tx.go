package fsm

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"
)

// Tx is the state inside Apply: it reads what it has written. Nothing of it is seen outside before the whole Raft batch
// has been applied.
type Tx struct {
	h       *handle
	b       *pebble.Batch
	meta    meta
	changed map[string][]byte // rows that are fit to be hot, as it wrote them; nil for those that it deleted
	number  uint64            // by which it reads the others
}

func newTx(h *handle) *Tx {
	return &Tx{h: h, b: h.NewIndexedBatch(), changed: map[string][]byte{}, number: h.hot.number()}
}

func (tx *Tx) get(key []byte) ([]byte, bool, error) {
	if !fit(key) {
		return fetch(tx.b, key)
	}
	if value, own := tx.changed[string(key)]; own {
		return value, value != nil, nil
	}
	return tx.h.hot.fetch(tx.number, tx.h, key)
}

// publish commits what was written.
func (tx *Tx) publish(o *pebble.WriteOptions) error {
	tx.h.hot.begin(tx.changed)
	err := tx.b.Commit(o)
	tx.h.hot.end(tx.changed, err)
	return err
}

// next is a transaction on top of one that was published.
func (tx *Tx) next() *Tx {
	out := newTx(tx.h)
	out.meta = tx.meta
	return out
}

func (tx *Tx) iter(lower, upper []byte) (*pebble.Iterator, error) {
	return tx.b.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
}

func (tx *Tx) set(key, value []byte) error {
	if fit(key) {
		tx.changed[string(key)] = append([]byte{}, value...)
	}
	return tx.b.Set(key, value, nil)
}

func (tx *Tx) delete(key []byte) error {
	if fit(key) {
		tx.changed[string(key)] = nil
	}
	return tx.b.Delete(key, nil)
}

// bump advances the version of a stream by one event.
func (tx *Tx) bump(tenant UID, stream string) error {
	n, err := StreamVersion(tx, tenant, stream)
	if err != nil {
		return err
	}
	return tx.set(streamKey(tenant, stream), binary.BigEndian.AppendUint64(nil, n+1))
}

// Version is View.Version.
func (tx *Tx) Version() uint32 { return max(tx.meta.Version, 1) }

// SetVersion switches formats and behaviour on: for the apply function of the event that raises the cluster's version.
func (tx *Tx) SetVersion(n uint32) { tx.meta.Version = n }

// putPayload keeps the bytes of a sealed value and its place in the index of its key, if one of ours wraps it.
func (tx *Tx) putPayload(s Sealed) error {
	if !s.IsWrap() {
		if err := tx.set(kekKey(s), s.binding); err != nil {
			return err
		}
	}
	return tx.set(payloadKey(s.digest), s.blob)
}

// Destroy deletes the bytes of a sealed value. Rows and records that refer to it stay and read as destroyed.
func (tx *Tx) Destroy(s Sealed) error {
	full, found, err := Load(tx, s)
	if err != nil || !found {
		return err
	}
	if !full.IsWrap() {
		if err := tx.delete(kekKey(full)); err != nil {
			return err
		}
	}
	return tx.delete(payloadKey(full.digest))
}
