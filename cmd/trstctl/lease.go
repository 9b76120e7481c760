package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) leaseCommand() *cobra.Command {
	c := group("lease", "See what was given out for a time, extend it and end it", a.leaseList(),
		a.onLease("show ID", "Describe a lease", (*sdk.Client).Lease),
		a.leaseRenew(), a.leaseRevoke(),
		a.onLease("force ID", "Give up the backend of a lease: what it stood for may live on there", (*sdk.Client).ForceLease),
		a.onLease("forget ID", "Take an irrevocable lease off the list", (*sdk.Client).ForgetLease))
	c.Long = `See what was given out for a time, extend it and end it. A token may always do so with the leases that it holds.

  trstctl lease list --prefix pg/readonly/
  trstctl lease revoke pg/readonly/kqxrj4v2tcy6w3uh7lpf5zme
  trstctl lease revoke --prefix pg/

A lease that has ended is listed as ending until its backend has ended the account.`
	return c
}

func (a *app) leaseList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the leases that have not come to their end at their backends", Args: cobra.NoArgs}
	prefix := c.Flags().String("prefix", "", "of their ids, such as pg/ or pg/readonly/")
	s := sliceFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		page, err := gather(a, c, s, func(s sdk.Slice) (sdk.Page[sdk.Lease], error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			return client.Leases(ctx, *prefix, s)
		})
		if err != nil {
			return err
		}
		return a.show(view{json: page, head: []string{"LEASE", "STATE", "ACCOUNT", "HOLDER", "IDENTITY", "EXPIRES", "BACKEND ERROR"}, rows: rowsOf(page.Items, func(l sdk.Lease) []string {
			return []string{l.ID, l.State, dash(l.Account), l.Holder, l.Identity, stamp(l.ExpiresAt), dash(l.BackendError)}
		})})
	}
	return c
}

func (a *app) onLease(use, short string, do func(*sdk.Client, context.Context, string) (sdk.Lease, error)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			l, err := do(client, ctx, args[0])
			return a.showLease(l, err)
		})
	}}
}

func (a *app) showLease(l sdk.Lease, err error) error {
	if err != nil {
		return err
	}
	rows := fields("lease", l.ID, "state", l.State, "account", dash(l.Account), "holder", l.Holder, "identity", l.Identity, "issued", stamp(l.IssuedAt), "expires", stamp(l.ExpiresAt),
		"at most until", stamp(l.MaxExpires))
	for _, row := range fields("ended", stamp(l.EndedAt), "because", dash(l.EndedBecause), "message", dash(l.Message), "backend error", dash(l.BackendError)) {
		if row[1] != "-" {
			rows = append(rows, row)
		}
	}
	return a.show(view{json: l, rows: rows})
}

func (a *app) leaseRenew() *cobra.Command {
	var d time.Duration
	c := &cobra.Command{Use: "renew ID", Short: "Extend a lease, within its maximum and the life of its token", Args: cobra.ExactArgs(1)}
	c.Flags().DurationVar(&d, "increment", 0, "how long from now on; as long as it was given for at first unless given")
	c.RunE = func(c *cobra.Command, args []string) error {
		if c.Flag("increment").Changed && d <= 0 {
			return usagef("--increment is a duration above zero, such as 1h")
		}
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			l, err := client.RenewLease(ctx, args[0], d)
			return a.showLease(l, err)
		})
	}
	return c
}

func (a *app) leaseRevoke() *cobra.Command {
	c := &cobra.Command{Use: "revoke (ID | --prefix PREFIX)", Short: "End a lease, or all of a connection or role", Args: cobra.MaximumNArgs(1)}
	prefix := c.Flags().String("prefix", "", "end all leases whose ids begin so: pg/ or pg/readonly/")
	c.RunE = func(c *cobra.Command, args []string) error {
		if (len(args) == 1) == c.Flag("prefix").Changed {
			return usagef("name a lease, or give --prefix, such as --prefix pg/readonly/")
		}
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			if len(args) == 1 {
				l, err := client.RevokeLease(ctx, args[0])
				return a.showLease(l, err)
			}
			n, err := client.RevokeLeases(ctx, *prefix)
			if err != nil {
				return err
			}
			return a.show(view{json: map[string]uint64{"revoked": n}, rows: fields("revoked", number(n))})
		})
	}
	return c
}
