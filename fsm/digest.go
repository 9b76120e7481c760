package fsm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"

	"github.com/trstctl/trstctl/fsm/mutant"
)

// Digest returns SHA-256 over every replicated key and value at the view's index, read from disk: it is the same on every
// node at the same index.
func Digest(ctx context.Context, v *View) ([32]byte, error) {
	return digestOf(ctx, v, func([]byte) bool { return true })
}

// DigestPaced is Digest for a node that serves meanwhile: it calls rest with the number of bytes after every mebibyte that it has read.
func DigestPaced(ctx context.Context, v *View, rest func(n int)) ([32]byte, error) {
	return digestWith(ctx, v, func([]byte) bool { return true }, rest)
}

// TablesDigest is Digest without what depends on which Raft entries carried the records: the records themselves, with their indexes, and
// the state's description of itself.
func TablesDigest(ctx context.Context, v *View) ([32]byte, error) {
	return digestOf(ctx, v, func(k []byte) bool { return k[0] != spaceMeta && k[0] != spaceEvents })
}

func digestOf(ctx context.Context, r Reader, counts func(key []byte) bool) ([32]byte, error) {
	return digestWith(ctx, r, counts, func(int) {})
}

const pace = 1 << 20

var unseen = append([]byte{spaceTables}, "secret.version\x00"...) // by mutant.DigestBlind

func digestWith(ctx context.Context, r Reader, counts func(key []byte) bool, rest func(n int)) ([32]byte, error) {
	h := sha256.New()
	var n [8]byte
	read := 0
	err := scan(r, []byte{spaceFirst}, []byte{spaceEnd}, false, func(k, v []byte) (bool, error) {
		if read += len(k) + len(v); read >= pace {
			rest(read)
			read = 0
		}
		if !counts(k) || mutant.DigestBlind && bytes.HasPrefix(k, unseen) {
			return true, context.Cause(ctx)
		}
		binary.BigEndian.PutUint32(n[:], uint32(len(k)))
		binary.BigEndian.PutUint32(n[4:], uint32(len(v)))
		h.Write(n[:])
		h.Write(k)
		h.Write(v)
		return true, context.Cause(ctx)
	})
	return [32]byte(h.Sum(nil)), err
}
