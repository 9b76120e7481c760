package main

import (
	"encoding/base64"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) transitDataKey() *cobra.Command {
	var item sdk.DataKeyItem
	var wrappedOnly bool
	c := &cobra.Command{Use: "datakey NAME", Short: "Make a data key, in clear and encrypted", Args: cobra.ExactArgs(1),
		Long: `Make a key for your own use, in clear (base64) and encrypted under the key NAME. Encrypt with the first on your machine, forget it, and keep the second
beside what you have encrypted: trstctl transit decrypt gives the first back. With --wrapped-only the second is made and printed alone, for somebody
else to decrypt, which is a right of its own (transit/datakey instead of transit/datakey-plaintext).`}
	c.Flags().Uint64Var(&item.Bits, "bits", 0, "128 to 512, a multiple of 8 (default 256); to decrypt one of an ml-kem key they are given again")
	c.Flags().Uint64Var(&item.Version, "key-version", 0, "of the key; the latest unless given")
	c.Flags().BoolVar(&wrappedOnly, "wrapped-only", false, "do not show it in clear")
	bound := boundFlags(c)
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if item.Bound, err = bound(); err != nil {
			return err
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		k, err := client.DataKey(ctx, args[0], item, !wrappedOnly)
		if err != nil {
			return err
		}
		defer clear(k.Plaintext)
		if wrappedOnly {
			return a.showMade(k, k.Ciphertext)
		}
		return a.show(view{json: k, rows: fields("plaintext", base64.StdEncoding.EncodeToString(k.Plaintext), "ciphertext", k.Ciphertext)})
	}
	return c
}
