package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) dynamicCommand() *cobra.Command {
	c := group("dynamic", "Say at which databases and services accounts are made, and what they may do", a.dynamicConnection(), a.dynamicRole())
	c.Long = `Say at which databases and services accounts are made, and what they may do. Whoever may then asks for one: trstctl creds CONNECTION ROLE.

  trstctl dynamic connection create pg --backend postgresql --url postgresql://dba@db.example/app --password @dba-password
  trstctl dynamic role create pg readonly --grant 'SELECT ON ALL TABLES IN SCHEMA public' --ttl 1h --max-ttl 24h
  trstctl creds pg readonly`
	return c
}

func (a *app) dynamicConnection() *cobra.Command {
	return group("connection", "Say where accounts are made, and as whom", a.connectionList(),
		a.onConnection("show NAME", "Describe a connection, without its password", (*sdk.Client).Connection),
		a.connectionCreate(), a.connectionUpdate(),
		a.onConnection("rotate-root NAME", "Give the connection's own account a password that the cluster alone knows", (*sdk.Client).RotateConnectionRoot),
		a.connectionSweep(), a.connectionDelete())
}

func (a *app) onConnection(use, short string, do func(*sdk.Client, context.Context, string) (sdk.Connection, error)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			k, err := do(client, ctx, args[0])
			return a.showConnection(k, err)
		})
	}}
}

func (a *app) showConnection(k sdk.Connection, err error) error {
	if err != nil {
		return err
	}
	rows := fields("name", k.Name, "backend", k.Backend, "host", k.Host, "port", number(uint64(k.Port)), "database", dash(k.Database), "tls", k.TLS, "username", k.Username,
		"password", passwordState(k), "passwords made", fmt.Sprintf("%d characters", k.PasswordLength), "accounts begin with", k.Prefix, "written", stamp(k.WrittenAt), "by", k.WrittenBy)
	for _, name := range slices.Sorted(maps.Keys(k.Options)) {
		rows = append(rows, []string{"option " + name, k.Options[name]})
	}
	return a.show(view{json: k, rows: rows})
}

// passwordState says who knows the password of a connection's own account.
func passwordState(k sdk.Connection) string {
	switch {
	case !k.RotatingSince.IsZero():
		return "being rotated since " + stamp(k.RotatingSince)
	case !k.RootRotatedAt.IsZero():
		return "the cluster's alone since " + stamp(k.RootRotatedAt)
	}
	return "as it was given: trstctl dynamic connection rotate-root makes it the cluster's alone"
}

func (a *app) connectionList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the connections", Args: cobra.NoArgs}
	s := sliceFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		page, err := gather(a, c, s, func(s sdk.Slice) (sdk.Page[sdk.Connection], error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			return client.Connections(ctx, s)
		})
		if err != nil {
			return err
		}
		return a.show(view{json: page, head: []string{"NAME", "BACKEND", "HOST", "PORT", "DATABASE", "USERNAME", "ROTATED"}, rows: rowsOf(page.Items, func(k sdk.Connection) []string {
			return []string{k.Name, k.Backend, k.Host, number(uint64(k.Port)), dash(k.Database), k.Username, stamp(k.RootRotatedAt)}
		})})
	}
	return c
}

func (a *app) connectionDelete() *cobra.Command {
	return &cobra.Command{Use: "delete NAME", Short: "Delete a connection that has no leases, with its roles", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			if err := client.DeleteConnection(ctx, args[0]); err != nil {
				return err
			}
			return a.done("deleted", args[0])
		})
	}}
}

func (a *app) connectionSweep() *cobra.Command {
	c := &cobra.Command{Use: "sweep NAME", Short: "Compare the accounts at the target with the leases, and end those that nobody got", Args: cobra.ExactArgs(1)}
	all := c.Flags().Bool("all", false, "end all accounts without a lease whose names are the cluster's")
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			found, err := client.SweepConnection(ctx, args[0], *all)
			if err != nil {
				return err
			}
			return a.show(view{json: map[string][]sdk.Stray{"items": found}, head: []string{"ACCOUNT", "EXPIRES", "ENDED", "WHY"}, rows: rowsOf(found, func(s sdk.Stray) []string {
				why := "no lease: --all ends it"
				if s.Abandoned {
					why = "nobody got it"
				}
				return []string{s.Account, stamp(s.ExpiresAt), yes(s.Ended), why + strings.TrimRight(": "+s.Error, ": ")}
			})})
		})
	}
	return c
}
