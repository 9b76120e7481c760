// Package managedkey keeps the managed objects of KMIP: keys, certificates, secret data and opaque objects with their attributes and their life cycle.
//
// It promises:
//   - An id is given once. An object that was destroyed keeps its attributes and has no material any more, on no node.
//   - A name belongs to one living object of a tenant, also when several clients take it at the same moment.
//   - The state of an object at a moment follows from its dates and from what was done to it. A date that comes needs nobody to notice it.
//   - What is taken from usage limits is taken once, and never more than is left.
//   - A batch of operations is decided on a Stage, which sees what it has done so far and shows it to nobody, and becomes one entry: all of it or nothing.
//
// A crash between any two steps leaves the state as it was before the batch, or as it is after it. Which client may do what is not decided here: objects
// name their owner and their groups, and a stage asks its caller about each object that an operation names.
package managedkey

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/trstctl/trstctl/fsm"
)

// Keys seals and opens material; *keyring.Keyring does.
type Keys interface {
	Seal(r fsm.Reader, b fsm.Binding, plaintext []byte) (fsm.Sealed, error)
	Open(r fsm.Reader, b fsm.Binding, s fsm.Sealed) ([]byte, error)
}

// Engine carries out what is decided on stages.
type Engine struct {
	ledger *fsm.Ledger
	keys   Keys
	now    func() fsm.Time
}

// New returns an engine that commits through l, seals with keys, and judges by now which dates have come when log time stands still.
func New(l *fsm.Ledger, keys Keys, now func() fsm.Time) *Engine { return &Engine{l, keys, now} }

// Commit has decide carry out operations on a stage over the present state and commits what they did as one entry. When the state moved on meanwhile,
// decide is called again with another stage: it must not keep anything of the one before, material that it made least of all. A stage on which nothing was
// changed, or an error of decide, proposes nothing. On the leader alone.
func (e *Engine) Commit(ctx context.Context, req fsm.Request, decide func(*Stage) error) (fsm.Receipt, error) {
	return e.CommitOn(ctx, req, "", decide)
}

// CommitOn is Commit for operations on one object above all, whose id it is told: requests for the same object wait for each other instead of deciding in
// vain.
func (e *Engine) CommitOn(ctx context.Context, req fsm.Request, id string, decide func(*Stage) error) (fsm.Receipt, error) {
	lane := ""
	if id != "" {
		lane = stream(id)
	}
	return e.ledger.Commit(ctx, req, lane, func(v *fsm.View, entry *fsm.Entry) error {
		s := e.View(v, req.Tenant)
		if err := decide(s); err != nil {
			return err
		}
		s.Entry(entry)
		return nil
	})
}

// View returns a stage for reading on any node: what is done on it goes nowhere. Changed tells whether an operation would have changed something, as Get
// does of an object that is fresh, and has to be carried out by Commit.
func (e *Engine) View(v *fsm.View, tenant fsm.UID) *Stage {
	return newStage(e.keys, v, tenant, max(v.Now(), e.now()))
}

// newID draws a UUID of version 4 (RFC 9562 section 5.4).
func newID() string {
	var u [16]byte
	rand.Read(u[:]) // never fails
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
