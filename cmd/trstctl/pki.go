package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) pkiCommand() *cobra.Command {
	c := group("pki", "Run certification authorities, and get certificates from them", a.pkiIssuer(), a.pkiRole(), a.pkiIssue(), a.pkiSign(), a.pkiCertificate(), a.pkiRevoke(), a.pkiACME())
	c.Long = `Run certification authorities, and get certificates from them.

  trstctl pki issuer create root --kind root --common-name 'Example Root' --url http://pki.example:8280
  trstctl pki issuer create web --kind intermediate --parent root --common-name 'Example Web' --url http://pki.example:8280
  trstctl pki role create hosts --issuer web --domain '**.example.com'
  trstctl pki issue hosts --dns www.example.com --out /etc/www`
	return c
}

// publicDocument reads FILE, @FILE or -, in which nothing is secret.
func (a *app) publicDocument(flag, name, what string) (string, error) {
	if name == "" {
		return "", usagef("--%s is missing: FILE, or - for stdin", flag)
	}
	b, err := a.document(strings.TrimPrefix(name, "@"), maxPublic, what)
	return string(b), err
}

func (a *app) pkiACME() *cobra.Command {
	return group("acme", "Let clients of ACME find roles (certbot and others)", a.acmeEnable(), a.acmeShow(), a.acmeKey(), a.acmeDisable())
}

func (a *app) showACME(d sdk.ACMEDirectory, err error) error {
	if err != nil {
		return err
	}
	url := d.Path
	if nodes := a.nodes(); len(nodes) > 0 {
		url = strings.TrimRight(nodes[0], "/") + d.Path
	}
	return a.show(view{json: d, rows: fields("role", d.Role, "directory", url, "accounts need a key", yes(!d.Open), "accounts", number(d.Accounts), "written", stamp(d.WrittenAt), "by", d.WrittenBy)})
}

func (a *app) acmeEnable() *cobra.Command {
	var open bool
	c := &cobra.Command{Use: "enable ROLE", Short: "Give a role an ACME directory, or change whether accounts need a key", Args: cobra.ExactArgs(1)}
	c.Flags().BoolVar(&open, "open", false, "accounts need no key: whoever reaches the nodes may order what the role allows, once it has proved the names")
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			return a.showACME(client.WriteACMEDirectory(ctx, args[0], open))
		})
	}
	return c
}

func (a *app) acmeShow() *cobra.Command {
	return &cobra.Command{Use: "show ROLE", Short: "Describe the ACME directory of a role", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			return a.showACME(client.ACMEDirectory(ctx, args[0]))
		})
	}}
}

func (a *app) acmeDisable() *cobra.Command {
	return &cobra.Command{Use: "disable ROLE", Short: "End the ACME directory of a role with its accounts: certificates stay as they are", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
				if err := client.DeleteACMEDirectory(ctx, args[0]); err != nil {
					return err
				}
				return a.done("disabled", args[0])
			})
		}}
}

// madeACMEKey is a key as it is printed, this once.
type madeACMEKey struct {
	sdk.ACMEKey
	HMACKey sdk.Text `json:"hmac_key"`
}

func (a *app) acmeKey() *cobra.Command {
	var identity string
	c := &cobra.Command{Use: "key ROLE", Short: "Make a key that opens one ACME account within a week", Args: cobra.ExactArgs(1)}
	c.Long = `Make a key that opens one ACME account within a week (external account binding). It is printed, this once:

  certbot certonly --server DIRECTORY --eab-kid KID --eab-hmac-key KEY ...`
	c.Flags().StringVar(&identity, "identity", "", "as whom the account orders, where the role's patterns have ${identity}; you unless given. Another takes sudo")
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			k, err := client.CreateACMEKey(ctx, args[0], identity)
			if err != nil {
				return err
			}
			defer clear(k.HMACKey)
			return a.show(view{json: madeACMEKey{k, sdk.Text(k.HMACKey)}, rows: fields("kid", k.KID, "hmac key", string(k.HMACKey), "opens one account until", stamp(k.ExpiresAt)),
				raw: fmt.Appendf(nil, "%s\n", string(k.HMACKey))})
		})
	}
	return c
}
