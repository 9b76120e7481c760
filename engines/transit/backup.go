package transit

import (
	"context"
	"errors"

	"github.com/trstctl/trstctl/engines/transit/primitive"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// wrapping is the name of a tenant's wrapping key, which nobody else can give to a key. To it others wrap what they import, and the tenant its backups.
const wrapping = "@wrapping"

// wrappingAlgorithm has the strength of the AES-128 that it wraps at the least, and takes a second to make, not five.
const wrappingAlgorithm = primitive.RSA3072

// EnsureWrapping makes the tenant's wrapping key if it has none yet.
func (e *Engine) EnsureWrapping(ctx context.Context, req fsm.Request) (Done, fsm.Receipt, error) {
	m, err := e.wrappingMaterial(req.Tenant)
	if err != nil {
		return Done{}, fsm.Receipt{}, err
	}
	defer m.wipe()
	return e.commit(ctx, req, wrapping, func(t *turn) (uint64, error) {
		k, err := t.row()
		if err == nil {
			return k.Latest, nil
		}
		if fault.KindOf(err) != fault.NotFound {
			return 0, err
		}
		created := KeyCreated{Name: wrapping, UID: newUID(), Algorithm: wrappingAlgorithm.String(), Origin: t.entry.Tenant}
		t.entry.Add(created)
		return 1, t.add(created.UID, 1, m)
	})
}

// wrappingMaterial is a new key, empty if the tenant has one.
func (e *Engine) wrappingMaterial(tenant fsm.UID) (*material, error) {
	switch _, err := e.algorithm(tenant, wrapping); fault.KindOf(err) {
	case fault.NotFound:
		return generate(wrappingAlgorithm)
	default:
		return &material{}, err
	}
}

// RotateWrapping gives the tenant's wrapping key its next version. What was wrapped to an older one can be opened still.
func (e *Engine) RotateWrapping(ctx context.Context, req fsm.Request) (Done, fsm.Receipt, error) {
	return e.rotate(ctx, req, wrapping)
}

// Wrapping describes the latest version of a tenant's wrapping key; fault.Conflict before there is one.
func Wrapping(r fsm.Reader, tenant fsm.UID) (Version, error) {
	all, _, err := versionsOf(r, tenant, wrapping, 0, 1)
	if err == nil && len(all) == 0 {
		err = fault.New(fault.Corrupt, "the wrapping key has no version")
	}
	if fault.KindOf(err) == fault.NotFound {
		err = fault.New(fault.Conflict, "the tenant has no wrapping key yet: `trstctl transit wrapping-key` makes it")
	}
	if err != nil {
		return Version{}, err
	}
	return all[0], nil
}

// saved is a key as a backup has it (format).
type saved struct {
	UID        fsm.UID        `cbor:"1,keyasint"`
	Origin     fsm.UID        `cbor:"2,keyasint"`
	Algorithm  string         `cbor:"3,keyasint"`
	Derived    bool           `cbor:"4,keyasint,omitempty"`
	Convergent bool           `cbor:"5,keyasint,omitempty"`
	Imported   bool           `cbor:"6,keyasint,omitempty"`
	Settings   Settings       `cbor:"7,keyasint"`
	Given      uint64         `cbor:"8,keyasint"`
	Versions   []savedVersion `cbor:"9,keyasint"` // oldest first
}

type savedVersion struct {
	Number   uint64 `cbor:"1,keyasint"`
	Material []byte `cbor:"2,keyasint"`
	Reserved uint64 `cbor:"3,keyasint,omitempty"`
}

func (s *saved) wipe() {
	for _, v := range s.Versions {
		clear(v.Material)
	}
}

// Backup returns the key with all its versions, for nobody but the tenant: it is encrypted to the tenant's wrapping key.
func (u *Use) Backup() ([]byte, error) {
	to, err := Wrapping(u.r, u.tenant)
	if err != nil {
		return nil, err
	}
	return u.backup(to.Public)
}

// ExportTo returns the key with all its versions encrypted to a public RSA key, the wrapping key of a tenant elsewhere, as SubjectPublicKeyInfo in DER: whoever has the
// private key can read it. Only an exportable key leaves so.
func (u *Use) ExportTo(public []byte) ([]byte, error) {
	if err := u.exportable(); err != nil {
		return nil, err
	}
	return u.backup(public)
}

func (u *Use) exportable() error {
	if !u.row.Settings.Exportable {
		return fault.New(fault.Conflict, "key %q is not exportable", u.name)
	}
	return nil
}

func (u *Use) backup(public []byte) ([]byte, error) {
	s := saved{UID: u.row.UID, Origin: u.row.Origin, Algorithm: u.row.Algorithm, Derived: u.row.Derived, Convergent: u.row.Convergent,
		Imported: u.row.Imported, Settings: u.row.Settings, Given: u.row.Given}
	defer s.wipe()
	err := versions.Scan(u.r, fsm.Span{Prefix: fsm.K(u.tenant, u.row.UID)}, func(at fsm.Key, row versionRow) (bool, error) {
		number, _ := at.LastUint()
		b, err := u.w.keys.Open(u.r, binding(u.tenant, u.row.UID, number), row.Material)
		if err == nil {
			s.Versions = append(s.Versions, savedVersion{number, b, row.used(fsm.Epoch(u.r))})
		}
		return err == nil, err
	})
	if err != nil {
		return nil, err
	}
	plain, err := fsm.Encode(s)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return primitive.SealTo(public, plain)
}

// Export returns the private material of a version, 0 for the latest, which is the caller's to wipe, and the number of the version.
func (u *Use) Export(version uint64, f primitive.Format) ([]byte, uint64, error) {
	if err := u.exportable(); err != nil {
		return nil, 0, err
	}
	if version == 0 {
		version = u.row.Latest
	}
	k, found, err := u.version(version)
	if err == nil && !found {
		err = fault.New(fault.NotFound, "key %q has no version %d", u.name, version)
	}
	if err != nil {
		return nil, 0, err
	}
	out, err := k.Export(f)
	return out, version, err
}

// Unwrap imports material that was wrapped to the tenant's wrapping key, whichever version of it.
func (w *Worker) Unwrap(r fsm.Reader, tenant fsm.UID, a primitive.Algorithm, h primitive.Hash, blob []byte) (out *primitive.Key, err error) {
	err = w.withWrapping(r, tenant, func(k *primitive.Key) error {
		out, err = k.ImportWrapped(a, h, blob)
		return err
	})
	return out, err
}

// withWrapping tries the versions of the tenant's wrapping key, the newest first, until one opens what it is shown.
func (w *Worker) withWrapping(r fsm.Reader, tenant fsm.UID, open func(*primitive.Key) error) error {
	if _, err := Wrapping(r, tenant); err != nil {
		return err
	}
	u, err := w.use(r, tenant, wrapping)
	if err != nil {
		return err
	}
	defer u.Close()
	for number := u.row.Latest; number > 0 && number >= u.row.Oldest; number-- {
		k, found, err := u.version(number)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		if err = open(k); !errors.Is(err, primitive.ErrDecrypt) {
			return err
		}
	}
	return primitive.ErrDecrypt
}
