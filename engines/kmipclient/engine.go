// Package kmipclient says who may speak KMIP to a tenant, and what they may do: certificate authorities, clients and roles.
//
// It promises:
//   - A certificate decides whose client it is, and nothing else that the client sends. A certificate, a key, or a subject under one CA's key belongs to one
//     client of one tenant in the whole cluster, and never to another later, also when the client is gone; only its own tenant may bind a subject again, and
//     not after a revocation.
//   - Authenticate reads the state: a client, certificate, CA or tenant that ended is refused on every node from the index on at which it did, also on
//     connections that were there before and were resumed. Every refusal is the same.
//   - A subject is believed from a certificate alone that a CA, which this same tenant registered, signed by itself.
//   - Private keys of clients are stored nowhere. For a repetition of the request that made one the answer is, sealed under the tenant's key and the request's
//     Idempotency-Key; 15 minutes or a revocation destroy that answer. Passwords are kept as verifiers that nobody can try without the tenant's keys.
//   - After a restore of the cluster, clients of before are refused until they are confirmed: nobody knows what was revoked in the history that was given up.
//
// Every mutation is one entry, so a crash leaves it done or not done. Certificates are made before their entry is proposed; one whose entry is not committed is
// known to nobody and refused. There is no worker.
package kmipclient

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/trstctl/trstctl/fsm"
)

// Opener opens what is sealed; *keyring.Keyring does.
type Opener interface {
	Open(r fsm.Reader, b fsm.Binding, s fsm.Sealed) ([]byte, error)
}

// Keys seals the keys of CAs and the answers that hold clients' keys, and makes verifiers; *keyring.Keyring does.
type Keys interface {
	Opener
	Seal(r fsm.Reader, b fsm.Binding, plaintext []byte) (fsm.Sealed, error)
	SealAnswer(r fsm.Reader, b fsm.Binding, idempotencyKey string, plaintext []byte) (fsm.Sealed, error)
	OpenAnswer(r fsm.Reader, b fsm.Binding, idempotencyKey string, s fsm.Sealed) ([]byte, error)
	MAC(r fsm.Reader, tenant fsm.UID, purpose string, parts ...[]byte) ([32]byte, error)
}

// Tenants says whether a tenant is in use; engines/tenant knows.
type Tenants interface {
	Active(r fsm.Reader, tenant fsm.UID) (bool, error)
}

// Engine decides who is a client. Its methods that take a request work on the leader alone, those that take a reader on every unsealed node.
type Engine struct {
	ledger  *fsm.Ledger
	keys    Keys
	tenants Tenants
	now     func() fsm.Time
}

// New returns an engine that commits through l, seals with keys, and dates certificates by now when log time stands still.
func New(l *fsm.Ledger, keys Keys, tenants Tenants, now func() fsm.Time) *Engine {
	return &Engine{l, keys, tenants, now}
}

// turn is one attempt to decide a mutation.
type turn struct {
	*Engine
	v     *fsm.View
	entry *fsm.Entry
	now   fsm.Time
}

// commit carries out one mutation of a tenant's clients; what change returns is the answer, also to a repetition.
func commit[T any](ctx context.Context, e *Engine, req fsm.Request, change func(*turn) (T, error)) (out T, rc fsm.Receipt, err error) {
	rc, err = e.ledger.Commit(ctx, req, stream, func(v *fsm.View, entry *fsm.Entry) error {
		g, err := fsm.GuardOf(v, entry.Tenant, stream)
		if err != nil {
			return err
		}
		entry.Guard(g)
		answer, err := change(&turn{e, v, entry, max(v.Now(), e.now())})
		if err != nil {
			return err
		}
		entry.Reply.Public, err = fsm.Encode(answer)
		return err
	})
	if err != nil {
		return out, rc, err
	}
	if err := fsm.Decode(rc.Reply.Public, &out); err != nil {
		return out, rc, fmt.Errorf("read the answer of a change: %w", err)
	}
	return out, rc, nil
}

func newUID() fsm.UID {
	var u fsm.UID
	_, _ = rand.Read(u[:]) // never fails: the process ends instead
	return u
}
