package keyring

import (
	"github.com/trstctl/trstctl/fsm"
)

func (r *Rotator) of(scope fsm.UID) (Rotation, error) {
	v, err := r.ledger.View()
	if err != nil {
		return Rotation{}, err
	}
	defer v.Close()
	row, _, err := rotations.Get(v, fsm.K(scope))
	if err != nil {
		return Rotation{}, err
	}
	return progress(v, scope, row)
}

// Rotations returns the last rotation of each key that was ever rotated, the root KEK's first.
func Rotations(v *fsm.View) (out []Rotation, err error) {
	err = rotations.Scan(v, fsm.Span{}, func(k fsm.Key, row rotationRow) (bool, error) {
		scope, err := scopeOf(k)
		if err != nil {
			return false, err
		}
		p, err := progress(v, scope, row)
		out = append(out, p)
		return err == nil, err
	})
	return out, err
}

func progress(v *fsm.View, scope fsm.UID, row rotationRow) (Rotation, error) {
	out := Rotation{Root: row.Began.Root, Tenant: scope, From: row.Began.From, To: row.Began.To, Tenants: row.Began.Tenants, Values: row.Began.Values,
		Began: row.At, Ended: row.Ended}
	if row.Ended != 0 {
		return out, nil
	}
	var err error
	if out.Remaining, err = fsm.CountHeld(v, fsm.KEKID{Scope: scope, Version: row.Began.From}); err != nil {
		return out, err
	}
	if out.Root {
		out.Remaining = max(out.Remaining, 2) - 2 // its canary and the bridge go with it
		out.Waits, err = waits(v)
	}
	if err == nil && out.Waits == "" {
		out.Waits, err = lags(v, out)
	}
	return out, err
}

const fewLeft = 64 // values that are looked at to say what a rotation waits for

// lags says what a rotation waits for besides seals.
func lags(v *fsm.View, p Rotation) (string, error) {
	switch {
	case p.Root && p.Remaining == 0 && p.Tenants:
		return "the keys of tenants are made anew", nil
	case p.Root && p.Remaining == 0:
		return "members take the new key, for ten minutes at most", nil
	case p.Remaining > fewLeft:
		return "", nil
	}
	placed := false
	err := fsm.HeldBy(v, fsm.KEKID{Scope: p.Tenant, Version: p.From}, func(h fsm.Held) (bool, error) {
		placed = h.Binding != nil
		return !placed, nil
	})
	if err != nil || placed || p.Root {
		return "", err
	}
	return "stored answers of version 1, which end within 15 minutes", nil
}

// waits says which seals have not wrapped the newest root key: the one before is kept for their sake.
func waits(r fsm.Reader) (string, error) {
	newest, err := newestRoot(r)
	if err != nil {
		return "", err
	}
	missing, err := unwrappedBy(r, newest)
	if err != nil || len(missing) == 0 {
		return "", err
	}
	return "seal " + missing[0].Name + " has not wrapped the new key: no node that has it is there and unsealed", nil
}

// unwrappedBy returns the cluster's seals that have not wrapped a root key.
func unwrappedBy(r fsm.Reader, row RootAdded) (missing []SealRecorded, err error) {
	all, err := Seals(r)
	for _, s := range all {
		_, found, err := wrapOf(r, row, s.Name)
		if err != nil {
			return nil, err
		}
		if !found {
			missing = append(missing, s)
		}
	}
	return missing, err
}
