package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

const digestHelp = `With --prehashed the input is the digest, in raw bytes or as sha256sum and trstctl transit hash print it.`

// signingFlags say how something is signed.
func signingFlags(c *cobra.Command) *sdk.Signing {
	var s sdk.Signing
	f := c.Flags()
	f.StringVar(&s.Hash, "hash", "", "sha2-256, sha2-384 or sha2-512; what goes with the key unless given")
	f.BoolVar(&s.Prehashed, "prehashed", false, "the input is the digest; with an ed25519 key of SHA-512, for Ed25519ph")
	f.StringVar(&s.Encoding, "encoding", "", "of an ECDSA signature: asn1 (default) or jws")
	f.StringVar(&s.Scheme, "scheme", "", "of an RSA key: pss (default) or pkcs1v15")
	f.StringVar(&s.Salt, "salt", "", "of pss: hash (default) or auto")
	return &s
}

// signed reads what is to be signed or verified.
func (a *app) signed(args []string, prehashed bool) ([]byte, error) {
	b, err := a.message(args, 1, "the input", useDigest)
	if err != nil || !prehashed {
		return b, err
	}
	return digestOf(b), nil
}

// digestOf takes a digest as programs print it: in hexadecimal, which no raw digest looks like, and perhaps before the name of a file.
func digestOf(b []byte) []byte {
	first, _, _ := bytes.Cut(bytes.TrimSpace(b), []byte(" "))
	digest, err := hex.DecodeString(string(first))
	if err != nil || len(digest) < 32 {
		return b
	}
	return digest
}

func (a *app) transitSign() *cobra.Command {
	var item sdk.SignItem
	c := &cobra.Command{Use: "sign NAME [FILE|-]", Short: "Sign a file, or stdin", Args: cobra.RangeArgs(1, 2),
		Long: "Sign the bytes of a file, or of stdin, and print the signature. " + digestHelp}
	c.Flags().Uint64Var(&item.Version, "key-version", 0, "of the key; the latest unless given")
	how := signingFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		item.Signing = *how
		if item.Input, err = a.signed(args, how.Prehashed); err != nil {
			return err
		}
		defer clear(item.Input)
		ctx, cancel := a.call(c.Context())
		defer cancel()
		out, err := client.Sign(ctx, args[0], item)
		if err != nil {
			return err
		}
		return a.showMade(out, out.Signature)
	}
	return c
}

func (a *app) transitVerify() *cobra.Command {
	var item sdk.VerifyItem
	c := &cobra.Command{Use: "verify NAME [FILE|-] --signature SIGNATURE | --hmac HMAC", Short: "Say whether a signature or an HMAC is the key's", Args: cobra.RangeArgs(1, 2),
		Long: `Say whether a signature or an HMAC of a file, or of stdin, is the key's. The flags are those that it was made with. The exit code is 0 when it is valid, 8
when it is not, 2 when it has not the form of one. ` + digestHelp}
	c.Flags().StringVar(&item.Signature, "signature", "", "as it was printed, or @FILE")
	c.Flags().StringVar(&item.HMAC, "hmac", "", "as it was printed, or @FILE; instead of a signature")
	how := signingFlags(c)
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if (item.Signature == "") == (item.HMAC == "") {
			return usagef("give --signature or --hmac: what is to be verified")
		}
		if item.Signature, err = a.proof(item.Signature); err != nil {
			return err
		}
		if item.HMAC, err = a.proof(item.HMAC); err != nil {
			return err
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		item.Signing = *how
		if item.Input, err = a.signed(args, how.Prehashed); err != nil {
			return err
		}
		defer clear(item.Input)
		ctx, cancel := a.call(c.Context())
		defer cancel()
		return a.showValid(client.Verify(ctx, args[0], item))
	}
	return c
}

// proof is the value of --signature or --hmac.
func (a *app) proof(text string) (string, error) {
	if file, ok := strings.CutPrefix(text, "@"); ok {
		return a.made(file, "the signature or HMAC")
	}
	return text, nil
}

func (a *app) showValid(valid bool, err error) error {
	if err != nil {
		return err
	}
	if err := a.show(view{json: map[string]bool{"valid": valid}, rows: fields("valid", yes(valid))}); err != nil || valid {
		return err
	}
	return coded{errors.New("not valid: it is of another key or another input, was made in another way, or by a version that may not be used any more"), exitNot}
}

func (a *app) transitHMAC() *cobra.Command {
	var item sdk.HMACItem
	c := &cobra.Command{Use: "hmac NAME [FILE|-]", Short: "Make an HMAC of a file, or of stdin", Args: cobra.RangeArgs(1, 2),
		Long: "Make an HMAC of the bytes of a file, or of stdin, under a key, which may be of any algorithm. `trstctl transit verify --hmac` verifies it."}
	c.Flags().Uint64Var(&item.Version, "key-version", 0, "of the key; the latest unless given")
	c.Flags().StringVar(&item.Hash, "hash", "", "sha2-256 (default), sha2-384 or sha2-512; an hmac key has its own")
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		if item.Input, err = a.message(args, 1, "the input", useOwnHash+", and make the HMAC of the digest"); err != nil {
			return err
		}
		defer clear(item.Input)
		ctx, cancel := a.call(c.Context())
		defer cancel()
		out, err := client.HMAC(ctx, args[0], item)
		if err != nil {
			return err
		}
		return a.showMade(out, out.HMAC)
	}
	return c
}
