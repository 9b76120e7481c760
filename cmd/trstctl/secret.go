package main

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) secretCommand() *cobra.Command {
	return group("secret", "Store and read secrets", a.secretPut(), a.secretGet(), a.secretList(), a.secretVersions(), a.secretRollback(),
		a.secretDelete(), a.secretUndelete(), a.secretPurge(), a.secretImport(), a.secretMove(), a.secretCopy())
}

// casFlag adds --cas and returns where its value will be: nil unless it is given.
func casFlag(c *cobra.Command, of string) func() *uint64 {
	v := c.Flags().Uint64("cas", 0, "change only if this is the latest version "+of+"; 0: only if there is none")
	return func() *uint64 {
		if c.Flags().Changed("cas") {
			return v
		}
		return nil
	}
}

func (a *app) written(w sdk.Written, err error) error {
	if err != nil {
		return err
	}
	return a.show(view{json: w, head: []string{"PATH", "VERSION"}, rows: [][]string{{w.Path, number(w.Version)}}})
}

func (a *app) secretPut() *cobra.Command {
	var item sdk.Item
	var pairs []string
	var expiresAt string
	var expiresIn time.Duration
	c := &cobra.Command{Use: "put PATH VALUE|@FILE|-", Short: "Write the next version of a secret", Args: cobra.ExactArgs(2),
		Long: "Write the next version of a secret. The value is the bytes of FILE with @FILE, of stdin with -, and nothing is trimmed from them."}
	c.Flags().StringArrayVar(&pairs, "label", nil, "key=value, not secret; may be repeated")
	c.Flags().StringVar(&item.ContentType, "content-type", "", "what the value is, such as application/json")
	c.Flags().StringVar(&expiresAt, "expires-at", "", "RFC 3339 time after which it cannot be read")
	c.Flags().DurationVar(&expiresIn, "expires-in", 0, "time from now after which it cannot be read")
	cas := casFlag(c, "of the secret")
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if item.ExpiresAt, err = expiry(expiresAt, expiresIn, time.Now()); err != nil {
			return err
		}
		if item.Labels, err = labels(pairs); err != nil {
			return err
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		if item.Value, err = a.value(args[1]); err != nil {
			return err
		}
		defer clear(item.Value)
		item.Path, item.CAS = args[0], cas()
		ctx, cancel := a.call(c.Context())
		defer cancel()
		return a.written(client.Put(ctx, item))
	}
	return c
}

// expiry joins the two ways to give one.
func expiry(at string, in time.Duration, now time.Time) (time.Time, error) {
	switch {
	case at != "" && in != 0:
		return time.Time{}, usagef("give --expires-at or --expires-in, not both")
	case in < 0:
		return time.Time{}, usagef("--expires-in is negative")
	case in > 0:
		return now.Add(in).UTC(), nil
	case at == "":
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return t, usagef("--expires-at %q is not a time such as 2030-01-31T12:00:00Z", at)
	}
	return t, nil
}

func (a *app) secretRollback() *cobra.Command {
	var version uint64
	c := &cobra.Command{Use: "rollback PATH [VERSION]", Short: "Make an old version the newest", Args: cobra.RangeArgs(1, 2)}
	c.Flags().Uint64Var(&version, "version", 0, "the version to bring back")
	cas := casFlag(c, "of the secret")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 2 {
			n, err := strconv.ParseUint(args[1], 10, 64)
			if err != nil || version != 0 {
				return usagef("give one version number")
			}
			version = n
		}
		if version == 0 {
			return usagef("which version? see trstctl secret versions %s", args[0])
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		return a.written(client.Rollback(ctx, args[0], version, cas()))
	}
	return c
}

func (a *app) secretDelete() *cobra.Command {
	c := &cobra.Command{Use: "delete PATH", Short: "Hide a secret; its versions are kept", Args: cobra.ExactArgs(1)}
	cas := casFlag(c, "of the secret")
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		return a.written(client.Delete(ctx, args[0], cas()))
	}
	return c
}

func (a *app) secretUndelete() *cobra.Command {
	return &cobra.Command{Use: "undelete PATH", Short: "Bring a deleted secret back", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		return a.written(client.Undelete(ctx, args[0]))
	}}
}

func (a *app) secretPurge() *cobra.Command {
	var version uint64
	var all bool
	c := &cobra.Command{Use: "purge PATH --version N | --all", Short: "Destroy the value of one version, or of all, for ever", Args: cobra.ExactArgs(1)}
	c.Flags().Uint64Var(&version, "version", 0, "the version to destroy")
	c.Flags().BoolVar(&all, "all", false, "destroy every version")
	c.RunE = func(c *cobra.Command, args []string) error {
		if all == (version != 0) {
			return usagef("give --version N or --all: what is purged never comes back")
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		if all {
			return a.written(client.PurgeAll(ctx, args[0]))
		}
		return a.written(client.Purge(ctx, args[0], version))
	}
	return c
}

func (a *app) secretMove() *cobra.Command {
	c := &cobra.Command{Use: "move SOURCE DESTINATION", Short: "Move a secret's latest value without showing it", Args: cobra.ExactArgs(2)}
	cas := casFlag(c, "of the destination")
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		return a.written(client.Move(ctx, args[0], args[1], cas()))
	}
	return c
}

func (a *app) secretCopy() *cobra.Command {
	var version uint64
	c := &cobra.Command{Use: "copy SOURCE DESTINATION", Short: "Copy a secret's value without showing it", Args: cobra.ExactArgs(2)}
	c.Flags().Uint64Var(&version, "version", 0, "of the source; the latest unless given")
	cas := casFlag(c, "of the destination")
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		return a.written(client.Copy(ctx, args[0], version, args[1], cas()))
	}
	return c
}
