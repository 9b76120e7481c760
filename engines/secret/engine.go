// Package secret keeps versioned secrets.
//
// It promises:
//   - Versions of a path count up from 1 and are never given twice, also after a deletion and after a purge of all of them.
//   - Puts that race without a cas all succeed, one after the other; with a cas exactly one does.
//   - A value is sealed for its tenant, path and version, and opens nowhere else: rollback, move and copy open and seal again on the
//     leader, and the value never reaches the caller.
//   - A purged value is gone from the tables and from the event log's payloads in the entry that purges it; the chain stays whole.
//   - Every mutation is one entry: an import, a move and a copy happen as a whole or not at all, whatever crashes.
package secret

import (
	"context"
	"fmt"
	"strings"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Keys seals and opens values, and makes a tenant's MACs; *keyring.Keyring does.
type Keys interface {
	Seal(r fsm.Reader, b fsm.Binding, plaintext []byte) (fsm.Sealed, error)
	Open(r fsm.Reader, b fsm.Binding, s fsm.Sealed) ([]byte, error)
	MAC(r fsm.Reader, tenant fsm.UID, purpose string, parts ...[]byte) ([32]byte, error)
}

// Engine is the secret store.
type Engine struct {
	ledger *fsm.Ledger
	keys   Keys
}

// New returns an engine that commits through l and seals with keys.
func New(l *fsm.Ledger, keys Keys) *Engine { return &Engine{l, keys} }

// Item is a value to be stored. Cas, when given, is the number of the last version, 0 when there must be none yet.
type Item struct {
	Path  string
	Value []byte // at most MaxValue; stays the caller's
	Cas   *uint64
	Attributes
}

// Written names a version that was made, or the version that something was done to.
type Written struct {
	Path    string
	Version uint64
	At      fsm.Time
}

// done is what a receipt keeps of an answer; the moment is the entry's.
type done struct {
	Path    string `cbor:"1,keyasint"`
	Version uint64 `cbor:"2,keyasint"`
}

// commit carries out one mutation, whose answer is what change returns.
func (e *Engine) commit(ctx context.Context, req fsm.Request, lane string, change func(*turn) ([]done, error)) ([]Written, fsm.Receipt, error) {
	rc, err := e.ledger.Commit(ctx, req, lane, func(v *fsm.View, entry *fsm.Entry) error {
		t := &turn{e, v, entry, present(v), map[string]bool{}}
		answer, err := change(t)
		if err != nil {
			return err
		}
		entry.Reply.Public, err = fsm.Encode(answer)
		return err
	})
	if err != nil {
		return nil, rc, err
	}
	var answer []done
	if err := fsm.Decode(rc.Reply.Public, &answer); err != nil {
		return nil, rc, fmt.Errorf("read the answer of a write: %w", err)
	}
	out := make([]Written, len(answer))
	for i, d := range answer {
		out[i] = Written{d.Path, d.Version, rc.At}
	}
	return out, rc, nil
}

func (e *Engine) commitOne(ctx context.Context, req fsm.Request, lane string, change func(*turn) (done, error)) (Written, fsm.Receipt, error) {
	out, rc, err := e.commit(ctx, req, lane, func(t *turn) ([]done, error) {
		d, err := change(t)
		return []done{d}, err
	})
	if err != nil || len(out) != 1 {
		return Written{}, rc, err
	}
	return out[0], rc, nil
}

// present is the moment by which expiry is judged: an idle log's time stands still.
func present(v *fsm.View) fsm.Time { return max(v.Now(), fsm.At(chaos.Now())) }

// turn is one attempt to decide a mutation.
type turn struct {
	*Engine
	v       *fsm.View
	entry   *fsm.Entry
	now     fsm.Time
	guarded map[string]bool
}

// head reads a path's head and guards it. A stream without events has none.
func (t *turn) head(path string) (h head, err error) {
	g, err := fsm.GuardOf(t.v, t.entry.Tenant, stream(path))
	if err != nil {
		return h, err
	}
	if !t.guarded[path] {
		t.entry.Guard(g)
		t.guarded[path] = true
	}
	if g.Version > 0 {
		h, _, err = heads.Get(t.v, fsm.K(t.entry.Tenant, path))
	}
	return h, err
}

func binding(tenant fsm.UID, path string, version uint64) fsm.Binding {
	return fsm.Binding{Tenant: tenant, Feature: "secret", Field: "value", Path: path, Version: version}
}

// write seals value as the next version of path.
func (t *turn) write(path string, value []byte, cas *uint64, a Attributes) (done, error) {
	h, err := t.head(path)
	if err != nil {
		return done{}, err
	}
	if err := decideWrite(h, path, cas, a.Expires, t.now); err != nil {
		return done{}, err
	}
	next := h.next(fsm.Epoch(t.v))
	sealed, err := t.keys.Seal(t.v, binding(t.entry.Tenant, path, next), value)
	if err != nil {
		return done{}, fmt.Errorf("seal a value: %w", err)
	}
	t.entry.Add(VersionWritten{path, next, sealed, uint32(len(value)), a})
	return done{path, next}, nil
}

// rewrite opens a version of source, 0 for the latest, and writes it as the next version of path.
func (t *turn) rewrite(source string, number uint64, path string, cas *uint64) (done, error) {
	if _, err := t.head(source); err != nil {
		return done{}, err
	}
	v, err := t.Get(t.v, t.entry.Tenant, source, number, t.now)
	if err != nil {
		return done{}, err
	}
	defer clear(v.Value)
	return t.write(path, v.Value, cas, v.Attributes)
}

// Put stores a value as the next version of its path.
func (e *Engine) Put(ctx context.Context, req fsm.Request, it Item) (Written, fsm.Receipt, error) {
	if err := checkItem(it); err != nil {
		return Written{}, fsm.Receipt{}, err
	}
	return e.commitOne(ctx, req, stream(it.Path), func(t *turn) (done, error) { return t.write(it.Path, it.Value, it.Cas, it.Attributes) })
}

// Import stores up to 1,000 values, all or none, each path once.
func (e *Engine) Import(ctx context.Context, req fsm.Request, items []Item) ([]Written, fsm.Receipt, error) {
	if err := checkImport(items); err != nil {
		return nil, fsm.Receipt{}, err
	}
	return e.commit(ctx, req, "import", func(t *turn) ([]done, error) {
		out := make([]done, len(items))
		for i, it := range items {
			var err error
			if out[i], err = t.write(it.Path, it.Value, it.Cas, it.Attributes); err != nil {
				return nil, inItem(i, err)
			}
		}
		return out, nil
	})
}

func checkImport(items []Item) error {
	if len(items) == 0 || len(items) > maxImport {
		return fault.Bad("secrets", "an import has 1 to %d secrets, this one has %d", maxImport, len(items))
	}
	seen := make(map[string]bool, len(items))
	for i, it := range items {
		if err := checkItem(it); err != nil {
			return inItem(i, err)
		}
		if seen[it.Path] {
			return fault.Bad(fmt.Sprintf("secrets[%d].path", i), "%q stands in the import twice", it.Path)
		}
		seen[it.Path] = true
	}
	return nil
}

func inItem(i int, err error) error {
	f, ok := err.(*fault.Error)
	if !ok {
		return err
	}
	out := *f
	out.Field = strings.TrimSuffix(fmt.Sprintf("secrets[%d].%s", i, f.Field), ".")
	return &out
}

// Rollback makes an old version of path its newest.
func (e *Engine) Rollback(ctx context.Context, req fsm.Request, path string, number uint64, cas *uint64) (Written, fsm.Receipt, error) {
	if err := ValidPath(path); err != nil {
		return Written{}, fsm.Receipt{}, err
	}
	return e.commitOne(ctx, req, stream(path), func(t *turn) (done, error) { return t.rewrite(path, number, path, cas) })
}

// Delete hides path; its history stays, and Undelete shows it again.
func (e *Engine) Delete(ctx context.Context, req fsm.Request, path string, cas *uint64) (Written, fsm.Receipt, error) {
	return e.onHead(ctx, req, path, Deleted{path}, func(_ *turn, h head) error { return decideDelete(h, path, cas) })
}

// Undelete takes a deletion back.
func (e *Engine) Undelete(ctx context.Context, req fsm.Request, path string) (Written, fsm.Receipt, error) {
	return e.onHead(ctx, req, path, Undeleted{path}, func(_ *turn, h head) error { return decideUndelete(h, path) })
}

// Purge destroys the value of one version, or of all when number is 0. The next version still gets the next number.
func (e *Engine) Purge(ctx context.Context, req fsm.Request, path string, number uint64) (Written, fsm.Receipt, error) {
	return e.onHead(ctx, req, path, VersionPurged{path, number}, func(t *turn, h head) error {
		row, found, err := versions.Get(t.v, fsm.K(t.entry.Tenant, path, number))
		if err != nil {
			return err
		}
		return decidePurge(h, path, number, row, found)
	})
}

// onHead records ev for a path if decide lets it; the answer names the last version, or the one that ev is about.
func (e *Engine) onHead(ctx context.Context, req fsm.Request, path string, ev fsm.Event, decide func(*turn, head) error) (Written, fsm.Receipt, error) {
	if err := ValidPath(path); err != nil {
		return Written{}, fsm.Receipt{}, err
	}
	return e.commitOne(ctx, req, stream(path), func(t *turn) (done, error) {
		h, err := t.head(path)
		if err == nil {
			err = decide(t, h)
		}
		t.entry.Add(ev)
		if p, ok := ev.(VersionPurged); ok && p.Version > 0 {
			return done{path, p.Version}, err
		}
		return done{path, h.Version}, err
	})
}

// Move makes the latest value of source the next version of destination and deletes source, whose history stays.
func (e *Engine) Move(ctx context.Context, req fsm.Request, source, destination string, cas *uint64) (Written, fsm.Receipt, error) {
	return e.transfer(ctx, req, source, 0, destination, cas, true)
}

// Copy makes a version of source, 0 for the latest, the next version of destination.
func (e *Engine) Copy(ctx context.Context, req fsm.Request, source string, number uint64, destination string, cas *uint64) (Written, fsm.Receipt, error) {
	return e.transfer(ctx, req, source, number, destination, cas, false)
}

func (e *Engine) transfer(ctx context.Context, req fsm.Request, source string, number uint64, destination string, cas *uint64, move bool) (Written, fsm.Receipt, error) {
	if err := checkEnds(source, destination); err != nil {
		return Written{}, fsm.Receipt{}, err
	}
	return e.commitOne(ctx, req, stream(destination), func(t *turn) (done, error) {
		d, err := t.rewrite(source, number, destination, cas)
		if move && err == nil {
			t.entry.Add(Deleted{source})
		}
		return d, err
	})
}

func checkEnds(source, destination string) error {
	for _, end := range [][2]string{{"source", source}, {"destination", destination}} {
		if err := ValidPath(end[1]); err != nil {
			return fault.Bad(end[0], "%s", err.Error())
		}
	}
	if source == destination {
		return fault.Bad("destination", "is the source")
	}
	return nil
}
