package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) kmipRole() *cobra.Command {
	return group("role", "Say what clients may do", a.kmipRoleList(),
		a.onKMIPRole("read NAME", "Show a role", (*sdk.Client).KMIPRole, a.showRole),
		a.kmipRoleWrite(),
		a.onKMIPRole("delete NAME", "Delete a role that no client has", (*sdk.Client).DeleteKMIPRole, func(r sdk.NamedKMIPRole) error { return a.done("deleted", r.Name) }))
}

func (a *app) onKMIPRole(use, short string, do func(*sdk.Client, context.Context, string) (sdk.NamedKMIPRole, error), show func(sdk.NamedKMIPRole) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			r, err := do(client, ctx, args[0])
			if err != nil {
				return err
			}
			return show(r)
		})
	}}
}

// mayDo is the operations of a role.
func mayDo(r sdk.KMIPRole) string {
	if r.All {
		return "all"
	}
	return strings.Join(r.Operations, ",")
}

func (a *app) showRole(r sdk.NamedKMIPRole) error {
	return a.show(view{json: r, rows: fields("name", r.Name, "operations", mayDo(r.KMIPRole), "groups", strings.Join(r.Groups, ", "), "objects at most", atMost(r.Objects),
		"credential required", yes(r.Credential), "rsa pkcs1 v1.5 decryption", yes(r.PKCS1), "rsa-1024", yes(r.SmallRSA))})
}

func (a *app) kmipRoleList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the roles", Args: cobra.NoArgs}
	s := sliceFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		page, err := gather(a, c, s, func(s sdk.Slice) (sdk.Page[sdk.NamedKMIPRole], error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			return client.KMIPRoles(ctx, s)
		})
		if err != nil {
			return err
		}
		return a.show(view{json: page, head: []string{"NAME", "OPERATIONS", "GROUPS", "OBJECTS", "CREDENTIAL"}, rows: rowsOf(page.Items, func(r sdk.NamedKMIPRole) []string {
			return []string{r.Name, mayDo(r.KMIPRole), strings.Join(r.Groups, ","), atMost(r.Objects), yes(r.Credential)}
		})})
	}
	return c
}

func (a *app) kmipRoleWrite() *cobra.Command {
	var r sdk.KMIPRole
	c := &cobra.Command{Use: "write NAME (--all-operations | --operation Create,Get)", Short: "Make a role, or change it at once for all clients that have it", Args: cobra.ExactArgs(1),
		Long: "Make a role, or change it at once for all clients that have it. It is as the flags say afterwards: what is left out does not stay as it was."}
	f := c.Flags()
	f.BoolVar(&r.All, "all-operations", false, "also those that later releases bring")
	f.StringSliceVar(&r.Operations, "operation", nil, "as KMIP names it without spaces, such as CreateKeyPair, or its number, such as 0x0a; may be repeated")
	f.StringArrayVar(&r.Groups, "group", nil, "object group that clients see; @own (default) is the one with the client's name, * the whole tenant; may be repeated")
	f.Uint64Var(&r.Objects, "max-objects", 0, "that each client may have; 0: no bound")
	f.BoolVar(&r.Credential, "credential-required", false, "clients show a username and password beside their certificate")
	f.BoolVar(&r.PKCS1, "rsa-pkcs1-v15-decryption", false, "they may decrypt with this padding, which tells an attacker about plaintexts")
	f.BoolVar(&r.SmallRSA, "rsa-1024", false, "they may have RSA keys of 1024 bits made, for devices that know no others")
	c.RunE = func(c *cobra.Command, args []string) error {
		if r.All == (len(r.Operations) > 0) {
			return usagef("give --all-operations or --operation, such as --operation Create,Get: what may its clients do?")
		}
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			made, err := client.SetKMIPRole(ctx, args[0], r)
			if err != nil {
				return err
			}
			return a.showRole(made)
		})
	}
	return c
}
