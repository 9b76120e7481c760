package fsm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Record is one entry of the event log, as the audit shows it.
type Record struct {
	Seq    uint64
	Hash   [32]byte
	Index  uint64
	At     Time
	ID     UID
	Tenant UID
	Actor  Actor
	Origin Origin
	Events []PastEvent
	Raw    []byte // what Hash covers, behind the hash before; while it is visited only
}

// PastEvent is an event as it was recorded; Data is its CBOR.
type PastEvent struct {
	Tenant UID
	Type   string
	Stream string
	Data   []byte
}

// Fields decodes the event's data for display; a digest stands for each sealed value.
func (e PastEvent) Fields() (map[string]any, error) {
	var m map[string]any
	err := cbor.Unmarshal(e.Data, &m)
	return m, err
}

func eventKey(seq uint64) []byte { return binary.BigEndian.AppendUint64([]byte{spaceEvents}, seq) }

func splitRecord(v []byte) (hash [32]byte, rec record, err error) {
	if len(v) < 32 {
		return hash, rec, errors.New("shorter than a hash")
	}
	return [32]byte(v), rec, Decode(v[32:], &rec)
}

// History calls visit for the records after seq, oldest first or newest first, until it returns false. With reverse, seq is
// the upper end, exclusive, and 0 means from the newest.
func History(r Reader, seq uint64, reverse bool, visit func(Record) (bool, error)) error {
	lower, upper := eventKey(seq+1), []byte{spaceEvents + 1}
	if reverse {
		lower = []byte{spaceEvents}
		if seq > 0 {
			upper = eventKey(seq)
		}
	}
	return scan(r, lower, upper, reverse, func(k, v []byte) (bool, error) {
		hash, rec, err := splitRecord(v)
		if err != nil {
			return false, fault.New(fault.Corrupt, "record %d of the event log cannot be read", binary.BigEndian.Uint64(k[1:])).Because(err)
		}
		out := rec.shown()
		out.Seq, out.Hash, out.Raw = binary.BigEndian.Uint64(k[1:]), hash, v[32:]
		return visit(out)
	})
}

func (rec *record) shown() Record {
	out := Record{Index: rec.Index, At: rec.At, ID: rec.ID, Tenant: rec.Tenant, Actor: rec.Actor, Origin: rec.Origin}
	for _, e := range rec.Events {
		out.Events = append(out.Events, PastEvent(e))
	}
	return out
}

// ParseRecord reads the bytes that a record of the event log is hashed from, as Record.Raw gives them, and returns it with the hash that
// follows from the one before.
func ParseRecord(before [32]byte, raw []byte) (Record, error) {
	var rec record
	if err := Decode(raw, &rec); err != nil {
		return Record{}, fault.New(fault.Corrupt, "a record of the event log cannot be read").Because(err)
	}
	out := rec.shown()
	out.Hash, out.Raw = chain(before, raw), raw
	return out, nil
}

// Verified is what VerifyChain found intact.
type Verified struct {
	Index    uint64
	Records  uint64
	Payloads uint64
	Head     [32]byte
}

// VerifyChain recomputes every hash of the event log and the digest of every sealed value that is still there. The first
// thing that differs is a fault.Corrupt that names it.
func VerifyChain(ctx context.Context, v *View) (Verified, error) {
	out := Verified{Index: v.meta.Index}
	err := scan(v, []byte{spaceEvents}, []byte{spaceEvents + 1}, false, func(k, b []byte) (bool, error) {
		out.Records++
		if seq := binary.BigEndian.Uint64(k[1:]); seq != out.Records {
			return false, fault.New(fault.Corrupt, "record %d of the event log is missing", out.Records)
		}
		if len(b) < 32 {
			return false, fault.New(fault.Corrupt, "record %d of the event log is cut short", out.Records)
		}
		out.Head = chain(out.Head, b[32:])
		if !bytes.Equal(out.Head[:], b[:32]) {
			return false, fault.New(fault.Corrupt, "record %d of the event log does not have its hash: it was changed after it was written", out.Records)
		}
		return true, context.Cause(ctx)
	})
	if err == nil && (out.Records != v.meta.Seq || out.Head != v.meta.Head) {
		err = fault.New(fault.Corrupt, "the event log ends at record %d, the tables say %d", out.Records, v.meta.Seq)
	}
	if err == nil {
		out.Payloads, err = verifyPayloads(ctx, v)
	}
	return out, err
}

func verifyPayloads(ctx context.Context, v *View) (n uint64, err error) {
	err = scan(v, []byte{spacePayloads}, []byte{spacePayloads + 1}, false, func(k, b []byte) (bool, error) {
		n++
		s, err := NewSealed(b)
		if err == nil && !bytes.Equal(s.digest[:], k[1:]) {
			err = errors.New("its bytes do not have its digest")
		}
		if err != nil {
			return false, fault.New(fault.Corrupt, "sealed value %x is damaged", k[1:9]).Because(err)
		}
		return true, context.Cause(ctx)
	})
	return n, err
}

// String says in one line what was found.
func (v Verified) String() string {
	return fmt.Sprintf("%d records and %d sealed values are intact at index %d, head %x", v.Records, v.Payloads, v.Index, v.Head[:8])
}
