// Package cluster makes the nodes agree: Raft, one mTLS port, membership, leadership, forwarding, reads, discovery.
//
// It promises:
//   - An acknowledged entry is on a majority's disks. What is answered "not done" has no effect, ever; the rest is "unknown".
//   - A linearizable read covers everything that was acknowledged before it arrived, also when processes pause.
//   - Only this cluster's certificates speak on the port, only configured voters count, and a removed id never returns.
//   - Leadership is watched in one place; leaders' work runs in WhileLeader and nowhere else.
//   - A damaged log or tables are named at the start and the node does not run on them.
package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"golang.org/x/time/rate"

	"github.com/trstctl/trstctl/cluster/logstore"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Config says where a node lives and how it is reached.
type Config struct {
	Dir      string   // data directory
	Listen   string   // cluster port, host:port
	Gossip   string   // gossip port, host:port; empty for none
	Self     Self     // advertised
	Peers    []string // cluster ports to try when nothing else is known
	LogStore string   // "bolt" or "wal"
	Reserve  int64    // bytes of disk below which writes are refused
	Ballast  int64    // bytes of the ballast file
	Snapshot int64    // bytes of log after which a snapshot is taken; 0: 64 MiB
	Trailing int64    // bytes of log that are kept behind it; 0: 256 MiB
	Log      *slog.Logger
	Answer   Answer                  // what other members ask for by name; nil: nothing
	WrapLog  func(LogStore) LogStore // puts faults between Raft and its log, in tests; nil: none

	Digest    time.Duration                          // between two comparisons of the nodes' tables; 0: 10 minutes
	Renew     time.Duration                          // between two looks at whether certificates are to be renewed; 0: 1 second
	DeadAfter time.Duration                          // of silence, after which the leader removes a member; 0: never
	WrapRaft  func(peer string, c net.Conn) net.Conn // puts faults between this node and where it sends entries, in tests; nil: none
}

func (c *Config) snapshotEvery() int64 { return cmp.Or(c.Snapshot, snapshotEvery) }
func (c *Config) trailing() int64      { return cmp.Or(c.Trailing, trailingBytes) }

func (c *Config) digestEvery() time.Duration { return cmp.Or(c.Digest, digestEvery) }

func (c *Config) renewEvery() time.Duration { return cmp.Or(c.Renew, time.Second) }

// Node is a member of a cluster.
type Node struct {
	*agreement
	cfg  Config
	id   *Identity
	self Self
	keys Keys

	ledger *fsm.Ledger
	logs   *pulseStore // what Raft writes to
	stored *logstore.Store
	disk   *disk
	trans  *raft.NetworkTransport
	port   *port

	address *addresses
	certs   *certificates
	peers   *clients                 // for calls that must be quick
	bulk    *clients                 // for forwarded requests
	marked  atomic.Pointer[lastMark] // nil for none
	marks   rounds                   // marks for the comparison of tables, while this node leads
	joiners *rate.Limiter

	acked       *acknowledged
	watch       *watch
	deeds       deeds
	digests     *digests
	verified    atomic.Bool            // the tables were stopped in order or found to be a majority's
	quarantined atomic.Pointer[string] // why this node serves nobody; nil when it may

	gossipHas, gossipUses atomic.Uint64 // versions of the gossip key
	gossipMembers         atomic.Int64  // that this node sees in gossip, itself too

	tight        atomic.Bool   // a majority's disks are low
	lastSnapshot uint64        // compact's own
	yielded      time.Duration // shapeMembers' own: uptime of its last attempt to hand over
	fatal        chan error    // why this node cannot go on; the first is enough
	closing      sync.Once
}

// Open starts Raft on the data directory of id. bootstrap makes it a cluster of one; it is for the founding only. The
// node answers its peers and does its duties in Run.
func Open(cfg Config, id *Identity, reg *fsm.Registry, keys Keys, bootstrap bool) (*Node, error) {
	n := &Node{agreement: newAgreement(id.Node, cfg.Log), cfg: cfg, id: id, self: cfg.Self, keys: keys, joiners: rate.NewLimiter(5, 20),
		digests: newDigests(), watch: newWatch(), fatal: make(chan error, 1)}
	n.agreement.fail = n.fail
	if err := n.open(reg, bootstrap); err != nil {
		return nil, errors.Join(err, n.closeStores())
	}
	return n, nil
}

func (n *Node) open(reg *fsm.Registry, bootstrap bool) (err error) {
	cfg, id := n.cfg, n.id
	if n.disk, err = newDisk(cfg.Dir, cfg.Reserve, cfg.Ballast, cfg.Log); err != nil {
		return err
	}
	if n.stored, err = logstore.Open(cfg.LogStore, filepath.Join(cfg.Dir, "raft"), logstore.Options{Log: cfg.Log}); err != nil {
		return err
	}
	chaos.Point(chaos.BootLogOpened)
	n.logs = newPulseStore(n.stored)
	if cfg.WrapLog != nil {
		n.logs = newPulseStore(cfg.WrapLog(n.stored))
	}
	if n.store, err = fsm.Open(filepath.Join(cfg.Dir, "tables"), reg, fsm.Options{Log: cfg.Log}); err != nil {
		return err
	}
	chaos.Point(chaos.BootTablesOpened)
	n.store.AtMarks(n.digests.pin)
	if n.acked, err = loadAcknowledged(cfg.Dir); err != nil {
		return err
	}
	whole, err := cfg.wasOrderly()
	if err != nil {
		return fmt.Errorf("look at how the node was stopped: %w", err)
	}
	n.verified.Store(whole)
	if n.certs, err = loadCertificates(id); err != nil {
		return err
	}
	n.address = newAddresses(cfg.Peers, n.store)
	t := &trust{id: id, store: n.store, now: chaos.Now, cert: n.certs.forNode}
	if n.port, err = openPort(cfg.Listen, t, n.address, cfg.Log); err != nil {
		return err
	}
	n.port.wrap = cfg.WrapRaft
	n.port.superseded = n.superseded
	if err := n.refuseTwin(); err != nil {
		return err
	}
	n.peers, n.bulk = newClients(n.port), newClients(n.port)
	n.voice, n.marks.ask = voice{n.peers}, n.mark
	n.ledger = fsm.NewLedger(n.store, n)
	return n.startRaft(bootstrap)
}

func (n *Node) startRaft(bootstrap bool) error {
	snaps, err := openSnapshots(n.cfg.Dir, n.log)
	if err != nil {
		return err
	}
	base, err := align(n.store, n.logs, snaps)
	if err != nil {
		return err
	}
	chaos.Point(chaos.BootAligned)
	if err := n.stored.Scan(context.Background(), base+1, func(l *raft.Log) { n.logs.written.Add(weight(l)) }); err != nil {
		return err
	}
	if err := errors.Join(n.readable(), n.refuseLess(base)); err != nil {
		return err
	}
	n.lastSnapshot = base
	layer := raftLayer{n.port}
	n.trans = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{Stream: layer, ServerAddressProvider: layer,
		MaxPool: 3, MaxRPCsInFlight: 1, Timeout: raftTimeout, Logger: hclogTo(n.log)})
	cfg := raftConfig(n.id.Node, n.log)
	if bootstrap {
		servers := []raft.Server{{ID: cfg.LocalID, Address: raftAddress(n.id.Node, n.self.Cluster)}}
		if err := raft.BootstrapCluster(cfg, n.logs, n.logs, snaps, n.trans, raft.Configuration{Servers: servers}); err != nil {
			return fmt.Errorf("found the cluster: %w", err)
		}
	}
	if err := n.start(cfg, n.logs, n.logs, snaps, n.trans); err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	chaos.Point(chaos.BootRaftStarted)
	n.address.raft.Store(n.raft)
	return nil
}

// raftAddress is what Raft's configuration keeps of an address: two members never share one there, also when one takes over the other's
// machine. Dialing goes by id, so it is a hint only.
func raftAddress(id, addr string) raft.ServerAddress { return raft.ServerAddress(id + "@" + addr) }

// readable refuses to run a binary that is older than the cluster's version.
func (n *Node) readable() error {
	v, err := n.store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	row, found, err := genesis(v)
	if err == nil && found && row.Version > Version {
		err = tooOld(row.Version)
	}
	return err
}

func tooOld(agreed uint32) error {
	return fmt.Errorf("the cluster is at version %d, this binary reads up to %d: start a newer binary", agreed, Version)
}

func raftConfig(id string, log *slog.Logger) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(id)
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 350*time.Millisecond, 350*time.Millisecond, 300*time.Millisecond
	c.CommitTimeout = 10 * time.Millisecond
	c.MaxAppendEntries, c.BatchApplyCh = maxAppend, true
	c.NoSnapshotRestoreOnStart = true
	c.ShutdownOnRemove = false
	c.SnapshotThreshold, c.SnapshotInterval = 1<<40, 24*time.Hour // compact decides
	c.TrailingLogs = 1 << 16
	c.NoLegacyTelemetry = true
	c.Logger = hclogTo(log)
	return c
}

// hclogTo sends the libraries' warnings to the node's log.
func hclogTo(log *slog.Logger) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: raftWriter{log}, DisableTime: true})
}

type raftWriter struct{ log *slog.Logger }

func (w raftWriter) Write(b []byte) (int, error) {
	w.log.Warn("raft", "line", string(b[:max(len(b)-1, 0)]))
	return len(b), nil
}

// fail ends the node: Run returns err.
func (n *Node) fail(err error) {
	select {
	case n.fatal <- err:
	default:
	}
}

// Ledger returns the way to change the state.
func (n *Node) Ledger() *fsm.Ledger { return n.ledger }

// Identity returns who this node is.
func (n *Node) Identity() *Identity { return n.id }

// Leads reports whether this node leads and may propose.
func (n *Node) Leads() bool {
	_, err := n.Term()
	return err == nil
}

// AddressOf returns where a member's API is reached, empty when it is not known.
func (n *Node) AddressOf(id string) string {
	v, err := n.store.View()
	if err != nil {
		return ""
	}
	defer v.Close()
	m, _, err := member(v, id)
	if err != nil {
		return ""
	}
	return m.API
}

// Term implements fsm.Log, for a node that is fit to lead.
func (n *Node) Term() (uint64, error) {
	term, err := n.agreement.Term()
	if err == nil {
		err = n.fit()
	}
	return term, err
}

// Await is the Agreement's, for a node that is fit to serve.
func (n *Node) Await(ctx context.Context, level Level, maxAge time.Duration, seen uint64) error {
	if err := n.fit(); err != nil {
		return err
	}
	return n.agreement.Await(ctx, level, maxAge, seen)
}

// Run answers the peers and does the node's duties until ctx ends; then it hands leadership over and stops. forwarded
// handles what other nodes forward. A returned error means that this node cannot go on.
func (n *Node) Run(ctx context.Context, forwarded http.Handler) error {
	duty, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	var wg sync.WaitGroup
	start := func(f func(context.Context) error) {
		wg.Go(func() {
			if err := f(duty); err != nil {
				cancel(err)
			}
		})
	}
	start(func(ctx context.Context) error { return n.port.serve(n.protocols(ctx, forwarded)) })
	for _, f := range append(n.duties(), n.renewCertificates, n.announce, n.disk.run,
		n.watchLog, n.compact, n.gossip, n.watchState, n.watchMembers, n.keepTables, n.scrub, n.succeed,
		n.compareTables, n.proveTables, n.remember, n.watchApply) {
		start(f)
	}
	start(func(ctx context.Context) error {
		return n.WhileLeader(ctx, n.shapeMembers, n.watchSpace, n.watchClock, n.markDigests, n.buryDead, n.watchReplication, n.stepGossip)
	})
	select {
	case <-ctx.Done():
		n.HandOver()
	case <-duty.Done():
	}
	err := context.Cause(duty)
	cancel(nil)
	if closed := n.close(); closed != nil || !ended(&wg, endTime) {
		return errors.Join(err, closed, errors.New("the node did not end in order: its process must")) // the stores stay open: someone may be inside
	}
	if err = errors.Join(err, n.closeStores()); err != nil {
		return err
	}
	return n.stoppedOrderly()
}

// endTime bounds how long the parts of a node may take to end.
const endTime = 10 * time.Second

func ended(wg *sync.WaitGroup, within time.Duration) bool {
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(within):
		return false
	}
}

// HandOver passes leadership on, before this node stops.
func (n *Node) HandOver() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if _, err := n.opened(); err == nil {
		if _, err := n.Transfer(ctx, ""); err != nil {
			n.log.Warn("leadership not handed over", "err", err)
		}
	}
}

func (n *Node) protocols(ctx context.Context, forwarded http.Handler) map[string]func(net.Conn, string) {
	calls := map[method]handler{callConfirm: n.answerConfirm, callIndex: n.answerIndex, callStatus: n.answerStatus, callProve: n.answerProve,
		callJoin: n.answerJoin, callAnnounce: n.answerAnnounce, callForward: n.answerForward(forwarded), callAsk: n.answerAsk, callMark: n.answerMark}
	farewell := map[method]handler{}
	for m := range calls {
		farewell[m] = func(_ context.Context, peer string, _ []byte) (any, error) {
			return nil, fault.New(fault.Denied, "%s", (&removedError{peer}).Error())
		}
	}
	return map[string]func(net.Conn, string){
		protoRPC: func(c net.Conn, peer string) {
			switch gone, err := n.port.trust.removed(peer); {
			case err != nil:
				c.Close()
			case gone:
				serveRPC(ctx, c, peer, farewell, smallFrame)
			default:
				serveRPC(ctx, c, peer, inTime(tenureOf(c), calls), maxFrame)
			}
		},
		protoJoin: func(c net.Conn, _ string) { n.serveJoin(ctx, c) },
	}
}

// watchState ends the node when its state machine has stopped or something else has found that it cannot go on.
func (n *Node) watchState(ctx context.Context) error {
	for {
		select {
		case <-n.store.Failed():
			return n.store.Err()
		case err := <-n.fatal:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// watchMembers ends the node when it was removed, and cuts the connections of others that were.
func (n *Node) watchMembers(ctx context.Context) error {
	for ctx.Err() == nil {
		pause(ctx, time.Second)
		if gone, err := n.port.trust.removed(n.id.Node); err == nil && gone || n.toldRemoved(ctx) {
			return fmt.Errorf("node %s was removed from the cluster: move its data directory aside and join under a new id", n.id.Node)
		}
		n.port.cutRemoved()
	}
	return nil
}

// toldRemoved asks the others in Raft's configuration when nobody leads this node: one that was away when it was removed does not
// have that in its own state.
func (n *Node) toldRemoved(ctx context.Context) bool {
	if _, known := n.Leader(); known {
		return false
	}
	others, _ := n.voters()
	for _, id := range others {
		if _, err := n.ask(ctx, id); fault.Is(err, fault.Denied) {
			return true
		}
	}
	return false
}

// keepTables syncs what has been applied every few seconds. Raft would replay it after a crash, but only once there is a leader: until
// then the node knows the members and their keys from its tables alone.
func (n *Node) keepTables(ctx context.Context) error {
	synced := uint64(0)
	for ctx.Err() == nil {
		if applied := n.store.Applied(); applied != synced {
			if err := n.store.Sync(); err != nil {
				return fmt.Errorf("sync the tables: %w", err)
			}
			synced = applied
		}
		pause(ctx, 2*time.Second)
	}
	return nil
}

const maxAppend = 16 // entries in one call

const raftTimeout = 5 * time.Second // of a call between two nodes' Rafts, when little is sent

const progressLooks = 10 // seconds of this process's own time

// watchProgress ends a leader that reaches a majority and still commits nothing, opens no term, or takes nothing because a transfer of its
// leadership does not end: another can do better.
func (n *Agreement) watchProgress(ctx context.Context) error {
	for seen, times := "", 0; ctx.Err() == nil; {
		pause(ctx, time.Second)
		now := n.hindered()
		if times++; now == "" || now != seen {
			times = 0
		}
		if seen = now; times < progressLooks {
			continue
		}
		if n.majority(ctx) == nil && n.hindered() == seen {
			return fmt.Errorf("this leader reaches a majority and has done nothing for %d s (%s): it ends so that another can lead", progressLooks, seen)
		}
	}
	return nil
}

// hindered says what this leader is waiting for, in the same words as long as that is the same; nothing when all is well.
func (n *Agreement) hindered() string {
	term := n.raft.CurrentTerm()
	switch standing := n.batcher.standing(); {
	case n.raft.State() != raft.Leader:
		return ""
	case n.store.Began() != term:
		return fmt.Sprintf("term %d is not opened", term)
	case n.batcher.barred.Load() > 0:
		return fmt.Sprintf("a transfer of leadership in term %d does not end", term)
	case standing > 0:
		return fmt.Sprintf("batch %d is not committed", standing)
	}
	return ""
}

// close cuts the node off from the others first, so that a Raft that hangs in its disk does not go on leading, and then stops it. An error
// says that Raft has not stopped.
func (n *Node) close() error {
	var err error
	n.closing.Do(func() {
		err = errors.Join(n.port.close(), n.trans.Close())
		n.trans.CloseStreams()
		n.peers.close()
		n.bulk.close()
		stopped := make(chan error, 1)
		go func() { stopped <- n.raft.Shutdown().Error() }()
		select {
		case e := <-stopped:
			err = errors.Join(err, e)
		case <-time.After(endTime):
			err = errors.Join(err, errors.New("raft hangs"))
		}
		close(n.down)
	})
	return err
}

// Abandon closes a node that will not run.
func (n *Node) Abandon() error {
	err := n.close()
	n.digests.end()
	return errors.Join(err, n.closeStores())
}

func (n *Node) closeStores() error {
	var errs []error
	if n.port != nil {
		errs = append(errs, n.port.close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	if n.stored != nil {
		errs = append(errs, n.stored.Close())
	}
	return errors.Join(errs...)
}

// clients holds one connection to each node that was called.
type clients struct {
	port *port
	mu   sync.Mutex
	by   map[string]*client
}

func newClients(p *port) *clients { return &clients{port: p, by: map[string]*client{}} }

func (c *clients) get(id string) *client {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.by[id]
	if !ok {
		found = &client{id: id, dial: func(ctx context.Context) (net.Conn, error) { return c.port.dial(ctx, protoRPC, id) }}
		c.by[id] = found
	}
	return found
}

// renewed has every connection made anew with this node's new certificate, when it is next used.
func (c *clients) renewed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.by {
		one.renewed()
	}
}

func (c *clients) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.by {
		one.close()
	}
}

// Lock refuses a second process on the same data directory. The lock ends with the process.
func Lock(dir string) (*os.File, error) { return lockFile(filepath.Join(dir, "lock")) }
