package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

const hashOfOAEP = "of OAEP, for rsa keys only: sha2-256 (default), sha2-384, sha2-512 or sha1"

func (a *app) transitEncrypt() *cobra.Command {
	var item sdk.EncryptItem
	var text string
	c := &cobra.Command{Use: "encrypt NAME [FILE|-]", Short: "Encrypt a file, or stdin", Args: cobra.RangeArgs(1, 2)}
	c.Long = fmt.Sprintf(`Encrypt the bytes of a file, or of stdin, under a key and print the ciphertext. On a terminal the text is asked for and not shown. What is
longer than %d bytes is encrypted under a data key: see trstctl transit datakey.

With --lines each line is a message of its own, without its line break.
%s`, maxMessage, linesHelp)
	c.Flags().StringVar(&text, "text", "", "the plaintext itself, instead of a file: it stays in the shell's history")
	c.Flags().Uint64Var(&item.Version, "key-version", 0, "of the key; the latest unless given")
	c.Flags().StringVar(&item.Hash, "hash", "", hashOfOAEP)
	bound, lines := boundFlags(c), a.lineFlags(c, true)
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if item.Bound, err = bound(); err != nil {
			return err
		}
		if lines.on() {
			if text != "" {
				return usagef("--lines takes a file or stdin, not --text")
			}
			return lines.run(c, args, encryptLines(item, *lines.base64))
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		if item.Plaintext, err = a.plaintext(args, text); err != nil {
			return err
		}
		defer clear(item.Plaintext)
		ctx, cancel := a.call(c.Context())
		defer cancel()
		out, err := client.Encrypt(ctx, args[0], item)
		if err != nil {
			return err
		}
		return a.showMade(out, out.Ciphertext)
	}
	return c
}

// plaintext reads what is to be encrypted. Text on the command line earns a warning.
func (a *app) plaintext(args []string, text string) ([]byte, error) {
	switch {
	case text != "" && len(args) > 1:
		return nil, usagef("give a file or --text, not both")
	case text != "":
		fmt.Fprintln(a.err, "warning: --text stays in the shell's history and is seen in the process list; use stdin or a file instead")
		return []byte(text), nil
	case (len(args) < 2 || args[1] == "-") && terminal(a.in):
		return a.prompt("plaintext (not shown): ")
	}
	return a.message(args, 1, "the plaintext", useDataKey)
}

func (a *app) transitDecrypt() *cobra.Command {
	var item sdk.DecryptItem
	c := &cobra.Command{Use: "decrypt NAME [CIPHERTEXT|FILE|-]", Short: "Decrypt", Args: cobra.RangeArgs(1, 2)}
	c.Long = `Decrypt a ciphertext, given itself, in a file or on stdin, with the context and the associated data that it was encrypted with. With -o raw, or
when stdout is not a terminal, exactly the bytes of the plaintext are printed and nothing else. Why something does not open is never said.

With --lines each line is a ciphertext, and each plaintext is printed as a line.
` + linesHelp
	c.Flags().StringVar(&item.Hash, "hash", "", hashOfOAEP)
	c.Flags().Uint64Var(&item.Bits, "bits", 0, "of a data key of an ml-kem key, as it was made with (default 256)")
	bound, lines := boundFlags(c), a.lineFlags(c, true)
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if item.Bound, err = bound(); err != nil {
			return err
		}
		if lines.on() {
			return lines.run(c, args, decryptLines(item))
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		if item.Ciphertext, err = a.made(append(args, "-")[1], "the ciphertext"); err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		out, err := client.Decrypt(ctx, args[0], item)
		if err != nil {
			return err
		}
		defer clear(out.Plaintext)
		return a.showPlain(out, out.Plaintext)
	}
	return c
}

// showPlain prints a secret as showValue does.
func (a *app) showPlain(json any, b []byte) error {
	if a.output == "" && !terminal(a.out) {
		a.output = "raw"
	}
	if b == nil {
		b = []byte{}
	}
	return a.show(view{json: json, raw: b, rows: [][]string{{legible(b)}}})
}

func (a *app) transitRewrap() *cobra.Command {
	var item sdk.RewrapItem
	c := &cobra.Command{Use: "rewrap NAME [CIPHERTEXT|FILE|-]", Short: "Encrypt anew under the latest version of the key, without showing the plaintext", Args: cobra.RangeArgs(1, 2)}
	c.Long = `Encrypt a ciphertext, given itself, in a file or on stdin, anew under the latest version of its key. The plaintext stays on the node.

With --lines each line is a ciphertext.
` + linesHelp
	c.Flags().Uint64Var(&item.Version, "key-version", 0, "of the key; the latest unless given")
	c.Flags().StringVar(&item.Hash, "hash", "", hashOfOAEP)
	bound, lines := boundFlags(c), a.lineFlags(c, false)
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if item.Bound, err = bound(); err != nil {
			return err
		}
		if lines.on() {
			return lines.run(c, args, rewrapLines(item))
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		if item.Ciphertext, err = a.made(append(args, "-")[1], "the ciphertext"); err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		out, err := client.Rewrap(ctx, args[0], item)
		if err != nil {
			return err
		}
		return a.showMade(out, out.Ciphertext)
	}
	return c
}
