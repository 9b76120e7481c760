package fsm

import "github.com/cockroachdb/pebble/v2"

// What the tests of this package need beside what everybody sees.

// Waiters returns how many calls of Wait are still remembered.
func (s *Store) Waiters() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiters)
}

// HoldReceipts makes a tenant look as if it had n receipts.
func (s *Store) HoldReceipts(tenant UID, n uint64) error {
	tx := newTx(s.db)
	defer tx.b.Close()
	c, err := readCount(tx, tenant)
	if err != nil {
		return err
	}
	c.Held = n
	b, err := Encode(c)
	if err != nil {
		return err
	}
	if err := tx.set(receiptSpace(tenant, 'c'), b); err != nil {
		return err
	}
	return tx.publish(pebble.NoSync)
}

// ReceiptQuota is how many receipts a tenant may have.
const ReceiptQuota = receiptQuota

// ChangeRecord lets change damage a record of the event log; nil deletes it.
func (s *Store) ChangeRecord(seq uint64, change func([]byte) []byte) error {
	return s.changeKey(eventKey(seq), change)
}

// ChangePayload lets change damage the bytes of a sealed value.
func (s *Store) ChangePayload(v Sealed, change func([]byte) []byte) error {
	return s.changeKey(payloadKey(v.digest), change)
}

func (s *Store) changeKey(key []byte, change func([]byte) []byte) error {
	b, _, err := fetch(s.db, key)
	if err != nil {
		return err
	}
	if b = change(b); b == nil {
		return s.db.Delete(key, pebble.NoSync)
	}
	return s.db.Set(key, b, pebble.NoSync)
}

// Bind has an entry bring the bindings of its sealed values, as the ledger does from version 2 of the cluster on.
func (e *Entry) Bind() *Entry {
	e.bound = true
	return e
}
