package ttlv

import (
	"errors"
	"io"
)

// firstBytes is what Read makes room for before anything has arrived; from then on it doubles.
const firstBytes = 4 << 10

// Read reads one message from r, and no byte behind it. The error is an *Error:
//
//   - Closed where r ends before the first byte,
//   - Broken where r fails or ends later; it wraps r's error, or io.ErrUnexpectedEOF,
//   - TooLarge where the header declares more than l.Size: its value was not read, so that r is of no further use,
//   - Malformed, at once, where the header is no header, as when the peer speaks HTTP; else as for Parse, after all was read.
func Read(r io.Reader, l Limits) (*Item, error) {
	start := make([]byte, headerSize)
	if n, err := io.ReadFull(r, start); err != nil {
		return nil, ended(n, err)
	}
	h := readHeader(start)
	if reason := h.bad(); reason != "" {
		return nil, &Error{Kind: Malformed, Reason: reason}
	}
	if h.padded() > int64(l.size()-headerSize) {
		return nil, &Error{Kind: TooLarge, Path: []Tag{h.tag}, Reason: "more bytes are declared than are allowed"}
	}
	b, err := readRest(r, start, h.next(0))
	if err != nil {
		return nil, err
	}
	return Parse(b, l)
}

// readRest returns the message of size bytes that begins with start. Memory grows with what has arrived, and what a buffer held
// is zeroed when a larger one takes its place.
func readRest(r io.Reader, start []byte, size int) ([]byte, error) {
	b := append(make([]byte, 0, min(size, firstBytes)), start...)
	for {
		n, err := io.ReadFull(r, b[len(b):cap(b)])
		if err != nil {
			clear(b[:cap(b)])
			return nil, ended(len(b)+n, err)
		}
		if b = b[:cap(b)]; len(b) == size {
			return b, nil
		}
		larger := append(make([]byte, 0, min(size, 2*len(b))), b...)
		clear(b)
		b = larger
	}
}

// ended makes the error of a reader that gave up after n bytes of a message.
func ended(n int, err error) error {
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return &Error{Kind: Closed, Reason: "the peer closed the connection", cause: io.EOF}
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return &Error{Kind: Broken, Offset: int64(n), Reason: "the message is not complete", cause: err}
}
