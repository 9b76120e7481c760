package fsm

import (
	"fmt"
	"reflect"
)

// Event is a fact: past tense, versioned, no plaintext, never changed once released. It belongs to one stream of its
// tenant, whose version counts the events on it.
type Event interface {
	EventType() string   // "secret.version.written"
	EventStream() string // "secret/db/password"
}

// Guard is what a decision was based on: a stream at a version. A miss refuses the whole entry.
type Guard struct {
	Tenant  UID    `cbor:"1,keyasint"`
	Stream  string `cbor:"2,keyasint"`
	Version uint64 `cbor:"3,keyasint"`
}

// Message is owed to the outside, by the entry that brings it.
type Message struct {
	ID          UID    `cbor:"1,keyasint"`           // for receivers, who may get it more than once
	Kind        string `cbor:"2,keyasint"`           // chooses the dispatcher: "lease.revocation"
	Body        Sealed `cbor:"3,keyasint"`           // nothing, if the dispatcher finds all that it needs in the state
	Destination string `cbor:"4,keyasint,omitempty"` // what is slow or fails together, as the kind names it: a connection
	Lane        string `cbor:"5,keyasint,omitempty"` // messages of one lane of a destination are delivered one at a time, in order
}

// Reply is the answer to the caller, kept in the receipt. What must not be read from disk stands in Secret.
type Reply struct {
	Public []byte `cbor:"1,keyasint,omitempty"`
	Secret Sealed `cbor:"2,keyasint"`
	Once   bool   `cbor:"3,keyasint,omitempty"` // never answered a second time
}

// ReceiptKey identifies a request for its repetition. Both are keyed hashes: a plain hash of a small body can be guessed.
type ReceiptKey struct {
	Key     [32]byte `cbor:"1,keyasint"` // of identity and idempotency key
	Request [32]byte `cbor:"2,keyasint"` // of route and body
}

// Entry is one decision on its way into the log.
type Entry struct {
	ID      UID
	Tenant  UID
	Actor   Actor
	Origin  Origin
	Receipt *ReceiptKey
	Term    uint64 // that it was decided in: it has no effect in another
	Guards  []Guard
	Outbox  []Message
	Reply   Reply
	Rewraps []Rewrap
	Idle    []Idle // keys that must wrap nothing more, or the entry has no effect
	items   []item
	bound   bool // it brings the bindings of its sealed values: from version 2 of the cluster
}

type item struct {
	tenant UID
	event  Event
}

// Add appends events of the entry's own tenant.
func (e *Entry) Add(events ...Event) { e.AddIn(e.Tenant, events...) }

// AddIn appends events of another tenant: what creates or deletes one.
func (e *Entry) AddIn(tenant UID, events ...Event) {
	for _, ev := range events {
		e.items = append(e.items, item{tenant, ev})
	}
}

// Guard appends a guard.
func (e *Entry) Guard(g ...Guard) { e.Guards = append(e.Guards, g...) }

// Empty reports whether the entry changes nothing.
func (e *Entry) Empty() bool { return len(e.items) == 0 && len(e.Outbox) == 0 && len(e.Rewraps) == 0 }

// record is an entry as the event log keeps it; frame adds what only Apply needs.
type record struct {
	Index   uint64      `cbor:"1,keyasint"`
	At      Time        `cbor:"2,keyasint"`
	ID      UID         `cbor:"3,keyasint"`
	Tenant  UID         `cbor:"4,keyasint"`
	Actor   Actor       `cbor:"5,keyasint"`
	Origin  Origin      `cbor:"6,keyasint"`
	Events  []rawEvent  `cbor:"7,keyasint"`
	Outbox  []Message   `cbor:"8,keyasint,omitempty"`
	Receipt *ReceiptKey `cbor:"9,keyasint,omitempty"`
	Reply   Reply       `cbor:"10,keyasint"`
	Digests [][32]byte  `cbor:"11,keyasint,omitempty"` // of the sealed values that it brought
}

type rawEvent struct {
	Tenant UID    `cbor:"1,keyasint"`
	Type   string `cbor:"2,keyasint"`
	Stream string `cbor:"3,keyasint"`
	Data   []byte `cbor:"4,keyasint"`
}

type frame struct {
	Record   record   `cbor:"1,keyasint"`
	Guards   []Guard  `cbor:"2,keyasint,omitempty"`
	Payloads [][]byte `cbor:"3,keyasint,omitempty"`
	Bindings [][]byte `cbor:"4,keyasint,omitempty"` // of the payloads, one each
	Rewraps  []Rewrap `cbor:"5,keyasint,omitempty"`
	Idle     []Idle   `cbor:"6,keyasint,omitempty"`
}

// Marshal encodes e for a batch. It fails on an event that refers to a sealed value without its bytes.
func (e *Entry) Marshal() ([]byte, error) {
	f := frame{Guards: e.Guards, Rewraps: e.Rewraps, Idle: e.Idle, Record: record{ID: e.ID, Tenant: e.Tenant, Actor: e.Actor, Origin: e.Origin,
		Outbox: e.Outbox, Receipt: e.Receipt, Reply: e.Reply}}
	c := collector{seen: map[[32]byte]bool{}}
	for _, it := range e.items {
		data, err := Encode(it.event)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", it.event.EventType(), err)
		}
		f.Record.Events = append(f.Record.Events, rawEvent{it.tenant, it.event.EventType(), it.event.EventStream(), data})
		c.walk(reflect.ValueOf(it.event))
	}
	c.walk(reflect.ValueOf(e.Outbox))
	c.add(e.Reply.Secret)
	if c.missing {
		return nil, fmt.Errorf("entry %s refers to a sealed value that it does not bring", e.ID)
	}
	f.Payloads, f.Record.Digests = c.blobs, c.digests
	if e.bound {
		f.Bindings = c.bindings
	}
	return Encode(f)
}

// collector finds the sealed values inside events.
type collector struct {
	blobs    [][]byte
	digests  [][32]byte
	bindings [][]byte
	seen     map[[32]byte]bool
	missing  bool
	refs     bool // digests are enough
}

var sealedType = reflect.TypeFor[Sealed]()

func (c *collector) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == sealedType {
			c.add(v.Interface().(Sealed))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				c.walk(v.Field(i))
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range v.Len() {
			c.walk(v.Index(i))
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			c.walk(it.Value())
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			c.walk(v.Elem())
		}
	}
}

func (c *collector) add(s Sealed) {
	switch {
	case s.IsZero() || c.seen[s.digest]:
	case !s.Loaded() && c.refs:
		c.seen[s.digest] = true
		c.digests = append(c.digests, s.digest)
	case !s.Loaded():
		c.missing = true
	default:
		c.seen[s.digest] = true
		c.blobs, c.digests, c.bindings = append(c.blobs, s.blob), append(c.digests, s.digest), append(c.bindings, s.binding)
	}
}
