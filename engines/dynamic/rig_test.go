package dynamic

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/engines/dynamic/backend/memory"
	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

var (
	acme, umbra = fsm.UID{1, 2, 3}, fsm.UID{4, 5, 6}
	begin       = fsm.At(time.Date(2200, 1, 2, 3, 4, 5, 0, time.UTC)) // ahead of every wall clock, so that the log's time decides
	errDown     = errors.New("planted: the target is down")
)

// granted is the event of the fake leases.
type granted struct{ ID, Connection, Account string }

func (granted) EventType() string     { return "test.lease.granted" }
func (e granted) EventStream() string { return "lease/" + e.ID }

var given = fsm.NewTable[granted]("test.lease") // key: tenant, id

// shelf keeps leases, as engines/lease does.
type shelf struct {
	drawn  atomic.Int32
	dead   atomic.Bool // the holder
	taken  atomic.Int32
	answer fsm.Sealed
}

func (s *shelf) NewID(connection, role string) string {
	return connection + "/" + role + "/" + string(rune('a'+s.drawn.Add(1)))
}

func (s *shelf) Reserve(_ fsm.Reader, _ fsm.UID, _, _ string, _ Holder, most uint64) (func(), error) {
	if most == 1 {
		return nil, fault.New(fault.Limit, "full")
	}
	s.taken.Add(1)
	return func() { s.taken.Add(-1) }, nil
}

func (s *shelf) Grant(_ *fsm.View, entry *fsm.Entry, t Terms) (fsm.Time, error) {
	if s.dead.Load() {
		return 0, fault.New(fault.Denied, "the token that asked for it is dead")
	}
	s.answer = t.Answer
	entry.Add(granted{t.ID, t.Connection, t.Account})
	return t.Until, nil
}

func (s *shelf) Accounts(r fsm.Reader, tenant fsm.UID, connection string, visit func(string)) error {
	return given.Scan(r, fsm.Span{Prefix: fsm.K(tenant)}, func(_ fsm.Key, g granted) (bool, error) {
		if g.Connection == connection {
			visit(g.Account)
		}
		return true, nil
	})
}

// burnt is the end of a sealed answer.
type burnt struct{ Answer fsm.Sealed }

func (burnt) EventType() string   { return "test.answer.burnt" }
func (burnt) EventStream() string { return "burnt" }

// settled is what the outbox says of a message that arrived.
type settled struct{ Seq, Pos uint64 }

func (settled) EventType() string   { return "test.message.settled" }
func (settled) EventStream() string { return "outbox" }

func testFeature(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e granted) error { return given.Put(tx, fsm.K(m.Tenant, e.ID), e) })
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e settled) error { return tx.Settle(e.Seq, e.Pos) })
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e burnt) error { return tx.Destroy(e.Answer) })
}

// lossy is a log that loses proposals with the events that it is told to lose, before or after they are applied.
type lossy struct {
	*fsmtest.Solo
	before, after string // type of event; empty: none
}

func (l *lossy) Propose(ctx context.Context, e *fsm.Entry) (fsm.Receipt, error) {
	raw, err := e.Marshal()
	if err != nil {
		return fsm.Receipt{}, err
	}
	if l.before != "" && bytes.Contains(raw, []byte(l.before)) {
		return fsm.Receipt{}, fault.New(fault.NotDone, "planted: the node does not lead any more")
	}
	rc, err := l.Solo.Propose(ctx, e)
	if l.after != "" && bytes.Contains(raw, []byte(l.after)) {
		return fsm.Receipt{}, fault.New(fault.Unknown, "planted: the connection is gone")
	}
	return rc, err
}

// rig is an engine on a store and a keyring of its own, as one tenant sees it.
type rig struct {
	t      testing.TB
	tenant fsm.UID
	store  *fsm.Store
	log    *lossy
	keys   *keyring.Keyring
	db     *memory.Target
	leases *shelf
	e      *Engine
	worker *Worker
}

func newRig(t testing.TB) *rig {
	kek := filepath.Join(t.TempDir(), "kek")
	require.NoError(t, seal.Keygen(kek))
	file, err := seal.OpenFile(kek)
	require.NoError(t, err)
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin, keyring.Register, fsmtest.Agreeing, Register, testFeature), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	r := &rig{t: t, tenant: acme, store: s, log: &lossy{Solo: fsmtest.NewSolo(s, begin)}, keys: keyring.New(fsm.UID{9}, file), leases: &shelf{},
		db: memory.New("first")}
	events, _, err := r.keys.Found(t.Context(), r.view(), keyring.People{})
	require.NoError(t, err)
	r.log.Must(t, fsm.RootTenant, events...)
	r.log.Must(t, fsm.RootTenant, fsmtest.Agreed{Version: since})
	require.NoError(t, r.keys.Unseal(t.Context(), r.view()))
	for _, tenant := range []fsm.UID{acme, umbra} {
		events, err := r.keys.NewTenant(r.view(), tenant)
		require.NoError(t, err)
		r.log.Must(t, tenant, events...)
	}
	r.restart()
	return r
}

// restart has another node lead.
func (r *rig) restart() {
	r.e = New(Options{Ledger: fsm.NewLedger(r.store, r.log), Keys: r.keys, Leases: r.leases, Backends: map[string]backend.Backend{"memory": r.db}, Dial: (&net.Dialer{}).DialContext,
		Confirm: func(context.Context) error { return nil }, Now: r.log.Now, Log: slog.New(slog.DiscardHandler)})
	r.worker = r.e.Worker()
}

func (r *rig) view() *fsm.View {
	v, err := r.store.View()
	require.NoError(r.t, err)
	r.t.Cleanup(func() { require.NoError(r.t, v.Close()) })
	return v
}

func (r *rig) req() fsm.Request {
	return fsm.Request{ID: newUID(), Tenant: r.tenant, Actor: fsm.Actor{Identity: "ann"}}
}

// keyed is a request that may be repeated.
func (r *rig) keyed(key string) fsm.Request {
	req := r.req()
	req.Receipt = &fsm.ReceiptKey{}
	copy(req.Receipt.Key[:], key)
	return req
}

func (r *rig) connect(change func(*Connection)) error {
	c := Connection{Name: "pg", Backend: "memory", Config: backend.Config{Host: "db", Port: 5432}, Username: memory.Admin, Password: Password(r.db.Root())}
	if change != nil {
		change(&c)
	}
	_, _, err := r.e.WriteConnection(r.t.Context(), r.req(), c)
	return err
}

// ready has a connection with a role.
func ready(t testing.TB) *rig {
	r := newRig(t)
	require.NoError(t, r.connect(nil))
	_, _, err := r.e.WriteRole(t.Context(), r.req(), "pg", Role{Name: "readonly", Grant: backend.Role{Grants: []string{"SELECT"}}})
	require.NoError(t, err)
	return r
}

func (r *rig) issue(key string) (Credential, error) {
	c, _, err := r.e.Issue(r.t.Context(), r.keyed(key), Order{Connection: "pg", Role: "readonly", Holder: Holder{acme, "t", "ann"}, Key: key})
	return c, err
}

func (r *rig) owed() []fsm.Owed {
	all, err := fsm.Outbox(r.view(), 0, 0, 1000)
	require.NoError(r.t, err)
	return all
}

// deliver has all that is owed delivered.
func (r *rig) deliver() {
	r.t.Helper()
	for _, o := range r.owed() {
		require.Equal(r.t, Cleanup, o.Kind)
		if _, err := r.e.Deliver(r.t.Context(), o); err == nil {
			r.log.Must(r.t, o.Tenant, settled{o.Seq, o.Pos})
		}
	}
}

func (r *rig) open() (n int) {
	require.NoError(r.t, intents.Scan(r.view(), fsm.Span{}, func(_ fsm.Key, row intentRow) (bool, error) {
		if row.Abandoned == 0 {
			n++
		}
		return true, nil
	}))
	return n
}

// made is how many accounts the target ever made, are how many it has.
func (r *rig) made() int { _, n := r.db.Count(); return n }
func (r *rig) are() int  { n, _ := r.db.Count(); return n }
