package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"

	"github.com/trstctl/trstctl/sdk"
)

// Batches are smaller than they might be: an rsa-4096 key must be done with one in the time that a node has to answer. The longest line fits into
// sdk.MaxUseBody beside the rest of a batch.
const (
	linesAtOnce  = 250
	bytesAtOnce  = 1 << 20 // after which a batch takes no more lines
	longestPlain = 4 << 20 // bytes of a line of plaintext
	longestMade  = 6 << 20 // bytes of a line of base64
)

// inputLine is a line without its line break.
type inputLine struct {
	text []byte
	long bool // longer than the longest: the text is gone
}

// lineReader reads lines of any length, and keeps no more than one long one.
type lineReader struct {
	in      *bufio.Reader
	longest int
	beside  int // bytes that go along with each line
}

// batch returns the lines that are there, at least one unless the input is at its end, and io.EOF when it is. It waits for no more of them than it
// has to, so that whoever types gets an answer to each line.
func (r *lineReader) batch() (lines []inputLine, err error) {
	for size := 0; len(lines) < linesAtOnce && size < bytesAtOnce && (len(lines) == 0 || r.waiting()); {
		l, err := r.line()
		if err == nil || errors.Is(err, io.EOF) && (len(l.text) > 0 || l.long) {
			lines = append(lines, l)
			size += len(l.text) + r.beside
		}
		if err != nil {
			return lines, err
		}
	}
	return lines, nil
}

// waiting reports whether a whole line has arrived.
func (r *lineReader) waiting() bool {
	b, err := r.in.Peek(r.in.Buffered())
	return err == nil && bytes.IndexByte(b, '\n') >= 0
}

func (r *lineReader) line() (l inputLine, err error) {
	for {
		part, err := r.in.ReadSlice('\n')
		text := bytes.TrimSuffix(part, []byte("\n"))
		if l.long = l.long || len(l.text)+len(text) > r.longest; l.long {
			clear(l.text)
			l.text = nil
		} else {
			l.text = append(l.text, text...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l, err
		}
	}
}

// lineUse is what is done with lines. The answers of do have their order, and nothing in Line.
type lineUse struct {
	longest int
	beside  int
	do      func(ctx context.Context, client *sdk.Client, key string, lines []inputLine) ([]lineAnswer, error)
}

func encryptLines(item sdk.EncryptItem, inBase64 bool) lineUse {
	u := lineUse{longest: longestPlain, beside: len(item.Context) + len(item.Associated)}
	if inBase64 {
		u.longest = longestMade
	}
	u.do = func(ctx context.Context, client *sdk.Client, key string, lines []inputLine) ([]lineAnswer, error) {
		return answered(lines, u.longest, func(text []byte) (sdk.EncryptItem, error) {
			it := item
			it.Plaintext = text
			if !inBase64 {
				return it, nil
			}
			var err error
			it.Plaintext, err = base64.StdEncoding.Strict().AppendDecode(nil, bytes.TrimSpace(text))
			return it, err
		}, func(items []sdk.EncryptItem) ([]sdk.Encrypted, error) {
			defer func() {
				for _, it := range items {
					clear(it.Plaintext)
				}
			}()
			return client.EncryptBatch(ctx, key, items)
		}, cipherAnswer)
	}
	return u
}

func decryptLines(item sdk.DecryptItem) lineUse {
	u := lineUse{longest: longestMade, beside: len(item.Context) + len(item.Associated)}
	u.do = func(ctx context.Context, client *sdk.Client, key string, lines []inputLine) ([]lineAnswer, error) {
		return answered(lines, u.longest, func(text []byte) (sdk.DecryptItem, error) {
			it := item
			it.Ciphertext = string(bytes.TrimSpace(text))
			return it, nil
		}, func(items []sdk.DecryptItem) ([]sdk.Decrypted, error) {
			return client.DecryptBatch(ctx, key, items)
		}, func(d sdk.Decrypted) lineAnswer {
			if d.Err != nil {
				return lineAnswer{Err: d.Err}
			}
			return lineAnswer{Plaintext: &d.Plaintext}
		})
	}
	return u
}

func rewrapLines(item sdk.RewrapItem) lineUse {
	u := lineUse{longest: longestMade, beside: len(item.Context) + len(item.Associated)}
	u.do = func(ctx context.Context, client *sdk.Client, key string, lines []inputLine) ([]lineAnswer, error) {
		return answered(lines, u.longest, func(text []byte) (sdk.RewrapItem, error) {
			it := item
			it.Ciphertext = string(bytes.TrimSpace(text))
			return it, nil
		}, func(items []sdk.RewrapItem) ([]sdk.Encrypted, error) {
			return client.RewrapBatch(ctx, key, items)
		}, cipherAnswer)
	}
	return u
}

func cipherAnswer(e sdk.Encrypted) lineAnswer {
	return lineAnswer{Ciphertext: e.Ciphertext, Version: e.Version, Err: e.Err}
}

// answered makes items of the lines, has them done in one batch, and puts each answer in its line's place. A line that makes no item is refused here.
func answered[I, R any](lines []inputLine, longest int, item func([]byte) (I, error), do func([]I) ([]R, error), answer func(R) lineAnswer) ([]lineAnswer, error) {
	all := make([]lineAnswer, len(lines))
	var items []I
	var places []int
	for i, l := range lines {
		if l.long {
			all[i].Err = &sdk.ItemError{Kind: sdk.TooLarge, Detail: "is longer than " + number(uint64(longest)) + " bytes"}
			continue
		}
		it, err := item(l.text)
		if err != nil {
			all[i].Err = &sdk.ItemError{Kind: sdk.Invalid, Detail: "is not standard base64 with padding"}
			continue
		}
		items, places = append(items, it), append(places, i)
	}
	if len(items) == 0 {
		return all, nil
	}
	out, err := do(items)
	for i := range out {
		all[places[i]] = answer(out[i])
	}
	return all, err
}
