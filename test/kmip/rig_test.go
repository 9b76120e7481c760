package kmip

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
	"github.com/trstctl/trstctl/test/harness"
	"github.com/trstctl/trstctl/test/kmip/replay"
)

// cluster is three nodes that serve KMIP.
func cluster(t testing.TB) *harness.Cluster {
	c := harness.Start(t, harness.Options{KMIP: true})
	for _, n := range c.Nodes {
		c.Eventually("a certificate for the KMIP port of "+n.ID, func(ctx context.Context) error {
			d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // who it is comes later: is it there?
			conn, err := d.DialContext(ctx, "tcp", n.KMIP)
			if err == nil {
				conn.Close()
			}
			return err
		})
	}
	return c
}

// appliance is a client of a tenant, with what its administrator installs on it.
type appliance struct {
	t                       testing.TB
	certificate, key, roots []byte // PEM
}

// config trusts the cluster's servers, and shows the certificate.
func (a *appliance) config() *tls.Config {
	own, err := tls.X509KeyPair(a.certificate, a.key)
	require.NoError(a.t, err)
	roots := x509.NewCertPool()
	require.True(a.t, roots.AppendCertsFromPEM(a.roots))
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}, ServerName: "127.0.0.1"}
}

// files are paths of what it has: certificate, key and roots.
func (a *appliance) files() (paths [3]string) {
	dir := a.t.TempDir()
	for i, b := range [][]byte{a.certificate, a.key, a.roots} {
		paths[i] = filepath.Join(dir, fmt.Sprintf("%d.pem", i))
		require.NoError(a.t, os.WriteFile(paths[i], b, 0o600))
	}
	return paths
}

// dial connects to one node after the other.
func (a *appliance) dial(nodes []*harness.Node, turn *atomic.Uint32) replay.Dial {
	return func(ctx context.Context, _ string) (replay.Exchange, func(), error) {
		at := nodes[int(turn.Add(1))%len(nodes)].KMIP
		d := tls.Dialer{Config: a.config()}
		c, err := d.DialContext(ctx, "tcp", at)
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context, request []byte) ([]byte, error) { return exchange(ctx, c, request) }, func() { c.Close() }, nil
	}
}

func exchange(ctx context.Context, c net.Conn, request []byte) ([]byte, error) {
	until, bounded := ctx.Deadline()
	if !bounded {
		until = time.Now().Add(time.Minute)
	}
	if err := c.SetDeadline(until); err != nil {
		return nil, err
	}
	if _, err := c.Write(request); err != nil {
		return nil, err
	}
	m, err := ttlv.Read(c, ttlv.Limits{})
	if err != nil {
		return nil, err
	}
	return ttlv.Marshal(m, ttlv.Limits{})
}

// enrol makes a tenant with a client that may do anything in it.
func enrol(t testing.TB, c *harness.Cluster, tenant string) *appliance {
	ctx := t.Context()
	_, err := c.Client().CreateTenant(ctx, tenant)
	require.NoError(t, err)
	admin := c.ClientIn(tenant)
	_, err = admin.InitKMIPCA(ctx, "ec-p256")
	require.NoError(t, err)
	_, err = admin.SetKMIPRole(ctx, "everything", sdk.KMIPRole{All: true, Groups: []string{"*"}, PKCS1: true, SmallRSA: true})
	require.NoError(t, err)
	made, err := admin.EnrolKMIPClient(ctx, "appliance", sdk.KMIPEnrolment{Role: "everything", By: sdk.KMIPMadeKey("ec-p256", 0)})
	require.NoError(t, err)
	roots, err := c.Client().KMIPRoots(ctx)
	require.NoError(t, err)
	return &appliance{t: t, certificate: []byte(made.Certificate), key: []byte(made.PrivateKey), roots: []byte(roots)}
}
