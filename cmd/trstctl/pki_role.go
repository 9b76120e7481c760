package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) pkiRole() *cobra.Command {
	return group("role", "Say what may be certified", a.pkiRoleList(), a.pkiRoleShow(), a.pkiRoleCreate(), a.pkiRoleDelete())
}

func (a *app) pkiRoleCreate() *cobra.Command {
	var s sdk.PKIRoleSpec
	c := &cobra.Command{Use: "create NAME", Short: "Make a role, or change it: certificates that are out stay as they are", Args: cobra.ExactArgs(1)}
	c.Long = `Make a role, or change it: certificates that are out stay as they are. A name that no pattern matches is refused. In patterns * stands for some characters
of one label (or of one segment, or part), ** for some of any number, and ${identity} for the identity of the caller's token.

  --domain '*.example.com' --allow-wildcards --network 10.0.0.0/8
  --uri 'spiffe://example.com/ns/*/sa/${identity}' --usage client
  --common-name-pattern '${identity}'                   users of a database, who are neither host nor address

Whoever writes a role decides who is believed to be whom: it takes sudo.`
	f := c.Flags()
	f.StringVar(&s.Issuer, "issuer", "", "the default one unless given")
	f.StringArrayVar(&s.Domains, "domain", nil, "pattern of hosts; may be repeated, as may all patterns")
	f.BoolVar(&s.AllowWildcards, "allow-wildcards", false, "names such as *.example.com, where any host in their place would be allowed")
	f.StringArrayVar(&s.Networks, "network", nil, "of IP addresses")
	f.StringArrayVar(&s.URIs, "uri", nil, "pattern of URIs")
	f.StringArrayVar(&s.Emails, "email", nil, "pattern of e-mail addresses")
	f.StringArrayVar(&s.CommonNames, "common-name-pattern", nil, "of common names that are neither host nor address")
	subjectFlags(c, nil, &s.Organization, &s.OrganizationalUnit, &s.Country, &s.Province, &s.Locality)
	f.StringSliceVar(&s.KeyTypes, "key-type", nil, "that may be certified; the first is made unless asked otherwise (ec-p256)")
	f.StringSliceVar(&s.Usages, "usage", nil, "server, client, code-signing, email, time-stamping (server,client)")
	f.DurationVar(&s.TTL, "ttl", 0, "of a certificate (720h)")
	f.DurationVar(&s.MaxTTL, "max-ttl", 0, "that may be asked for (2160h)")
	f.BoolVar(&s.Unstored, "unstored", false, "certificates are not kept: 24h at most, no lease, no OCSP, revoked by presenting them")
	f.BoolVar(&s.Lease, "lease", false, "each has a lease, and is revoked when that ends before it does")
	f.Uint64Var(&s.MaxLeases, "max-leases", 0, "at a time; as many as the tenant may unless given")
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			r, err := client.WritePKIRole(ctx, args[0], s)
			return a.showPKIRole(r, err)
		})
	}
	return c
}

func (a *app) showPKIRole(r sdk.PKIRole, err error) error {
	if err != nil {
		return err
	}
	rows := fields("role", r.Name, "issuer", orDefault(r.Issuer), "keys", strings.Join(r.KeyTypes, ", "), "usages", strings.Join(r.Usages, ", "), "ttl", r.TTL, "max ttl", r.MaxTTL,
		"wildcards", yes(r.AllowWildcards), "stored", yes(!r.Unstored), "lease", yes(r.Lease), "leases at most", atMost(r.MaxLeases))
	for _, p := range []struct {
		what string
		all  []string
	}{{"domain", r.Domains}, {"network", r.Networks}, {"uri", r.URIs}, {"email", r.Emails}, {"common name", r.CommonNames}} {
		for _, text := range p.all {
			rows = append(rows, []string{p.what, text})
		}
	}
	for _, row := range fields("organization", r.Organization, "organizational unit", r.OrganizationalUnit, "country", r.Country, "province", r.Province, "locality", r.Locality) {
		if row[1] != "" {
			rows = append(rows, row)
		}
	}
	return a.show(view{json: r, rows: rows})
}

func orDefault(issuer string) string {
	if issuer == "" {
		return "the default one"
	}
	return issuer
}

func (a *app) pkiRoleShow() *cobra.Command {
	return &cobra.Command{Use: "show NAME", Short: "Describe a role", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			r, err := client.PKIRole(ctx, args[0])
			return a.showPKIRole(r, err)
		})
	}}
}

func (a *app) pkiRoleDelete() *cobra.Command {
	return &cobra.Command{Use: "delete NAME", Short: "Delete a role: its certificates stay as they are", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			if err := client.DeletePKIRole(ctx, args[0]); err != nil {
				return err
			}
			return a.done("deleted", args[0])
		})
	}}
}

func (a *app) pkiRoleList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the roles", Args: cobra.NoArgs}
	s := sliceFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		page, err := gather(a, c, s, func(s sdk.Slice) (sdk.Page[sdk.PKIRole], error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			return client.PKIRoles(ctx, s)
		})
		if err != nil {
			return err
		}
		return a.show(view{json: page, head: []string{"ROLE", "ISSUER", "TTL", "MAX TTL", "DOMAINS"}, rows: rowsOf(page.Items, func(r sdk.PKIRole) []string {
			return []string{r.Name, orDefault(r.Issuer), r.TTL, r.MaxTTL, dash(strings.Join(r.Domains, " "))}
		})})
	}
	return c
}
