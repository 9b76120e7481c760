// Package rbac keeps policies: named lists of rules about paths.
//
// It promises:
//   - A rule that denies wins over all that grant, in whatever policy it stands.
//   - Nobody writes a policy that allows more than they may do themselves, or takes a denial away, unless they have sudo on it.
//   - Policies of a tenant other than root never reach the cluster's own paths, sys, tenants and audit/verify, whatever they say.
//   - A policy that does not exist grants nothing, and nothing that names it lies within anything.
package rbac

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Engine writes and reads policies.
type Engine struct {
	ledger *fsm.Ledger
	root   *named

	mu    sync.RWMutex
	ready map[cacheKey]*named // compiled, by the version of their stream: a change is another key
}

type cacheKey struct {
	tenant  fsm.UID
	name    string
	version uint64
}

const cacheSize = 4096

// New returns an engine that commits through l.
func New(l *fsm.Ledger) *Engine {
	return &Engine{ledger: l, root: rootSet(), ready: map[cacheKey]*named{}}
}

// Bound names the policies of a policy's writer. Whether they give sudo on what is written is asked in the state that decides.
type Bound struct {
	Tenant   fsm.UID
	Policies []string
}

// Write makes name say rules. Without sudo they must lie within the writer's own; a repetition of the request answers the same.
func (e *Engine) Write(ctx context.Context, req fsm.Request, name string, rules []Rule, writer Bound) (Policy, error) {
	if err := ValidName(name); err != nil {
		return Policy{}, err
	}
	if err := checkRules(rules); err != nil {
		return Policy{}, err
	}
	if confined(req.Tenant) {
		if err := checkInside(rules); err != nil {
			return Policy{}, err
		}
	}
	rc, err := e.ledger.Commit(ctx, req, stream(name), func(v *fsm.View, entry *fsm.Entry) error {
		return e.write(v, entry, Written{name, rules}, writer)
	})
	if err != nil {
		return Policy{}, err
	}
	return decodeAnswer(rc)
}

// decodeAnswer reads what the receipt keeps; the moment is the entry's.
func decodeAnswer(rc fsm.Receipt) (Policy, error) {
	var p Policy
	if err := fsm.Decode(rc.Reply.Public, &p); err != nil {
		return Policy{}, fmt.Errorf("read the answer of a policy's writing: %w", err)
	}
	p.At = rc.At
	return p, nil
}

func (e *Engine) write(v *fsm.View, entry *fsm.Entry, ev Written, writer Bound) error {
	old, exists, err := policies.Get(v, fsm.K(entry.Tenant, ev.Name))
	if err != nil {
		return err
	}
	held, _, err := counts.Get(v, fsm.K(entry.Tenant))
	if err != nil {
		return err
	}
	own, version, err := e.bind(v, entry, ev.Name, writer)
	if err != nil {
		return err
	}
	if err := decideWrite(policySet(entry.Tenant, ev.Name, ev.Rules), policySet(entry.Tenant, ev.Name, old.Rules), own, ev.Name, exists, held); err != nil {
		return err
	}
	entry.Add(ev)
	entry.Reply.Public, err = fsm.Encode(Policy{Name: ev.Name, Rules: ev.Rules, Version: version + 1, By: entry.Actor.Identity})
	return err
}

func policySet(tenant fsm.UID, name string, rules []Rule) Set {
	return Set{[]*named{compile(name, rules)}, confined(tenant)}
}

// bind loads what the writer may do, and guards that and the policy.
func (e *Engine) bind(v *fsm.View, entry *fsm.Entry, name string, writer Bound) (own Set, version uint64, err error) {
	if own, err = e.Load(v, writer.Tenant, writer.Policies); err != nil {
		return own, 0, err
	}
	guards, err := e.Guards(v, writer.Tenant, writer.Policies)
	if err != nil {
		return own, 0, err
	}
	g, err := fsm.GuardOf(v, entry.Tenant, stream(name))
	entry.Guard(append(guards, g)...)
	return own, g.Version, err
}

// Delete removes a policy; fault.NotFound if there is none, fault.Denied if it denies something and the writer has no sudo on it.
func (e *Engine) Delete(ctx context.Context, req fsm.Request, name string, writer Bound) error {
	if err := ValidName(name); err != nil {
		return err
	}
	_, err := e.ledger.Commit(ctx, req, stream(name), func(v *fsm.View, entry *fsm.Entry) error {
		old, exists, err := policies.Get(v, fsm.K(entry.Tenant, name))
		if err == nil && !exists {
			err = notFound(name)
		}
		if err != nil {
			return err
		}
		own, _, err := e.bind(v, entry, name, writer)
		if err == nil {
			err = decideDelete(policySet(entry.Tenant, name, old.Rules), own, name)
		}
		entry.Add(Deleted{name})
		return err
	})
	return err
}

func notFound(name string) error { return fault.New(fault.NotFound, "there is no policy %q", name) }

// Get returns a policy.
func (e *Engine) Get(r fsm.Reader, tenant fsm.UID, name string) (Policy, bool, error) {
	if name == Root && !confined(tenant) {
		return Policy{Name: Root, Rules: []Rule{{"*", All}}}, true, nil
	}
	return policies.Get(r, fsm.K(tenant, name))
}

// List returns up to limit policies whose names come after after, and the name to go on from, "" at the end. A limit of 0 stands
// for 100, the most is 1,000. The built-in policy root is not listed.
func (e *Engine) List(r fsm.Reader, tenant fsm.UID, after string, limit int) (out []Policy, next string, err error) {
	if limit <= 0 {
		limit = 100
	}
	limit = min(limit, 1000)
	span := fsm.Span{Prefix: fsm.K(tenant)}
	if after != "" {
		span.After = fsm.K(tenant, after)
	}
	err = policies.Scan(r, span, func(_ fsm.Key, p Policy) (bool, error) {
		if len(out) == limit {
			next = out[limit-1].Name
			return false, nil
		}
		out = append(out, p)
		return true, nil
	})
	return out, next, err
}

// Load returns what the named policies of a tenant allow together.
func (e *Engine) Load(r fsm.Reader, tenant fsm.UID, names []string) (Set, error) {
	s := Set{confined: confined(tenant), policies: make([]*named, 0, len(names))}
	for _, name := range names {
		p, err := e.load(r, tenant, name)
		if err != nil {
			return Set{}, err
		}
		if p != nil {
			s.policies = append(s.policies, p)
		}
	}
	return s, nil
}

// load returns one policy ready to decide, nil if there is none.
func (e *Engine) load(r fsm.Reader, tenant fsm.UID, name string) (*named, error) {
	if name == Root && !confined(tenant) {
		return e.root, nil
	}
	version, err := fsm.StreamVersion(r, tenant, stream(name))
	if err != nil {
		return nil, err
	}
	key := cacheKey{tenant, name, version}
	e.mu.RLock()
	p, known := e.ready[key]
	e.mu.RUnlock()
	if known {
		return p, nil
	}
	row, found, err := policies.Get(r, fsm.K(tenant, name))
	if err != nil || !found { // absent names are not kept: callers choose them, of any number and length
		return nil, err
	}
	p = compile(row.Name, row.Rules)
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.ready) >= cacheSize {
		clear(e.ready)
	}
	e.ready[key] = p
	return p, nil
}

// Guards hold as long as the named policies stay what they are in r.
func (e *Engine) Guards(r fsm.Reader, tenant fsm.UID, names []string) ([]fsm.Guard, error) {
	var out []fsm.Guard
	for _, name := range names {
		g, err := fsm.GuardOf(r, tenant, stream(name))
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

// Within reports whether the policies names of a tenant allow nothing that the policies bound of boundTenant do not. A name that
// does not exist lies within nothing, since whoever makes the policy later would fill it: fault.Denied names it. What is too
// much to be compared is fault.Limit.
func (e *Engine) Within(r fsm.Reader, tenant fsm.UID, names []string, boundTenant fsm.UID, bound []string) (bool, error) {
	for _, name := range names {
		if p, err := e.load(r, tenant, name); err != nil || p == nil {
			return false, cmp.Or(err, error(fault.New(fault.Denied, "there is no policy %.64q in the tenant: write it first", name)))
		}
	}
	inner, err := e.Load(r, tenant, names)
	if err != nil {
		return false, err
	}
	outer, err := e.Load(r, boundTenant, bound)
	if err == nil {
		err = cmp.Or(inner.bounded(), outer.bounded())
	}
	return err == nil && inner.Within(outer), err
}

// NewTenant gives a tenant the policy admin: everything of its own.
func (e *Engine) NewTenant(fsm.Reader, fsm.UID) ([]fsm.Event, error) {
	return []fsm.Event{Written{"admin", admin()}}, nil
}
