package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) transitRotate() *cobra.Command {
	c := &cobra.Command{Use: "rotate NAME", Short: "Give a key its next version, under which all that is new is encrypted", Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			return a.showVersion(client.RotateTransitKey(ctx, args[0]))
		})
	}
	return c
}

func (a *app) transitConfigure() *cobra.Command {
	c := &cobra.Command{Use: "configure NAME", Short: "Change settings of a key", Args: cobra.ExactArgs(1),
		Long: "Change those settings of a key that are given. When everything old is rewrapped, raise --min-decryption-version: what still is old opens no more,\n" +
			"until it is lowered again. Then trstctl transit key trim destroys the old versions."}
	f := c.Flags()
	decrypt := f.Uint64("min-decryption-version", 0, "versions below it decrypt and verify nothing")
	encrypt := f.Uint64("min-encryption-version", 0, "versions below it encrypt and sign nothing; 0: the latest alone does unless another is named")
	settings := settingsFlags(c)
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		var t sdk.TransitChange
		if t.TransitSettings, err = settings(); err != nil {
			return err
		}
		if f.Changed("min-decryption-version") {
			t.MinDecrypt = decrypt
		}
		if f.Changed("min-encryption-version") {
			t.MinEncrypt = encrypt
		}
		if t == (sdk.TransitChange{}) {
			return usagef("what is to change? see %s --help", c.CommandPath())
		}
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			v, err := client.ConfigureTransitKey(ctx, args[0], t)
			return a.showChanged(ctx, client, v, err)
		})
	}
	return c
}

func (a *app) transitTrim() *cobra.Command {
	c := &cobra.Command{Use: "trim NAME --below N", Short: "Destroy the versions of a key below N, for ever", Args: cobra.ExactArgs(1),
		Long: "Destroy the versions of a key below N, for ever: what they have encrypted is lost. They must be below --min-decryption-version already, see\ntrstctl transit key configure."}
	below := c.Flags().Uint64("below", 0, "the first version that stays")
	c.RunE = func(c *cobra.Command, args []string) error {
		if *below == 0 {
			return usagef("give --below N, the first version that stays: what is trimmed never comes back")
		}
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			v, err := client.TrimTransitKey(ctx, args[0], *below)
			return a.showChanged(ctx, client, v, err)
		})
	}
	return c
}

func (a *app) transitDelete() *cobra.Command {
	return &cobra.Command{Use: "delete NAME", Short: "Destroy a key with all its versions", Args: cobra.ExactArgs(1),
		Long: "Destroy a key with all its versions: what it has encrypted is lost, unless there is a backup (trstctl transit key backup). It must have been\nallowed before: trstctl transit key configure NAME --deletion-allowed.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
				if _, err := client.DeleteTransitKey(ctx, args[0]); err != nil {
					return err
				}
				return a.done("deleted", args[0])
			})
		}}
}
