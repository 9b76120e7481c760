package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) pkiIssue() *cobra.Command {
	var s sdk.CertificateSpec
	var files certificateFiles
	c := &cobra.Command{Use: "issue ROLE", Short: "Make a key and a certificate for it", Args: cobra.ExactArgs(1)}
	c.Long = `Make a key and a certificate for it by a role:

  trstctl pki issue hosts --dns www.example.com --out /etc/www

With --out DIR the key goes into DIR/tls.key, which you alone can read, the certificate with the CAs below the root into DIR/tls.crt, and the root into
DIR/ca.crt. Nothing is written over a file that is there, unless --overwrite says so. With --p12 FILE everything goes into one PKCS#12 file, under a password.
Without either the key is printed, this once: the cluster does not keep it.`
	f := c.Flags()
	f.StringVar(&s.CommonName, "common-name", "", "a host or address among the names, or what the role allows; the first name unless given")
	f.StringArrayVar(&s.DNSNames, "dns", nil, "name of a host; may be repeated, as may all names")
	f.StringArrayVar(&s.IPs, "ip", nil, "IP address")
	f.StringArrayVar(&s.URIs, "uri", nil, "URI")
	f.StringArrayVar(&s.Emails, "email", nil, "e-mail address")
	f.DurationVar(&s.TTL, "ttl", 0, "the role's unless given")
	f.StringVar(&s.KeyType, "key-type", "", "the role's first unless given")
	files.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		if err := files.prepare(a); err != nil { // what can go wrong here goes wrong before there is a key that nobody else has
			return err
		}
		defer files.clear()
		ctx, cancel := a.call(c.Context())
		defer cancel()
		got, err := client.IssueCertificate(ctx, args[0], s)
		if err != nil {
			return err
		}
		defer clear(got.PrivateKey)
		return a.showIssuedCertificate(files.keep(got))
	}
	return c
}

// issuedCertificate is what was issued, with its key or with the files that have it.
type issuedCertificate struct {
	Key sdk.Text `json:"private_key,omitempty"`
	sdk.Certificate
	Files []string `json:"files,omitempty"`
}

// showIssuedCertificate is the one place that prints a certificate's key.
func (a *app) showIssuedCertificate(c issuedCertificate, err error) error {
	if err != nil {
		return err
	}
	rows := fields("serial number", c.SerialNumber, "issuer", c.Issuer, "role", c.Role, "key", c.KeyType, "expires", stamp(c.ExpiresAt), "lease", dash(c.LeaseID))
	for _, f := range c.Files {
		rows = append(rows, []string{"written", f})
	}
	var loose []byte
	if len(c.Key) > 0 {
		loose = append(append(loose, c.Key...), c.Certificate.Certificate+c.Chain...)
	}
	defer clear(loose)
	if err := a.show(view{json: c, rows: rows, raw: loose}); err != nil {
		return err
	}
	if len(loose) > 0 && a.output != "json" && a.output != "raw" {
		if _, err := a.out.Write(append([]byte("\n"), loose...)); err != nil {
			return err
		}
	}
	if len(c.Key) > 0 {
		return a.note("this private key is not shown again, and the cluster does not have it: keep it now")
	}
	return nil
}

func (a *app) pkiSign() *cobra.Command {
	var file string
	var ttl time.Duration
	c := &cobra.Command{Use: "sign ROLE --csr FILE", Short: "Have a request signed by a role, and print the certificate with its chain", Args: cobra.ExactArgs(1)}
	c.Flags().StringVar(&file, "csr", "", "PEM file with the request, whose names are certified; - for stdin")
	c.Flags().DurationVar(&ttl, "ttl", 0, "the role's unless given")
	c.RunE = func(c *cobra.Command, args []string) error {
		csr, err := a.publicDocument("csr", file, "the request")
		if err != nil {
			return err
		}
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			return a.showSigned(client.SignCertificate(ctx, args[0], csr, ttl))
		})
	}
	return c
}

// showSigned prints a certificate and those above it, for a file.
func (a *app) showSigned(c sdk.Certificate, err error) error {
	if err != nil {
		return err
	}
	return a.showPEM(c, c.Certificate+c.Chain)
}

func (a *app) pkiCertificate() *cobra.Command {
	return group("certificate", "Look after certificates that were issued", a.certificateList(), a.certificateShow(), a.certificateRevoke())
}

func (a *app) certificateList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the certificates that are stored, in the order of their serial numbers", Args: cobra.NoArgs}
	s := sliceFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		page, err := gather(a, c, s, func(s sdk.Slice) (sdk.Page[sdk.KeptCertificate], error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			return client.Certificates(ctx, s)
		})
		if err != nil {
			return err
		}
		return a.show(view{json: page, head: []string{"SERIAL NUMBER", "STATE", "ISSUER", "ROLE", "EXPIRES", "NAMES"}, rows: rowsOf(page.Items, func(k sdk.KeptCertificate) []string {
			return []string{k.SerialNumber, k.State, dash(k.Issuer), dash(k.Role), stamp(k.ExpiresAt), dash(strings.Join(k.Names, " "))}
		})})
	}
	return c
}

func (a *app) showKept(k sdk.KeptCertificate, err error) error {
	if err != nil {
		return err
	}
	return a.show(view{json: k, raw: []byte(k.Certificate), rows: fields("serial number", k.SerialNumber, "state", k.State, "issuer", dash(k.Issuer), "role", dash(k.Role), "subject", dash(k.Subject),
		"names", dash(strings.Join(k.Names, " ")), "issued", stamp(k.IssuedAt), "expires", stamp(k.ExpiresAt), "issued to", dash(k.IssuedTo), "by", dash(k.Holder), "lease", dash(k.LeaseID),
		"revoked", stamp(k.RevokedAt), "because", dash(k.RevocationReason))})
}

func (a *app) certificateShow() *cobra.Command {
	return &cobra.Command{Use: "show SERIAL", Short: "Describe a certificate; -o raw prints it in PEM", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			return a.showKept(client.Certificate(ctx, args[0]))
		})
	}}
}

const reasonHelp = "keyCompromise, affiliationChanged, superseded, cessationOfOperation, privilegeWithdrawn or unspecified"

func (a *app) certificateRevoke() *cobra.Command {
	var reason string
	c := &cobra.Command{Use: "revoke SERIAL", Short: "Revoke a certificate: from then on no node answers that it is good", Args: cobra.ExactArgs(1)}
	c.Flags().StringVar(&reason, "reason", "", reasonHelp)
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			return a.showKept(client.RevokeCertificate(ctx, args[0], reason))
		})
	}
	return c
}

func (a *app) pkiRevoke() *cobra.Command {
	var reason string
	c := &cobra.Command{Use: "revoke FILE|-", Short: "Revoke a certificate by presenting it: also one that is not stored", Args: cobra.ExactArgs(1)}
	c.Flags().StringVar(&reason, "reason", "", reasonHelp)
	c.RunE = func(c *cobra.Command, args []string) error {
		text, err := a.publicDocument("certificate", args[0], "the certificate")
		if err != nil {
			return err
		}
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			serial, err := client.RevokePresented(ctx, text, reason)
			if err != nil {
				return err
			}
			return a.show(view{json: map[string]string{"revoked": serial}, rows: fields("revoked", serial)})
		})
	}
	return c
}
