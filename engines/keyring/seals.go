package keyring

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// HeldSeal returns the seal that people hold, without its private half. fault.NotFound: the cluster has none.
func HeldSeal(r fsm.Reader) (*seal.Shamir, error) {
	row, found, err := seals.Get(r, fsm.K(SharesName))
	if err == nil && !found {
		err = fault.New(fault.NotFound, "the cluster has no shares: its seals are others, see `trstctl operator seal status`")
	}
	if err != nil {
		return nil, err
	}
	return seal.ForShares(row.Name, row.Public)
}

// AddSeal has a seal, of this node or another member, wrap the root keys that are there, so that it opens the cluster from then on.
// fault.Conflict: it does already; fault.NotDone: no unsealed member has it and can ask it.
func (r *Rotator) AddSeal(ctx context.Context, req fsm.Request, name string) (SealRecorded, error) {
	added, err := r.prepareSeal(ctx, req, name)
	if err != nil {
		return SealRecorded{}, err
	}
	_, err = r.ledger.Commit(ctx, req, "keyring/rotate", func(v *fsm.View, e *fsm.Entry) error {
		if err := errors.Join(tooOld(v), absent(v, name)); err != nil {
			return err
		}
		if err := added.current(v); err != nil {
			return err
		}
		e.Add(added.record)
		for _, w := range added.wraps {
			e.Add(w)
		}
		return guard(v, e, fsm.RootTenant, rootStream, sealsStream)
	})
	return added.record, err
}

// addedSeal has no wraps when the request is a repetition, which the ledger answers.
type addedSeal struct {
	record SealRecorded
	wraps  []RootWrapped
}

// current fails when the root keys are others than the seal has wrapped: it would open nothing, or leave a wrap of a key that is gone.
func (a addedSeal) current(v *fsm.View) error {
	all, err := allRoots(v)
	if err != nil {
		return err
	}
	same := func(row RootAdded, w RootWrapped) bool { return row.Version == w.Version }
	if !slices.EqualFunc(all, a.wraps, same) {
		return fault.New(fault.NotDone, "the root key was rotated meanwhile: ask again").After(time.Second)
	}
	return nil
}

// prepareSeal gathers what the seal makes of every root key, before the entry is decided: an HSM may take seconds.
func (r *Rotator) prepareSeal(ctx context.Context, req fsm.Request, name string) (out addedSeal, err error) {
	if err := seal.ValidID(name); err != nil {
		return out, fault.Bad("seal", "%v", err)
	}
	v, err := r.ledger.View()
	if err != nil {
		return out, err
	}
	defer v.Close()
	switch _, again, err := r.ledger.Find(v, req.Tenant, req.Receipt); {
	case again: // what it deserves is the ledger's to say
		out.record, err = recorded(v, name)
		return out, err
	case err != nil:
		return out, err
	}
	if err := errors.Join(tooOld(v), absent(v, name)); err != nil {
		return out, err
	}
	all, err := allRoots(v)
	if err != nil {
		return out, err
	}
	for _, row := range all {
		made, err := r.anyWrap(ctx, wrapQuestion{name, row.Version})
		if err != nil {
			return out, fault.New(fault.NotDone, "no member that is unsealed has a seal %q that answers: name it in that node's configuration (seals), start it, and see `trstctl operator seal status`", name).Because(err)
		}
		kept, err := fsm.NewSealed(made.Wrap)
		if err != nil {
			return out, err
		}
		out.record.Kind = made.Kind
		out.wraps = append(out.wraps, RootWrapped{row.Version, Wrap{name, kept}})
	}
	out.record.Name, out.record.Root = name, all[len(all)-1].Version
	return out, r.vouch(v, &out.record)
}

func (r *Rotator) vouch(v *fsm.View, record *SealRecorded) error {
	root, err := r.keys.root(v, record.Root)
	if err != nil {
		return err
	}
	r.keys.mu.RLock()
	defer r.keys.mu.RUnlock()
	if err := r.keys.holds(fsm.KEKID{Version: record.Root}, root); err != nil {
		return err
	}
	record.MAC = [32]byte(sealMAC(root, *record))
	return nil
}

func absent(v *fsm.View, name string) error {
	s, err := recorded(v, name)
	if err == nil && s.Name != "" {
		err = fault.New(fault.Conflict, "seal %q is one of the cluster's already", name)
	}
	return err
}

// recorded returns one of the cluster's seals, the zero value when there is none of this name.
func recorded(v *fsm.View, name string) (SealRecorded, error) {
	all, err := Seals(v)
	for _, s := range all {
		if s.Name == name {
			return s, err
		}
	}
	return SealRecorded{}, err
}

// RemoveSeal ends a seal: a new root KEK that it does not wrap, new tenant KEKs, everything wrapped anew, what it wrapped destroyed.
// Backups and copies of disks that were made before stay readable to whoever holds them and it.
func (r *Rotator) RemoveSeal(ctx context.Context, req fsm.Request, name string) (Rotation, error) {
	_, err := r.ledger.Commit(ctx, req, "keyring/rotate", func(v *fsm.View, e *fsm.Entry) error {
		if err := tooOld(v); err != nil {
			return err
		}
		if err := absent(v, name); !fault.Is(err, fault.Conflict) {
			return errors.Join(err, fault.New(fault.NotFound, "the cluster has no seal %q", name))
		}
		if err := r.keys.decideRoot(ctx, v, e, true, sealChange{remove: name}); err != nil {
			return err
		}
		e.Add(SealRemoved{name})
		return nil
	})
	if err != nil {
		return Rotation{}, err
	}
	return r.of(fsm.UID{})
}

// Rekey makes new shares in the place of those that were held before, and begins a rotation. The new ones open the cluster from here on; the old
// ones open it nowhere, and copies of its disks no more once these have the end of the rotation. The caller zeroes them.
func (r *Rotator) Rekey(ctx context.Context, req fsm.Request, people People, idempotencyKey string) (Rotation, [][]byte, error) {
	rc, err := r.ledger.Commit(ctx, req, "keyring/rotate", func(v *fsm.View, e *fsm.Entry) error {
		if err := tooOld(v); err != nil {
			return err
		}
		held, shares, err := seal.NewShares(SharesName, people.Shares, people.Threshold)
		if err != nil {
			return err
		}
		if err := r.keys.decideRoot(ctx, v, e, true, sealChange{people: held, held: people}); err != nil {
			return err
		}
		return r.answerShares(v, e, held, shares, idempotencyKey)
	})
	if err != nil {
		return Rotation{}, nil, err
	}
	v, err := r.ledger.View()
	if err != nil {
		return Rotation{}, nil, err
	}
	defer v.Close()
	text, err := r.keys.OpenAnswer(v, sharesBinding(rc.Reply.Public), idempotencyKey, rc.Reply.Secret)
	if err != nil {
		return Rotation{}, nil, err
	}
	p, err := r.of(fsm.UID{})
	return p, bytes.Split(text, []byte{'\n'}), err
}

// answerShares keeps the shares for a repetition of the request, sealed under the caller's idempotency key too, for as long as any answer.
func (r *Rotator) answerShares(v *fsm.View, e *fsm.Entry, held *seal.Shamir, shares []seal.Share, idempotencyKey string) (err error) {
	texts := make([][]byte, len(shares))
	for i := range shares {
		texts[i] = shares[i].Text()
		shares[i].Zero()
		defer clear(texts[i])
	}
	all := bytes.Join(texts, []byte{'\n'})
	defer clear(all)
	set := sha256.Sum256(held.Public())
	e.Reply.Public = set[:]
	e.Reply.Secret, err = r.keys.SealAnswer(v, sharesBinding(set[:]), idempotencyKey, all)
	return err
}

func sharesBinding(set []byte) fsm.Binding {
	return fsm.Binding{Tenant: fsm.RootTenant, Feature: "keyring", Field: "shares", Path: hex.EncodeToString(set), Version: 1}
}
