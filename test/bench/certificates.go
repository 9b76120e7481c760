package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"time"

	"github.com/trstctl/trstctl/sdk"
)

const (
	usersOfCertificates = 32
	peerCertificates    = 205 // a second with a lease, of a well-known open-source peer on such a machine
)

// certificates measures certificates that are issued with their key, of P-256, beside a direct key and x509.CreateCertificate in the same run.
func certificates(ctx context.Context, b *bench, c *cluster) error {
	if _, err := c.admin.CreateIssuer(ctx, "bench", sdk.IssuerSpec{Kind: "root", CommonName: "Bench"}); err != nil {
		return err
	}
	direct, err := b.directCertificates(ctx)
	if err != nil {
		return err
	}
	b.add(direct)
	for _, role := range []struct {
		name string
		spec sdk.PKIRoleSpec
		want *target
	}{
		{"with a lease", sdk.PKIRoleSpec{Lease: true}, atLeast(5*peerCertificates, ">= 1,025/s")},
		{"stored", sdk.PKIRoleSpec{}, nil},
		{"not stored", sdk.PKIRoleSpec{Unstored: true}, nil},
	} {
		role.spec.Issuer, role.spec.Domains = "bench", []string{"*.example.com"}
		name := "bench-" + string(rune('a'+len(b.rows)))
		if _, err := c.admin.WritePKIRole(ctx, name, role.spec); err != nil {
			return err
		}
		row, err := b.measure(ctx, c, Row{What: "certificates " + role.name, Clients: usersOfCertificates}, all, func(ctx context.Context, w *worker, _ int) error {
			got, err := w.client.IssueCertificate(ctx, name, sdk.CertificateSpec{DNSNames: []string{"a.example.com"}, TTL: time.Hour})
			clear(got.PrivateKey)
			return err
		})
		if err != nil {
			return err
		}
		b.add(row.beside(row.PerSecond, direct.PerSecond, "a direct key and signature in one thread").judge(role.want))
	}
	return nil
}

// directCertificates makes keys and certificates in one thread of the bench.
func (b *bench) directCertificates(ctx context.Context) (Row, error) {
	row := Row{What: "direct call: a P-256 key and its certificate", Clients: 1}
	ca, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return row, err
	}
	parent := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Bench"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	before, began := ownCPU(), time.Now()
	for ; time.Since(began) < b.opt.period/5 && ctx.Err() == nil; row.Count++ {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return row, err
		}
		leaf := &x509.Certificate{SerialNumber: big.NewInt(int64(row.Count) + 2), DNSNames: []string{"a.example.com"}, NotAfter: time.Now().Add(time.Hour)}
		if _, err := x509.CreateCertificate(rand.Reader, leaf, parent, key.Public(), ca); err != nil {
			return row, err
		}
	}
	ran := time.Since(began)
	row.PerSecond, row.BenchCPU = perSecond(row.Count, ran), each(ownCPU()-before, row.Count)
	return row, ctx.Err()
}
