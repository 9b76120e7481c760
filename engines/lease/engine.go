// Package lease keeps what was given for a time, and has it ended at its backend when that is over.
//
// It promises:
//   - A lease stands in the log with the answer that gave its credential: there is none without the other.
//   - A lease that expired, was revoked, or whose token is dead (also by an ancestor) is Ending within a second or two of a leader that works; from then on its backend is
//     owed the end by a message of the outbox, which is delivered until the backend has done it. What can not be delivered stays visible there, and the lease with it.
//   - Leases are ended in the order in which they expire, from an index by time. A hundred thousand of them in one minute are put into the outbox in entries of some
//     hundred, with pauses for others.
//   - Time is the log's, or the leader's own where that stands still; a leader whose clock is off does not lead (package cluster). A new leader finds in the log all
//     that is owed, and ends nothing earlier than the one before.
//   - Giving up a backend (Force) is a decision that is recorded: the lease is Irrevocable, and is listed until somebody forgets it.
package lease

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Kind is that of the messages by which backends are told that a lease has ended. Their lane is the lease's id.
const Kind = "lease.revocation"

// Limits.
const (
	MaxPerTenant = 300_000
	MaxPerHolder = 10_000
	MinTTL       = 10 * time.Second
)

// Backend ends and extends what leases stand for: the engine that issued them.
type Backend interface {
	// Extend has it last until a later moment; nil also where the backend knows no end.
	Extend(ctx context.Context, tenant fsm.UID, l Lease, until fsm.Time) error
	// End ends it, with all that was opened by it. It is no error that it has ended. fault.Invalid says that it can never be ended.
	End(ctx context.Context, tenant fsm.UID, l Lease) error
}

// Tokens says of the tokens that hold leases whether they live; engines/auth knows.
type Tokens interface {
	// Holder returns when a token that is alive expires, and guards that hold as long as it is not renewed or revoked; alive is false when it or an ancestor is dead.
	Holder(r fsm.Reader, ref Ref, now fsm.Time) (expires fsm.Time, guards []fsm.Guard, alive bool, err error)
}

// Engine decides what becomes of leases. Its methods that change something work on the leader alone.
type Engine struct {
	ledger  *fsm.Ledger
	tokens  Tokens
	confirm func(context.Context) error
	now     func() fsm.Time

	mu       sync.Mutex         // guards the rest
	backends map[string]Backend // by engine
	pending  map[string]uint64  // leases that are about to be granted here, by the key of what they count against
}

// New returns an engine that commits through l. confirm is a round that shows that this node leads; now is the time where log time stands still.
func New(l *fsm.Ledger, tokens Tokens, confirm func(context.Context) error, now func() fsm.Time) *Engine {
	l.Serve(Kind)
	return &Engine{ledger: l, tokens: tokens, confirm: confirm, now: now, backends: map[string]Backend{}, pending: map[string]uint64{}}
}

// Serve has a backend end the leases that an engine has issued.
func (e *Engine) Serve(engine string, b Backend) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.backends[engine] = b
}

func (e *Engine) backend(l Lease) (Backend, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	b, found := e.backends[l.Engine]
	if !found {
		return nil, fmt.Errorf("nobody here ends leases of %q", l.Engine)
	}
	return b, nil
}

// time is the moment by which expiry is judged.
func (e *Engine) time(v *fsm.View) fsm.Time { return max(v.Now(), e.now()) }

var random = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewID draws the id of a lease.
func NewID(target, role string) string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails: the process ends instead
	return target + "/" + role + "/" + random.EncodeToString(b[:])
}

// Terms are what a lease is to be.
type Terms struct {
	ID        string // as NewID draws it
	Engine    string
	Target    string
	Role      string
	Account   string
	Holder    Ref
	Identity  string
	Until     fsm.Time // when it expires
	Last      fsm.Time // no renewal goes beyond it
	Renewable bool
	Answer    fsm.Sealed // with the credential
}

// Grant adds a lease to the entry by which its credential is given, and guards that its holder lives: it expires with that at the latest. fault.Denied when the holder is dead.
func (e *Engine) Grant(v *fsm.View, entry *fsm.Entry, t Terms) (Lease, error) {
	now := e.time(v)
	last, guards, alive, err := e.tokens.Holder(v, t.Holder, now)
	if err != nil {
		return Lease{}, err
	}
	if !alive {
		return Lease{}, fault.New(fault.Denied, "the token that asked for it is dead")
	}
	entry.Guard(guards...)
	l := Lease{ID: t.ID, Engine: t.Engine, Target: t.Target, Role: t.Role, Account: t.Account, Holder: t.Holder, Identity: t.Identity, Issued: now, Renewable: t.Renewable,
		Max: t.Last, State: Active, Answer: t.Answer}
	l.Expires = min(t.Until, l.Max, last)
	entry.Add(Granted{l})
	return l, nil
}

// Reserve takes a place for a lease that is about to be issued, until release is called, behind its entry. fault.Limit names the limit that is reached; most bounds the role's,
// 0 does not.
func (e *Engine) Reserve(r fsm.Reader, tenant fsm.UID, target, role string, holder Ref, most uint64) (release func(), err error) {
	keys := countKeys(tenant, target, role, holder)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range []struct {
		what, whose string
		most        uint64
	}{{ofTenant, "the tenant", MaxPerTenant}, {ofRole, "role " + target + "/" + role, most}, {ofHolder, "the token " + holder.Accessor, MaxPerHolder}} {
		n, _, err := counts.Get(r, keys[l.what])
		if err != nil {
			return nil, err
		}
		if l.most > 0 && n+e.pending[string(keys[l.what])] >= l.most {
			return nil, fault.New(fault.Limit, "%s has %d leases, the most it may: revoke some (trstctl lease list), or wait until they expire", l.whose, l.most)
		}
	}
	for _, k := range keys {
		e.pending[string(k)]++
	}
	return sync.OnceFunc(func() { e.release(keys) }), nil
}

func (e *Engine) release(keys map[string]fsm.Key) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, k := range keys {
		if e.pending[string(k)]--; e.pending[string(k)] == 0 {
			delete(e.pending, string(k))
		}
	}
}

// ValidPrefix checks the beginning of leases' ids: "<target>/" or "<target>/<role>/", so that no other target's or role's leases begin so too.
func ValidPrefix(prefix string) error {
	parts := strings.Split(prefix, "/")
	if n := len(parts); n < 2 || n > 3 || parts[n-1] != "" || parts[0] == "" || n == 3 && parts[1] == "" {
		return fault.Bad("prefix", "is a connection and a slash, or a connection, a slash, a role and a slash, such as pg/readonly/")
	}
	return nil
}

func newUID() fsm.UID {
	var u fsm.UID
	_, _ = rand.Read(u[:]) // never fails: the process ends instead
	return u
}
