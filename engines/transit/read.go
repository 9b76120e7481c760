package transit

import (
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Info describes a key; it holds nothing secret.
type Info struct {
	Name       string
	UID        fsm.UID
	Algorithm  string
	Derived    bool
	Convergent bool
	Imported   bool
	Settings
	Oldest   uint64 // version that is still there
	Latest   uint64
	Created  fsm.Time
	Rotated  fsm.Time
	Restored fsm.Time // from a backup; 0: it was not
	By       string
}

// Version describes one of a key.
type Version struct {
	Number   uint64
	Public   []byte // SubjectPublicKeyInfo in DER; empty for symmetric keys
	At       fsm.Time
	By       string
	Reserved uint64 // messages that nodes may have encrypted under it, where that is bounded
}

func (k keyRow) info(name string) Info {
	return Info{Name: name, UID: k.UID, Algorithm: k.Algorithm, Derived: k.Derived, Convergent: k.Convergent, Imported: k.Imported,
		Settings: k.Settings, Oldest: k.Oldest, Latest: k.Latest, Created: k.Created, Rotated: k.Rotated, Restored: k.Restored, By: k.By}
}

// Get returns a key; fault.NotFound when there is none of that name.
func Get(r fsm.Reader, tenant fsm.UID, name string) (Info, error) {
	if err := ValidName(name); err != nil {
		return Info{}, err
	}
	k, err := find(r, tenant, name)
	return k.info(name), err
}

// find is for names that were found valid, and the wrapping key's.
func find(r fsm.Reader, tenant fsm.UID, name string) (keyRow, error) {
	k, found, err := keys.Get(r, fsm.K(tenant, name))
	if err == nil && !found {
		err = notFound(name)
	}
	return k, err
}

// Versions returns up to limit versions of a key below before (0: from the newest), newest first, and the number to go on below, 0 at the end.
func Versions(r fsm.Reader, tenant fsm.UID, name string, before uint64, limit int) (out []Version, next uint64, err error) {
	if err := ValidName(name); err != nil {
		return nil, 0, err
	}
	return versionsOf(r, tenant, name, before, limit)
}

func versionsOf(r fsm.Reader, tenant fsm.UID, name string, before uint64, limit int) (out []Version, next uint64, err error) {
	k, err := find(r, tenant, name)
	if err != nil {
		return nil, 0, err
	}
	upper := k.Latest + 1
	if before > 0 {
		upper = min(upper, before)
	}
	span := fsm.Span{Prefix: fsm.K(tenant, k.UID), After: fsm.K(tenant, k.UID, upper), Reverse: true}
	err = versions.Scan(r, span, func(at fsm.Key, row versionRow) (bool, error) {
		if len(out) == limit {
			next = out[limit-1].Number
			return false, nil
		}
		number, ok := at.LastUint()
		if !ok {
			return false, fault.New(fault.Corrupt, "a version of transit key %q has no number", name)
		}
		out = append(out, Version{number, row.Public, row.At, row.By, row.used(fsm.Epoch(r))})
		return true, nil
	})
	return out, next, err
}

// List returns up to limit keys of a tenant by name, beyond after, and where to go on; "" at the end.
func List(r fsm.Reader, tenant fsm.UID, after string, limit int) (out []Info, next string, err error) {
	span := fsm.Span{Prefix: fsm.K(tenant)}
	if after != "" {
		span.After = fsm.K(tenant, after)
	}
	err = keys.Scan(r, span, func(at fsm.Key, k keyRow) (bool, error) {
		switch name := nameOf(at); {
		case name == wrapping:
		case len(out) == limit:
			next = out[limit-1].Name
			return false, nil
		default:
			out = append(out, k.info(name))
		}
		return true, nil
	})
	return out, next, err
}

// Places walks the material of all keys with where it stands.
func Places(r fsm.Reader, visit func(fsm.Binding, fsm.Sealed) error) error {
	return versions.Scan(r, fsm.Span{}, func(at fsm.Key, row versionRow) (bool, error) {
		tenant, _ := at.UID()
		key, _ := at[tenantSize:].UID()
		number, ok := at.LastUint()
		if !ok {
			return false, fault.New(fault.Corrupt, "a version of transit key %s has no number", key)
		}
		err := visit(binding(tenant, key, number), row.Material)
		return err == nil, err
	})
}

// tenantSize is the length of a key's first part: its type and a UID.
const tenantSize = 17

// nameOf takes the name out of a key of keys. Names have no zero bytes, which would be escaped.
func nameOf(at fsm.Key) string { return string(at[tenantSize+1 : len(at)-2]) }

// due reports whether a key's latest version is to be followed by another by now.
func (k keyRow) due(latest versionRow, now fsm.Time, epoch uint32) bool {
	old := k.Settings.RotateEvery > 0 && now.Sub(k.Rotated) >= time.Duration(k.Settings.RotateEvery)*time.Second
	return old || latest.used(epoch) >= rotateAt && (!k.Imported || k.Settings.Rotatable)
}
