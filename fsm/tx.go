package fsm

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"
)

// Tx is the state inside Apply: it reads what it has written. Nothing of it is seen outside before the whole Raft batch
// has been applied.
type Tx struct {
	b    *pebble.Batch
	meta meta
	now  Meta
}

func (tx *Tx) get(key []byte) ([]byte, bool, error) { return fetch(tx.b, key) }
func (tx *Tx) iter(lower, upper []byte) (*pebble.Iterator, error) {
	return tx.b.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
}
func (tx *Tx) set(key, value []byte) error { return tx.b.Set(key, value, nil) }
func (tx *Tx) delete(key []byte) error     { return tx.b.Delete(key, nil) }

// bump advances the version of a stream by one event.
func (tx *Tx) bump(tenant UID, stream string) error {
	n, err := StreamVersion(tx, tenant, stream)
	if err != nil {
		return err
	}
	return tx.set(streamKey(tenant, stream), binary.BigEndian.AppendUint64(nil, n+1))
}

// putPayload keeps the bytes of a sealed value and its place in the index of its key, if one of ours wraps it.
func (tx *Tx) putPayload(s Sealed) error {
	if !s.IsWrap() {
		if err := tx.set(kekKey(s), nil); err != nil {
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
