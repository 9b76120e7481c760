package main

import (
	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) tenantCommand() *cobra.Command {
	return group("tenant", "Make and delete tenants", a.tenantCreate(), a.tenantList(), a.tenantDelete())
}

func (a *app) tenantCreate() *cobra.Command {
	return &cobra.Command{Use: "create NAME", Short: "Create a tenant with its own keys", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		t, err := client.CreateTenant(ctx, args[0])
		if err != nil {
			return err
		}
		return a.show(view{json: t, head: tenantHead(), rows: [][]string{tenantRow(t)}})
	}}
}

func tenantHead() []string { return []string{"NAME", "UID", "CREATED"} }

func tenantRow(t sdk.Tenant) []string { return []string{t.Name, t.UID, stamp(t.CreatedAt)} }

func (a *app) tenantList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List tenants", Args: cobra.NoArgs}
	s := sliceFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		page, err := gather(a, c, s, func(s sdk.Slice) (sdk.Page[sdk.Tenant], error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			return client.Tenants(ctx, s)
		})
		if err != nil {
			return err
		}
		return a.show(view{json: page, head: tenantHead(), rows: rowsOf(page.Items, tenantRow)})
	}
	return c
}

func (a *app) tenantDelete() *cobra.Command {
	return &cobra.Command{Use: "delete NAME", Short: "Delete a tenant: its keys are destroyed and its secrets with them", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		if err := client.DeleteTenant(ctx, args[0]); err != nil {
			return err
		}
		return a.done("deleted", args[0])
	}}
}
