package fsm

import (
	"encoding/binary"
	"fmt"
)

// Key is the ordered encoding of a row's key: comparing the bytes compares the parts from left to right.
type Key []byte

// Part types. A string or byte string ends in 0x00 0x01 and writes 0x00 as 0x00 0xff, so that no key is a prefix of another
// by accident and "a" sorts before "a/b".
const (
	tagUint   = 0x10
	tagUID    = 0x20
	tagString = 0x30
)

// K encodes parts: uint64, Time, UID, string or []byte. Any other type is a defect of the caller and panics, at the first
// run of its first test.
func K(parts ...any) Key {
	k := make(Key, 0, 64)
	for _, p := range parts {
		switch v := p.(type) {
		case UID:
			k = append(append(k, tagUID), v[:]...)
		case uint64:
			k = binary.BigEndian.AppendUint64(append(k, tagUint), v)
		case Time:
			k = binary.BigEndian.AppendUint64(append(k, tagUint), uint64(v))
		case string:
			k = appendEscaped(append(k, tagString), v)
		case []byte:
			k = appendEscaped(append(k, tagString), string(v))
		default:
			panic(fmt.Sprintf("fsm.K: part of type %T", p))
		}
	}
	return k
}

func appendEscaped(k Key, s string) Key {
	for i := 0; i < len(s); i++ {
		k = append(k, s[i])
		if s[i] == 0 {
			k = append(k, 0xff)
		}
	}
	return append(k, 0, 1)
}

// StringPrefix encodes parts, then the beginning of a string part: it is a prefix of every key whose next part begins
// with s.
func StringPrefix(s string, parts ...any) Key {
	k := appendEscaped(append(K(parts...), tagString), s)
	return k[:len(k)-2]
}

// UID returns the first part of k, if that is a UID.
func (k Key) UID() (UID, bool) {
	var u UID
	if len(k) < 1+len(u) || k[0] != tagUID {
		return u, false
	}
	copy(u[:], k[1:])
	return u, true
}

// LastUint returns the last part of k, if that is an unsigned number.
func (k Key) LastUint() (uint64, bool) {
	if len(k) < 9 || k[len(k)-9] != tagUint {
		return 0, false
	}
	return binary.BigEndian.Uint64(k[len(k)-8:]), true
}

// successor returns the smallest key that is above every key with prefix k, nil if there is none.
func successor(k []byte) []byte {
	for i := len(k) - 1; i >= 0; i-- {
		if k[i] != 0xff {
			s := append([]byte(nil), k[:i+1]...)
			s[i]++
			return s
		}
	}
	return nil
}
