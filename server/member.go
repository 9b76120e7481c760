package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/engines/acme"
	"github.com/trstctl/trstctl/engines/audit"
	"github.com/trstctl/trstctl/engines/auth"
	"github.com/trstctl/trstctl/engines/backup"
	"github.com/trstctl/trstctl/engines/dynamic"
	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/engines/lease"
	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/outbox"
	"github.com/trstctl/trstctl/engines/pki"
	"github.com/trstctl/trstctl/engines/rbac"
	"github.com/trstctl/trstctl/engines/secret"
	"github.com/trstctl/trstctl/engines/tenant"
	"github.com/trstctl/trstctl/engines/transit"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/access"
	serveracme "github.com/trstctl/trstctl/server/acme"
	"github.com/trstctl/trstctl/server/api"
	"github.com/trstctl/trstctl/server/egress"
	"github.com/trstctl/trstctl/server/lending"
	serverpki "github.com/trstctl/trstctl/server/pki"
)

// registry knows every event of this binary.
func registry() *fsm.Registry {
	return fsm.NewRegistry(fsm.Builtin, cluster.Register, keyring.Register, audit.Register, tenant.Register, auth.Register, rbac.Register, secret.Register, backup.Register, transit.Register,
		kmipclient.Register, managedkey.Register, outbox.Register, lease.Register, dynamic.Register, pki.Register, acme.Register).
		UpTo(cluster.Version)
}

// member is a node of a cluster with everything that it runs.
type member struct {
	log       *slog.Logger
	keys      *keyring.Keyring
	cluster   *cluster.Node
	reads     *journals
	audit     *audit.Engine
	transit   *keyUse
	kmip      *keyService
	lending   *lending.Lending
	egress    egress.Rules
	tenants   *tenant.Engine
	tokens    *auth.Engine
	rotator   *keyring.Rotator
	gate      *gate
	api       *api.API
	server    *http.Server
	peer      http.Handler // of what other nodes pass on
	listen    net.Listener
	metrics   *metricsServer // nil without a listener of its own
	publisher *publisher     // of CRLs and OCSP answers; nil without a port of its own
	gauges    *gauges
	backups   *backup.Schedule // nil when none are taken

	draining atomic.Bool
	stopping context.Context
	stop     context.CancelCauseFunc
}

// open wires a member. Everything after is in run.
func (n *Node) open(id *cluster.Identity, bootstrap bool) (*member, error) {
	m := &member{log: n.log, keys: keyring.New(id.Cluster, n.seals...)}
	m.gate = newGate(m, n.cfg, n.seals)
	m.stopping, m.stop = context.WithCancelCause(context.Background())
	events := registry()
	meters, err := newMeters(n.cfg.Node)
	if err != nil {
		return nil, err
	}
	allow, err := egress.Parse(n.cfg.Egress.Allow)
	if err != nil {
		return nil, err
	}
	m.egress = egress.Rules{Allow: allow, Cluster: m.clusterPort}
	if m.reads, err = openJournals(n.cfg, id, m.egress, meters.metrics, n.log); err != nil {
		return nil, err
	}
	m.cluster, err = cluster.Open(cluster.Config{
		Dir: n.cfg.Data, Listen: n.cfg.Cluster.Listen, Gossip: n.gossipListen(), Self: n.self(), Peers: n.cfg.Cluster.Peers,
		LogStore: n.cfg.Raft.LogStore, Snapshot: n.cfg.Raft.Snapshot << 20, Trailing: n.cfg.Raft.Trailing << 20, Reserve: n.cfg.Disk.Reserve << 20, Ballast: n.cfg.Disk.Ballast << 20, Log: n.log, Answer: m.answer,
		DeadAfter: n.cfg.Autopilot.DeadAfter,
	}, id, events, m.keys, bootstrap)
	if err != nil {
		return nil, errors.Join(err, m.reads.close())
	}
	if err := m.wire(n.cfg, events, meters); err != nil {
		return nil, errors.Join(err, m.cluster.Abandon(), m.reads.close())
	}
	return m, nil
}

// wire unseals, binds the engines to the cluster and the API to them, and opens the API's port.
func (m *member) wire(cfg Config, events *fsm.Registry, meters *meters) error {
	if err := m.gate.try(m.stopping); err != nil && !fault.Is(err, fault.Sealed) {
		return err
	}
	ledger := m.cluster.Ledger()
	rules := rbac.New(ledger)
	m.tokens = auth.New(ledger, m.keys, rules)
	m.lending = m.lend(cfg, ledger, meters.metrics)
	m.tenants = tenant.New(ledger, []tenant.Founder{m.keys, rules}, []tenant.Undertaker{m.lending.Leases, m.lending.PKI, m.lending.ACME, m.keys})
	m.rotator = keyring.NewRotator(m.keys, ledger, m.cluster, m.log, secret.Places, cluster.Places, transit.Places, kmipclient.Places, managedkey.Places, dynamic.Places, pki.Places, acme.Places)
	m.audit = audit.New(ledger, m.keys)
	m.transit = newKeyUse(m, transit.New(ledger, m.keys, func() fsm.Time { return fsm.At(chaos.Now()) }))
	doors, err := newDoors()
	if err != nil {
		return err
	}
	if m.kmip, err = newKeyService(m, cfg, ledger, doors, meters.metrics); err != nil {
		return err
	}
	parts := adapter{m, cfg}
	m.gauges = &gauges{figures: m.cluster.Figures, sealed: func() bool { return !m.keys.Unsealed() }, ready: parts.Ready, keys: m.keyFigures, lent: m.lentFigures, kmip: m.kmip.figures}
	if err := meters.registry.Register(m.gauges); err != nil {
		return fmt.Errorf("make the metrics: %w", err)
	}
	if m.api, err = api.New(api.Options{
		Node: cfg.Node, Ledger: ledger, Keys: m.keys, Access: access.New(m.tokens, rules, m.tenants), Secrets: secret.New(ledger, m.keys),
		Tokens: m.tokens, Rules: rules, Tenants: m.tenants, Transit: m.transit.engine, Uses: m.transit.worker, KMIP: m.kmip.clients, Objects: m.kmip.office.Objects, Waiting: m.kmip, Outbox: m.lending.Outbox, Leases: m.lending.Leases, Dynamic: m.lending.Dynamic, PKI: m.lending.PKI, ACME: m.lending.ACME, Reads: parts, Leader: parts, Health: parts, Status: parts, Members: parts, Operator: parts, Snapshots: parts, Gate: m.gate, Rotation: m.rotator,
		Journal: m.reads, Refusals: m.reads.refused, Journals: m.journals(), Signer: m.audit,
		EnableSecrets: cfg.Secrets.EnableAPI, EnableTransit: cfg.Transit.EnableAPI, EnableKMIP: cfg.KMIP.EnableAPI, EnableDynamic: cfg.Dynamic.EnableAPI, EnablePKI: cfg.PKI.EnableAPI, Limits: api.Limits(cfg.Limits), Urgent: cluster.Urgent, Events: events.Events(), Metrics: meters.handler, Counters: meters.metrics, Log: m.log,
	}); err != nil {
		return err
	}
	if m.backups, err = m.schedule(cfg, meters); err != nil {
		return err
	}
	return m.listenAPI(cfg, meters, doors)
}

func (n *Node) gossipListen() string {
	if !n.cfg.Gossip.Enabled {
		return ""
	}
	return n.cfg.Gossip.Listen
}

func (m *member) listenAPI(cfg Config, meters *meters, doors *doors) error {
	l, err := net.Listen("tcp", cfg.API.Listen)
	if err != nil {
		return fmt.Errorf("open the API port (api.listen): %w", err)
	}
	handler := m.api.Handler()
	publisher := serverpki.New(m.lending.PKI, present{m}, m.log)
	if cfg.PKI.EnableAPI {
		handler = publisher.Beside(handler)
	}
	m.peer = m.api.Peer()
	if cfg.PKI.EnableACME {
		clients := serveracme.New(serveracme.Options{Engine: m.lending.ACME, Cluster: acmeCluster{present{m}, adapter{m, cfg}}, Keys: m.keys, Now: chaos.Now, Log: m.log})
		handler, m.peer = clients.Beside(handler), clients.BesidePeer(m.peer)
	}
	m.listen = tls.NewListener(doors.guard(l), &tls.Config{MinVersion: tls.VersionTLS12, Time: chaos.Now, GetCertificate: m.cluster.Certificate, NextProtos: []string{"h2", "http/1.1"}})
	m.server = &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		HTTP2:          &http.HTTP2Config{MaxConcurrentStreams: 100, WriteByteTimeout: 30 * time.Second},
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelDebug)}
	if cfg.PKI.Listen != "" {
		if m.publisher, err = listenPKI(cfg.PKI.Listen, doors, publisher, m.log); err != nil {
			return err
		}
	}
	if cfg.Metrics.Listen != "" {
		m.metrics, err = listenMetrics(cfg.Metrics.Listen, doors, meters.handler)
	}
	return err
}

// run runs the member until ctx ends: it then leaves the load balancers' rounds, hands leadership over, finishes what it
// has begun, and stops.
func (m *member) run(ctx context.Context) error {
	defer lastResort(m.stopping, m.cluster.Store(), m.log, os.Exit)()
	var wg sync.WaitGroup
	defer m.keys.Close()
	defer wg.Wait()
	defer m.stop(nil)
	start := func(f func(context.Context) error) {
		wg.Go(func() {
			if err := f(m.stopping); err != nil {
				m.stop(err)
			}
		})
	}
	start(func(ctx context.Context) error { return m.cluster.Run(ctx, m.peer) })
	start(m.serveAPI)
	wg.Go(func() { m.gauges.watchPeers(m.stopping, m.listMembers) })
	start(m.gate.run)
	start(m.transit.run)
	for _, serve := range m.kmip.ports {
		start(func(context.Context) error { return serve() })
	}
	if len(m.kmip.ports) > 0 {
		start(m.kmip.keepCertificate)
	}
	start(func(ctx context.Context) error {
		return m.cluster.WhileLeader(ctx, append(m.lending.Tasks(), m.tokens.Sweeper(m.log).Run, m.rotator.Run, m.audit.Anchorer(m.journals(), m.log).Run, m.transit.engine.Rotator(m.log).Run)...)
	})
	if m.backups != nil {
		start(func(ctx context.Context) error { return m.cluster.WhileLeader(ctx, m.backups.Run) })
	}
	journaled := m.keepJournals()
	defer journaled()
	if m.metrics != nil {
		start(m.metrics.run)
	}
	if m.publisher != nil {
		start(m.publisher.run)
	}
	select {
	case <-ctx.Done():
		m.drain()
	case <-m.stopping.Done():
	}
	m.stop(nil)
	wg.Wait()
	if err := context.Cause(m.stopping); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (m *member) journals() remoteJournals { return remoteJournals{m.cluster, m.reads} }

// keepJournals runs the journals beyond everything that writes into them; the returned function ends them.
func (m *member) keepJournals() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.reads.run(ctx) }()
	return func() {
		cancel()
		if err := errors.Join(<-done, m.reads.close()); err != nil {
			m.log.Error("the journal of reads was not closed", "err", err)
		}
	}
}

// drain lets what is under way end while nothing new is sent here.
func (m *member) drain() {
	m.log.Info("stopping")
	m.draining.Store(true)
	m.cluster.HandOver()
	m.kmip.leave()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := m.server.Shutdown(ctx); err != nil {
		m.log.Warn("requests were cut off", "err", err)
	}
}

func (m *member) serveAPI(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { m.server.Close() })
	defer stop()
	if err := m.server.Serve(m.listen); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the API: %w", err)
	}
	return nil
}

// answer answers what other members ask on behalf of the engines.
func (m *member) answer(ctx context.Context, peer, name string, body []byte) ([]byte, error) {
	switch name {
	case askSeals:
		return m.gate.answerSeals(ctx)
	case askClose:
		return nil, m.gate.close()
	case askReserve:
		return nil, m.transit.answerReserve(ctx, peer, body)
	case askKMIP:
		return m.kmip.office.AnswerPassed(ctx, body)
	case askServerCA:
		return nil, m.kmip.answerCA(ctx, peer)
	case askRoom:
		return m.kmip.answerRoom(body)
	case askHead, askPage:
		return m.reads.answer(ctx, name, body)
	}
	v, err := m.cluster.Store().View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	out, known, err := m.keys.Answer(ctx, v, name, body)
	if !known {
		return nil, fault.New(fault.Invalid, "this node does not know the question %q", name)
	}
	return out, err
}

// listMembers asks every member for its status, as the gauges want it.
func (m *member) listMembers(ctx context.Context) ([]cluster.Info, error) {
	v, err := m.cluster.Store().View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	return m.cluster.List(ctx, v)
}
