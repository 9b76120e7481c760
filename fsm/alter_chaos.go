//go:build chaos

package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Alter changes one value in one row of a table, in the tables below dir of a node that does not run, and says which: the row can still be
// read, and no checksum knows. The same seed changes the same value of the same row.
func Alter(dir, table string, seed uint64) (what string, err error) {
	s, err := Open(dir, NewRegistry(), Options{})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	h, err := s.acquire()
	if err != nil {
		return "", err
	}
	defer h.refs.Done()
	key, value, err := chooseRow(s, NewTable[any](table), seed)
	if err != nil {
		return "", err
	}
	next, where := alterRow(value, seed)
	if err := errors.Join(h.Set(key, next, pebble.Sync), h.Flush()); err != nil {
		return "", fmt.Errorf("write the row: %w", err)
	}
	return fmt.Sprintf("row %q of %s, %s", key[len(NewTable[any](table).prefix):], table, where), nil
}

func chooseRow(s *Store, t Table[any], seed uint64) (key, value []byte, err error) {
	v, err := s.View()
	if err != nil {
		return nil, nil, err
	}
	defer v.Close()
	dice, rows := rand.New(rand.NewPCG(seed, 1)), 0
	err = scan(v, t.prefix, successor(t.prefix), false, func(k, val []byte) (bool, error) {
		if rows++; dice.IntN(rows) == 0 { // each of the rows, however many there are, is as likely
			key, value = slices.Clone(k), slices.Clone(val)
		}
		return true, nil
	})
	if err == nil && rows == 0 {
		err = fault.New(fault.NotFound, "table %q has no row", t.name)
	}
	return key, value, err
}

// alterRow changes one of the values that a row is made of; in a row of another form than the codec's, its last bit.
func alterRow(row []byte, seed uint64) (next []byte, where string) {
	leaves, rest := leavesOf(row, 0, "", nil)
	if rest != len(row) || len(leaves) == 0 {
		next = slices.Clone(row)
		next[len(next)-1] ^= 1
		return next, "its last byte"
	}
	l := leaves[rand.New(rand.NewPCG(seed, 2)).IntN(len(leaves))]
	next = slices.Clone(row)
	next[l.at] ^= l.flip
	return next, fmt.Sprintf("field%s, byte %d: %#02x in place of %#02x", l.path, l.at, next[l.at], row[l.at])
}

// leaf is a byte that can be changed without the structure around it.
type leaf struct {
	path string // ".6.1"
	at   int
	flip byte
}

// leavesOf walks the CBOR item at a position and returns what can be changed in it and where it ends, -1 when it is none that the
// codec writes (RFC 8949 section 3).
func leavesOf(b []byte, at int, path string, found []leaf) ([]leaf, int) {
	major, n, body := headOf(b, at)
	if body < 0 {
		return found, -1
	}
	switch major {
	case 0, 1: // a number: its last bit does not change its length
		return append(found, leaf{path, body - 1, 1}), body
	case 2, 3: // of bytes, or of text: another letter is text still
		if n > uint64(len(b)-body) {
			return found, -1
		}
		if n > 0 && b[body] < 0x80 || n > 0 && major == 2 {
			found = append(found, leaf{path, body, 1})
		}
		return found, body + int(n)
	case 4, 5:
		for i := uint64(0); i < n && body >= 0; i++ {
			name := fmt.Sprintf("%s.%d", path, i)
			if major == 5 {
				var key int
				if _, key = leavesOf(b, body, "", nil); key < 0 {
					return found, -1
				}
				if m, number, end := headOf(b, body); m == 0 && end == key {
					name = fmt.Sprintf("%s.%d", path, number)
				}
				body = key
			}
			found, body = leavesOf(b, body, name, found)
		}
		return found, body
	case 7:
		if n == 20 || n == 21 { // false and true
			return append(found, leaf{path, at, 1}), body
		}
		return found, body
	}
	return found, -1
}

// headOf returns the type and the argument of the item at a position, and where what follows begins, -1 when there is none.
func headOf(b []byte, at int) (major byte, n uint64, body int) {
	if at >= len(b) {
		return 0, 0, -1
	}
	major, low := b[at]>>5, b[at]&31
	if low < 24 {
		return major, uint64(low), at + 1
	}
	size := 1 << (low - 24)
	if low > 27 || size > len(b)-at-1 {
		return 0, 0, -1
	}
	var wide [8]byte
	copy(wide[8-size:], b[at+1:])
	return major, binary.BigEndian.Uint64(wide[:]), at + 1 + size
}
