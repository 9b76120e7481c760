package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) dynamicRole() *cobra.Command {
	return group("role", "Say what the accounts of a connection may do", a.dynamicRoleList(), a.dynamicRoleShow(), a.dynamicRoleCreate(), a.dynamicRoleDelete())
}

func (a *app) dynamicRoleCreate() *cobra.Command {
	var s sdk.DynamicRoleSpec
	var options []string
	c := &cobra.Command{Use: "create CONNECTION ROLE", Short: "Make a role, or change it: its leases go on as they were made", Args: cobra.ExactArgs(2)}
	c.Long = `Make a role of a connection, or change it: its leases go on as they were made. A grant is as the backend has it; of postgresql it is what stands between GRANT and TO:

  --grant 'SELECT ON ALL TABLES IN SCHEMA public'
  --grant 'DEFAULT IN SCHEMA public SELECT ON TABLES'    default privileges: what is made later, too
  --grant reporting                                      membership of a role

Of redis it is rules of an ACL, without any about passwords: --grant '+@read +@write ~app:*'

Whoever writes a role acts as the target's administrator: it takes sudo.`
	f := c.Flags()
	f.StringArrayVar(&s.Grants, "grant", nil, "what accounts may do; may be repeated")
	f.StringArrayVar(&options, "option", nil, "NAME=VALUE of the backend's own; may be repeated")
	f.DurationVar(&s.TTL, "ttl", 0, "of a lease (1h)")
	f.DurationVar(&s.MaxTTL, "max-ttl", 0, "with all renewals (24h)")
	f.Uint64Var(&s.MaxLeases, "max-leases", 0, "at a time; as many as the tenant may unless given")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(s.Grants) == 0 {
			return usagef("--grant is missing: say what accounts may do, such as --grant 'SELECT ON ALL TABLES IN SCHEMA public'")
		}
		for _, o := range options {
			name, value, found := strings.Cut(o, "=")
			if !found || name == "" {
				return usagef("--option is NAME=VALUE")
			}
			if s.Options == nil {
				s.Options = map[string]string{}
			}
			s.Options[name] = value
		}
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			r, err := client.WriteDynamicRole(ctx, args[0], args[1], s)
			return a.showDynamicRole(r, err)
		})
	}
	return c
}

func (a *app) showDynamicRole(r sdk.DynamicRole, err error) error {
	if err != nil {
		return err
	}
	rows := fields("connection", r.Connection, "role", r.Name, "ttl", r.TTL, "max ttl", r.MaxTTL, "leases at most", atMost(r.MaxLeases))
	for _, g := range r.Grants {
		rows = append(rows, []string{"grant", g})
	}
	for name, value := range r.Options {
		rows = append(rows, []string{"option " + name, value})
	}
	return a.show(view{json: r, rows: rows})
}

func (a *app) dynamicRoleShow() *cobra.Command {
	return &cobra.Command{Use: "show CONNECTION ROLE", Short: "Describe a role", Args: cobra.ExactArgs(2), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			r, err := client.DynamicRole(ctx, args[0], args[1])
			return a.showDynamicRole(r, err)
		})
	}}
}

func (a *app) dynamicRoleDelete() *cobra.Command {
	return &cobra.Command{Use: "delete CONNECTION ROLE", Short: "Delete a role: its leases go on until they end", Args: cobra.ExactArgs(2), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			if err := client.DeleteDynamicRole(ctx, args[0], args[1]); err != nil {
				return err
			}
			return a.done("deleted", args[0]+"/"+args[1])
		})
	}}
}

func (a *app) dynamicRoleList() *cobra.Command {
	c := &cobra.Command{Use: "list CONNECTION", Short: "List the roles of a connection", Args: cobra.ExactArgs(1)}
	s := sliceFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		page, err := gather(a, c, s, func(s sdk.Slice) (sdk.Page[sdk.DynamicRole], error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			return client.DynamicRoles(ctx, args[0], s)
		})
		if err != nil {
			return err
		}
		return a.show(view{json: page, head: []string{"ROLE", "TTL", "MAX TTL", "LEASES", "GRANTS"}, rows: rowsOf(page.Items, func(r sdk.DynamicRole) []string {
			return []string{r.Name, r.TTL, r.MaxTTL, atMost(r.MaxLeases), strings.Join(r.Grants, "; ")}
		})})
	}
	return c
}
