package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/armon/go-metrics"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/tenant"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/mutant"
	"github.com/trstctl/trstctl/server/api/admit"
	"github.com/trstctl/trstctl/server/kmip"
)

const (
	askKMIP     = "kmip.message"
	askServerCA = "kmip.server-ca"

	kmipPeriod   = 2 * time.Second     // how often a node looks whether its certificate for KMIP is to be made anew
	kmipLife     = 90 * 24 * time.Hour // of such a certificate, of which a third is left when the next one is made
	kmipPatience = 5 * time.Second     // for a leader: longer than a failover takes
	caPatience   = 30 * time.Second    // for the leader to make the CA that issues them
)

// keyService is KMIP on one node: the engines, which decide where this node leads, and the port where one is configured.
type keyService struct {
	m       *member
	clients *kmipclient.Engine
	office  *kmip.Office

	names  kmipclient.ServerNames
	ports  []func() error // that serve until leaves ends; none: KMIP is not served here
	leaves context.Context
	leave  context.CancelFunc

	certificate atomic.Pointer[serverCertificate] // that the ports show; nil until there is one
}

// serverCertificate is what the port shows, with the generation of the CA that issued it.
type serverCertificate struct {
	tls.Certificate
	issuer uint64
}

// newKeyService makes the engines and opens the ports.
func newKeyService(m *member, cfg Config, ledger *fsm.Ledger, d *doors, counters *metrics.Metrics) (*keyService, error) {
	now := func() fsm.Time { return fsm.At(chaos.Now()) }
	k := &keyService{m: m, clients: kmipclient.New(ledger, m.keys, living{m.tenants}, now), names: cfg.serverNames()}
	k.office = &kmip.Office{Ledger: ledger, Objects: managedkey.New(ledger, m.keys, now), Clients: k.clients, Cluster: kmipCluster{m}, Unsealed: m.keys.Unsealed,
		Journal: m.reads, Patience: kmipPatience, Places: admit.NewQueue("KMIP requests", cfg.KMIP.Requests, 2*cfg.KMIP.Requests), Waiting: &kmip.Waiting{}, Meter: kmip.NewMeter(counters), Log: m.log}
	k.leaves, k.leave = context.WithCancel(m.stopping)
	return k, errors.Join(k.open("kmip.listen", cfg.KMIP.Listen, d, k.ttlv(cfg)), k.open("kmip.https", cfg.KMIP.HTTPS, d, k.https(cfg)))
}

// open opens a port, if there is to be one, for serve.
func (k *keyService) open(key, address string, d *doors, serve func(net.Listener) error) error {
	if address == "" {
		return nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("open a port for KMIP (%s): %w", key, err)
	}
	k.ports = append(k.ports, func() error { return serve(d.guard(l)) })
	return nil
}

// ttlv serves TTLV over TLS.
func (k *keyService) ttlv(cfg Config) func(net.Listener) error {
	s := &kmip.Server{TLS: kmip.TLS(k.present, cfg.KMIP.LegacyCiphers), Backend: k.office, Meter: k.office.Meter, Log: k.m.log}
	return func(l net.Listener) error { return s.Serve(k.leaves, l) }
}

// https serves the same over HTTPS, in the encodings that there are.
func (k *keyService) https(cfg Config) func(net.Listener) error {
	s := &http.Server{Handler: kmip.Handler(k.office, kmip.Patience{}, k.office.Meter, k.m.log), ConnState: k.office.Meter.ConnState, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout: 10 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(k.m.log.Handler(), slog.LevelDebug)}
	return func(l net.Listener) error {
		stop := context.AfterFunc(k.leaves, func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			_ = s.Shutdown(ctx) // who is not done by then is cut off below
			_ = s.Close()
		})
		defer stop()
		if err := s.Serve(tls.NewListener(l, kmip.TLS(k.present, cfg.KMIP.LegacyCiphers))); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve KMIP over HTTPS: %w", err)
		}
		return nil
	}
}

// serverNames are what the certificate of the KMIP port has in it.
func (c *Config) serverNames() kmipclient.ServerNames {
	all := c.KMIP.Names
	if len(all) == 0 {
		host, _, _ := net.SplitHostPort(c.API.Advertise) // Validate says what is wrong with it
		all = []string{host}
	}
	n := kmipclient.ServerNames{Lifetime: kmipLife}
	for _, name := range all {
		if ip := net.ParseIP(name); ip != nil {
			n.Addresses = append(n.Addresses, ip)
		} else {
			n.Names = append(n.Names, name)
		}
	}
	return n
}

// living says which tenants are in use.
type living struct{ *tenant.Engine }

// Active implements kmipclient.Tenants.
func (l living) Active(r fsm.Reader, uid fsm.UID) (bool, error) {
	t, found, err := l.Get(r, uid)
	return found && t.State == tenant.Active, err
}

// kmipCluster is the cluster as KMIP's requests want it.
type kmipCluster struct{ m *member }

// Present implements kmip.Cluster.
func (c kmipCluster) Present(ctx context.Context) error {
	if mutant.KmipReadsDoNotWait {
		return nil
	}
	return c.m.cluster.Await(ctx, cluster.Linearizable, 0, 0)
}

// Leads implements kmip.Cluster.
func (c kmipCluster) Leads() bool { return c.m.cluster.Leads() }

// Pass implements kmip.Cluster.
func (c kmipCluster) Pass(ctx context.Context, body []byte) ([]byte, error) {
	return c.m.askLeader(ctx, askKMIP, body)
}

// askLeader asks whoever leads now, once.
func (m *member) askLeader(ctx context.Context, name string, body []byte) ([]byte, error) {
	leader, known := m.cluster.Leader()
	if !known {
		return nil, fault.New(fault.NotDone, "there is no leader at the moment: try again").After(time.Second)
	}
	return m.cluster.Ask(ctx, leader, name, body)
}

// keepCertificate has a certificate ready for the port, until ctx ends.
func (k *keyService) keepCertificate(ctx context.Context) error {
	var said string
	for ctx.Err() == nil {
		err := k.renew(ctx)
		if err != nil && err.Error() != said && ctx.Err() == nil {
			k.m.log.WarnContext(ctx, "there is no new certificate for the KMIP port yet", "err", err)
			said = err.Error()
		}
		select {
		case <-time.After(kmipPeriod):
		case <-ctx.Done():
		}
	}
	return nil
}

// renew makes a certificate when there is none, when a third of its life is left, and when another CA issues now. It writes nothing, unless there is no CA yet.
func (k *keyService) renew(ctx context.Context) error {
	if !k.m.keys.Unsealed() {
		return nil // the node's own messages say so
	}
	v, err := k.m.cluster.Store().View()
	if err != nil {
		return err
	}
	defer v.Close()
	now := max(v.Now(), fsm.At(chaos.Now()))
	issuer, err := kmipclient.ServerIssuer(v, now)
	if err != nil {
		return err
	}
	if issuer == 0 {
		return k.askCA(ctx)
	}
	if old := k.certificate.Load(); old != nil && old.issuer == issuer && now.Std().Before(old.Leaf.NotAfter.Add(-kmipLife/3)) {
		return nil
	}
	c, err := kmipclient.ServerCertificate(v, k.m.keys, k.names, now)
	if err != nil {
		return err
	}
	k.certificate.Store(&serverCertificate{c, issuer})
	k.m.log.InfoContext(ctx, "the KMIP port has a certificate", "expires", c.Leaf.NotAfter, "serial", fmt.Sprintf("%x", c.Leaf.SerialNumber))
	return nil
}

// askCA has the leader make the CA of the cluster's servers; the next look finds it.
func (k *keyService) askCA(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, caPatience)
	defer cancel()
	_, err := k.m.askLeader(ctx, askServerCA, nil)
	return err
}

// answerCA makes the CA for a peer, if there is none.
func (k *keyService) answerCA(ctx context.Context, peer string) error {
	var id fsm.UID
	_, _ = rand.Read(id[:]) // never fails: the process ends instead
	_, _, err := k.clients.EnsureServerCA(ctx, fsm.Request{ID: id, Tenant: fsm.RootTenant, Actor: fsm.Actor{Identity: "node:" + peer}}, "")
	return err
}

// present gives the port its certificate.
func (k *keyService) present(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c := k.certificate.Load()
	if c == nil {
		return nil, errors.New("this node has no certificate for KMIP yet: it is sealed, or there is no leader")
	}
	return &c.Certificate, nil
}
