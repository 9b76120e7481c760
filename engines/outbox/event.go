package outbox

import "github.com/trstctl/trstctl/fsm"

// since is the version of the cluster that the outbox came with.
const since = 5

// Delivered records that a message arrived. What else becomes so with that stands in the same entry.
type Delivered struct {
	Seq uint64  `cbor:"1,keyasint"`
	Pos uint64  `cbor:"2,keyasint"`
	ID  fsm.UID `cbor:"3,keyasint"`
}

// Parked records that a message is a dead letter from now on: delivering it was given up, until somebody requeues it.
type Parked struct {
	Seq    uint64  `cbor:"1,keyasint"`
	Pos    uint64  `cbor:"2,keyasint"`
	ID     fsm.UID `cbor:"3,keyasint"`
	Reason string  `cbor:"4,keyasint"`
	Tries  uint64  `cbor:"5,keyasint,omitempty"`
}

// Requeued records that a dead letter is to be delivered after all.
type Requeued struct {
	Seq uint64  `cbor:"1,keyasint"`
	Pos uint64  `cbor:"2,keyasint"`
	ID  fsm.UID `cbor:"3,keyasint"`
}

// Dropped records that a message is owed no more, though it never arrived as far as anybody knows.
type Dropped struct {
	Seq uint64  `cbor:"1,keyasint"`
	Pos uint64  `cbor:"2,keyasint"`
	ID  fsm.UID `cbor:"3,keyasint"`
}

// EventType, EventStream and Since implement fsm.Newer. All stand in one stream that nobody guards: each takes effect once, whoever was first.
func (Delivered) EventType() string   { return "outbox.message.delivered" }
func (Delivered) EventStream() string { return stream }
func (Delivered) Since() uint32       { return since }
func (Parked) EventType() string      { return "outbox.message.parked" }
func (Parked) EventStream() string    { return stream }
func (Parked) Since() uint32          { return since }
func (Requeued) EventType() string    { return "outbox.message.requeued" }
func (Requeued) EventStream() string  { return stream }
func (Requeued) Since() uint32        { return since }
func (Dropped) EventType() string     { return "outbox.message.dropped" }
func (Dropped) EventStream() string   { return stream }
func (Dropped) Since() uint32         { return since }

const stream = "outbox"

// Register registers the events of the outbox.
func Register(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e Delivered) error { return tx.Settle(e.Seq, e.Pos) })
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e Parked) error { return tx.Park(e.Seq, e.Pos, m.At, e.Reason, e.Tries) })
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e Requeued) error { return tx.Requeue(e.Seq, e.Pos, m.At) })
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e Dropped) error { return tx.Settle(e.Seq, e.Pos) })
}
