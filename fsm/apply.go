package fsm

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/mutant"
)

// ErrStale is the outcome of an entry whose guards no longer held: it had no effect, and its engine decides again.
var ErrStale = errors.New("the state moved on before the entry was applied")

// ErrDropped is the outcome of a batch that Raft gave another term than the one it was decided in: it had no effect.
var ErrDropped = errors.New("the batch was decided in another term")

// Outcome is what became of one entry.
type Outcome struct {
	Receipt Receipt
	Err     error // nil, ErrStale, ErrDropped or fault.KeyReused
}

// Receipt is the answer to an applied entry.
type Receipt struct {
	Index    uint64 `cbor:"1,keyasint"` // of the Raft entry; 0 when nothing was changed
	Seq      uint64 `cbor:"2,keyasint"` // of the record
	At       Time   `cbor:"3,keyasint"`
	Reply    Reply  `cbor:"4,keyasint"`
	Replayed bool   `cbor:"-"` // the answer to an earlier attempt of the same request
}

// applyBatch applies the entries of one Raft command.
func (r *Registry) applyBatch(tx *Tx, index, term uint64, data []byte) ([]Outcome, error) {
	b, err := unmarshalBatch(data)
	if err != nil {
		return nil, err
	}
	tx.meta.Index, tx.meta.Term = index, term
	out := make([]Outcome, len(b.entries))
	for i, raw := range b.entries {
		if b.term != term && !mutant.QueuedEntrySurvivesTerm {
			out[i].Err = ErrDropped
			continue
		}
		var f frame
		if err := Decode(raw, &f); err != nil {
			return nil, fmt.Errorf("decode entry %d of the batch: %w", i, err)
		}
		at := b.at
		if mutant.ClockInApply {
			at = min(at, At(chaos.Now()))
		}
		f.Record.Index, f.Record.At = index, max(at, tx.meta.At)
		if out[i], err = r.applyFrame(tx, &f); err != nil {
			return nil, fmt.Errorf("apply entry %s: %w", f.Record.ID, err)
		}
	}
	return out, nil
}

// applyFrame decides the fate of one entry: an earlier receipt, a missed guard, or its effect.
func (r *Registry) applyFrame(tx *Tx, f *frame) (Outcome, error) {
	if old, found, err := readReceipt(tx, f.Record.Tenant, f.Record.Receipt); err != nil || found {
		return old.outcome(f.Record.Receipt, f.Record.At), err
	}
	for _, g := range f.Guards {
		if mutant.GuardNotChecked {
			break
		}
		if n, err := StreamVersion(tx, g.Tenant, g.Stream); err != nil || n != g.Version {
			return Outcome{Err: ErrStale}, err
		}
	}
	payloads, err := f.payloads()
	if err != nil {
		return Outcome{}, err
	}
	if current, err := f.underLiveKeys(tx, payloads); err != nil || !current {
		return Outcome{Err: ErrStale}, err
	}
	if err := tx.rewrap(f.Rewraps); err != nil {
		return Outcome{}, err
	}
	return r.applyRecord(tx, f.Record, payloads)
}

// payloads checks that the frame brings what its record says it brought.
func (f *frame) payloads() ([]Sealed, error) {
	if len(f.Payloads) != len(f.Record.Digests) || len(f.Bindings) > 0 && len(f.Bindings) != len(f.Payloads) {
		return nil, errors.New("the entry does not bring the sealed values that it names")
	}
	payloads := make([]Sealed, len(f.Payloads))
	for i, blob := range f.Payloads {
		s, err := NewSealed(blob)
		if err != nil {
			return nil, err
		}
		if s.digest != f.Record.Digests[i] {
			return nil, errors.New("a sealed value of the entry does not have its digest")
		}
		if len(f.Bindings) > 0 {
			s.binding = f.Bindings[i]
		}
		payloads[i] = s
	}
	return payloads, nil
}

// applyRecord gives a record its effect and its place in the chain. Replaying the event log calls it too.
func (r *Registry) applyRecord(tx *Tx, rec record, payloads []Sealed) (Outcome, error) {
	for _, s := range payloads {
		if err := tx.putPayload(s); err != nil {
			return Outcome{}, err
		}
	}
	tx.meta.Seq++
	tx.meta.At = rec.At
	m := Meta{Index: rec.Index, Seq: tx.meta.Seq, At: rec.At, Actor: rec.Actor, Entry: rec.ID}
	for _, e := range rec.Events {
		if err := r.applyEvent(tx, m, e); err != nil {
			return Outcome{}, err
		}
	}
	for i, msg := range rec.Outbox {
		if err := oweMessage(tx, Owed{Seq: m.Seq, Pos: uint64(i), Message: msg, Tenant: rec.Tenant, At: rec.At}); err != nil {
			return Outcome{}, err
		}
	}
	if err := appendRecord(tx, rec); err != nil {
		return Outcome{}, err
	}
	receipt := Receipt{Index: rec.Index, Seq: tx.meta.Seq, At: rec.At, Reply: rec.Reply}
	if err := sweepAnswers(tx, rec.At, sweepEach); err != nil {
		return Outcome{}, err
	}
	if err := queueAnswer(tx, receipt); err != nil {
		return Outcome{}, err
	}
	return Outcome{Receipt: receipt}, storeReceipt(tx, rec.Tenant, rec.Receipt, receipt)
}

func (r *Registry) applyEvent(tx *Tx, m Meta, e rawEvent) error {
	apply, known := r.apply[e.Type]
	if !known {
		return fmt.Errorf("event %q is unknown to this binary: it is older than the cluster", e.Type)
	}
	if err := tx.bump(e.Tenant, e.Stream); err != nil {
		return err
	}
	m.Tenant = e.Tenant
	return apply(tx, m, e.Data)
}

// appendRecord writes the record behind its hash.
func appendRecord(tx *Tx, rec record) error {
	b, err := Encode(rec)
	if err != nil {
		return fmt.Errorf("encode record: %w", err)
	}
	tx.meta.Head = chain(tx.meta.Head, b)
	return tx.set(eventKey(tx.meta.Seq), append(tx.meta.Head[:], b...))
}

// chain is SHA-256(prev || record).
func chain(prev [32]byte, rec []byte) [32]byte {
	h := sha256.New()
	h.Write(prev[:])
	h.Write(rec)
	return [32]byte(h.Sum(nil))
}

func reused() error {
	return fault.New(fault.KeyReused, "this Idempotency-Key was used for another request: make a new key for each request")
}
