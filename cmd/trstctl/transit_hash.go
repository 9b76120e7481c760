package main

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
)

func formatFlag(c *cobra.Command) *string {
	return c.Flags().String("format", "hex", "hex, base64 or raw, which is the bytes alone")
}

func checkFormat(format string) error {
	if !slices.Contains([]string{"hex", "base64", "raw"}, format) {
		return usagef("--format %s: use hex, base64 or raw", format)
	}
	return nil
}

func (a *app) transitHash() *cobra.Command {
	var hash string
	c := &cobra.Command{Use: "hash [FILE|-]", Short: "Hash a file, or stdin", Args: cobra.MaximumNArgs(1)}
	c.Flags().StringVar(&hash, "hash", "", "sha2-224 to sha2-512 or sha3-224 to sha3-512 (default sha2-256)")
	format := formatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		input, err := a.message(args, 0, "the input", useOwnHash)
		if err != nil {
			return err
		}
		defer clear(input)
		ctx, cancel := a.call(c.Context())
		defer cancel()
		sum, err := client.Hash(ctx, input, hash)
		if err != nil {
			return err
		}
		return a.showBytes("sum", sum, *format)
	}
	return c
}

func (a *app) transitRandom() *cobra.Command {
	c := &cobra.Command{Use: "random [BYTES]", Short: "Draw 32 random bytes on a node, or 1 to 131072", Args: cobra.MaximumNArgs(1)}
	format := formatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		n, err := strconv.Atoi(append(args, "32")[0])
		if err != nil || n < 1 {
			return usagef("%q is no number of bytes: give 1 to 131072", args[0])
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		b, err := client.Random(ctx, n)
		if err != nil {
			return err
		}
		defer clear(b)
		return a.showBytes("random", b, *format)
	}
	return c
}

// showBytes prints bytes in a format that checkFormat lets through. In JSON raw bytes are base64.
func (a *app) showBytes(what string, b []byte, format string) error {
	text := hex.EncodeToString(b)
	switch {
	case format == "raw" && a.output != "json" && terminal(a.out):
		return usagef("raw bytes are not for a terminal: send them to a file or a pipe, or use --format hex")
	case format == "raw" && a.output != "json":
		_, err := a.out.Write(b)
		return err
	case format != "hex":
		format, text = "base64", base64.StdEncoding.EncodeToString(b)
	}
	return a.showMade(map[string]string{what: text, "format": format}, text)
}
