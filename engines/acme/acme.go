// Package acme lets clients of RFC 8555 get certificates by proving that they control the names: accounts, orders, authorizations, and the proofs.
//
// It promises:
//   - A directory is one role's. An account is opened with a key that somebody allowed made for it (external account binding), once, unless the directory is open to all.
//   - Names are held against the role before anything is looked up or connected to, and again when the certificate is signed. A certificate has the names of its order and no other.
//   - Names are proved on the leader, from the state's list of what is to be proved: a leader that dies is followed by one that goes on. Every connection goes out through the
//     dialer that it was given, which refuses addresses; redirects are not followed.
//   - An order becomes valid in the entry that records its certificate: there is none without the other.
//   - What is asked of an account is bounded: orders that are open, names of an order, tries of a proof. Orders are forgotten a day after they end.
//   - Keys of external account bindings are sealed and shown once.
package acme

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// since is the version of the cluster that ACME came with.
const since = 5

// Bounds.
const (
	maxOpen     = 300    // orders of an account that are not valid and have not ended
	maxAccounts = 10_000 // of a directory
	maxNames    = 100    // of an order
	maxKeys     = 1000   // of external account bindings, of a directory
	maxContacts = 10
	orderLife   = 24 * time.Hour
	keyLife     = 7 * 24 * time.Hour
)

// Keys seals what binds accounts; *keyring.Keyring does.
type Keys interface {
	Seal(r fsm.Reader, b fsm.Binding, plaintext []byte) (fsm.Sealed, error)
	Open(r fsm.Reader, b fsm.Binding, s fsm.Sealed) ([]byte, error)
	SealAnswer(r fsm.Reader, b fsm.Binding, idempotencyKey string, plaintext []byte) (fsm.Sealed, error)
	OpenAnswer(r fsm.Reader, b fsm.Binding, idempotencyKey string, s fsm.Sealed) ([]byte, error)
}

// Signed is a certificate, in DER.
type Signed struct {
	Serial string
	DER    []byte
	Chain  [][]byte
}

// Certificates are signed and revoked elsewhere; engines/pki does.
type Certificates interface {
	// Permits refuses names that certificates of a role may not have.
	Permits(r fsm.Reader, tenant fsm.UID, role, identity string, names []string) error
	// Sign adds to an entry what records a certificate for a request (PKCS#10, DER).
	Sign(v *fsm.View, entry *fsm.Entry, role, holder, identity string, request []byte) (Signed, error)
	// Revoke adds the revocation of a certificate to an entry. fault.NotFound when it is not known.
	Revoke(v *fsm.View, entry *fsm.Entry, serial string, reason int) error
	// Known returns who a certificate was issued to, and the certificate. fault.NotFound when it is not known.
	Known(r fsm.Reader, tenant fsm.UID, serial string) (holder string, der []byte, err error)
}

// Prover looks whether names are controlled by who says so.
type Prover interface {
	// Prove returns nil when a proof of that kind is there; a *Problem otherwise, or what went wrong here.
	Prove(ctx context.Context, kind ProofKind, name, token, authorization string) error
}

// Options are what an engine needs. All are required.
type Options struct {
	Ledger       *fsm.Ledger
	Keys         Keys
	Certificates Certificates
	Prover       Prover
	Now          func() fsm.Time // where log time stands still
	Log          *slog.Logger
}

// Engine decides about accounts and orders, on the leader.
type Engine struct {
	Options
	wake chan struct{} // something is to be proved
}

// New returns an engine.
func New(o Options) *Engine { return &Engine{Options: o, wake: make(chan struct{}, 1)} }

func (e *Engine) time(v *fsm.View) fsm.Time { return max(v.Now(), e.Now()) }

// Problem is a refusal by its name in RFC 8555, section 6.7, without the URN's prefix.
type Problem struct {
	Type string
	err  error
}

// Error says what is wrong.
func (p *Problem) Error() string { return p.err.Error() }

// Unwrap returns the fault.
func (p *Problem) Unwrap() error { return p.err }

// Refuse makes a problem.
func Refuse(kind fault.Kind, name, format string, args ...any) error {
	return &Problem{name, fault.New(kind, format, args...)}
}

// TypeOf is the name of a refusal; "" for what is none of RFC 8555's.
func TypeOf(err error) string {
	var p *Problem
	if errors.As(err, &p) {
		return p.Type
	}
	return ""
}

// commit decides about something that a stream stands for.
func (e *Engine) commit(ctx context.Context, req fsm.Request, stream string, decide func(v *fsm.View, entry *fsm.Entry) error) (fsm.Receipt, error) {
	return e.Ledger.Commit(ctx, req, stream, func(v *fsm.View, entry *fsm.Entry) error {
		if err := guard(v, entry, stream); err != nil {
			return err
		}
		return decide(v, entry)
	})
}

func guard(v *fsm.View, entry *fsm.Entry, stream string) error {
	g, err := fsm.GuardOf(v, entry.Tenant, stream)
	if err == nil {
		entry.Guard(g)
	}
	return err
}

// request is of the engine itself, or of an account.
func request(tenant fsm.UID, identity, accessor string) fsm.Request {
	return fsm.Request{ID: newUID(), Tenant: tenant, Actor: fsm.Actor{Identity: identity, Accessor: accessor}}
}

func newUID() fsm.UID {
	var u fsm.UID
	_, _ = rand.Read(u[:]) // never fails: the process ends instead
	return u
}

// newToken draws 192 bits, in base64url.
func newToken() string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails: the process ends instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// bucket is one of 4,096 streams that accounts or orders share: a stream's version is kept for ever, and they come and go.
func bucket(what string, uid fsm.UID) string {
	sum := sha256.Sum256(uid[:])
	return "acme-" + what + "/" + hex.EncodeToString(sum[:2])[:3]
}
