package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) kmipClient() *cobra.Command {
	return group("client", "Make and end the clients", a.kmipClientList(), a.kmipClientRead(), a.kmipClientCreate(), a.kmipClientRenew(), a.kmipClientConfigure(),
		a.onKMIPClient("revoke NAME", "revoked", "End a client for ever, with all that it is known by", (*sdk.Client).RevokeKMIPClient),
		a.kmipClientRevokeBinding(),
		a.onKMIPClient("delete NAME", "deleted", "Delete a client and free its name; what it was known by is never bound to another", (*sdk.Client).DeleteKMIPClient),
		a.kmipClientConfirm())
}

func (a *app) onKMIPClient(use, done, short string, do func(*sdk.Client, context.Context, string) (sdk.KMIPNamed, error)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			n, err := do(client, ctx, args[0])
			return a.showNamed(done, n, err)
		})
	}}
}

func (a *app) kmipClientList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the clients", Args: cobra.NoArgs}
	s := sliceFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		page, err := gather(a, c, s, func(s sdk.Slice) (sdk.Page[sdk.KMIPClient], error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			return client.KMIPClients(ctx, s)
		})
		if err != nil {
			return err
		}
		return a.show(view{json: page, head: []string{"NAME", "ROLE", "STATE", "CREDENTIALS", "EXPIRES", "CREATED", "BY"}, rows: rowsOf(page.Items, func(k sdk.KMIPClient) []string {
			return []string{k.Name, k.Role, k.State, credentials(k), stamp(k.ExpiresAt), stamp(k.CreatedAt), k.CreatedBy}
		})})
	}
	return c
}

// credentials is what a client shows beside its certificate.
func credentials(k sdk.KMIPClient) string {
	var has []string
	if k.Password {
		has = append(has, "password")
	}
	if k.Device {
		has = append(has, "device")
	}
	return dash(strings.Join(has, ","))
}

func (a *app) kmipClientRead() *cobra.Command {
	return &cobra.Command{Use: "read NAME", Short: "Describe a client, with all that it is known by", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			d, err := client.KMIPClient(ctx, args[0])
			if err != nil {
				return err
			}
			rows := fields("name", d.Name, "role", d.Role, "state", d.State, "credentials", credentials(d.KMIPClient), "username", dash(d.Username), "device serial number", dash(d.Serial),
				"expires", stamp(d.ExpiresAt), "created", stamp(d.CreatedAt), "by", d.CreatedBy, "revoked", stamp(d.RevokedAt), "uid", d.UID)
			for _, b := range d.Bindings {
				rows = append(rows, []string{"binding " + number(b.Number), bindingText(b)})
			}
			return a.show(view{json: d, rows: rows})
		})
	}}
}

// bindingText is one of the things that a client is known by, in a line.
func bindingText(b sdk.KMIPBinding) string {
	text := b.Kind
	switch {
	case b.Subject != "":
		text += " " + b.Subject
	case b.Fingerprint != "":
		text += " " + b.Fingerprint
	case b.PublicKey != "":
		text += " " + b.PublicKey
	}
	if !b.ExpiresAt.IsZero() {
		text += ", expires " + stamp(b.ExpiresAt)
	}
	if !b.EndsAt.IsZero() {
		text += ", ends " + stamp(b.EndsAt)
	}
	if !b.RevokedAt.IsZero() {
		text += ", revoked " + stamp(b.RevokedAt)
	}
	return text
}

func (a *app) kmipClientConfigure() *cobra.Command {
	var k sdk.KMIPChange
	c := &cobra.Command{Use: "configure NAME", Short: "Change a client's role and credentials, at once", Args: cobra.ExactArgs(1), Long: "Change what is given of a client's role and credentials, at once.\n\n" + credentialHelp}
	f := c.Flags()
	f.StringVar(&k.Role, "role", "", "its new role")
	f.BoolVar(&k.RemovePassword, "remove-password", false, "it shows no username and password any more")
	f.BoolVar(&k.RemoveDevice, "remove-device", false, "it shows no device credential any more")
	given := credentialFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkChange(c, k, given); err != nil {
			return err
		}
		if err := given.check(a, false); err != nil {
			return err
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		k.KMIPCredentials, err = given.read(a)
		defer clearCredentials(k.KMIPCredentials)
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		n, err := client.ConfigureKMIPClient(ctx, args[0], k)
		return a.showNamed("configured", n, err)
	}
	return c
}

func checkChange(c *cobra.Command, k sdk.KMIPChange, given *credential) error {
	switch {
	case given.username != "" && k.RemovePassword:
		return usagef("give --username or --remove-password, not both")
	case given.hasDevice() && k.RemoveDevice:
		return usagef("give a device credential or --remove-device, not both")
	case given.username+given.file == "" && !given.hasDevice() && k.Role == "" && !k.RemovePassword && !k.RemoveDevice:
		return usagef("what is to change? see %s --help", c.CommandPath())
	}
	return nil
}

func (a *app) kmipClientRevokeBinding() *cobra.Command {
	return &cobra.Command{Use: "revoke-binding NAME NUMBER", Short: "End one of the things that a client is known by, for ever; trstctl kmip client read numbers them", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := strconv.ParseUint(args[1], 10, 64)
			if err != nil || n == 0 {
				return usagef("%q is not the number of a binding: trstctl kmip client read %s shows them", args[1], shellWord(args[0]))
			}
			return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
				named, err := client.RevokeKMIPBinding(ctx, args[0], n)
				if err != nil {
					return err
				}
				return a.show(view{json: named, rows: fields("revoked", fmt.Sprintf("binding %d of %s", n, named.Name), "uid", named.UID)})
			})
		}}
}

func (a *app) kmipClientConfirm() *cobra.Command {
	var all bool
	c := &cobra.Command{Use: "confirm (NAME | --all)", Short: "Let in clients of before a restore of the cluster", Args: cobra.MaximumNArgs(1),
		Long: "Let in a client, or with --all every client of the tenant, of before a restore of the cluster: what was revoked after the backup was made may be among\n" +
			"them, since a backup does not know it. It revives none that was revoked before."}
	c.Flags().BoolVar(&all, "all", false, "all clients of the tenant")
	c.RunE = func(c *cobra.Command, args []string) error {
		if all == (len(args) == 1) {
			return usagef("give the NAME of a client, or --all")
		}
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			if !all {
				n, err := client.ConfirmKMIPClient(ctx, args[0])
				return a.showNamed("confirmed", n, err)
			}
			if err := client.ConfirmKMIPClients(ctx); err != nil {
				return err
			}
			return a.done("confirmed", "all")
		})
	}
	return c
}
