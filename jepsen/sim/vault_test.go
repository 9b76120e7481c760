package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/engines/auth"
	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/rbac"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/engines/secret"
	"github.com/trstctl/trstctl/engines/tenant"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/server/access"
)

func events() *fsm.Registry {
	return fsm.NewRegistry(fsm.Builtin, cluster.Register, keyring.Register, tenant.Register, auth.Register, rbac.Register, secret.Register)
}

// soloLog is the log of one node: what is proposed is applied at once.
type soloLog struct {
	mu    sync.Mutex // guards the rest
	store *fsm.Store
	logs  []*raft.Log
	meet  func() // called once before the next proposal: what others do in between
	term  uint64

	missed int // guards
}

func (l *soloLog) Term() (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.term, nil
}

func (l *soloLog) ReadIndex(context.Context) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.store.Applied(), nil
}

func (l *soloLog) Propose(_ context.Context, e *fsm.Entry) (fsm.Receipt, error) {
	l.mu.Lock()
	f := l.meet
	l.meet = nil
	l.mu.Unlock()
	if f != nil {
		f()
	}
	raw, err := e.Marshal()
	if err != nil {
		return fsm.Receipt{}, err
	}
	var b fsm.Batch
	b.Add(raw)
	l.mu.Lock()
	defer l.mu.Unlock()
	data := b.Marshal(e.Term, fsm.At(time.Now()))
	if err := l.store.Rehearse(l.term, data); err != nil {
		return fsm.Receipt{}, err
	}
	one := &raft.Log{Index: uint64(len(l.logs)) + 1, Term: l.term, Type: raft.LogCommand, Data: data}
	l.logs = append(l.logs, one)
	switch out := l.store.FSM().Apply(one).(type) {
	case []fsm.Outcome:
		if errors.Is(out[0].Err, fsm.ErrStale) {
			l.missed++
		}
		return out[0].Receipt, out[0].Err
	default:
		return fsm.Receipt{}, fmt.Errorf("apply: %v", out)
	}
}

// vault is the real thing: every engine over one state machine, with the leader's workers.
type vault struct {
	seal  seal.Seal
	files *vfs.MemFS
	log   *soloLog
	root  []byte // token

	store   *fsm.Store
	keys    *keyring.Keyring
	ledger  *fsm.Ledger
	secrets *secret.Engine
	tokens  *auth.Engine
	tenants *tenant.Engine
	rules   *rbac.Engine
	access  *access.Access
	rotator *keyring.Rotator

	ctx  context.Context
	stop func() // ends the workers
}

var clusterID = fsm.UID{9}

// begin makes a cluster as init does.
func begin(ctx context.Context, file seal.Seal) (*vault, error) {
	v := &vault{seal: file, files: vfs.NewCrashableMem(), log: &soloLog{term: 1}}
	if err := v.open(ctx); err != nil {
		return nil, err
	}
	for _, step := range []func(*fsm.View) ([]fsm.Event, error){
		func(*fsm.View) ([]fsm.Event, error) { return []fsm.Event{cluster.VersionRaised{Version: 2}}, nil },
		func(at *fsm.View) ([]fsm.Event, error) {
			made, _, err := v.keys.Found(ctx, at, keyring.People{})
			return append(made, v.tenants.Found()...), err
		},
		func(at *fsm.View) ([]fsm.Event, error) {
			if err := v.keys.Unseal(ctx, at); err != nil {
				return nil, err
			}
			return v.keys.NewTenant(at, fsm.RootTenant)
		},
		func(*fsm.View) ([]fsm.Event, error) {
			made, token, err := v.tokens.Found(700 * time.Hour)
			v.root = token
			return made, err
		},
	} {
		_, err := v.ledger.Commit(ctx, fsm.Request{Tenant: fsm.RootTenant, Actor: fsm.Actor{Identity: "init"}}, "", func(at *fsm.View, e *fsm.Entry) error {
			made, err := step(at)
			e.Add(made...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	v.work()
	return v, nil
}

// open opens the tables, applies what of the log they lack, and binds the engines, as a start does.
func (v *vault) open(ctx context.Context) (err error) {
	if v.store, err = fsm.Open("tables", events(), fsm.Options{FS: v.files}); err != nil {
		return err
	}
	v.log.store, v.ctx = v.store, ctx
	for _, l := range v.log.logs[min(v.store.Applied(), uint64(len(v.log.logs))):] {
		if err, stopped := v.store.FSM().Apply(l).(error); stopped {
			return err
		}
	}
	v.keys = keyring.New(clusterID, v.seal)
	v.ledger = fsm.NewLedger(v.store, v.log)
	v.rules = rbac.New(v.ledger)
	v.tokens = auth.New(v.ledger, v.keys, v.rules)
	v.tenants = tenant.New(v.ledger, []tenant.Founder{v.keys, v.rules}, []tenant.Undertaker{v.keys})
	v.secrets = secret.New(v.ledger, v.keys)
	v.access = access.New(v.tokens, v.rules, v.tenants)
	v.rotator = keyring.NewRotator(v.keys, v.ledger, members{v}, quiet(), secret.Places)
	v.stop = func() {}
	return nil
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// members are this node alone.
type members struct{ v *vault }

func (m members) MemberIDs() ([]string, error) { return []string{"n1"}, nil }
func (m members) Ask(ctx context.Context, _, name string, body []byte) ([]byte, error) {
	at, err := m.v.store.View()
	if err != nil {
		return nil, err
	}
	defer at.Close()
	out, known, err := m.v.keys.Answer(ctx, at, name, body)
	if !known {
		err = errors.New("not a question")
	}
	return out, err
}

// work runs the leader's workers.
func (v *vault) work() {
	ctx, cancel := context.WithCancel(v.ctx)
	var wg sync.WaitGroup
	for _, f := range []func(context.Context) error{v.rotator.Run, v.tokens.Sweeper(quiet()).Run, v.refresh} {
		wg.Go(func() { f(ctx) })
	}
	v.stop = func() {
		cancel()
		wg.Wait()
	}
}

// refresh is what a node's gate does with its keyring.
func (v *vault) refresh(ctx context.Context) error {
	for ctx.Err() == nil {
		at, err := v.store.View()
		if err == nil {
			err = errors.Join(v.keys.Refresh(ctx, at, at.Now()), at.Close())
		}
		if err != nil {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	return nil
}

// restart stops the vault, in order or by a crash that loses what its tables had not synced, and starts it again after a while.
func (v *vault) restart(crash bool, pause time.Duration, d dice) error {
	v.stop()
	before, err := v.digest(v.store)
	if err != nil {
		return err
	}
	next := v.files
	if crash {
		next = v.files.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: pick(d, 0, 50, 100), RNG: rand.New(rand.NewPCG(d.Uint64(), 1))})
	}
	v.keys.Close()
	if err := v.store.Close(); err != nil {
		return err
	}
	v.files = next
	time.Sleep(pause)
	v.log.mu.Lock()
	v.log.term++
	v.log.mu.Unlock()
	if err := v.open(v.ctx); err != nil {
		return err
	}
	after, err := v.digest(v.store)
	if err == nil && after != before {
		err = fmt.Errorf("after a restart (crash: %v) the state is another one", crash)
	}
	if err != nil {
		return err
	}
	at, err := v.store.View()
	if err == nil {
		err = errors.Join(v.keys.Unseal(v.ctx, at), at.Close())
	}
	v.work()
	return err
}

func (v *vault) digest(s *fsm.Store) (sum [32]byte, err error) {
	at, err := s.View()
	if err != nil {
		return sum, err
	}
	defer at.Close()
	return fsm.Digest(v.ctx, at)
}

// audit holds the state against its log: replayed, from a snapshot and the rest, and rebuilt from its own records.
func (v *vault) audit(d dice) error {
	want, err := v.digest(v.store)
	if err != nil {
		return err
	}
	at, err := v.store.View()
	if err != nil {
		return err
	}
	defer at.Close()
	if _, err := fsm.VerifyChain(v.ctx, at); err != nil {
		return err
	}
	fresh := func(f func(s *fsm.Store) error) error {
		s, err := fsm.Open("tables", events(), fsm.Options{FS: vfs.NewMem()})
		if err != nil {
			return err
		}
		return errors.Join(f(s), s.Close())
	}
	same := func(s *fsm.Store, how string) error {
		got, err := v.digest(s)
		if err == nil && got != want {
			err = fmt.Errorf("%s gives another state", how)
		}
		return err
	}
	apply := func(s *fsm.Store, logs []*raft.Log) error {
		for len(logs) > 0 {
			n := min(len(logs), 1+d.IntN(7))
			for _, r := range s.FSM().ApplyBatch(logs[:n]) {
				if err, stopped := r.(error); stopped {
					return err
				}
			}
			logs = logs[n:]
		}
		return nil
	}
	middle := d.IntN(len(v.log.logs))
	return errors.Join(
		fresh(func(s *fsm.Store) error {
			var snapshot bytes.Buffer
			err := apply(s, v.log.logs[:middle])
			if err == nil {
				var taken raft.FSMSnapshot
				if taken, err = s.FSM().Snapshot(); err == nil {
					err = taken.Persist(memory{&snapshot})
					taken.Release()
				}
			}
			if err == nil {
				err = apply(s, v.log.logs[middle:])
			}
			if err == nil {
				err = same(s, "a replay of the log")
			}
			if err != nil {
				return err
			}
			return fresh(func(other *fsm.Store) error {
				err := other.FSM().Restore(io.NopCloser(bytes.NewReader(snapshot.Bytes())))
				if err == nil {
					err = apply(other, v.log.logs[middle:])
				}
				if err == nil {
					err = same(other, fmt.Sprintf("a snapshot at %d and the rest of the log", middle))
				}
				return err
			})
		}),
		fresh(func(s *fsm.Store) error {
			if err := fsm.Rebuild(v.ctx, at, s); err != nil {
				return err
			}
			then, err := s.View()
			if err != nil {
				return err
			}
			defer then.Close()
			a, errA := fsm.TablesDigest(v.ctx, at)
			b, errB := fsm.TablesDigest(v.ctx, then)
			if a != b {
				errB = errors.Join(errB, errors.New("the event log gives other tables"))
			}
			return errors.Join(errA, errB)
		}),
	)
}

// memory is where a snapshot goes that nobody keeps.
type memory struct{ *bytes.Buffer }

func (memory) ID() string    { return "memory" }
func (memory) Cancel() error { return nil }
func (memory) Close() error  { return nil }

// openSeal makes a key file, outside of every bubble.
func openSeal(t *testing.T) seal.Seal {
	path := t.TempDir() + "/kek"
	if err := seal.Keygen(path); err != nil {
		t.Fatal(err)
	}
	f, err := seal.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func hash(parts ...any) [32]byte { return sha256.Sum256(fmt.Append(nil, parts...)) }
