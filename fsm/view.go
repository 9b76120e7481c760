package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Reader reads the state: a View, or a Tx with what it has written so far.
type Reader interface {
	get(key []byte) (value []byte, found bool, err error) // the value must not be changed; a payload is the caller's
	iter(lower, upper []byte) (*pebble.Iterator, error)
	epoch() uint32
}

// View is the state at one index, however long it takes to read. It must be closed.
type View struct {
	h      *handle
	snap   *pebble.Snapshot
	meta   meta
	number uint64 // by which it reads hot rows
}

// View opens the state as it is now.
func (s *Store) View() (*View, error) {
	h, err := s.acquire()
	if err != nil {
		return nil, err
	}
	v := &View{h: h, number: h.hot.number(), snap: h.NewSnapshot()}
	if v.number != h.hot.number() { // a batch was committed at the same moment: before the snapshot or after it
		v.number = cold
	}
	if v.meta, err = readMeta(v); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

// Close ends the view. A second call does nothing.
func (v *View) Close() error {
	if v.snap == nil {
		return nil
	}
	err := v.snap.Close()
	v.snap = nil
	v.h.refs.Done()
	return err
}

// Index returns the index that the view stands at.
func (v *View) Index() uint64 { return v.meta.Index }

// Term returns the Raft term of the entry at Index.
func (v *View) Term() uint64 { return v.meta.Term }

// Now returns log time: the moment of the last record.
func (v *View) Now() Time { return v.meta.At }

// Version returns the version of the cluster: the newest that every member reads, raised by an event. Formats and behaviour of later
// versions are not used before.
func (v *View) Version() uint32 { return max(v.meta.Version, 1) }

// Head returns the sequence and the hash of the last record.
func (v *View) Head() (seq uint64, hash [32]byte) { return v.meta.Seq, v.meta.Head }

func (v *View) get(key []byte) ([]byte, bool, error) { return v.h.hot.fetch(v.number, v.snap, key) }
func (v *View) iter(lower, upper []byte) (*pebble.Iterator, error) {
	return v.snap.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
}

func fetch(r pebble.Reader, key []byte) ([]byte, bool, error) {
	b, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, readError(err)
	}
	value := append(make([]byte, 0, len(b)), b...)
	return value, true, closer.Close()
}

// readError classifies damage that Pebble's checksums found.
func readError(err error) error {
	if pebble.IsCorruptionError(err) {
		return fault.New(fault.Corrupt, "the tables are damaged: move them aside and start again, the node rebuilds them from its snapshot and log (OPERATIONS.md, damaged tables)").Because(err)
	}
	return fmt.Errorf("read tables: %w", err)
}

func readMeta(r Reader) (meta, error) {
	var m meta
	b, found, err := r.get(metaKey)
	if err != nil || !found {
		return m, err
	}
	if err := Decode(b, &m); err != nil {
		return m, fault.New(fault.Corrupt, "the tables' own description is damaged").Because(err)
	}
	return m, nil
}

// Load fills in the bytes of a value that a row or record refers to. found is false when it was destroyed.
func Load(r Reader, s Sealed) (full Sealed, found bool, err error) {
	if s.Loaded() || s.IsZero() {
		return s, s.Loaded(), nil
	}
	blob, found, err := r.get(payloadKey(s.digest))
	if err != nil || !found {
		return Sealed{}, false, err
	}
	full, err = NewSealed(blob)
	if err == nil && full.digest != s.digest {
		err = errors.New("its bytes do not have its digest")
	}
	if err != nil {
		return Sealed{}, false, fault.New(fault.Corrupt, "a sealed value is damaged").Because(err)
	}
	return full, true, nil
}

// StreamVersion returns how many events stand on a stream; 0 when it does not exist.
func StreamVersion(r Reader, tenant UID, stream string) (uint64, error) {
	b, found, err := r.get(streamKey(tenant, stream))
	if err != nil || !found {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fault.New(fault.Corrupt, "the version of stream %q is damaged", stream)
	}
	return binary.BigEndian.Uint64(b), nil
}

// GuardOf returns the guard that holds as long as stream stays at its version in r.
func GuardOf(r Reader, tenant UID, stream string) (Guard, error) {
	n, err := StreamVersion(r, tenant, stream)
	return Guard{tenant, stream, n}, err
}

func payloadKey(digest [32]byte) []byte { return append([]byte{spacePayloads}, digest[:]...) }

func streamKey(tenant UID, stream string) []byte {
	return append(append([]byte{spaceStreams}, tenant[:]...), stream...)
}
