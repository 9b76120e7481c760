package fsm

import (
	"errors"
	"reflect"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Excerpt is a part of the state that can be read without the rest: rows of some tables, with the sealed values that they refer to.
type Excerpt struct {
	Pairs []Pair `cbor:"1,keyasint"`
}

// Pair is a key of the state and what stands under it.
type Pair struct {
	Key   []byte `cbor:"1,keyasint"`
	Value []byte `cbor:"2,keyasint"`
}

// Copy adds all rows of the table, as r has them, to an excerpt.
func (t Table[T]) Copy(r Reader, to *Excerpt) error {
	return scan(r, t.prefix, successor(t.prefix), false, func(k, b []byte) (bool, error) {
		var row T
		if err := t.decode(b, &row); err != nil {
			return false, err
		}
		to.Pairs = append(to.Pairs, Pair{append([]byte(nil), k...), append([]byte(nil), b...)})
		return true, to.payloads(r, row)
	})
}

// payloads adds what a row refers to, as far as it is still there.
func (e *Excerpt) payloads(r Reader, row any) error {
	c := collector{seen: map[[32]byte]bool{}, refs: true}
	c.walk(reflect.ValueOf(row))
	for _, digest := range c.digests {
		s, found, err := Load(r, Sealed{digest: digest})
		if err != nil {
			return err
		}
		if found {
			e.Pairs = append(e.Pairs, Pair{payloadKey(digest), s.blob})
		}
	}
	return nil
}

// Open makes an excerpt readable. The result must be closed.
func (e Excerpt) Open() (*Part, error) {
	db, err := pebble.Open("", &pebble.Options{FS: vfs.NewMem(), DisableWAL: true, FormatMajorVersion: pebble.FormatWALSyncChunks, Logger: quietLog{}})
	if err != nil {
		return nil, err
	}
	for _, p := range e.Pairs {
		if len(p.Key) == 0 || p.Key[0] != spaceTables && p.Key[0] != spacePayloads {
			err = fault.New(fault.Corrupt, "an excerpt holds what is neither a row nor a sealed value")
		} else {
			err = db.Set(p.Key, p.Value, pebble.NoSync)
		}
		if err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return &Part{db}, nil
}

// Part reads an excerpt. It has no index, no records and no epoch.
type Part struct{ db *pebble.DB }

// Close gives its memory back.
func (p *Part) Close() error { return p.db.Close() }

func (p *Part) get(key []byte) ([]byte, bool, error) { return fetch(p.db, key) }
func (p *Part) epoch() uint32                        { return FirstEpoch }
func (p *Part) iter(lower, upper []byte) (*pebble.Iterator, error) {
	return p.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
}

// quietLog is for a database that nobody will look at.
type quietLog struct{}

func (quietLog) Infof(string, ...any)         {}
func (quietLog) Errorf(string, ...any)        {}
func (quietLog) Fatalf(f string, args ...any) { panic("pebble: " + f) }
