package fsm

import (
	"encoding/binary"

	"github.com/trstctl/trstctl/fsm/fault"
)

// outboxSince is the version of the cluster from which on messages can be owed.
const outboxSince = 5

// Owed is a message of the outbox with its place, which orders it.
type Owed struct {
	Seq     uint64 `cbor:"-"` // of the record that owes it
	Pos     uint64 `cbor:"-"` // within that record
	Message `cbor:"1,keyasint"`
	Tenant  UID    `cbor:"2,keyasint"`
	At      Time   `cbor:"3,keyasint"`           // since when
	Parked  Time   `cbor:"4,keyasint,omitempty"` // since when it is a dead letter, which is not delivered; 0: it is none
	Reason  string `cbor:"5,keyasint,omitempty"` // why it was parked last
	Tries   uint64 `cbor:"6,keyasint,omitempty"` // before it was parked, all in all
}

// Depth is how many messages of a kind a tenant's destination is owed.
type Depth struct {
	Tenant      UID    `cbor:"1,keyasint"`
	Kind        string `cbor:"2,keyasint"`
	Destination string `cbor:"3,keyasint"`
	Waiting     uint64 `cbor:"4,keyasint,omitempty"`
	Parked      uint64 `cbor:"5,keyasint,omitempty"`
}

var depths = NewTable[Depth]("fsm.outbox_depth") // key: tenant, kind, destination

func messageKey(seq, pos uint64) []byte { return append([]byte{spaceOutbox}, K(seq, pos)...) }

// Outbox returns up to limit messages beyond (seq, pos), oldest first, parked ones too.
func Outbox(r Reader, seq, pos uint64, limit int) ([]Owed, error) {
	var owed []Owed
	err := scan(r, append(messageKey(seq, pos), 0), []byte{spaceOutbox + 1}, false, func(k, v []byte) (bool, error) {
		o, err := readOwed(binary.BigEndian.Uint64(k[2:10]), binary.BigEndian.Uint64(k[11:19]), v)
		owed = append(owed, o)
		return len(owed) < limit, err
	})
	return owed, err
}

// OwedAt returns the message of a place, if it still is owed.
func OwedAt(r Reader, seq, pos uint64) (o Owed, found bool, err error) {
	b, found, err := r.get(messageKey(seq, pos))
	if err != nil || !found {
		return o, false, err
	}
	o, err = readOwed(seq, pos, b)
	return o, err == nil, err
}

func readOwed(seq, pos uint64, b []byte) (o Owed, err error) {
	if err := Decode(b, &o); err != nil {
		return o, fault.New(fault.Corrupt, "message %d.%d of the outbox cannot be read", seq, pos).Because(err)
	}
	o.Seq, o.Pos = seq, pos
	return o, nil
}

// DepthOf returns how many messages of a kind a tenant's destination is owed.
func DepthOf(r Reader, tenant UID, kind, destination string) (Depth, error) {
	d, _, err := depths.Get(r, K(tenant, kind, destination))
	return d, err
}

// Depths returns what all destinations are owed, in the order of tenants, kinds and destinations.
func Depths(r Reader) (all []Depth, err error) {
	err = depths.Scan(r, Span{}, func(_ Key, d Depth) (bool, error) {
		all = append(all, d)
		return true, nil
	})
	return all, err
}

func oweMessage(tx *Tx, o Owed) error {
	if err := putOwed(tx, o); err != nil {
		return err
	}
	return changeDepth(tx, o, func(d *Depth) { d.Waiting++ })
}

func putOwed(tx *Tx, o Owed) error {
	b, err := Encode(o)
	if err != nil {
		return err
	}
	return tx.set(messageKey(o.Seq, o.Pos), b)
}

func changeDepth(tx *Tx, o Owed, change func(*Depth)) error {
	at := K(o.Tenant, o.Kind, o.Destination)
	d, _, err := depths.Get(tx, at)
	if err != nil {
		return err
	}
	d.Tenant, d.Kind, d.Destination = o.Tenant, o.Kind, o.Destination
	if change(&d); d.Waiting == 0 && d.Parked == 0 {
		return depths.Delete(tx, at)
	}
	return depths.Put(tx, at, d)
}

// Settle removes a message that has been delivered or given up: for the apply function of the event that says so. One that is gone already stays so.
func (tx *Tx) Settle(seq, pos uint64) error {
	o, found, err := OwedAt(tx, seq, pos)
	if err != nil || !found {
		return err
	}
	if err := tx.Destroy(o.Body); err != nil {
		return err
	}
	if err := changeDepth(tx, o, o.leave); err != nil {
		return err
	}
	return tx.delete(messageKey(seq, pos))
}

func (o Owed) leave(d *Depth) {
	if o.Parked > 0 {
		d.Parked--
	} else {
		d.Waiting--
	}
}

// Park makes a dead letter of a message that waits, after so many tries since it was owed or requeued.
func (tx *Tx) Park(seq, pos uint64, at Time, reason string, tries uint64) error {
	o, found, err := OwedAt(tx, seq, pos)
	if err != nil || !found || o.Parked > 0 {
		return err
	}
	o.Parked, o.Reason, o.Tries = at, reason, o.Tries+tries
	if err := changeDepth(tx, o, func(d *Depth) { d.Waiting--; d.Parked++ }); err != nil {
		return err
	}
	return putOwed(tx, o)
}

// Requeue has a dead letter wait again, as from at on.
func (tx *Tx) Requeue(seq, pos uint64, at Time) error {
	o, found, err := OwedAt(tx, seq, pos)
	if err != nil || !found || o.Parked == 0 {
		return err
	}
	o.Parked, o.At = 0, at
	if err := changeDepth(tx, o, func(d *Depth) { d.Parked--; d.Waiting++ }); err != nil {
		return err
	}
	return putOwed(tx, o)
}
