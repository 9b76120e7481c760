package fsm

import (
	"bytes"
	"encoding/binary"

	"github.com/trstctl/trstctl/fsm/fault"
)

// The index of sealed values by the key that wraps them. It knows no feature: a row has where its value stands, which is all that a
// re-wrap must know. A key is retired when its index is empty; an entry that was sealed under it before has no effect afterwards.

const (
	kekIDSize      = 16 + 4
	retiredKeySize = 1 + kekIDSize
	bindingsSince  = 2 // version of the cluster from which entries bring bindings
)

// Rewrap replaces the wrap of one sealed value, which is what stands before its nonce. A value that From does not wrap any more, or that is
// gone, is passed over.
type Rewrap struct {
	Digest  [32]byte `cbor:"1,keyasint"`
	From    []byte   `cbor:"2,keyasint"` // KEK id, 20 bytes
	Wrap    []byte   `cbor:"3,keyasint"` // SealedNonceAt bytes
	Binding []byte   `cbor:"4,keyasint"` // for the index
}

// Idle demands that a key wraps nothing but what is named.
type Idle struct {
	KEK []byte     `cbor:"1,keyasint"` // KEK id, 20 bytes
	But [][32]byte `cbor:"2,keyasint,omitempty"`
}

// Bytes returns the 20 bytes by which the index names a key: scope, version in big endian.
func (id KEKID) Bytes() []byte {
	return binary.BigEndian.AppendUint32(append(make([]byte, 0, kekIDSize), id.Scope[:]...), id.Version)
}

func kekKey(s Sealed) []byte {
	k := append([]byte{spaceKEKs}, s.blob[1:1+kekIDSize]...)
	return append(k, s.digest[:]...)
}

func retiredKey(id []byte) []byte { return append([]byte{spaceKEKs}, id...) }

// NewRewrap makes the replacement of the wrap of a loaded value.
func NewRewrap(s Sealed, wrap []byte, b Binding) (Rewrap, error) {
	id := s.KEK()
	binding, err := Encode(b)
	return Rewrap{Digest: s.digest, From: id.Bytes(), Wrap: wrap, Binding: binding}, err
}

// Only demands that nothing but these values is left that a key wraps.
func (id KEKID) Only(left ...Sealed) Idle {
	i := Idle{KEK: id.Bytes()}
	for _, s := range left {
		i.But = append(i.But, s.digest)
	}
	return i
}

// Retire ends a key: for the apply function of an entry that demands that it is idle. What was sealed under it and has not been applied yet
// has no effect from here on.
func (tx *Tx) Retire(id KEKID) error { return tx.set(retiredKey(id.Bytes()), []byte{1}) }

// underLiveKeys reports whether no payload is sealed under a retired key and every key is idle that must be.
func (f *frame) underLiveKeys(tx *Tx, payloads []Sealed) (bool, error) {
	for _, s := range payloads {
		if s.IsWrap() {
			continue
		}
		if _, retired, err := tx.get(retiredKey(s.blob[1 : 1+kekIDSize])); err != nil || retired {
			return false, err
		}
	}
	for _, w := range f.Rewraps {
		if len(w.Wrap) != SealedNonceAt || w.Wrap[0] != SealedFormat || len(w.From) != kekIDSize {
			return false, fault.New(fault.Corrupt, "a re-wrap has another form than it should")
		}
		if _, retired, err := tx.get(retiredKey(w.Wrap[1 : 1+kekIDSize])); err != nil || retired {
			return false, err
		}
	}
	for _, i := range f.Idle {
		if idle, err := i.holds(tx); err != nil || !idle {
			return false, err
		}
	}
	return true, nil
}

func (i Idle) holds(r Reader) (idle bool, err error) {
	idle = true
	err = scanKEK(r, i.KEK, [32]byte{}, func(digest [32]byte, _ []byte) (bool, error) {
		for _, b := range i.But {
			if b == digest {
				return true, nil
			}
		}
		idle = false
		return false, nil
	})
	return idle, err
}

// rewrap gives values new wraps and moves them in the index.
func (tx *Tx) rewrap(all []Rewrap) error {
	for _, w := range all {
		s, found, err := Load(tx, Sealed{digest: w.Digest})
		if err != nil {
			return err
		}
		if !found || s.IsWrap() || !bytes.Equal(s.blob[1:1+kekIDSize], w.From) {
			continue
		}
		if err := tx.delete(kekKey(s)); err != nil {
			return err
		}
		s.blob = append(append(make([]byte, 0, len(s.blob)), w.Wrap...), s.blob[SealedNonceAt:]...)
		s.binding = w.Binding
		if err := tx.putPayload(s); err != nil {
			return err
		}
	}
	return nil
}

// Held is a value that a key wraps. Binding is nil when the value is older than the noting of bindings.
type Held struct {
	Sealed  Sealed // a reference: Load brings its bytes
	Binding *Binding
}

// HeldBy calls visit for the values that a key wraps, in the order of their digests, until it returns false.
func HeldBy(r Reader, id KEKID, visit func(Held) (bool, error)) error {
	return HeldAfter(r, id, [32]byte{}, visit)
}

// HeldAfter is HeldBy for the values whose digests come after one.
func HeldAfter(r Reader, id KEKID, after [32]byte, visit func(Held) (bool, error)) error {
	return scanKEK(r, id.Bytes(), after, func(digest [32]byte, binding []byte) (bool, error) {
		h := Held{Sealed: Sealed{digest: digest}}
		if len(binding) > 0 {
			h.Binding = new(Binding)
			if err := Decode(binding, h.Binding); err != nil {
				return false, fault.New(fault.Corrupt, "the index of key %s is damaged", id).Because(err)
			}
		}
		return visit(h)
	})
}

// CountHeld returns how many values a key wraps: it passes over their rows and reads none.
func CountHeld(r Reader, id KEKID) (n uint64, err error) {
	err = scanKEK(r, id.Bytes(), [32]byte{}, func([32]byte, []byte) (bool, error) {
		n++
		return true, nil
	})
	return n, err
}

// scanKEK visits the index rows of a key whose digests come after one.
func scanKEK(r Reader, id []byte, after [32]byte, visit func(digest [32]byte, binding []byte) (bool, error)) error {
	prefix := retiredKey(id)
	lower := prefix[:len(prefix):len(prefix)]
	if after != ([32]byte{}) {
		lower = append(lower, after[:]...)
	}
	return scan(r, append(lower, 0), successor(prefix), false, func(k, v []byte) (bool, error) {
		if len(k) != retiredKeySize+32 {
			return false, fault.New(fault.Corrupt, "a row of the index of keys has %d bytes", len(k))
		}
		return visit([32]byte(k[retiredKeySize:]), v)
	})
}
