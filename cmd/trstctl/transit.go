package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

const (
	maxMessage = 6_000_000 // bytes that one item holds: in base64, and with what goes along, they fit into sdk.MaxUseBody
	maxMade    = 8_200_000 // bytes of a ciphertext, signature or HMAC as text
	tokenHead  = "trv:"    // which they begin with
	useDataKey = "make a data key (trstctl transit datakey) and encrypt under that on this machine"
	useDigest  = "hash it on this machine, and give the digest with --prehashed"
	useOwnHash = "hash it on this machine"
)

func (a *app) transitCommand() *cobra.Command {
	c := group("transit", "Encrypt, sign and authenticate with keys that stay in the cluster", a.transitKey(), a.transitWrappingKey(), a.transitEncrypt(), a.transitDecrypt(),
		a.transitRewrap(), a.transitDataKey(), a.transitSign(), a.transitVerify(), a.transitHMAC(), a.transitHash(), a.transitRandom())
	c.Long = fmt.Sprintf(`Encrypt, sign and authenticate with keys that stay in the cluster.

  trstctl transit key create payments
  trstctl transit encrypt payments card.txt >card.trv
  trstctl transit decrypt payments card.trv

What a command works on is FILE, or stdin with - or without one, and nothing is trimmed from it. One message has up to %d bytes. What comes
out of encrypt, rewrap, sign and hmac is one word, trv:<version of the key>:<base64>, and a line break. What was made by an old version of a key is
opened and verified still, unless it was configured otherwise.`, maxMessage)
	each(c, func(leaf *cobra.Command) {
		run := leaf.RunE
		leaf.RunE = func(c *cobra.Command, args []string) error {
			if err := checkFlags(c); err != nil {
				return err
			}
			return run(c, args)
		}
	})
	return c
}

// each visits the commands below c that do something.
func each(c *cobra.Command, visit func(*cobra.Command)) {
	for _, below := range c.Commands() {
		if below.HasSubCommands() {
			each(below, visit)
			continue
		}
		visit(below)
	}
}

// checkFlags refuses an empty value where it would mean another key, message or binding than the one that was meant: a script's variable may be unset.
func checkFlags(c *cobra.Command) error {
	for _, name := range []string{"algorithm", "associated-data", "context", "encoding", "format", "hash", "hmac", "salt", "scheme", "signature", "text"} {
		if given := c.Flag(name); given != nil && given.Changed && given.Value.String() == "" {
			return usagef("--%s is empty: give a value, or leave it out", name)
		}
	}
	if c.Flag("base64") != nil && c.Flag("base64").Changed && !c.Flag("lines").Changed {
		return usagef("--base64 goes with --lines")
	}
	return nil
}

// withClient makes one call, for commands that read nothing before it.
func (a *app) withClient(c *cobra.Command, do func(context.Context, *sdk.Client) error) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	ctx, cancel := a.call(c.Context())
	defer cancel()
	return do(ctx, client)
}

// input opens what a command works on: the file that follows the first skip arguments, stdin if that is - or there is none.
func (a *app) input(args []string, skip int, what string) (io.ReadCloser, error) {
	if len(args) <= skip || args[skip] == "-" {
		return io.NopCloser(a.in), nil
	}
	f, err := os.Open(args[skip])
	if err != nil {
		return nil, usagef("read %s: %v", what, err)
	}
	return f, nil
}

// message reads the one message that a command works on; instead is what to do with one that is too long. It is the caller's to clear.
func (a *app) message(args []string, skip int, what, instead string) ([]byte, error) {
	in, err := a.input(args, skip, what)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, maxMessage+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	if len(b) > maxMessage {
		clear(b)
		return nil, usagef("%s is longer than %d bytes, which one message has at most: %s", what, maxMessage, instead)
	}
	return b, nil
}

// made finds a ciphertext, signature or HMAC: the argument itself, or what stands alone in a file or on stdin.
func (a *app) made(arg, what string) (string, error) {
	if strings.HasPrefix(arg, tokenHead) {
		return arg, nil
	}
	b, err := a.document(arg, maxMade, what)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return "", usagef("there is no text in %s", what)
	}
	return text, nil
}

// showMade prints a ciphertext, signature, HMAC or digest alone, so that it can be piped.
func (a *app) showMade(json any, text string) error {
	if a.output == "" {
		a.output = "raw"
	}
	return a.show(view{json: json, rows: [][]string{{text}}})
}

// textFlag returns the bytes of a flag that is text, or @FILE.
func textFlag(c *cobra.Command, name string, limit int64) ([]byte, error) {
	flag := c.Flag(name)
	text := flag.Value.String()
	switch {
	case !flag.Changed:
		return nil, nil
	case !strings.HasPrefix(text, "@"):
		return []byte(text), nil
	}
	b, err := readFile(text[1:], limit, "--"+name)
	if err == nil && len(b) == 0 {
		err = usagef("--%s: %s is empty", name, text[1:])
	}
	return b, err
}

// boundFlags adds what a message is bound to.
func boundFlags(c *cobra.Command) func() (sdk.Bound, error) {
	c.Flags().String("context", "", "text, or @FILE for other bytes, not secret: which working key of a key that is derived")
	c.Flags().String("associated-data", "", "text, or @FILE for other bytes, not secret: must be given again to decrypt")
	return func() (b sdk.Bound, err error) {
		if b.Context, err = textFlag(c, "context", 4<<10); err != nil {
			return b, err
		}
		b.Associated, err = textFlag(c, "associated-data", 64<<10)
		return b, err
	}
}
