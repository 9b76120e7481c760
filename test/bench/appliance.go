package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"path"

	"github.com/trstctl/trstctl/cmd/trstctl/dev"
	"github.com/trstctl/trstctl/sdk"
)

// appliance is a client of KMIP's that may do anything in a tenant of its own, with where the nodes speak it.
type appliance struct {
	tenant string
	tls    *tls.Config       // trusts the cluster's servers, and shows the client's certificate
	ports  map[string]string // host:port, by a node's API address
}

// portsOfKMIP are where the nodes speak it; nil if one of them does not, or nobody says where.
func portsOfKMIP(nodes []dev.Node) map[string]string {
	ports := map[string]string{}
	for _, n := range nodes {
		if n.KMIP == "" {
			return nil
		}
		ports[n.API] = n.KMIP
	}
	return ports
}

// enrol makes a tenant with one client, and returns when all nodes would let it in.
func (c *cluster) enrol(ctx context.Context, ports map[string]string) (*appliance, error) {
	a := &appliance{tenant: "bench-" + path.Base(c.prefix), ports: ports}
	if _, err := c.admin.CreateTenant(ctx, a.tenant); err != nil {
		return nil, fmt.Errorf("make a tenant for KMIP: %w", err)
	}
	made, err := c.issue(ctx, a.tenant)
	if err == nil {
		a.tls, err = c.configure(ctx, made)
	}
	if err == nil {
		err = a.admitted(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("enrol a client of KMIP's: %w", err), c.dismiss(ctx, a))
	}
	return a, nil
}

func (c *cluster) issue(ctx context.Context, tenant string) (made sdk.KMIPIssued, err error) {
	admin, err := c.clientIn(tenant, c.env.Addresses...)
	if err != nil {
		return made, err
	}
	if _, err := admin.InitKMIPCA(ctx, "ec-p256"); err != nil {
		return made, err
	}
	if _, err := admin.SetKMIPRole(ctx, "bench", sdk.KMIPRole{All: true, Groups: []string{"*"}}); err != nil {
		return made, err
	}
	return admin.EnrolKMIPClient(ctx, "bench", sdk.KMIPEnrolment{Role: "bench", By: sdk.KMIPMadeKey("ec-p256", 0)})
}

// clientIn is a client that acts in a tenant.
func (c *cluster) clientIn(tenant string, addresses ...string) (*sdk.Client, error) {
	return sdk.New(sdk.Options{Addresses: addresses, CACert: c.ca, Token: c.env.Token, Tenant: tenant, UserAgent: "trstctl-bench"})
}

// configure waits for the CA of the cluster's servers, which the leader makes by itself.
func (c *cluster) configure(ctx context.Context, made sdk.KMIPIssued) (*tls.Config, error) {
	own, err := tls.X509KeyPair([]byte(made.Certificate), made.PrivateKey)
	clear(made.PrivateKey)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	err = eventually(ctx, "the roots of the KMIP servers", func(ctx context.Context) error {
		pem, err := c.admin.KMIPRoots(ctx)
		if err == nil && !roots.AppendCertsFromPEM([]byte(pem)) {
			err = errors.New("there is no certificate in them")
		}
		return err
	})
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, Certificates: []tls.Certificate{own}}, err
}

// admitted asks every node for its versions until it answers: at first it has no certificate.
func (a *appliance) admitted(ctx context.Context) error {
	for api := range a.ports {
		l := a.line([]string{api}, false)
		err := eventually(ctx, api+" to speak KMIP", func(ctx context.Context) error { return discover(ctx, l, 0) })
		l.hangUp()
		if err != nil {
			return err
		}
	}
	return nil
}

// dismiss ends the tenant on a cluster that stays.
func (c *cluster) dismiss(ctx context.Context, a *appliance) error {
	if c.dev != nil {
		return nil
	}
	if err := c.admin.DeleteTenant(ctx, a.tenant); err != nil {
		return fmt.Errorf("delete the tenant %s: %w", a.tenant, err)
	}
	say("deleted the tenant %s", a.tenant)
	return nil
}
