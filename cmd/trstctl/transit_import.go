package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/engines/transit/primitive"
	"github.com/trstctl/trstctl/sdk"
)

const maxMaterial = 20 << 10 // bytes of a key, or of one that is wrapped

// importing is an import as the flags have it.
type importing struct {
	sdk.TransitImport
	plain, wrapped bool
}

func (a *app) transitImport() *cobra.Command {
	var i importing
	c := &cobra.Command{Use: "import NAME FILE|- --algorithm ALGORITHM", Short: "Make a key of material from elsewhere", Args: cobra.ExactArgs(2)}
	c.Long = `Make a key of material from elsewhere, which is wrapped on this machine so that nothing on the way sees it. FILE holds, and nothing else:
  the raw bytes of a key for AES, ChaCha20 or HMAC, of the seed of ed25519 or ml-kem-768
  PKCS#8, SEC 1 or PKCS#1 in PEM or DER, unencrypted, of any key that has a public one
  with --wrapped, what an HSM has wrapped to the key that trstctl transit wrapping-key prints (CKM_RSA_AES_KEY_WRAP)
With --next-version it is the next version of a key that was imported. Each wrap is another: an import whose outcome is unknown is not repeated with
--idempotency-key, trstctl transit key versions tells whether it was done.`
	f := c.Flags()
	spec := specFlags(c, "what the key is for, see trstctl transit key create --help; with --next-version the key's own unless given")
	f.BoolVar(&i.Next, "next-version", false, "the key is there, and was imported: this is its next version")
	f.BoolVar(&i.plain, "plain", false, "send it as it is, which a node then sees; needs sudo")
	f.BoolVar(&i.wrapped, "wrapped", false, "it is wrapped to the wrapping key already")
	f.StringVar(&i.Hash, "hash", "", "with --wrapped, of OAEP: sha2-256 (default), sha2-384, sha2-512 or sha1")
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if i.TransitSpec, err = spec(); err != nil {
			return err
		}
		if err := i.check(); err != nil {
			return err
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		material, err := a.document(args[1], maxMaterial, "the key")
		if err != nil {
			return err
		}
		defer clear(material)
		if err := i.prepare(a, c, client, args[0], material); err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		v, err := client.ImportTransitKey(ctx, args[0], i.TransitImport)
		return a.showChanged(ctx, client, v, err)
	}
	return c
}

func (i *importing) check() error {
	switch {
	case i.plain && i.wrapped:
		return usagef("give --plain or --wrapped, not both")
	case i.Hash != "" && !i.wrapped:
		return usagef("--hash goes with --wrapped")
	case i.Algorithm == "" && !i.Next:
		return usagef("give --algorithm: what the key is for, such as aes256-gcm")
	}
	return nil
}

// prepare makes what is sent. Material that is seen here must fit, before it goes anywhere.
func (i *importing) prepare(a *app, c *cobra.Command, client *sdk.Client, name string, material []byte) (err error) {
	ctx, cancel := context.WithTimeout(c.Context(), a.timeout) // without --idempotency-key, which is the import's
	defer cancel()
	if i.Algorithm == "" {
		k, err := client.TransitKey(ctx, name)
		if err != nil {
			return err
		}
		i.Algorithm = k.Algorithm
	}
	if i.wrapped {
		i.Wrapped = material
		return nil
	}
	if err := fits(i.Algorithm, material); err != nil {
		return err
	}
	if i.plain {
		i.Key = material
		return nil
	}
	to, err := client.WrappingKey(ctx)
	if err != nil {
		return err
	}
	i.Wrapped, err = primitive.WrapForImport([]byte(to.PublicKey), 0, material)
	return err
}

// fits reports what a node would say of the material.
func fits(algorithm string, material []byte) error {
	of, err := primitive.ParseAlgorithm(algorithm)
	if err != nil {
		return err
	}
	k, err := primitive.Import(of, material)
	if err == nil {
		k.Wipe()
	}
	return err
}
