package fsm

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Rebuild replays the event log of v into the empty store dst: the tables are what the log says, and nothing else. Values
// that were destroyed stay destroyed.
func Rebuild(ctx context.Context, v *View, dst *Store) error {
	h, err := dst.acquire()
	if err != nil {
		return err
	}
	defer h.refs.Done()
	if dst.Applied() > 0 {
		return errors.New("rebuild into tables that are not empty")
	}
	tx := newTx(h)
	defer func() { tx.b.Close() }()
	err = scan(v, []byte{spaceEvents}, []byte{spaceEvents + 1}, false, func(_, b []byte) (bool, error) {
		if err := replay(v, dst.reg, tx, b); err != nil {
			return false, err
		}
		if tx.b.Len() > 4<<20 {
			if err := tx.publish(pebble.NoSync); err != nil {
				return false, err
			}
			tx.b.Close()
			tx = tx.next()
		}
		return true, context.Cause(ctx)
	})
	if err != nil {
		return err
	}
	tx.meta.Index, tx.meta.Term = v.meta.Index, v.meta.Term
	if err := commit(tx, pebble.NoSync); err != nil {
		return err
	}
	return errors.Join(h.Flush(), dst.loadMeta())
}

// replay gives one stored record its effect in tx.
func replay(v *View, reg *Registry, tx *Tx, stored []byte) error {
	_, rec, err := splitRecord(stored)
	if err != nil {
		return fmt.Errorf("record %d: %w", tx.meta.Seq+1, err)
	}
	payloads, err := survivors(v, rec)
	if err != nil {
		return fmt.Errorf("record %d: %w", tx.meta.Seq+1, err)
	}
	if _, err := reg.applyRecord(tx, rec, payloads); err != nil {
		return fmt.Errorf("record %d: %w", tx.meta.Seq+1, err)
	}
	return nil
}

// survivors returns the sealed values that rec brought and that still exist.
func survivors(v *View, rec record) ([]Sealed, error) {
	var out []Sealed
	for _, d := range rec.Digests {
		s, found, err := Load(v, Sealed{digest: d})
		if err != nil {
			return nil, err
		}
		if found && !s.IsWrap() {
			if s.binding, _, err = v.get(kekKey(s)); err != nil {
				return nil, err
			}
		}
		if found {
			out = append(out, s)
		}
	}
	return out, nil
}
