package auth

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

var (
	acme  = fsm.UID{1, 2, 3}
	other = fsm.UID{4, 5, 6}
	begin = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
)

// soloLog is a replicated log of one node: what is proposed is applied.
type soloLog struct {
	s     *fsm.Store
	clock *handClock

	mu       sync.Mutex
	index    uint64
	proposed int
	before   func() // called once before the next proposal: what others do meanwhile
	fail     error  // answers the next proposal instead of it
}

func (l *soloLog) Propose(_ context.Context, e *fsm.Entry) (fsm.Receipt, error) {
	if f := l.before; f != nil {
		l.before = nil
		f()
	}
	if err := l.fail; err != nil {
		l.fail = nil
		return fsm.Receipt{}, err
	}
	out, err := l.apply(e)
	if err != nil {
		return fsm.Receipt{}, err
	}
	return out[0].Receipt, out[0].Err
}

func (l *soloLog) apply(entries ...*fsm.Entry) ([]fsm.Outcome, error) {
	var b fsm.Batch
	for _, e := range entries {
		raw, err := e.Marshal()
		if err != nil {
			return nil, err
		}
		b.Add(raw)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	data := b.Marshal(1, fsm.At(l.clock.Now()))
	if err := l.s.Rehearse(1, data); err != nil {
		return nil, err
	}
	l.index++
	l.proposed++
	switch r := l.s.FSM().Apply(&raft.Log{Index: l.index, Term: 1, Type: raft.LogCommand, Data: data}).(type) {
	case []fsm.Outcome:
		return r, nil
	case error:
		return nil, r
	default:
		return nil, fmt.Errorf("apply answered %T", r)
	}
}

func (l *soloLog) Term() (uint64, error)                     { return 1, nil }
func (l *soloLog) ReadIndex(context.Context) (uint64, error) { return l.s.Applied(), nil }

// handClock stands still until it is moved; Wait moves it and reports each wait.
type handClock struct {
	mu    sync.Mutex
	at    time.Time
	waits chan time.Duration
	turn  chan bool // false ends the wait as a cancelled context would
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func (c *handClock) Wait(_ context.Context, d time.Duration) bool {
	c.waits <- d
	return <-c.turn
}

// fakeAnswers encrypts under the Idempotency-Key alone.
type fakeAnswers struct{}

func answerAEAD(key string) cipher.AEAD {
	k := sha256.Sum256([]byte(key))
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic(err)
	}
	a, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return a
}

func (fakeAnswers) SealAnswer(_ fsm.Reader, b fsm.Binding, key string, plaintext []byte) (fsm.Sealed, error) {
	blob := make([]byte, fsm.SealedNonceAt+12)
	_, _ = rand.Read(blob[1:])
	blob[0] = fsm.SealedFormat
	return fsm.NewSealed(answerAEAD(key).Seal(blob, blob[fsm.SealedNonceAt:], plaintext, fmt.Append(nil, b)))
}

func (fakeAnswers) OpenAnswer(r fsm.Reader, b fsm.Binding, key string, s fsm.Sealed) ([]byte, error) {
	full, found, err := fsm.Load(r, s)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fault.New(fault.NotFound, "the answer was destroyed")
	}
	at := full.Bytes()[fsm.SealedNonceAt:]
	return answerAEAD(key).Open(nil, at[:12], at[12:], fmt.Append(nil, b))
}

// fakePolicies grant letters: the policy "ab" grants a and b, "root" everything.
type fakePolicies struct{}

func letters(names []string) map[rune]bool {
	all := map[rune]bool{}
	for _, n := range names {
		if n == "root" {
			n = "abcdefghijklmnopqrstuvwxyz"
		}
		for _, c := range n {
			all[c] = true
		}
	}
	return all
}

func (fakePolicies) Within(_ fsm.Reader, _ fsm.UID, names []string, _ fsm.UID, bound []string) (bool, error) {
	have := letters(bound)
	for c := range letters(names) {
		if !have[c] {
			return false, nil
		}
	}
	return true, nil
}

func (fakePolicies) Guards(r fsm.Reader, tenant fsm.UID, names []string) ([]fsm.Guard, error) {
	guards := make([]fsm.Guard, len(names))
	for i, n := range names {
		g, err := fsm.GuardOf(r, tenant, "policy/"+n)
		if err != nil {
			return nil, err
		}
		guards[i] = g
	}
	return guards, nil
}

// touched bumps any stream: another feature's event.
type touched struct {
	Stream string
}

func (touched) EventType() string     { return "test.stream.touched" }
func (e touched) EventStream() string { return e.Stream }

// crowded makes a tenant look full.
type crowded struct {
	Hour uint64
	Held uint64
}

func (crowded) EventType() string   { return "test.tenant.crowded" }
func (crowded) EventStream() string { return "crowd" }

func testEvents(r *fsm.Registry) {
	fsm.On(r, func(*fsm.Tx, fsm.Meta, touched) error { return nil })
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e crowded) error { return tallies.Put(tx, fsm.K(m.Tenant, e.Hour), e.Held) })
}

type rig struct {
	t     testing.TB
	store *fsm.Store
	log   *soloLog
	clock *handClock
	e     *Engine
	root  Created
	keys  int
}

func openStore(t testing.TB) *fsm.Store {
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin, Register, testEvents), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func newRig(t testing.TB) *rig {
	r := &rig{t: t, store: openStore(t), clock: &handClock{at: begin, waits: make(chan time.Duration), turn: make(chan bool)}}
	r.log = &soloLog{s: r.store, clock: r.clock}
	r.e = New(fsm.NewLedger(r.store, r.log), fakeAnswers{}, fakePolicies{}, WithClock(r.clock))
	events, secret, err := r.e.Found(0)
	require.NoError(t, err)
	r.propose(fsm.RootTenant, events...)
	r.root = Created{Secret: secret, Token: r.login(secret).Token}
	return r
}

// propose puts events into the log without a decision.
func (r *rig) propose(tenant fsm.UID, events ...fsm.Event) {
	e := &fsm.Entry{Tenant: tenant}
	e.Add(events...)
	out, err := r.log.apply(e)
	require.NoError(r.t, err)
	require.NoError(r.t, out[0].Err)
}

func (r *rig) view() *fsm.View {
	v, err := r.store.View()
	require.NoError(r.t, err)
	r.t.Cleanup(func() { require.NoError(r.t, v.Close()) })
	return v
}

func (r *rig) auth(secret []byte) (Session, error) {
	v, err := r.store.View()
	require.NoError(r.t, err)
	defer func() { require.NoError(r.t, v.Close()) }()
	return r.e.Authenticate(v, secret, fsm.At(r.clock.Now()))
}

func (r *rig) login(secret []byte) Session {
	s, err := r.auth(secret)
	require.NoError(r.t, err)
	return s
}

func (r *rig) refused(secret []byte) {
	r.t.Helper()
	_, err := r.auth(secret)
	require.EqualError(r.t, err, "the token is not valid")
	require.Equal(r.t, fault.Unauthenticated, fault.KindOf(err))
}

// request is a new one, of tenant, with the receipt of its own key.
func (r *rig) request(tenant fsm.UID) (fsm.Request, string) {
	r.keys++
	key := fmt.Sprint("key-", r.keys)
	return fsm.Request{ID: newID(), Tenant: tenant, Actor: fsm.Actor{Identity: "tester"}, Receipt: receiptOf(key, "create")}, key
}

func newID() (id fsm.UID) {
	_, _ = rand.Read(id[:])
	return id
}

func receiptOf(key, body string) *fsm.ReceiptKey {
	return &fsm.ReceiptKey{Key: sha256.Sum256([]byte(key)), Request: sha256.Sum256([]byte(body))}
}

func (r *rig) try(creator Secret, g Grant, target fsm.UID) (Created, error) {
	req, key := r.request(target)
	made, _, err := r.e.Create(r.t.Context(), req, r.login(creator), g, key, target)
	return made, err
}

func (r *rig) create(creator Secret, g Grant, target fsm.UID) Created {
	r.t.Helper()
	made, err := r.try(creator, g, target)
	require.NoError(r.t, err)
	return made
}

func (r *rig) revoke(ref Ref) error {
	req, _ := r.request(ref.Tenant)
	return r.e.Revoke(r.t.Context(), req, ref)
}

func (r *rig) renew(ref Ref, ttl time.Duration) (Token, error) {
	req, _ := r.request(ref.Tenant)
	return r.e.Renew(r.t.Context(), req, ref, ttl)
}

func (r *rig) lookup(ref Ref) (Token, bool) {
	t, found, err := r.e.Lookup(r.view(), ref.Tenant, ref.Accessor)
	require.NoError(r.t, err)
	return t, found
}

func (r *rig) export() []byte {
	var out bytes.Buffer
	require.NoError(r.t, r.view().Export(&out))
	return out.Bytes()
}

// rows returns every stored token.
func (r *rig) rows() map[Ref]row {
	all := map[Ref]row{}
	require.NoError(r.t, tokens.Scan(r.view(), fsm.Span{}, func(_ fsm.Key, at row) (bool, error) {
		all[at.Token.Ref()] = at
		return true, nil
	}))
	return all
}

// check holds the state against the invariants of the package comment and the indexes against the rows.
func (r *rig) check() {
	r.t.Helper()
	rows, held := r.rows(), map[string]uint64{}
	for ref, at := range rows {
		if !at.Token.Revoked {
			held[string(fsm.K(ref.Tenant, hour(at.Token.Expires)))]++
		}
		require.LessOrEqual(r.t, at.Token.Expires, at.Token.MaxExpires)
		if at.Token.Parent == nil {
			continue
		}
		above, found := rows[*at.Token.Parent]
		if !found {
			continue
		}
		require.LessOrEqual(r.t, at.Token.Expires, above.Token.Expires, "a child expires with its parent at the latest")
		require.LessOrEqual(r.t, at.Token.MaxExpires, above.Token.MaxExpires)
		within, err := fakePolicies{}.Within(nil, ref.Tenant, at.Token.Policies, above.Token.Tenant, above.Token.Policies)
		require.NoError(r.t, err)
		require.True(r.t, within, "%v within %v", at.Token.Policies, above.Token.Policies)
	}
	v := r.view()
	var indexed []Ref
	require.NoError(r.t, expiries.Scan(v, fsm.Span{}, func(_ fsm.Key, ref Ref) (bool, error) {
		indexed = append(indexed, ref)
		return true, nil
	}))
	require.Len(r.t, indexed, len(rows))
	require.NoError(r.t, tallies.Scan(v, fsm.Span{}, func(k fsm.Key, n uint64) (bool, error) {
		require.Equal(r.t, held[string(k)], n)
		delete(held, string(k))
		return true, nil
	}))
	require.Empty(r.t, held)
	for _, ref := range indexed {
		require.Contains(r.t, rows, ref)
	}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func ptr[T any](v T) *T { return &v }
