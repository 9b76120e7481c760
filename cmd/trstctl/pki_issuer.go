package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) pkiIssuer() *cobra.Command {
	return group("issuer", "Keep certification authorities", a.issuerList(), a.issuerShow(), a.issuerCreate(), a.issuerImport(), a.issuerCertify(), a.issuerCrossSign(), a.issuerConfigure(),
		a.onIssuer("confirm NAME", "Let an issuer go on after the cluster was restored", (*sdk.Client).ConfirmIssuer),
		a.onIssuer("default NAME", "Have roles that name no issuer use this one", (*sdk.Client).SetDefaultIssuer),
		a.issuerSign(), a.issuerDelete())
}

func (a *app) onIssuer(use, short string, do func(*sdk.Client, context.Context, string) (sdk.Issuer, error)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error { return a.showIssuer(do(client, ctx, args[0])) })
	}}
}

func (a *app) showIssuer(i sdk.Issuer, err error) error {
	if err != nil {
		return err
	}
	rows := fields("name", i.Name, "state", i.State, "default", yes(i.Default), "uid", i.UID, "key", i.KeyType, "expires", stamp(i.ExpiresAt), "url", dash(i.URL), "max ttl", dash(i.MaxTTL),
		"crl validity", i.CRLValidity, "revocations", number(i.Revocations), "signed by", dash(i.Parent), "cross-signed by", dash(i.CrossSignedBy), "chains go by that", yes(i.UseCrossCertificate),
		"made", stamp(i.CreatedAt), "by", i.CreatedBy)
	if err := a.show(view{json: i, rows: rows, raw: []byte(i.Certificate)}); err != nil {
		return err
	}
	if i.State == "waiting" {
		return a.note("it waits for its certificate: have `trstctl pki issuer show " + shellWord(i.Name) + " --pem csr` signed, and give the result to trstctl pki issuer certify")
	}
	return nil
}

func (a *app) issuerList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the issuers", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			all, err := client.Issuers(ctx)
			if err != nil {
				return err
			}
			return a.show(view{json: sdk.Page[sdk.Issuer]{Items: all}, head: []string{"NAME", "STATE", "DEFAULT", "KEY", "EXPIRES", "SIGNED BY"}, rows: rowsOf(all, func(i sdk.Issuer) []string {
				return []string{i.Name, i.State, yes(i.Default), i.KeyType, stamp(i.ExpiresAt), dash(i.Parent)}
			})})
		})
	}}
}

func (a *app) issuerShow() *cobra.Command {
	var part string
	c := &cobra.Command{Use: "show NAME", Short: "Describe an issuer, or print one of its certificates", Args: cobra.ExactArgs(1)}
	c.Flags().StringVar(&part, "pem", "", "print only this, in PEM: certificate, chain (with those above it), csr or cross")
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			i, err := client.Issuer(ctx, args[0])
			if err != nil || part == "" {
				return a.showIssuer(i, err)
			}
			text, known := map[string]string{"certificate": i.Certificate, "chain": i.Certificate + i.Chain, "csr": i.CSR, "cross": i.CrossCertificate}[part]
			switch {
			case !known:
				return usagef("--pem is certificate, chain, csr or cross")
			case text == "":
				return usagef("issuer %s has no %s", args[0], part)
			}
			return a.showPEM(map[string]string{part: text}, text)
		})
	}
	return c
}

func issuerSettingsFlags(c *cobra.Command, s *sdk.IssuerSettings) {
	f := c.Flags()
	f.StringVar(&s.URL, "url", "", "where clients reach the PKI's port, such as http://pki.example:8280: certificates name their CRL and OCSP responder below it")
	f.DurationVar(&s.MaxTTL, "max-ttl", 0, "of what it issues; as long as it lasts itself unless given")
	f.DurationVar(&s.CRLValidity, "crl-validity", 0, "1h to 720h (72h)")
}

func (a *app) issuerCreate() *cobra.Command {
	var s sdk.IssuerSpec
	var length int64
	c := &cobra.Command{Use: "create NAME", Short: "Make a CA with a key that never leaves", Args: cobra.ExactArgs(1)}
	c.Long = `Make a CA with a key that never leaves:

  trstctl pki issuer create root --kind root --common-name 'Example Root'
  trstctl pki issuer create web --kind intermediate --parent root --common-name 'Example Web'
  trstctl pki issuer create web --kind request --common-name 'Example Web'    signed elsewhere: trstctl pki issuer show web --pem csr`
	f := c.Flags()
	f.StringVar(&s.Kind, "kind", "", "root, intermediate or request")
	f.StringVar(&s.Parent, "parent", "", "of an intermediate; the default issuer unless given")
	subjectFlags(c, &s.CommonName, &s.Organization, &s.OrganizationalUnit, &s.Country, &s.Province, &s.Locality)
	f.StringVar(&s.KeyType, "key-type", "", "ec-p256 (default), ec-p384, ec-p521, rsa-2048, rsa-3072, rsa-4096 or ed25519")
	f.DurationVar(&s.TTL, "ttl", 0, "10 years of a root, 5 of an intermediate unless given")
	f.Int64Var(&length, "path-length", -1, "how many CAs may stand below it; any number below a root, none below an intermediate unless given")
	f.StringArrayVar(&s.PermittedDomains, "permit-domain", nil, "in which all names of its certificates lie; may be repeated")
	issuerSettingsFlags(c, &s.IssuerSettings)
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case s.Kind == "":
			return usagef("--kind is missing: root, intermediate or request")
		case s.CommonName == "":
			return usagef("--common-name is missing: the CA's name, such as --common-name 'Example Root'")
		case c.Flag("path-length").Changed && length < 0:
			return usagef("--path-length is not negative")
		case length >= 0:
			n := uint64(length)
			s.PathLength = &n
		}
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			return a.showIssuer(client.CreateIssuer(ctx, args[0], s))
		})
	}
	return c
}

func subjectFlags(c *cobra.Command, common, o, ou, country, province, locality *string) {
	f := c.Flags()
	if common != nil {
		f.StringVar(common, "common-name", "", "of the subject")
	}
	f.StringVar(o, "organization", "", "of the subject, as is what follows")
	f.StringVar(ou, "organizational-unit", "", "")
	f.StringVar(country, "country", "", "two letters")
	f.StringVar(province, "province", "", "")
	f.StringVar(locality, "locality", "", "")
}

func (a *app) issuerImport() *cobra.Command {
	var s sdk.IssuerSettings
	var certificate, key string
	c := &cobra.Command{Use: "import NAME --certificate FILE --key FILE", Short: "Take a CA that was made elsewhere, with its key", Args: cobra.ExactArgs(1)}
	c.Flags().StringVar(&certificate, "certificate", "", "PEM file: the CA's own, then those above it")
	c.Flags().StringVar(&key, "key", "", "PEM file of its key, not encrypted; - for stdin")
	issuerSettingsFlags(c, &s)
	c.RunE = func(c *cobra.Command, args []string) error {
		if key == "" {
			return usagef("--key is missing: a FILE with the CA's key, or - for stdin")
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		chain, err := a.publicDocument("certificate", certificate, "the certificate")
		if err != nil {
			return err
		}
		secret, err := a.document(strings.TrimPrefix(key, "@"), maxPublic, "the key")
		if err != nil {
			return err
		}
		defer clear(secret)
		ctx, cancel := a.call(c.Context())
		defer cancel()
		return a.showIssuer(client.ImportIssuer(ctx, args[0], chain, secret, s))
	}
	return c
}

func (a *app) issuerCertify() *cobra.Command {
	var file string
	c := &cobra.Command{Use: "certify NAME --certificate FILE", Short: "Give a CA the certificate that was signed elsewhere for it", Args: cobra.ExactArgs(1)}
	c.Flags().StringVar(&file, "certificate", "", "PEM file: the CA's own, then those above it; - for stdin")
	c.RunE = func(c *cobra.Command, args []string) error {
		chain, err := a.publicDocument("certificate", file, "the certificate")
		if err != nil {
			return err
		}
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			return a.showIssuer(client.CertifyIssuer(ctx, args[0], chain))
		})
	}
	return c
}

func (a *app) issuerCrossSign() *cobra.Command {
	var by string
	c := &cobra.Command{Use: "cross-sign NAME --by OTHER", Short: "Have another issuer sign this one's key and name", Args: cobra.ExactArgs(1)}
	c.Long = "Have another issuer sign this one's key and name: who trusts that alone accepts what this one issues, once\n`trstctl pki issuer configure NAME --use-cross-certificate=true` has chains go that way."
	c.Flags().StringVar(&by, "by", "", "the issuer that signs")
	c.RunE = func(c *cobra.Command, args []string) error {
		if by == "" {
			return usagef("--by is missing: the issuer that signs")
		}
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			return a.showIssuer(client.CrossSignIssuer(ctx, args[0], by))
		})
	}
	return c
}

func (a *app) issuerConfigure() *cobra.Command {
	var s sdk.IssuerSettings
	var disable, enable, cross bool
	c := &cobra.Command{Use: "configure NAME", Short: "Change settings of an issuer: what is not given stays", Args: cobra.ExactArgs(1)}
	issuerSettingsFlags(c, &s)
	f := c.Flags()
	f.BoolVar(&disable, "disable", false, "it issues nothing; its CRL and OCSP answers go on")
	f.BoolVar(&enable, "enable", false, "it issues again")
	f.BoolVar(&cross, "use-cross-certificate", false, "chains go by the cross-signed certificate, or not")
	c.MarkFlagsMutuallyExclusive("disable", "enable")
	c.RunE = func(c *cobra.Command, args []string) error {
		change := issuerChange(c, s, disable, cross)
		if change == (sdk.IssuerChange{}) {
			return usagef("nothing to change: see trstctl pki issuer configure --help")
		}
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			return a.showIssuer(client.ConfigureIssuer(ctx, args[0], change))
		})
	}
	return c
}

// issuerChange is what the flags that were given say.
func issuerChange(c *cobra.Command, s sdk.IssuerSettings, disable, cross bool) (change sdk.IssuerChange) {
	given := func(name string) bool { return c.Flag(name).Changed }
	if given("url") {
		change.URL = &s.URL
	}
	if given("max-ttl") {
		change.MaxTTL = new(time.Duration)
		*change.MaxTTL = s.MaxTTL
	}
	change.CRLValidity = s.CRLValidity
	if given("disable") || given("enable") {
		change.Disabled = &disable
	}
	if given("use-cross-certificate") {
		change.UseCrossCertificate = &cross
	}
	return change
}

func (a *app) issuerSign() *cobra.Command {
	var file string
	var ttl time.Duration
	var ca bool
	c := &cobra.Command{Use: "sign NAME --csr FILE", Short: "Sign a request as it is, without a role", Args: cobra.ExactArgs(1)}
	f := c.Flags()
	f.StringVar(&file, "csr", "", "PEM file with the request; - for stdin")
	f.DurationVar(&ttl, "ttl", 0, "720h unless given, within the issuer's own life")
	f.BoolVar(&ca, "ca", false, "the certificate is a CA's, below which no other may stand")
	c.RunE = func(c *cobra.Command, args []string) error {
		csr, err := a.publicDocument("csr", file, "the request")
		if err != nil {
			return err
		}
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			return a.showSigned(client.SignVerbatim(ctx, args[0], csr, ttl, ca))
		})
	}
	return c
}

func (a *app) issuerDelete() *cobra.Command {
	var force bool
	c := &cobra.Command{Use: "delete NAME", Short: "Destroy the key of a CA: it publishes nothing any more", Args: cobra.ExactArgs(1)}
	c.Flags().BoolVar(&force, "force", false, "although certificates of it have not expired")
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			if err := client.DeleteIssuer(ctx, args[0], force); err != nil {
				return err
			}
			return a.done("deleted", args[0])
		})
	}
	return c
}
