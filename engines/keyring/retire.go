package keyring

import (
	"context"
	"slices"
	"time"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
)

// What members ask each other about keys.
const (
	askWrap   = "keyring.wrap"   // wrap a root key with a seal of that node's
	askNewest = "keyring.newest" // which root key it has
)

type wrapQuestion struct {
	Seal    string `cbor:"1,keyasint"`
	Version uint32 `cbor:"2,keyasint"`
}

type wrapAnswer struct {
	Kind string `cbor:"1,keyasint"` // of the seal
	Wrap []byte `cbor:"2,keyasint"`
}

type newestAnswer struct {
	Version uint32 `cbor:"1,keyasint"`
}

// Answer answers another member's question about keys; known is false when it is not one. Nothing that it answers opens anything.
func (k *Keyring) Answer(ctx context.Context, r fsm.Reader, name string, body []byte) (out []byte, known bool, err error) {
	switch name {
	case askWrap:
		var q wrapQuestion
		if err := fsm.Decode(body, &q); err != nil {
			return nil, true, fault.New(fault.Invalid, "the question cannot be read").Because(err)
		}
		out, err = k.wrapFor(ctx, r, q)
		return out, true, err
	case askNewest:
		k.mu.RLock()
		newest := k.newest
		k.mu.RUnlock()
		out, err = fsm.Encode(newestAnswer{newest})
		return out, true, err
	}
	return nil, false, nil
}

// wrapFor wraps a root key that this node has with a seal that it has.
func (k *Keyring) wrapFor(ctx context.Context, r fsm.Reader, q wrapQuestion) ([]byte, error) {
	s := k.find(q.Seal)
	if s == nil {
		return nil, fault.New(fault.NotFound, "this node has no seal %q", q.Seal)
	}
	w, err := k.wrapRoot(ctx, r, s, q.Version)
	if err != nil {
		return nil, err
	}
	return fsm.Encode(wrapAnswer{s.Kind(), w.Key.Bytes()})
}

// wrapRoot has a seal wrap a root key that this node has.
func (k *Keyring) wrapRoot(ctx context.Context, r fsm.Reader, s seal.Seal, version uint32) (Wrap, error) {
	found, err := k.root(r, version)
	if err != nil {
		return Wrap{}, err
	}
	k.mu.RLock()
	if err = k.holds(fsm.KEKID{Version: version}, found); err != nil {
		k.mu.RUnlock()
		return Wrap{}, err
	}
	root := *found
	k.mu.RUnlock() // a seal may take seconds
	defer clear(root[:])
	return k.wrap(ctx, s, version, &root)
}

func (k *Keyring) find(name string) seal.Seal {
	for _, s := range k.seals {
		if s.Name() == name {
			return s
		}
	}
	return nil
}

// wrapMissing has seals wrap the root keys that they have not, newest first: on this node, or on a member that has them. It comes behind
// the values that are to be wrapped anew: a seal that is away may take seconds to say nothing.
func (r *Rotator) wrapMissing(ctx context.Context, v *fsm.View) (bool, error) {
	all, err := allRoots(v)
	if err != nil {
		return false, err
	}
	away := map[string]bool{}
	for _, row := range slices.Backward(all) {
		missing, err := unwrappedBy(v, row)
		if err != nil {
			return false, err
		}
		for _, s := range missing {
			if away[s.Name] { // for seconds, if it hangs
				continue
			}
			if done, err := r.wrapWith(ctx, s.Name, row.Version); done || err != nil {
				return done, err
			}
			away[s.Name] = true
		}
	}
	return false, nil
}

// wrapWith is not done when no member answers: it is asked again at the next pass, and status says who is missing.
func (r *Rotator) wrapWith(ctx context.Context, name string, version uint32) (done bool, err error) {
	made, err := r.anyWrap(ctx, wrapQuestion{name, version})
	if err != nil {
		return false, nil
	}
	kept, err := fsm.NewSealed(made.Wrap)
	if err != nil {
		return false, err
	}
	err = r.commit(ctx, func(v *fsm.View, e *fsm.Entry) error {
		if s, err := recorded(v, name); err != nil || s.Name == "" { // removed while it was asked
			return err
		}
		e.Add(RootWrapped{version, Wrap{name, kept}})
		return guard(v, e, fsm.RootTenant, rootStream, sealsStream)
	})
	return err == nil, err
}

// anyWrap asks this node first, then the others.
func (r *Rotator) anyWrap(ctx context.Context, q wrapQuestion) (out wrapAnswer, err error) {
	body, err := fsm.Encode(q)
	if err != nil {
		return out, err
	}
	ids, err := r.peers.MemberIDs()
	if err != nil {
		return out, err
	}
	for _, id := range ids {
		ask, cancel := context.WithTimeout(ctx, 6*time.Second)
		b, err := r.peers.Ask(ask, id, askWrap, body)
		cancel()
		if err == nil {
			return out, fsm.Decode(b, &out)
		}
	}
	return out, fault.New(fault.NotDone, "no member wraps root key %d with seal %q", q.Version, q.Seal)
}

// retireRoots ends the oldest root key when nothing needs it: no value, no member, no seal. A seal needs it until it has wrapped the next one, from
// which bridges lead on, and the newest.
func (r *Rotator) retireRoots(ctx context.Context, v *fsm.View) (bool, error) {
	all, err := allRoots(v)
	if err != nil || len(all) < 2 {
		return false, err
	}
	newest := all[len(all)-1]
	for _, row := range []RootAdded{newest, all[1]} {
		if missing, err := unwrappedBy(v, row); err != nil || len(missing) > 0 {
			return false, err
		}
	}
	row, _, err := rotations.Get(v, fsm.K(fsm.UID{}))
	if err != nil {
		return false, err
	}
	if ready, err := r.membersHave(ctx, newest.Version, row.At); err != nil || !ready {
		return false, err
	}
	old := all[0]
	chaos.Point(chaos.RotationRetiring)
	err = r.commit(ctx, func(v *fsm.View, e *fsm.Entry) error { return decideRetire(v, e, old.Version) })
	if err == nil {
		chaos.Point(chaos.RotationRetired)
		r.log.Info("a root key was retired", "version", old.Version)
	}
	return err == nil, err
}

func decideRetire(v *fsm.View, e *fsm.Entry, version uint32) error {
	row, found, err := roots.Get(v, fsm.K(uint64(version)))
	if err != nil || !found {
		return err
	}
	bridge, _, err := bridges.Get(v, fsm.K(uint64(version+1)))
	if err != nil {
		return err
	}
	e.Idle = append(e.Idle, fsm.KEKID{Version: version}.Only(row.Canary, bridge))
	e.Add(RootRetired{version})
	return guard(v, e, fsm.RootTenant, rootStream, sealsStream)
}

// membersHave reports whether every member has crossed to the newest root key, or has had long enough.
func (r *Rotator) membersHave(ctx context.Context, version uint32, since fsm.Time) (bool, error) {
	ids, err := r.peers.MemberIDs()
	if err != nil {
		return false, err
	}
	patient := fsm.At(chaos.Now()).Sub(since) < memberGrace
	for _, id := range ids {
		ask, cancel := context.WithTimeout(ctx, 2*time.Second)
		out, err := r.peers.Ask(ask, id, askNewest, nil)
		cancel()
		var has newestAnswer
		if err == nil {
			err = fsm.Decode(out, &has)
		}
		if (err != nil || has.Version < version) && patient {
			return false, nil
		}
	}
	return true, nil
}
