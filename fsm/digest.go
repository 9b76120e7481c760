package fsm

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
)

// Digest returns SHA-256 over every replicated key and value at the view's index, read from disk: it is the same on every
// node at the same index.
func Digest(ctx context.Context, v *View) ([32]byte, error) { return digestOf(ctx, v, spaceFirst) }

// TablesDigest is Digest without the state's description of itself: what a rebuild from the event log must reproduce.
func TablesDigest(ctx context.Context, v *View) ([32]byte, error) {
	return digestOf(ctx, v, spaceMeta+1)
}

func digestOf(ctx context.Context, r Reader, from byte) ([32]byte, error) {
	h := sha256.New()
	var n [8]byte
	err := scan(r, []byte{from}, []byte{spaceEnd}, false, func(k, v []byte) (bool, error) {
		binary.BigEndian.PutUint32(n[:], uint32(len(k)))
		binary.BigEndian.PutUint32(n[4:], uint32(len(v)))
		h.Write(n[:])
		h.Write(k)
		h.Write(v)
		return true, context.Cause(ctx)
	})
	return [32]byte(h.Sum(nil)), err
}
