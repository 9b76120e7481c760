package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

// linesHelp is the contract of --lines, which scripts rest on.
const linesHelp = `Line N of the output is what came of line N of the input. A line that is refused is an empty line of the output; its number and what was wrong
with it go to stderr, all others are done, and the exit code is 9. When no node can be asked any more the output ends: the message says which
line is the first that was not done, and the exit code why. With -o json each line of the output is a document that has the line's number, and
what came of it or its error.`

// lineMode is a command with --lines.
type lineMode struct {
	app    *app
	given  *bool
	base64 *bool // plaintexts are base64 in their lines; nil of a command that has none
}

func (a *app) lineFlags(c *cobra.Command, plaintexts bool) lineMode {
	m := lineMode{app: a, given: c.Flags().Bool("lines", false, "one message a line, many at once")}
	if plaintexts {
		m.base64 = c.Flags().Bool("base64", false, "with --lines: plaintexts are in base64, and may hold line breaks")
	}
	return m
}

func (m lineMode) on() bool { return *m.given }

// lineAnswer is what came of a line, in the form of -o json.
type lineAnswer struct {
	Line       uint64         `json:"line"`
	Ciphertext string         `json:"ciphertext,omitempty"`
	Version    uint64         `json:"key_version,omitempty"`
	Plaintext  *[]byte        `json:"plaintext,omitempty"`
	Err        *sdk.ItemError `json:"error,omitempty"`
}

// lineRun is one run of a command with --lines.
type lineRun struct {
	lineMode
	key     string
	client  *sdk.Client
	use     lineUse
	out     *bufio.Writer
	done    uint64
	refused uint64
}

// run answers every line of the input, a batch at a time.
func (m lineMode) run(c *cobra.Command, args []string, use lineUse) error {
	if len(args) > 1 && strings.HasPrefix(args[1], tokenHead) {
		return usagef("--lines reads ciphertexts from a file or stdin")
	}
	client, err := m.app.client()
	if err != nil {
		return err
	}
	in, err := m.app.input(args, 1, "the lines")
	if err != nil {
		return err
	}
	defer in.Close()
	r := &lineRun{lineMode: m, key: args[0], client: client, use: use, out: bufio.NewWriter(m.app.out)}
	lines := &lineReader{in: bufio.NewReaderSize(in, 256<<10), longest: use.longest, beside: use.beside}
	for err == nil {
		var batch []inputLine
		batch, err = lines.batch()
		if failed := r.batch(c.Context(), batch); failed != nil {
			return failed
		}
	}
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("read line %d: %w", r.done+1, err)
	}
	return r.verdict()
}

func (r *lineRun) batch(ctx context.Context, batch []inputLine) error {
	defer func() {
		for _, l := range batch {
			clear(l.text)
		}
	}()
	if len(batch) == 0 {
		return nil
	}
	ctx, cancel := r.app.call(ctx)
	defer cancel()
	answers, err := r.use.do(ctx, r.client, r.key, batch)
	if err != nil {
		return fmt.Errorf("line %d and those after it were not done: %w", r.done+1, err)
	}
	for _, answer := range answers {
		if err := r.print(answer); err != nil {
			return err
		}
	}
	return r.out.Flush()
}

// print writes the answer to the next line, and wipes it.
func (r *lineRun) print(answer lineAnswer) error {
	r.done++
	answer.Line = r.done
	if answer.Plaintext != nil {
		defer clear(*answer.Plaintext)
	}
	text := r.textOf(&answer)
	if answer.Err != nil {
		r.refused++
		fmt.Fprintf(r.app.err, "line %d: %s\n", r.done, clean(answer.Err.Error()))
	}
	if r.app.output == "json" {
		return json.NewEncoder(r.out).Encode(answer)
	}
	if _, err := r.out.Write(text); err != nil {
		return err
	}
	return r.out.WriteByte('\n')
}

// textOf is the line that answers. A plaintext that would be several lines is refused.
func (r *lineRun) textOf(answer *lineAnswer) []byte {
	switch {
	case r.app.output == "json" || answer.Err != nil:
		return nil
	case answer.Plaintext == nil:
		return []byte(answer.Ciphertext)
	case *r.base64:
		return base64.StdEncoding.AppendEncode(nil, *answer.Plaintext)
	case bytes.IndexByte(*answer.Plaintext, '\n') >= 0:
		answer.Err = &sdk.ItemError{Kind: sdk.Invalid, Detail: "the plaintext holds a line break: use --base64"}
		return nil
	case terminal(r.app.out):
		return []byte(clean(legible(*answer.Plaintext)))
	}
	return *answer.Plaintext
}

func (r *lineRun) verdict() error {
	if r.refused == 0 {
		return nil
	}
	return coded{fmt.Errorf("%d of %d lines were refused, all others are done", r.refused, r.done), exitPart}
}
