package cluster_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

type noted struct {
	Name string
	N    uint64
}

func (noted) EventType() string     { return "test.note.written" }
func (e noted) EventStream() string { return "note/" + e.Name }

// bulky is as large as its data.
type bulky struct{ Data []byte }

func (bulky) EventType() string   { return "test.bulk.written" }
func (bulky) EventStream() string { return "bulk" }

var notes = fsm.NewTable[uint64]("test.note")

// hung is closed when notes called "hangs" may be applied on n3.
var hung = make(chan struct{})

// registry is that of one node. A note called "differs" has another effect on n3 than on the others, one called "hangs" takes its time there:
// defects, such as Apply must not have.
func registry(node string) *fsm.Registry {
	return fsm.NewRegistry(fsm.Builtin, cluster.Register, keyring.Register, func(r *fsm.Registry) {
		fsm.On(r, func(*fsm.Tx, fsm.Meta, bulky) error { return nil })
		fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e noted) error {
			if e.Name == "differs" && node == "n3" {
				e.N++
			}
			if e.Name == "hangs" && node == "n3" {
				<-hung
			}
			return notes.Put(tx, fsm.K(e.Name), e.N)
		})
	})
}

// node is a member that runs inside the test.
type node struct {
	*cluster.Node
	keys *keyring.Keyring
	stop context.CancelFunc
	done chan error
}

type fixture struct {
	t       *testing.T
	dir     string
	kek     string
	change  func(*cluster.Config)
	nodes   map[string]*node
	configs map[string]cluster.Config
}

func (f *fixture) config(id string) cluster.Config {
	addr := freeAddress(f.t)
	c := cluster.Config{Dir: filepath.Join(f.dir, id), Listen: addr, Self: cluster.Self{Cluster: addr, API: addr, Version: "test"},
		LogStore: "bolt", Log: slog.New(slog.DiscardHandler), Renew: time.Minute}
	f.change(&c)
	return c
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func (f *fixture) start(cfg cluster.Config, id *cluster.Identity, bootstrap bool) *node {
	s, err := seal.OpenFile(f.kek)
	require.NoError(f.t, err)
	keys := keyring.New(id.Cluster, s)
	n, err := cluster.Open(cfg, id, registry(id.Node), keys, bootstrap)
	require.NoError(f.t, err)
	ctx, stop := context.WithCancel(context.Background())
	out := &node{n, keys, stop, make(chan error, 1)}
	go func() {
		out.done <- n.Run(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Via", r.RemoteAddr)
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprint(w, r.URL.Path)
		}))
	}()
	go func() {
		for ctx.Err() == nil && !keys.Unsealed() {
			if v, err := n.Store().View(); err == nil {
				_ = keys.Unseal(ctx, v) // again until the state is there
				v.Close()
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	f.nodes[id.Node], f.configs[id.Node] = out, cfg
	return out
}

func (f *fixture) end() {
	var wg sync.WaitGroup
	for id, n := range f.nodes {
		wg.Go(func() {
			n.stop()
			if err := <-n.done; err != nil && !strings.Contains(err.Error(), "context canceled") {
				f.t.Errorf("%s: %v", id, err)
			}
		})
	}
	wg.Wait()
}

func (f *fixture) eventually(what string, ok func() bool) {
	f.t.Helper()
	require.Eventually(f.t, ok, 30*time.Second, 10*time.Millisecond, what)
}

// commit goes on at whoever leads then when leadership is lost meanwhile, as it may be on a busy machine.
func (f *fixture) commit(n *node, events func(*fsm.View) []fsm.Event) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		_, err := n.Ledger().Commit(ctx, fsm.Request{ID: fsm.UID{1}, Tenant: fsm.RootTenant}, "", func(v *fsm.View, e *fsm.Entry) error {
			e.Add(events(v)...)
			return nil
		})
		if !fault.Is(err, fault.NotDone) && !fault.Is(err, fault.Unknown) || ctx.Err() != nil {
			require.NoError(f.t, err)
			return
		}
		n = f.nodes[f.leader()]
	}
}

// found makes a cluster of three.
func found(t *testing.T) *fixture { return foundWith(t, func(*cluster.Config) {}) }

func foundWith(t *testing.T, change func(*cluster.Config)) *fixture {
	f := aloneWith(t, change)
	n := f.nodes["n1"]
	f.join(n, "n2")
	f.join(n, "n3")
	return f
}

// alone makes a cluster of one.
func alone(t *testing.T) *fixture { return aloneWith(t, func(*cluster.Config) {}) }

func aloneWith(t *testing.T, change func(*cluster.Config)) *fixture {
	f := &fixture{t: t, dir: t.TempDir(), nodes: map[string]*node{}, configs: map[string]cluster.Config{}, change: change}
	t.Cleanup(f.end)
	f.kek = filepath.Join(f.dir, "kek")
	require.NoError(t, seal.Keygen(f.kek))
	cfg := f.config("n1")
	founding, err := cluster.Found(cfg.Dir, "n1", cfg.Self)
	require.NoError(t, err)
	n := f.start(cfg, founding.ID, true)
	f.eventually("n1 leads", n.Leads)
	f.commit(n, func(*fsm.View) []fsm.Event { return []fsm.Event{founding.First()} })
	f.commit(n, func(v *fsm.View) []fsm.Event {
		e, _, err := n.keys.Found(t.Context(), v, keyring.People{})
		require.NoError(t, err)
		return e
	})
	f.eventually("n1 unsealed", n.keys.Unsealed)
	f.commit(n, func(v *fsm.View) []fsm.Event {
		e, err := n.keys.NewTenant(v, fsm.RootTenant)
		require.NoError(t, err)
		return e
	})
	f.commit(n, func(v *fsm.View) []fsm.Event { e, err := founding.Events(v, n.keys); require.NoError(t, err); return e })
	return f
}

// joinToken asks again, and whoever leads then, when a busy machine has cost the leader its term.
func (f *fixture) joinToken(ctx context.Context, leader *node, r fsm.Request, id string) cluster.JoinToken {
	for {
		token, err := leader.IssueJoinToken(ctx, r, id, "key")
		if ctx.Err() != nil || !fault.Is(err, fault.NotDone) && !fault.Is(err, fault.Unknown) {
			require.NoError(f.t, err)
			return token
		}
		time.Sleep(20 * time.Millisecond)
		leader = f.nodes[f.leader()]
	}
}

func (f *fixture) join(leader *node, id string) *node {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r := fsm.Request{ID: fsm.UID{2}, Tenant: fsm.RootTenant, Receipt: &fsm.ReceiptKey{Key: [32]byte{byte(len(f.nodes))}}}
	token, again := f.joinToken(ctx, leader, r, id), f.joinToken(ctx, leader, r, id)
	require.Equal(f.t, string(token.Token), string(again.Token), "the same request, the same token")
	cfg := f.config(id)
	identity, err := cluster.Join(ctx, cfg.Dir, string(token.Token), cfg.Self)
	require.NoError(f.t, err)
	_, err = cluster.Join(ctx, filepath.Join(f.dir, id+"-again"), string(token.Token), cfg.Self)
	require.True(f.t, fault.Is(err, fault.Denied), "a spent token: %v", err)
	n := f.start(cfg, identity, false)
	f.eventually(id+" is a voter", func() bool {
		v, err := leader.Store().View()
		require.NoError(f.t, err)
		defer v.Close()
		all, err := leader.List(ctx, v)
		require.NoError(f.t, err)
		for _, m := range all {
			if m.ID == id {
				return m.Voter
			}
		}
		return false
	})
	return n
}

func TestThreeNodesAgree(t *testing.T) {
	f := found(t)
	leader := f.nodes["n1"]
	for i := range uint64(20) {
		f.commit(leader, func(*fsm.View) []fsm.Event { return []fsm.Event{noted{"a", i}} })
		for id, n := range f.nodes {
			require.NoError(t, n.Await(t.Context(), cluster.Linearizable, 0, 0), id)
			v, err := n.Store().View()
			require.NoError(t, err)
			got, _, err := notes.Get(v, fsm.K("a"))
			v.Close()
			require.NoError(t, err)
			require.Equal(t, i, got, "read at %s after the write was acknowledged", id)
		}
	}
	out, err := f.nodes["n2"].Forward(t.Context(), cluster.Request{Method: "PUT", URI: "/x?y=1", Header: http.Header{}, Body: []byte("b")})
	require.NoError(t, err)
	require.Equal(t, http.StatusTeapot, out.Status)
	require.Equal(t, "/x", string(out.Body))

	to, err := leader.Transfer(t.Context(), "n3")
	require.NoError(t, err)
	require.Equal(t, "n3", to)
	f.eventually("n3 leads", f.nodes["n3"].Leads)
	_, err = leader.Ledger().Commit(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, "", func(_ *fsm.View, e *fsm.Entry) error {
		e.Add(noted{"b", 1})
		return nil
	})
	require.True(t, fault.Is(err, fault.NotDone), "%v", err)
	f.commit(f.nodes["n3"], func(*fsm.View) []fsm.Event { return []fsm.Event{noted{"b", 2}} })
}
