package journal

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trstctl/trstctl/fsm"
)

// Record says what one request was given, or was refused. Strings that callers chose are Escaped.
type Record struct {
	Seq      uint64   `cbor:"1,keyasint"`
	At       fsm.Time `cbor:"2,keyasint"`
	Op       string   `cbor:"3,keyasint"`           // the route, "secrets.get", or one of the journal's own below
	Identity string   `cbor:"4,keyasint,omitempty"` // behind the token
	Accessor string   `cbor:"5,keyasint,omitempty"` // of the token
	Tenant   fsm.UID  `cbor:"6,keyasint"`           // in which the request stands
	Path     string   `cbor:"7,keyasint,omitempty"` // what was asked for
	Version  uint64   `cbor:"8,keyasint,omitempty"`
	Outcome  string   `cbor:"9,keyasint,omitempty"`  // "allowed", or the kind of the refusal
	Rule     string   `cbor:"10,keyasint,omitempty"` // the policy that decided
	Request  string   `cbor:"11,keyasint,omitempty"` // request id
	Address  string   `cbor:"12,keyasint,omitempty"`
	Index    uint64   `cbor:"13,keyasint,omitempty"` // of the state that it was answered from
	Count    uint64   `cbor:"14,keyasint,omitempty"` // how many requests it stands for, when not one

	Hash [32]byte `cbor:"-"`
}

// Outcome of what was not refused.
const Allowed = "allowed"

// Operations that the journal itself records.
const (
	OpTrimmed = "journal.trimmed" // a file was removed by retention: Version is the last sequence in it, Path its hash in hexadecimal
	OpCut     = "journal.cut"     // a start found a torn tail: Count is its bytes
	OpRefused = "journal.refused" // Count requests of unknown callers at Address were refused in this second
)

// A file is a magic, a header frame, and a frame for each record: 4 bytes length of the body, 4 bytes CRC32C of hash and body, 32 bytes hash,
// body. The hash of the header frame is the one before the first record; its body is outside the chain.
const (
	magic     = "trsjnl1\n"
	frameHead = 4 + 4 + 32
	maxBody   = 64 << 10
)

type header struct {
	Journal fsm.UID  `cbor:"1,keyasint"`
	Node    string   `cbor:"2,keyasint"`
	Cluster fsm.UID  `cbor:"3,keyasint"`
	First   uint64   `cbor:"4,keyasint"` // sequence of the first record
	Since   fsm.Time `cbor:"5,keyasint"` // time of the record before it
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func chained(before [32]byte, body []byte) [32]byte {
	h := sha256.New()
	h.Write(before[:])
	h.Write(body)
	return [32]byte(h.Sum(nil))
}

func appendFrame(b []byte, hash [32]byte, body []byte) []byte {
	sum := crc32.Update(crc32.Checksum(hash[:], castagnoli), castagnoli, body)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	b = binary.BigEndian.AppendUint32(b, sum)
	return append(append(b, hash[:]...), body...)
}

func appendHeader(b []byte, h header, prev [32]byte) ([]byte, error) {
	body, err := fsm.Encode(h)
	return appendFrame(append(b, magic...), prev, body), err
}

// errTorn says that a frame is not whole: the file ends in it, or its checksum is wrong.
var errTorn = errors.New("the frame is not whole")

// frames reads a file frame by frame.
type frames struct {
	r    *bufio.Reader
	head header
	prev [32]byte // hash before the next frame
	seq  uint64   // of the next frame
	at   int64    // where the next frame begins
	body []byte   // of the last frame, until the next
}

// newFrames reads the header.
func newFrames(r io.Reader) (*frames, error) {
	f := &frames{r: bufio.NewReaderSize(r, 256<<10)}
	var m [len(magic)]byte
	if _, err := io.ReadFull(f.r, m[:]); err != nil || string(m[:]) != magic {
		return nil, fmt.Errorf("it does not begin as a journal does: %w", errTorn)
	}
	f.at = int64(len(magic))
	hash, err := f.read()
	if err != nil {
		return nil, fmt.Errorf("its header: %w", err)
	}
	if err := fsm.Decode(f.body, &f.head); err != nil {
		return nil, fmt.Errorf("decode its header: %w", err)
	}
	f.prev, f.seq = hash, f.head.First
	return f, nil
}

// read returns the next frame's hash and leaves its body in f.body. io.EOF is the end, errTorn a frame that is not whole.
func (f *frames) read() (hash [32]byte, err error) {
	var h [frameHead]byte
	switch _, err := io.ReadFull(f.r, h[:]); {
	case errors.Is(err, io.EOF):
		return hash, io.EOF
	case err != nil:
		return hash, torn(err)
	}
	n := binary.BigEndian.Uint32(h[:])
	if n > maxBody {
		return hash, errTorn
	}
	if cap(f.body) < int(n) {
		f.body = make([]byte, n, max(int(n), 1024))
	}
	f.body = f.body[:n]
	if _, err := io.ReadFull(f.r, f.body); err != nil {
		return hash, torn(err)
	}
	hash = [32]byte(h[8:])
	if sum := crc32.Update(crc32.Checksum(hash[:], castagnoli), castagnoli, f.body); sum != binary.BigEndian.Uint32(h[4:]) {
		return hash, errTorn
	}
	f.at += int64(frameHead + n)
	return hash, nil
}

func torn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errTorn
	}
	return err
}

// next reads a record and holds it against the chain. io.EOF is the end.
func (f *frames) next() (Record, error) {
	hash, err := f.read()
	if err != nil {
		return Record{}, err
	}
	r, err := parse(f.body)
	switch {
	case err != nil:
		return r, fmt.Errorf("record %d cannot be read: %w", f.seq, err)
	case r.Seq != f.seq:
		return r, fmt.Errorf("record %d stands where %d should", r.Seq, f.seq)
	case chained(f.prev, f.body) != hash:
		return r, fmt.Errorf("record %d does not have its hash: it was changed after it was written", f.seq)
	}
	r.Hash, f.prev, f.seq = hash, hash, f.seq+1
	return r, nil
}

// skip passes over a record without looking at it.
func (f *frames) skip() error {
	h, err := f.r.Peek(frameHead)
	if err != nil {
		return torn(err)
	}
	n := binary.BigEndian.Uint32(h)
	f.prev = [32]byte(h[8:])
	if n > maxBody {
		return errTorn
	}
	if _, err := f.r.Discard(frameHead + int(n)); err != nil {
		return torn(err)
	}
	f.seq, f.at = f.seq+1, f.at+int64(frameHead+n)
	return nil
}

func parse(body []byte) (r Record, err error) {
	err = fsm.Decode(body, &r)
	return r, err
}

// Escaped makes text that a caller chose fit for a record: printable, at most about n bytes. What does not print, and the backslash, is
// written as Go writes it.
func Escaped(s string, n int) string {
	var b strings.Builder
	for i, r := range s {
		if b.Len() >= n {
			return b.String() + "…"
		}
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i])|0x100, 16)[1:])
		case r == '\\':
			b.WriteString(`\\`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}
