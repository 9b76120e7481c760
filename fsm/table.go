package fsm

import (
	"bytes"
	"fmt"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Table is one kind of row, T, by key. Rows are encoded as deterministic CBOR; sealed values inside them are references.
type Table[T any] struct {
	name   string
	prefix []byte
}

// NewTable names a table, "<feature>.<noun>"; the name is part of the format.
func NewTable[T any](name string) Table[T] {
	return Table[T]{name, append(append([]byte{spaceTables}, name...), 0)}
}

func (t Table[T]) key(k Key) []byte {
	return append(append(make([]byte, 0, len(t.prefix)+len(k)), t.prefix...), k...)
}

// Get returns the row at k.
func (t Table[T]) Get(r Reader, k Key) (row T, found bool, err error) {
	b, found, err := r.get(t.key(k))
	if err != nil || !found {
		return row, false, err
	}
	return row, true, t.decode(b, &row)
}

func (t Table[T]) decode(b []byte, row *T) error {
	if err := Decode(b, row); err != nil {
		return fault.New(fault.Corrupt, "a row of %s cannot be read", t.name).Because(err)
	}
	return nil
}

// Put writes the row at k.
func (t Table[T]) Put(tx *Tx, k Key, row T) error {
	b, err := Encode(row)
	if err != nil {
		return fmt.Errorf("encode a row of %s: %w", t.name, err)
	}
	return tx.set(t.key(k), b)
}

// Delete removes the row at k, if there is one. Sealed values that it refers to stay until Destroy.
func (t Table[T]) Delete(tx *Tx, k Key) error { return tx.delete(t.key(k)) }

// Span is the part of a table that Scan visits, in key order: keys with Prefix, beyond After when that is set.
type Span struct {
	Prefix  Key
	After   Key
	Reverse bool // from the end; After is then the upper end, exclusive
}

// Scan calls visit for each row of the span until it returns false. The key is valid during the call only.
func (t Table[T]) Scan(r Reader, span Span, visit func(k Key, row T) (more bool, err error)) error {
	lower, upper := t.bounds(span)
	return scan(r, lower, upper, span.Reverse, func(k, v []byte) (bool, error) {
		var row T
		if err := t.decode(v, &row); err != nil {
			return false, err
		}
		return visit(Key(k[len(t.prefix):]), row)
	})
}

func (t Table[T]) bounds(span Span) (lower, upper []byte) {
	lower = t.key(span.Prefix)
	upper = successor(lower)
	switch after := t.key(span.After); {
	case span.After == nil:
	case span.Reverse && bytes.Compare(after, upper) < 0:
		upper = after
	case !span.Reverse && bytes.Compare(after, lower) >= 0:
		lower = append(after, 0)
	}
	return lower, upper
}

func scan(r Reader, lower, upper []byte, reverse bool, visit func(k, v []byte) (bool, error)) (err error) {
	it, err := r.iter(lower, upper)
	if err != nil {
		return readError(err)
	}
	defer func() {
		if e := it.Close(); e != nil && err == nil {
			err = readError(e)
		}
	}()
	first, next := it.First, it.Next
	if reverse {
		first, next = it.Last, it.Prev
	}
	for ok := first(); ok; ok = next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return readError(err)
		}
		if more, err := visit(it.Key(), v); err != nil || !more {
			return err
		}
	}
	return nil
}
