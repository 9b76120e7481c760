// Package token is the far side of a PKCS#11 seal: what runs in the child process that loads the module.
//
// It opens one token, logs in, finds the key and wraps or unwraps, one request after the other, over two pipes. It mends nothing: after any
// answer but Done and WrongKey its parent ends it and starts another, which opens everything anew. What it holds (the PIN inside the
// module's login, the plaintext inside the module's buffers) lives in memory that only this process has and that ends with it.
package token

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
)

// What a request asks for, in the order in which they come.
const (
	Open      byte = iota + 1 // A: Settings as JSON. Answered with Info as JSON
	Login                     // A: PIN
	Wrap                      // A: plaintext, B: associated data
	Unwrap                    // A: blob, B: associated data
	CreateKey                 // makes the keys of the settings
	InitToken                 // instead of Open and Login; A: Settings as JSON, of which Module, Reserved and Token count
	SetPINs                   // after InitToken; A: security officer's PIN, B: user's PIN
)

// How a request is answered. B is a text for people, without secrets, whenever it is not Done.
const (
	Done     byte = iota + 1 // A: the result
	WrongKey                 // the blob was not made by this key, or was changed
	WrongPIN                 // the token refused the PIN, or wants another one
	Refused                  // settings, token or key are not as they have to be: a person has to act
	Exists                   // there is such a key or token already
	Failed                   // no answer now; another session may have one
)

// MaxMessage bounds one message, in bytes.
const MaxMessage = 64 << 10

const messageHead = 1 + 4 + 4

// Message is a request or an answer. A and B may hold secrets: it prints nothing but its kind.
type Message struct {
	Kind byte
	A, B []byte
}

// Format keeps what a message carries out of every formatter.
func (m Message) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "message %d [redacted]", m.Kind) }

// LogValue implements slog.LogValuer.
func (m Message) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(m)) }

// MarshalJSON keeps it out of JSON too.
func (m Message) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// Clear zeroes what the message carries.
func (m Message) Clear() {
	clear(m.A)
	clear(m.B)
}

// Write sends one message: its length, then kind, length and bytes of A, length and bytes of B.
func Write(w io.Writer, m Message) error {
	n := messageHead + len(m.A) + len(m.B)
	if n > MaxMessage {
		return fmt.Errorf("a message of %d bytes, at most %d are sent", n, MaxMessage)
	}
	b := make([]byte, 0, 4+n)
	defer func() { clear(b) }()
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = append(b, m.Kind)
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(m.A))), m.A...)
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(m.B))), m.B...)
	_, err := w.Write(b)
	return err
}

// Read receives one message. It allocates no more than MaxMessage, whatever the other side says.
func Read(r io.Reader) (Message, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Message{}, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < messageHead || n > MaxMessage {
		return Message{}, fmt.Errorf("a message that says it has %d bytes", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		clear(b)
		return Message{}, fmt.Errorf("a message that ends early: %w", err)
	}
	return parse(b)
}

// parse takes b over: the message's parts lie in it.
func parse(b []byte) (Message, error) {
	m := Message{Kind: b[0]}
	var err error
	if m.A, b, err = part(b[1:]); err != nil {
		return Message{}, err
	}
	if m.B, b, err = part(b); err != nil {
		return Message{}, err
	}
	if len(b) != 0 {
		return Message{}, fmt.Errorf("a message with %d bytes too many", len(b))
	}
	return m, nil
}

func part(b []byte) (part, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, fmt.Errorf("a message that ends in the length of a part")
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if b = b[4:]; n > uint64(len(b)) {
		return nil, nil, fmt.Errorf("a message with a part of %d bytes, of which it has %d", n, len(b))
	}
	return b[:n:n], b[n:], nil
}
