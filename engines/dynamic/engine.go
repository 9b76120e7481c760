// Package dynamic makes accounts at databases and services for those who ask, and has them ended with their leases.
//
// It promises:
//   - What is given out is a lease: an account that was made, whose lease is in the same entry as the answer. Its name and everything else that the call needs is in the log
//     before the target is called (the intent). An account that nobody was told of is ended: at once when the call has failed, by the reconciler when a node died in
//     between.
//   - The password is made here, is stored nowhere but in the sealed answer, for 15 minutes at most, and goes to nobody but the caller with the same Idempotency-Key. It is not
//     in the intent: nobody makes the same account a second time.
//   - A former leader that was paused may make an account late. The names of what was abandoned are looked for at the target until the accounts would have expired.
//   - The password of a connection's own account can be known to the cluster alone. Its rotation survives a crash at every step: the next password is in the log before
//     the target has it, and then both are tried.
//   - Sessions to targets are this node's. Nothing of them is left when another leads.
package dynamic

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Cleanup is the kind of the messages by which targets are told to end what nobody got. Their lane is the account's name.
const Cleanup = "dynamic.cleanup"

// Keys seals passwords; *keyring.Keyring does.
type Keys interface {
	Seal(r fsm.Reader, b fsm.Binding, plaintext []byte) (fsm.Sealed, error)
	Open(r fsm.Reader, b fsm.Binding, s fsm.Sealed) ([]byte, error)
	SealAnswer(r fsm.Reader, b fsm.Binding, idempotencyKey string, plaintext []byte) (fsm.Sealed, error)
	OpenAnswer(r fsm.Reader, b fsm.Binding, idempotencyKey string, s fsm.Sealed) ([]byte, error)
}

// Holder is the token that a credential is for.
type Holder struct {
	Tenant   fsm.UID
	Accessor string
	Identity string
}

// Terms are what a lease is to be.
type Terms struct {
	ID         string
	Connection string
	Role       string
	Account    string
	Holder     Holder
	Until      fsm.Time // when it expires
	Last       fsm.Time // no renewal goes beyond it
	Answer     fsm.Sealed
}

// Leases keeps what was given out; engines/lease does.
type Leases interface {
	// NewID draws the id of a lease.
	NewID(connection, role string) string
	// Reserve takes a place for a lease that is about to be, until release is called; most bounds the role's. fault.Limit when one is full.
	Reserve(r fsm.Reader, tenant fsm.UID, connection, role string, h Holder, most uint64) (release func(), err error)
	// Grant adds the lease to an entry and returns when it expires: with its holder at the latest.
	Grant(v *fsm.View, entry *fsm.Entry, t Terms) (expires fsm.Time, err error)
	// Accounts visits the accounts of all leases of a connection that are not gone.
	Accounts(r fsm.Reader, tenant fsm.UID, connection string, visit func(account string)) error
}

// Options are what an engine needs. All are required.
type Options struct {
	Ledger   *fsm.Ledger
	Keys     Keys
	Leases   Leases
	Backends map[string]backend.Backend                                           // by name
	Dial     func(ctx context.Context, network, address string) (net.Conn, error) // the only way out
	Confirm  func(context.Context) error                                          // a round that shows that this node leads
	Now      func() fsm.Time                                                      // where log time stands still
	Log      *slog.Logger
}

// Engine makes accounts, on the leader.
type Engine struct {
	Options
	sessions sessions
	rotation sync.Mutex // one at a time
	most     uint64     // abandoned accounts of a connection
}

// New returns an engine.
func New(o Options) *Engine {
	o.Ledger.Serve(Cleanup)
	e := &Engine{Options: o, most: maxNobodys}
	e.sessions.all = map[sessionKey]*pooled{}
	return e
}

// time is the moment by which things are judged.
func (e *Engine) time(v *fsm.View) fsm.Time { return max(v.Now(), e.Now()) }

// commit decides about a connection or its roles.
func (e *Engine) commit(ctx context.Context, req fsm.Request, connection string, decide func(v *fsm.View, entry *fsm.Entry) error) (fsm.Receipt, error) {
	return e.Ledger.Commit(ctx, req, stream(connection), func(v *fsm.View, entry *fsm.Entry) error {
		g, err := fsm.GuardOf(v, entry.Tenant, stream(connection))
		if err != nil {
			return err
		}
		entry.Guard(g)
		return decide(v, entry)
	})
}

func (e *Engine) backend(name string) (backend.Backend, error) {
	b, found := e.Backends[name]
	if !found {
		return nil, fault.Bad("backend", "is one of %v", slices.Sorted(maps.Keys(e.Backends)))
	}
	return b, nil
}

// told puts what a target said into a refusal: nothing was done that is not undone, so the request may be repeated.
func told(doing string, err error) error {
	if err == nil || fault.KindOf(err) != fault.Internal {
		return err
	}
	return fault.New(fault.NotDone, "%s: %v", doing, err).Because(err).After(time.Second)
}

func newUID() fsm.UID {
	var u fsm.UID
	_, _ = rand.Read(u[:]) // never fails: the process ends instead
	return u
}
