package seal

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"io"
	"log/slog"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Share is one person's part of the key of a Shamir seal.
type Share struct {
	Set       [setSize]byte // which splitting it is of
	X         byte          // 1 to Count
	Count     byte
	Threshold byte // how many it takes
	y         [seedSize]byte
}

// A share is written as "trss-" and base32 in lower case of:
//
//	1 format | 1 x | 1 count | 1 threshold | 8 set | 32 point | 4 checksum
//
// The checksum is the beginning of SHA-256 over the rest: who mistypes a share is told so at once, before it is tried.
const (
	setSize      = 8
	shareFormat  = 1
	sharePrefix  = "trss-"
	shareSum     = 4
	shareSize    = 4 + setSize + seedSize + shareSum
	maxShareText = 256
)

var shareText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Text writes the share for its holder, who keeps it like a root password. The caller zeroes the result.
func (s Share) Text() []byte {
	b := append([]byte{shareFormat, s.X, s.Count, s.Threshold}, s.Set[:]...)
	b = append(b, s.y[:]...)
	b = append(b, shareCheck(b)...)
	defer clear(b)
	return shareText.AppendEncode([]byte(sharePrefix), b)
}

func shareCheck(b []byte) []byte {
	h := sha256.Sum256(append([]byte("trstctl share v1"), b...))
	return h[:shareSum]
}

// ParseShare reads what Text wrote, in either case and with white space around or in it. Its errors hold nothing of the text.
func ParseShare(text []byte) (s Share, err error) {
	if len(text) > maxShareText {
		return s, fault.New(fault.Invalid, "this is no share: it is too long")
	}
	clean := bytes.ToLower(bytes.Join(bytes.Fields(text), nil))
	defer clear(clean)
	if !bytes.HasPrefix(clean, []byte(sharePrefix)) {
		return s, fault.New(fault.Invalid, "this is no share: a share begins with %q", sharePrefix)
	}
	b := make([]byte, shareText.DecodedLen(len(clean)))
	defer clear(b)
	n, err := shareText.Decode(b, clean[len(sharePrefix):])
	again := shareText.AppendEncode(nil, b[:n]) // unused bits of the last character
	defer clear(again)
	if err != nil || subtle.ConstantTimeCompare(again, clean[len(sharePrefix):]) != 1 || n != shareSize || b[0] != shareFormat || subtle.ConstantTimeCompare(shareCheck(b[:n-shareSum]), b[n-shareSum:n]) != 1 {
		return s, fault.New(fault.Invalid, "the share is mistyped: compare it with what was printed, %d characters", len(sharePrefix)+shareText.EncodedLen(shareSize))
	}
	s = Share{X: b[1], Count: b[2], Threshold: b[3], Set: [setSize]byte(b[4:]), y: [seedSize]byte(b[4+setSize:])}
	if s.X == 0 || s.X > s.Count || s.Threshold == 0 || s.Threshold > s.Count {
		return Share{}, fault.New(fault.Invalid, "the share contradicts itself")
	}
	return s, nil
}

// Zero overwrites the share.
func (s *Share) Zero() { clear(s.y[:]) }

// String, GoString, Format, LogValue and MarshalJSON keep it out of output; only Text writes it.
func (Share) String() string               { return "[redacted]" }
func (Share) GoString() string             { return "[redacted]" }
func (Share) Format(f fmt.State, _ rune)   { io.WriteString(f, "[redacted]") }
func (Share) LogValue() slog.Value         { return slog.StringValue("[redacted]") }
func (Share) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }
