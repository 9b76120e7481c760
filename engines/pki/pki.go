// Package pki runs certification authorities: it issues, keeps and revokes X.509 certificates (RFC 5280) and knows what their CRL and OCSP answers say (RFC 6960).
//
// It promises:
//   - The serial number that is stored, listed, leased and revoked is the certificate's. It is drawn (127 bits) and never given twice.
//   - A certificate leaves only after the entry that records it was committed. Its private key, where we make it, is nowhere but in the sealed answer, for 15 minutes at most.
//   - What a role does not say is not in a certificate: names, key types, usages and lifetime are held against it before anything is signed, and the certificate, signed by a
//     throw-away key, is linted (zlint, the RFCs' lints) before the CA's own key touches it.
//   - Once a revocation was acknowledged, every state that has it says "revoked": Status reads the tables, nothing is cached here.
//   - A CRL of the same state in the same period has the same content and number on every node, and numbers grow: also over a restore of the cluster.
//   - After a restore no CA issues before somebody has confirmed it: the history that was lost may have gone on.
//   - CA keys are sealed. A node that signs keeps what it has opened until it is sealed (Forget); Go's forms of keys are dropped then, not overwritten.
//
// A certificate that is not stored has no lease and lasts a day at most; its OCSP status is not known here, so it names no responder, and it is revoked by presenting it.
package pki

import (
	"context"
	"crypto/rand"
	"log/slog"
	"math/big"
	"regexp"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Keys seals and opens CA keys and answers; *keyring.Keyring does.
type Keys interface {
	Seal(r fsm.Reader, b fsm.Binding, plaintext []byte) (fsm.Sealed, error)
	Open(r fsm.Reader, b fsm.Binding, s fsm.Sealed) ([]byte, error)
	SealAnswer(r fsm.Reader, b fsm.Binding, idempotencyKey string, plaintext []byte) (fsm.Sealed, error)
	OpenAnswer(r fsm.Reader, b fsm.Binding, idempotencyKey string, s fsm.Sealed) ([]byte, error)
}

// Holder is the token that a certificate is for.
type Holder struct {
	Tenant   fsm.UID
	Accessor string
	Identity string
}

// Terms are what the lease of a certificate is to be.
type Terms struct {
	ID     string
	Role   string
	Serial string
	Holder Holder
	Until  fsm.Time
	Answer fsm.Sealed
}

// Leases keeps what was given for a time; engines/lease does.
type Leases interface {
	// NewID draws the id of a lease.
	NewID(role string) string
	// Reserve takes a place for a lease that is about to be, until release is called. fault.Limit when there is none.
	Reserve(r fsm.Reader, tenant fsm.UID, role string, h Holder, most uint64) (release func(), err error)
	// Grant adds the lease to the entry of its certificate, and returns when it expires: with its holder at the latest.
	Grant(v *fsm.View, entry *fsm.Entry, t Terms) (expires fsm.Time, err error)
	// Close adds to an entry that the lease is gone: nobody is owed its end.
	Close(v *fsm.View, entry *fsm.Entry, id string) error
}

// Options are what an engine needs. All are required.
type Options struct {
	Ledger *fsm.Ledger
	Keys   Keys
	Leases Leases
	Now    func() fsm.Time // where log time stands still
	Log    *slog.Logger
}

// Engine decides about CAs and certificates. Its methods that change something work on the leader alone; what it says of their status, any node may.
type Engine struct {
	Options
	ring  ring
	crls  crls
	lints linter
}

// New returns an engine.
func New(o Options) *Engine { return &Engine{Options: o} }

// time is the moment by which things are judged.
func (e *Engine) time(v *fsm.View) fsm.Time { return max(v.Now(), e.Now()) }

// commit decides about things that streams stand for: none of them is changed by anybody else meanwhile.
func (e *Engine) commit(ctx context.Context, req fsm.Request, streams []string, decide func(v *fsm.View, entry *fsm.Entry) error) (fsm.Receipt, error) {
	return e.Ledger.Commit(ctx, req, streams[0], func(v *fsm.View, entry *fsm.Entry) error {
		if err := guard(v, entry, streams...); err != nil {
			return err
		}
		return decide(v, entry)
	})
}

func guard(v *fsm.View, entry *fsm.Entry, streams ...string) error {
	for _, s := range streams {
		g, err := fsm.GuardOf(v, entry.Tenant, s)
		if err != nil {
			return err
		}
		entry.Guard(g)
	}
	return nil
}

var validName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// ValidName checks the name of an issuer or role: 1 to 128 letters, digits, dots, dashes and underscores, but not "." or "..", which no path keeps.
func ValidName(field, name string) error {
	if !validName.MatchString(name) || name == "." || name == ".." {
		return fault.Bad(field, "a name is 1 to 128 letters, digits, '.', '-' and '_', and neither \".\" nor \"..\"")
	}
	return nil
}

// newSerial draws 127 bits: positive, and of at most 16 bytes (RFC 5280, section 4.1.2.2, allows 20).
func newSerial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: the process ends instead
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:])
}

func newUID() fsm.UID {
	var u fsm.UID
	_, _ = rand.Read(u[:]) // never fails: the process ends instead
	return u
}

// Bounds.
const (
	maxIssuers = 200  // of a tenant
	maxRoles   = 1000 // of a tenant
	maxNames   = 100  // of a certificate
	maxChain   = 8    // certificates
	backdate   = time.Minute
	leastTTL   = time.Minute
	mostTTL    = 50 * 366 * 24 * time.Hour
	mostUnkept = 24 * time.Hour // of a certificate that is not stored
)
