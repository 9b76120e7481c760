package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/acme"
	"github.com/trstctl/trstctl/engines/audit"
	"github.com/trstctl/trstctl/engines/auth"
	"github.com/trstctl/trstctl/engines/backup"
	"github.com/trstctl/trstctl/engines/dynamic"
	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/engines/dynamic/backend/memory"
	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/engines/lease"
	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/outbox"
	"github.com/trstctl/trstctl/engines/pki"
	"github.com/trstctl/trstctl/engines/rbac"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/engines/secret"
	"github.com/trstctl/trstctl/engines/tenant"
	"github.com/trstctl/trstctl/engines/transit"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/access"
	"github.com/trstctl/trstctl/server/lending"
)

// oneLog is a replicated log of one: what is proposed is applied at once.
type oneLog struct {
	store *fsm.Store
	mu    sync.Mutex // guards index
	index uint64
}

func (l *oneLog) Propose(_ context.Context, e *fsm.Entry) (fsm.Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	raw, err := e.Marshal()
	if err != nil {
		return fsm.Receipt{}, err
	}
	var b fsm.Batch
	b.Add(raw)
	l.index++
	switch out := l.store.FSM().Apply(&raft.Log{Index: l.index, Term: 1, Data: b.Marshal(1, fsm.At(time.Now()))}).(type) {
	case []fsm.Outcome:
		return out[0].Receipt, out[0].Err
	default:
		return fsm.Receipt{}, fmt.Errorf("apply: %v", out)
	}
}

func (l *oneLog) Term() (uint64, error) { return 1, nil }

func (l *oneLog) ReadIndex(context.Context) (uint64, error) { return l.store.Applied(), nil }

// fakeCluster is everything that the API asks of a cluster. Its fields are set before it is used.
type fakeCluster struct {
	follows  bool // it does not lead
	awaitErr error
	readyErr error
	fullErr  error
	age      time.Duration // of the state
	forward  func(*http.Request, []byte) (*http.Response, error)
	ledger   *fsm.Ledger
	keys     *keyring.Keyring // of another node, which has a seal called third
	sealed   []string
	rekeyed  bool // "good" does not fit any more

	mu    sync.Mutex // guards wants
	wants []Want
}

func (f *fakeCluster) Await(_ context.Context, w Want) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wants = append(f.wants, w)
	return f.awaitErr
}

func (f *fakeCluster) Leads() bool { return !f.follows }
func (f *fakeCluster) Forward(_ context.Context, r *http.Request, body []byte) (*http.Response, error) {
	return f.forward(r, body)
}
func (f *fakeCluster) Ready() error    { return f.readyErr }
func (f *fakeCluster) Writable() error { return f.fullErr }
func (f *fakeCluster) Status() Status {
	return Status{Node: "n1", Cluster: "c", Version: "v", State: "leader", Leader: &LeaderInfo{"n1", "n1:8200"}, Applied: 7,
		StatusDetail: &StatusDetail{Term: 1, Commit: 7, StateAge: f.age.Milliseconds(), LogStore: "bolt"}}
}
func (f *fakeCluster) Members(context.Context) ([]Member, error) {
	yes := true
	return []Member{{ID: "n1", Voter: true, Leader: true, Certificate: 1, Sealed: &yes}, {ID: "n2"}}, nil
}

// touched stands for what the cluster's own operations commit.
type touched struct {
	Name string `cbor:"1,keyasint"`
}

func (touched) EventType() string   { return "test.thing.touched" }
func (touched) EventStream() string { return "test" }

// raised is the version of the cluster.
type raised struct{ Version uint32 }

func (raised) EventType() string   { return "test.version.raised" }
func (raised) EventStream() string { return "version" }

func (f *fakeCluster) touch(ctx context.Context, r fsm.Request, name string) error {
	_, err := f.ledger.Commit(ctx, r, "test", func(_ *fsm.View, e *fsm.Entry) error {
		e.Add(touched{name})
		return nil
	})
	return err
}

func (f *fakeCluster) Tolerance() Tolerance { return Tolerance{Voters: 3, Healthy: 3, Tolerance: 1} }
func (f *fakeCluster) Remove(ctx context.Context, r fsm.Request, id string) error {
	if id != "n2" {
		return fault.New(fault.NotFound, "there is no node %q", id)
	}
	return f.touch(ctx, r, id)
}
func (f *fakeCluster) JoinToken(ctx context.Context, r fsm.Request, node, _ string) (JoinToken, error) {
	return JoinToken{[]byte("join-me"), node, 5}, f.touch(ctx, r, node)
}

// Shares of the fake gate are 2 of 3; "good" fits.
func (f *fakeCluster) Unseal(_ context.Context, id string, share []byte) (UnsealProgress, error) {
	if string(share) != "good" {
		return UnsealProgress{}, fault.New(fault.Denied, "these shares do not open the seal")
	}
	return UnsealProgress{Attempt: "a1", Have: 1, Need: 2, Sealed: true}, nil
}
func (f *fakeCluster) SealNode(_ context.Context, node string) error {
	f.sealed = append(f.sealed, node)
	return nil
}
func (f *fakeCluster) Seals(context.Context) ([]SealStatus, error) {
	return []SealStatus{{Node: "n1", Seal: "file", Kind: "file", Member: true, OK: true, Latency: 12}, {Seal: "shares", Kind: "shamir", Member: true, OK: true, Shares: 3, Threshold: 2}}, nil
}
func (f *fakeCluster) Quorum(shares [][]byte) error {
	if len(shares) != 2 || string(shares[0]) != "good" || f.rekeyed {
		return fault.Bad("quorum", "2 shares are needed")
	}
	return nil
}
func (f *fakeCluster) Reason() string { return "" }

// MemberIDs and Ask are keyring.Peers: the node itself.
func (f *fakeCluster) MemberIDs() ([]string, error) { return []string{"n1"}, nil }
func (f *fakeCluster) Ask(ctx context.Context, _, name string, body []byte) ([]byte, error) {
	v, err := f.ledger.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	out, _, err := f.keys.Answer(ctx, v, name, body)
	return out, err
}

func (f *fakeCluster) RotateGossip(ctx context.Context, r fsm.Request) (uint64, error) {
	return 2, f.touch(ctx, r, "gossip")
}
func (f *fakeCluster) Transfer(_ context.Context, _, to string) (string, error) { return "n2", nil }

// snapshots are real backups.
type snapshots struct{ keys *keyring.Keyring }

func (s snapshots) Snapshot(ctx context.Context, v *fsm.View) (Snapshot, error) {
	b, err := backup.Prepare(ctx, v, s.keys, fsm.UID{9}, "n1", 1)
	return b, err
}

// living says which tenants are in use, as the node does.
type living struct{ tenants *tenant.Engine }

func (l living) Active(r fsm.Reader, uid fsm.UID) (bool, error) {
	t, found, err := l.tenants.Get(r, uid)
	return found && t.State == tenant.Active, err
}

// bench is a node of one with its API.
type bench struct {
	t       testing.TB
	api     *API
	cluster *fakeCluster
	store   *fsm.Store
	handler http.Handler
	keys    *keyring.Keyring
	root    string // token
	log     *bytes.Buffer
	shift   time.Duration

	journals *fakeJournals
	raft     *oneLog
	waiting  fakeWaiting
	lending  *lending.Lending
	db       *memory.Target // of its connections
}

// holders asks for leases when a tenant is to end.
type holders struct{ *bench }

func (h holders) DropTenant(r fsm.Reader, tenant fsm.UID) ([]fsm.Event, error) {
	if events, err := h.lending.Leases.DropTenant(r, tenant); err != nil {
		return events, err
	}
	if events, err := h.lending.PKI.DropTenant(r, tenant); err != nil {
		return events, err
	}
	return h.lending.ACME.DropTenant(r, tenant)
}

// newBench founds a cluster of one.
func newBench(t testing.TB, change ...func(*Options)) *bench {
	b := &bench{t: t, log: &bytes.Buffer{}}
	reg := fsm.NewRegistry(fsm.Builtin, tenant.Register, auth.Register, rbac.Register, keyring.Register, secret.Register, audit.Register, transit.Register, kmipclient.Register, managedkey.Register, outbox.Register, lease.Register, dynamic.Register, pki.Register, acme.Register,
		func(r *fsm.Registry) {
			fsm.On(r, func(*fsm.Tx, fsm.Meta, touched) error { return nil })
			fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e raised) error { tx.SetVersion(e.Version); return nil })
		})
	var err error
	b.store, err = fsm.Open(filepath.Join(t.TempDir(), "tables"), reg, fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.store.Close()) })
	log := &oneLog{store: b.store}
	b.raft = log
	ledger := fsm.NewLedger(b.store, log)
	kek := filepath.Join(t.TempDir(), "kek")
	require.NoError(t, seal.Keygen(kek))
	file, err := seal.OpenFile(kek)
	require.NoError(t, err)
	second, err := seal.OpenFile(kek)
	require.NoError(t, err)
	b.keys = keyring.New(fsm.UID{9}, file, second.As("second"))
	policies := rbac.New(ledger)
	tokens := auth.New(ledger, b.keys, policies)
	tenants := tenant.New(ledger, []tenant.Founder{b.keys, policies}, []tenant.Undertaker{holders{b}, b.keys})
	b.found(log, tenants, tokens)
	third, err := seal.OpenFile(kek)
	require.NoError(t, err)
	b.cluster = &fakeCluster{ledger: ledger, keys: keyring.New(fsm.UID{9}, third.As("third"))}
	v, err := b.store.View()
	require.NoError(t, err)
	require.NoError(t, b.cluster.keys.Unseal(t.Context(), v, file))
	require.NoError(t, v.Close())
	b.journals = newFakeJournals(t)
	opt := Options{Node: "n1", Journal: b.journals, Refusals: b.journals, Journals: b.journals, Signer: audit.New(ledger, b.keys), Ledger: ledger, Keys: b.keys, Access: access.New(tokens, policies, tenants), Secrets: secret.New(ledger, b.keys),
		Tokens: tokens, Rules: policies, Tenants: tenants, Reads: b.cluster, Leader: b.cluster, Health: b.cluster, Status: b.cluster,
		Members: b.cluster, Operator: b.cluster, Snapshots: snapshots{b.keys}, Gate: b.cluster, Waiting: &b.waiting, Rotation: keyring.NewRotator(b.keys, ledger, b.cluster, slog.New(slog.DiscardHandler)), EnableSecrets: true, EnableTransit: true, EnableKMIP: true, EnableDynamic: true, EnablePKI: true, Clock: func() time.Time { return time.Now().Add(b.shift) },
		Log: slog.New(slog.NewJSONHandler(b.log, nil)), Events: []fsm.Event{auth.Issued{}, tenant.Created{}, touched{}},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("metrics")) })}
	opt.Transit = transit.New(ledger, b.keys, func() fsm.Time { return fsm.At(opt.Clock()) })
	opt.Uses = transit.NewWorker(b.keys, func(ctx context.Context, tenant fsm.UID, name string, version uint64) error {
		_, err := opt.Transit.Reserve(ctx, fsm.Request{ID: fsm.UID{1}, Tenant: tenant}, name, version)
		return err
	})
	opt.Objects = managedkey.New(ledger, b.keys, func() fsm.Time { return fsm.At(opt.Clock()) })
	b.db = memory.New("first")
	b.lending = lending.New(lending.Options{Ledger: ledger, Keys: b.keys, Tokens: tokens, Backends: map[string]backend.Backend{"memory": b.db}, Dial: (&net.Dialer{}).DialContext, Resolver: net.DefaultResolver,
		Confirm: func(context.Context) error { return nil }, Now: func() fsm.Time { return fsm.At(opt.Clock()) }, Log: slog.New(slog.DiscardHandler)})
	opt.Outbox, opt.Leases, opt.Dynamic, opt.PKI, opt.ACME = b.lending.Outbox, b.lending.Leases, b.lending.Dynamic, b.lending.PKI, b.lending.ACME
	opt.KMIP = kmipclient.New(ledger, b.keys, living{tenants}, func() fsm.Time { return fsm.At(opt.Clock()) })
	for _, c := range change {
		c(&opt)
	}
	b.api, err = New(opt)
	require.NoError(t, err)
	b.handler = b.api.Handler()
	return b
}

// found makes the root tenant, the keys and the root token, as init does.
func (b *bench) found(log *oneLog, tenants *tenant.Engine, tokens *auth.Engine) {
	propose := func(events ...fsm.Event) {
		e := &fsm.Entry{Tenant: fsm.RootTenant}
		e.Add(events...)
		_, err := log.Propose(b.t.Context(), e)
		require.NoError(b.t, err)
	}
	propose(raised{5})
	empty, err := b.store.View()
	require.NoError(b.t, err)
	events, _, err := b.keys.Found(b.t.Context(), empty, keyring.People{})
	require.NoError(b.t, err)
	require.NoError(b.t, empty.Close())
	propose(append(tenants.Found(), events...)...)
	v, err := b.store.View()
	require.NoError(b.t, err)
	defer v.Close()
	require.NoError(b.t, b.keys.Unseal(b.t.Context(), v))
	events, err = b.keys.NewTenant(v, fsm.RootTenant)
	require.NoError(b.t, err)
	first, token, err := tokens.Found(0)
	require.NoError(b.t, err)
	propose(append(events, first...)...)
	b.root = string(token)
}

// answer is what came back.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// reply decodes the body.
func (a answer) reply() map[string]any {
	var m map[string]any
	require.NoError(a.t, json.Unmarshal(a.body, &m), "%s", a.body)
	return m
}

// is asserts the status.
func (a answer) is(status int) answer {
	a.t.Helper()
	require.Equal(a.t, status, a.status, "%s", a.body)
	return a
}

// refused asserts a problem document of a kind and field.
func (a answer) refused(kind fault.Kind, field string) answer {
	a.t.Helper()
	p := a.reply()
	require.Equal(a.t, kind.String(), p["kind"], "%s", a.body)
	require.Equal(a.t, "application/problem+json", a.header.Get("Content-Type"))
	require.EqualValues(a.t, outcomes[kind].status, a.status)
	require.EqualValues(a.t, a.status, p["status"])
	require.NotEmpty(a.t, p["detail"])
	require.Equal(a.t, a.header.Get("X-Request-Id"), p["request_id"])
	if field != "" {
		require.Equal(a.t, field, p["field"], "%s", a.body)
	}
	return a
}

// ask is a request on its way; with sets a header.
type ask struct {
	method, url, token, body string
	header                   http.Header
}

func req(method, url, token, body string) *ask {
	return &ask{method, url, token, body, http.Header{}}
}

func (q *ask) with(name, value string) *ask {
	q.header.Set(name, value)
	return q
}

var keys struct {
	sync.Mutex
	n int
}

func newKey() string {
	keys.Lock()
	defer keys.Unlock()
	keys.n++
	return fmt.Sprintf("key-%d", keys.n)
}

func (q *ask) build() *http.Request {
	r := httptest.NewRequest(q.method, "http://node", strings.NewReader(q.body))
	if q.body == "" {
		r = httptest.NewRequest(q.method, "http://node", nil)
	}
	u, err := url.ParseRequestURI(q.url)
	if err == nil {
		r.URL, r.RequestURI = u, q.url
	}
	r.Header = q.header.Clone()
	if q.token != "" {
		r.Header.Set("Authorization", "Bearer "+q.token)
	}
	if _, given := r.Header[idempotencyKey]; !given && q.method != http.MethodGet && !strings.HasSuffix(q.url, "/policies/test") {
		r.Header.Set(idempotencyKey, newKey())
	}
	return r
}

func (b *bench) send(q *ask) answer {
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, q.build())
	return answer{b.t, w.Code, w.Header(), w.Body.Bytes()}
}

func (b *bench) do(method, path, token, body string) answer {
	b.t.Helper()
	return b.send(req(method, base+path, token, body))
}

func (b *bench) get(path, token string) answer { b.t.Helper(); return b.do("GET", path, token, "") }
func (b *bench) put(path, token, body string) answer {
	b.t.Helper()
	return b.do("PUT", path, token, body)
}
func (b *bench) post(path, token, body string) answer {
	b.t.Helper()
	return b.do("POST", path, token, body)
}
func (b *bench) delete(path, token string) answer {
	b.t.Helper()
	return b.do("DELETE", path, token, "")
}

// rules makes the JSON of a policy: "path cap,cap" each.
func rules(each ...string) string {
	out := make([]map[string]any, 0, len(each))
	for _, e := range each {
		i := strings.LastIndexByte(e, ' ')
		path, caps := e[:i], e[i+1:]
		out = append(out, map[string]any{"path": path, "capabilities": strings.Split(caps, ",")})
	}
	j, err := json.Marshal(map[string]any{"rules": out})
	if err != nil {
		panic(err)
	}
	return string(j)
}

// token makes a token of the root tenant with a policy of these rules.
func (b *bench) token(each ...string) string {
	b.t.Helper()
	name := "p" + newKey()
	b.put("/policies/"+name, b.root, rules(each...)).is(200)
	return b.post("/tokens", b.root, `{"policies":["`+name+`"]}`).is(200).reply()["token"].(string)
}

// tenant makes a tenant and a token of its admin.
func (b *bench) tenant(name string) (admin string) {
	b.t.Helper()
	b.post("/tenants", b.root, `{"name":"`+name+`"}`).is(200)
	q := req("POST", base+"/tokens", b.root, `{"policies":["admin"]}`).with(tenantHeader, name)
	return b.send(q).is(200).reply()["token"].(string)
}
