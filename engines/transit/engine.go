// Package transit keeps keys that applications encrypt, sign and authenticate with, and that never leave unless they were made to.
//
// It promises:
//   - A version of a key has one material, on every node and for ever: it is made before it is proposed, sealed, and committed with its number. Numbers count
//     up from 1, with a jump at each restore of the cluster, and are never given twice.
//   - A key is known to its ciphertexts by a UID that is drawn once. After a deletion the name may be given again; what the old key has encrypted does
//     not open under the new one.
//   - Whoever may read the state at a level works with the versions that the state has there: a version that was trimmed or deleted is refused on every node once
//     that was acknowledged.
//   - Nodes encrypt no more messages under a version with drawn nonces than were reserved for it in the log, 2^32 at most.
package transit

import (
	"context"
	"fmt"

	"github.com/trstctl/trstctl/engines/transit/primitive"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Keys seals and opens material; *keyring.Keyring does.
type Keys interface {
	Seal(r fsm.Reader, b fsm.Binding, plaintext []byte) (fsm.Sealed, error)
	Open(r fsm.Reader, b fsm.Binding, s fsm.Sealed) ([]byte, error)
}

// Engine decides what becomes of keys. Its methods that change something work on the leader alone.
type Engine struct {
	ledger *fsm.Ledger
	keys   Keys
	now    func() fsm.Time
}

// New returns an engine that commits through l, seals with keys, and judges by now what is due when log time stands still.
func New(l *fsm.Ledger, keys Keys, now func() fsm.Time) *Engine { return &Engine{l, keys, now} }

// Spec is a key to be made.
type Spec struct {
	Name       string
	Algorithm  primitive.Algorithm
	Derived    bool // each use takes a context
	Convergent bool // the same plaintext under the same context gives the same ciphertext; only with Derived
	Change          // settings from the beginning on; the versions in it must be nil
}

// Done names a version: the one that was made, or the latest of the key that something was done to.
type Done struct {
	Name    string `cbor:"1,keyasint"`
	Version uint64 `cbor:"2,keyasint"`
}

// commit carries out one mutation of a key.
func (e *Engine) commit(ctx context.Context, req fsm.Request, name string, change func(*turn) (uint64, error)) (Done, fsm.Receipt, error) {
	if err := ValidName(name); err != nil && name != wrapping {
		return Done{}, fsm.Receipt{}, err
	}
	rc, err := e.ledger.Commit(ctx, req, stream(name), func(v *fsm.View, entry *fsm.Entry) error {
		t := &turn{e, v, entry, name}
		g, err := fsm.GuardOf(v, entry.Tenant, stream(name))
		if err != nil {
			return err
		}
		entry.Guard(g)
		version, err := change(t)
		if err != nil {
			return err
		}
		entry.Reply.Public, err = fsm.Encode(Done{name, version})
		return err
	})
	if err != nil {
		return Done{}, rc, err
	}
	var out Done
	if err := fsm.Decode(rc.Reply.Public, &out); err != nil {
		return Done{}, rc, fmt.Errorf("read the answer of a change: %w", err)
	}
	return out, rc, nil
}

// turn is one attempt to decide a mutation of a key.
type turn struct {
	*Engine
	v     *fsm.View
	entry *fsm.Entry
	name  string
}

func (t *turn) row() (keyRow, error) { return find(t.v, t.entry.Tenant, t.name) }

// add seals material as the version with a number.
func (t *turn) add(uid fsm.UID, number uint64, m *material) error {
	sealed, err := t.keys.Seal(t.v, binding(t.entry.Tenant, uid, number), m.secret)
	if err != nil {
		return fmt.Errorf("seal a key: %w", err)
	}
	t.entry.Add(VersionAdded{Name: t.name, UID: uid, Version: number, Material: sealed, Public: m.public, Reserved: m.used})
	return nil
}

func (s Spec) check() error {
	switch {
	case s.MinDecrypt != nil || s.MinEncrypt != nil:
		return fault.Bad("min_decryption_version", "a new key has one version")
	case s.Derived && !s.Algorithm.Can(primitive.ToDerive):
		return fault.Bad("derived", "keys of %s have no working keys for contexts", s.Algorithm)
	case s.Convergent && !s.Derived:
		return fault.Bad("convergent_encryption", "takes derived as well: a context keeps apart what must not be seen to be the same")
	}
	return nil
}

// material is a version that nobody has yet.
type material struct {
	secret []byte // as primitive.Key.Marshal has it
	public []byte
	used   uint64 // messages that it may have encrypted already
}

func materialOf(k *primitive.Key) (*material, error) {
	defer k.Wipe()
	m := &material{}
	var err error
	if k.Algorithm().Asymmetric() {
		if m.public, err = k.PublicDER(); err != nil {
			return nil, err
		}
	}
	m.secret, err = k.Marshal()
	return m, err
}

func (m *material) wipe() { clear(m.secret) }

func generate(a primitive.Algorithm) (*material, error) {
	k, err := primitive.Generate(a)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return materialOf(k)
}

// Create makes a key with its first version.
func (e *Engine) Create(ctx context.Context, req fsm.Request, s Spec) (Done, fsm.Receipt, error) {
	if err := s.check(); err != nil {
		return Done{}, fsm.Receipt{}, err
	}
	m, err := generate(s.Algorithm)
	if err != nil {
		return Done{}, fsm.Receipt{}, err
	}
	return e.begin(ctx, req, s, m, false)
}

// Import makes a key whose first version was made elsewhere; k is wiped.
func (e *Engine) Import(ctx context.Context, req fsm.Request, s Spec, k *primitive.Key) (Done, fsm.Receipt, error) {
	s.Algorithm = k.Algorithm()
	if err := s.check(); err != nil {
		k.Wipe()
		return Done{}, fsm.Receipt{}, err
	}
	m, err := materialOf(k)
	if err != nil {
		return Done{}, fsm.Receipt{}, err
	}
	return e.begin(ctx, req, s, m, true)
}

func (e *Engine) begin(ctx context.Context, req fsm.Request, s Spec, m *material, imported bool) (Done, fsm.Receipt, error) {
	defer m.wipe()
	return e.commit(ctx, req, s.Name, func(t *turn) (uint64, error) {
		if _, err := t.row(); err == nil {
			return 0, fault.New(fault.Conflict, "there is a transit key %q", s.Name)
		} else if fault.KindOf(err) != fault.NotFound {
			return 0, err
		}
		k := keyRow{Imported: imported, Latest: 1, Settings: Settings{}}
		to := s.Change.to(Settings{})
		if err := decideSettings(k, to, true); err != nil {
			return 0, err
		}
		created := KeyCreated{Name: s.Name, UID: newUID(), Algorithm: s.Algorithm.String(), Derived: s.Derived, Convergent: s.Convergent, Imported: imported,
			Settings: to, Origin: t.entry.Tenant}
		t.entry.Add(created)
		return 1, t.add(created.UID, 1, m)
	})
}

// Rotate gives a key its next version.
func (e *Engine) Rotate(ctx context.Context, req fsm.Request, name string) (Done, fsm.Receipt, error) {
	if err := ValidName(name); err != nil {
		return Done{}, fsm.Receipt{}, err
	}
	return e.rotate(ctx, req, name)
}

func (e *Engine) rotate(ctx context.Context, req fsm.Request, name string) (Done, fsm.Receipt, error) {
	a, err := e.algorithm(req.Tenant, name)
	if err != nil {
		return Done{}, fsm.Receipt{}, err
	}
	m, err := generate(a)
	if err != nil {
		return Done{}, fsm.Receipt{}, err
	}
	return e.extend(ctx, req, name, a, m, false)
}

// ImportVersion gives an imported key its next version; k is wiped.
func (e *Engine) ImportVersion(ctx context.Context, req fsm.Request, name string, k *primitive.Key) (Done, fsm.Receipt, error) {
	a := k.Algorithm()
	m, err := materialOf(k)
	if err != nil {
		return Done{}, fsm.Receipt{}, err
	}
	return e.extend(ctx, req, name, a, m, true)
}

func (e *Engine) extend(ctx context.Context, req fsm.Request, name string, a primitive.Algorithm, m *material, imported bool) (Done, fsm.Receipt, error) {
	defer m.wipe()
	return e.commit(ctx, req, name, func(t *turn) (uint64, error) {
		k, err := t.row()
		if err != nil {
			return 0, err
		}
		if k.Algorithm != a.String() {
			return 0, fault.New(fault.Conflict, "key %q is of %s, not %s", name, k.Algorithm, a)
		}
		if err := decideNext(k, name, imported); err != nil {
			return 0, err
		}
		number := k.next(fsm.Epoch(t.v))
		return number, t.add(k.UID, number, m)
	})
}

// algorithm is that of a key as this node knows it now: what is decided later holds against the key again.
func (e *Engine) algorithm(tenant fsm.UID, name string) (primitive.Algorithm, error) {
	v, err := e.ledger.View()
	if err != nil {
		return 0, err
	}
	defer v.Close()
	k, err := find(v, tenant, name)
	if err != nil {
		return 0, err
	}
	return primitive.ParseAlgorithm(k.Algorithm)
}

// Configure changes settings of a key. sudo says that the caller may make it exportable.
func (e *Engine) Configure(ctx context.Context, req fsm.Request, name string, c Change, sudo bool) (Done, fsm.Receipt, error) {
	return e.commit(ctx, req, name, func(t *turn) (uint64, error) {
		k, err := t.row()
		if err != nil {
			return 0, err
		}
		to := c.to(k.Settings)
		if err := decideSettings(k, to, sudo); err != nil {
			return 0, err
		}
		if to != k.Settings {
			t.entry.Add(Configured{name, to})
		}
		return k.Latest, nil
	})
}

// Trim destroys the versions of a key below one.
func (e *Engine) Trim(ctx context.Context, req fsm.Request, name string, below uint64) (Done, fsm.Receipt, error) {
	return e.commit(ctx, req, name, func(t *turn) (uint64, error) {
		k, err := t.row()
		if err != nil {
			return 0, err
		}
		if err := decideTrim(k, below); err != nil {
			return 0, err
		}
		t.entry.Add(Trimmed{name, below})
		return k.Latest, nil
	})
}

// Delete destroys a key.
func (e *Engine) Delete(ctx context.Context, req fsm.Request, name string) (Done, fsm.Receipt, error) {
	return e.commit(ctx, req, name, func(t *turn) (uint64, error) {
		k, err := t.row()
		if err != nil {
			return 0, err
		}
		if err := decideDelete(k, name); err != nil {
			return 0, err
		}
		t.entry.Add(Deleted{name})
		return k.Latest, nil
	})
}

// Reserve lets the caller's node encrypt another block of messages under a version of a key.
func (e *Engine) Reserve(ctx context.Context, req fsm.Request, name string, version uint64) (fsm.Receipt, error) {
	_, rc, err := e.commit(ctx, req, name, func(t *turn) (uint64, error) {
		k, err := t.row()
		if err != nil {
			return 0, err
		}
		row, found, err := versions.Get(t.v, fsm.K(t.entry.Tenant, k.UID, version))
		if err != nil {
			return 0, err
		}
		if err := decideReserve(row, found, fsm.Epoch(t.v), name, version); err != nil {
			return 0, err
		}
		t.entry.Add(Reserved{name, version, block})
		return version, nil
	})
	return rc, err
}
