// Package tenant keeps the list of tenants.
//
// It promises:
//   - A tenant is its UID, which is random and never given twice; a name belongs to one active tenant at a time and may be
//     used again, for another UID, once its tenant was deleted.
//   - Creation and deletion are one entry each, with everything that other features add for the tenant (its keys, its first
//     policy) or end with it (its keys): a crash leaves all of it done or none.
//   - Whoever acts for a tenant guards its stream: an entry decided before a deletion and applied after it has no effect.
//
// A deleted tenant keeps its row, so that its UID still says what it was; its tokens and secrets stay as rows that nobody
// may reach and whose keys are gone.
package tenant

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/trstctl/trstctl/fsm"
)

// Founder gives a new tenant what a feature needs there: events of the tenant's own space.
type Founder interface {
	NewTenant(r fsm.Reader, tenant fsm.UID) ([]fsm.Event, error)
}

// Undertaker ends what a feature keeps for a tenant that is deleted: events of the tenant's own space.
type Undertaker interface {
	DropTenant(r fsm.Reader, tenant fsm.UID) ([]fsm.Event, error)
}

// Engine creates and deletes tenants.
type Engine struct {
	ledger      *fsm.Ledger
	founders    []Founder
	undertakers []Undertaker
}

// New returns an engine that commits through l. Founders and undertakers are asked in this order.
func New(l *fsm.Ledger, founders []Founder, undertakers []Undertaker) *Engine {
	return &Engine{l, founders, undertakers}
}

// Found returns the events, of the root tenant's space, that make the root tenant when a cluster begins. The founders
// are not asked: what the root tenant needs is particular to each.
func (e *Engine) Found() []fsm.Event {
	return []fsm.Event{Created{"root"}, NameTaken{"root", fsm.RootTenant}}
}

// Create makes a tenant. The request is the root tenant's. A name in use is fault.Conflict, a bad one fault.Invalid. A
// repetition of the request answers the same tenant.
func (e *Engine) Create(ctx context.Context, req fsm.Request, name string) (Tenant, error) {
	if err := checkName(name); err != nil {
		return Tenant{}, err
	}
	rc, err := e.ledger.Commit(ctx, req, nameStream(name), func(v *fsm.View, entry *fsm.Entry) error {
		return e.create(v, entry, name)
	})
	if err != nil {
		return Tenant{}, err
	}
	t := Tenant{Created: rc.At, State: Active} // the moment is known once the entry is applied
	var made answer
	if err := fsm.Decode(rc.Reply.Public, &made); err != nil {
		return Tenant{}, fmt.Errorf("read the answer of a tenant's creation: %w", err)
	}
	t.UID, t.Name = made.UID, made.Name
	return t, nil
}

// answer is what the receipt of a creation keeps.
type answer struct {
	UID  fsm.UID `cbor:"1,keyasint"`
	Name string  `cbor:"2,keyasint"`
}

func (e *Engine) create(v *fsm.View, entry *fsm.Entry, name string) error {
	_, taken, err := byName(v, name)
	if err != nil {
		return err
	}
	if err := decideCreate(name, taken); err != nil {
		return err
	}
	if err := guard(v, entry, fsm.RootTenant, nameStream(name)); err != nil {
		return err
	}
	made := answer{UID: newUID(), Name: name}
	entry.AddIn(made.UID, Created{name})
	entry.AddIn(fsm.RootTenant, NameTaken{name, made.UID})
	for _, f := range e.founders {
		events, err := f.NewTenant(v, made.UID)
		if err != nil {
			return fmt.Errorf("prepare tenant %s: %w", name, err)
		}
		entry.AddIn(made.UID, events...)
	}
	entry.Reply.Public, err = fsm.Encode(made)
	return err
}

// Delete ends a tenant: from the entry's index on its name is free and its keys are destroyed. The request is the root
// tenant's. An unknown name is fault.NotFound, "root" fault.Denied.
func (e *Engine) Delete(ctx context.Context, req fsm.Request, name string) error {
	_, err := e.ledger.Commit(ctx, req, nameStream(name), func(v *fsm.View, entry *fsm.Entry) error {
		return e.delete(v, entry, name)
	})
	return err
}

func (e *Engine) delete(v *fsm.View, entry *fsm.Entry, name string) error {
	t, found, err := byName(v, name)
	if err != nil {
		return err
	}
	if err := decideDelete(name, t, found); err != nil {
		return err
	}
	if err := guard(v, entry, fsm.RootTenant, nameStream(name)); err != nil {
		return err
	}
	if err := guard(v, entry, t.UID, stream); err != nil {
		return err
	}
	entry.AddIn(t.UID, Deleted{})
	entry.AddIn(fsm.RootTenant, NameFreed{name})
	for _, u := range e.undertakers {
		events, err := u.DropTenant(v, t.UID)
		if err != nil {
			return fmt.Errorf("end tenant %s: %w", name, err)
		}
		entry.AddIn(t.UID, events...)
	}
	return nil
}

func guard(v *fsm.View, entry *fsm.Entry, tenant fsm.UID, stream string) error {
	g, err := fsm.GuardOf(v, tenant, stream)
	entry.Guard(g)
	return err
}

func newUID() fsm.UID {
	var u fsm.UID
	_, _ = rand.Read(u[:]) // never fails: the process ends instead
	return u
}
