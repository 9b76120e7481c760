package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) tokenCommand() *cobra.Command {
	return group("token", "Make and end tokens", a.tokenCreate(), a.tokenList(), a.tokenLookup(), a.tokenRenew(), a.tokenRevoke())
}

func (a *app) tokenCreate() *cobra.Command {
	var g sdk.Grant
	var renewable bool
	c := &cobra.Command{Use: "create", Short: "Make a token that may do no more than yours", Args: cobra.NoArgs}
	f := c.Flags()
	f.StringSliceVar(&g.Policies, "policy", nil, "policy of the token; may be repeated")
	f.DurationVar(&g.TTL, "ttl", 0, "how long it lives unless renewed (the node's default is 1h)")
	f.DurationVar(&g.MaxTTL, "max-ttl", 0, "how long renewals can keep it alive")
	f.StringVar(&g.Name, "name", "", "identity that the audit log shows")
	f.BoolVar(&renewable, "renewable", true, "whether it can be renewed")
	f.BoolVar(&g.Orphan, "orphan", false, "may outlive your own token; needs sudo")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if len(g.Policies) == 0 {
			return usagef("give at least one --policy: a token without one may do nothing")
		}
		if f.Changed("renewable") {
			g.Renewable = &renewable
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		t, err := client.CreateToken(ctx, g)
		if err != nil {
			return err
		}
		defer clear(t.Secret)
		return a.showIssued(t)
	}
	return c
}

// showIssued is the one place that prints a token.
func (a *app) showIssued(t sdk.Issued) error {
	plain := struct {
		Secret sdk.Text `json:"token"`
		sdk.Token
	}{sdk.Text(t.Secret), t.Token}
	rows := append(fields("token", string(t.Secret)), tokenFields(t.Token)...)
	return a.show(view{json: plain, raw: t.Secret, rows: rows})
}

func tokenFields(t sdk.Token) [][]string {
	return fields("accessor", t.Accessor, "name", t.Name, "identity", t.Identity, "tenant", t.Tenant, "policies", strings.Join(t.Policies, ","),
		"parent", t.Parent, "state", tokenState(t), "expires", stamp(t.ExpiresAt), "expires at most", stamp(t.MaxExpiresAt), "renewable", yes(t.Renewable))
}

// tokenState is what a token is good for: an expired one by the clock of this machine.
func tokenState(t sdk.Token) string {
	switch {
	case t.Revoked:
		return "revoked"
	case !t.ExpiresAt.IsZero() && t.ExpiresAt.Before(time.Now()):
		return "expired"
	}
	return "live"
}

func (a *app) showToken(t sdk.Token, err error) error {
	if err != nil {
		return err
	}
	return a.show(view{json: t, rows: tokenFields(t)})
}

func (a *app) tokenList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the tenant's tokens by accessor, dead ones too for a day", Args: cobra.NoArgs}
	s := sliceFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		page, err := gather(a, c, s, func(s sdk.Slice) (sdk.Page[sdk.Token], error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			return client.Tokens(ctx, s)
		})
		if err != nil {
			return err
		}
		return a.show(view{json: page, head: []string{"ACCESSOR", "IDENTITY", "POLICIES", "EXPIRES", "RENEWABLE", "STATE"}, rows: rowsOf(page.Items, func(t sdk.Token) []string {
			return []string{t.Accessor, t.Identity, strings.Join(t.Policies, ","), stamp(t.ExpiresAt), yes(t.Renewable), tokenState(t)}
		})})
	}
	return c
}

// onToken makes a command about one token: the caller's own, one from stdin, or one by accessor. run gets a client that acts for it.
func (a *app) onToken(use, short string, run func(context.Context, *sdk.Client, string) error) *cobra.Command {
	var accessor string
	c := &cobra.Command{Use: use + " [-]", Short: short, Args: cobra.MaximumNArgs(1),
		Long: short + ": your own, with - the one read from stdin, with --accessor another's."}
	c.Flags().StringVar(&accessor, "accessor", "", "accessor of the token")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 1 && (args[0] != "-" || accessor != "") {
			return usagef("give - to read a token from stdin, or --accessor: a token on the command line would stay in the shell's history")
		}
		if strings.HasPrefix(accessor, "trs.") {
			return usagef("--accessor was given a token: use - for a token, which is read from stdin, and make sure that this one stays secret")
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		if len(args) == 1 {
			if client, err = a.clientFromStdin(client); err != nil {
				return err
			}
		}
		if accessor == "" {
			accessor = sdk.Self
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		return run(ctx, client, accessor)
	}
	return c
}

func (a *app) clientFromStdin(client *sdk.Client) (*sdk.Client, error) {
	if terminal(a.in) {
		token, err := a.prompt("token (not shown): ")
		if err != nil {
			return nil, err
		}
		return client.WithToken(token)
	}
	token, err := readToken(a.in)
	if err != nil {
		return nil, err
	}
	return client.WithToken(token)
}

func (a *app) tokenLookup() *cobra.Command {
	return a.onToken("lookup", "Show what a token may do", func(ctx context.Context, c *sdk.Client, accessor string) error {
		return a.showToken(c.LookupToken(ctx, accessor))
	})
}

func (a *app) tokenRenew() *cobra.Command {
	var ttl time.Duration
	c := a.onToken("renew", "Let a token live longer", func(ctx context.Context, c *sdk.Client, accessor string) error {
		return a.showToken(c.RenewToken(ctx, accessor, ttl))
	})
	c.Flags().DurationVar(&ttl, "ttl", 0, "from now (the node's default is 1h)")
	return c
}

func (a *app) tokenRevoke() *cobra.Command {
	return a.onToken("revoke", "End a token and all that were made with it", func(ctx context.Context, c *sdk.Client, accessor string) error {
		if err := c.RevokeToken(ctx, accessor); err != nil {
			return err
		}
		return a.done("revoked", accessor)
	})
}
