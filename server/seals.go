package server

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm/fault"
)

// SealEntry is one seal of a node. Several wrap the same keys, and any one that answers opens the node.
type SealEntry struct {
	ID                string `koanf:"id"`   // the seal's name in the cluster, the same on every node that has this key; the kind unless given
	Kind              string `koanf:"kind"` // pkcs11, file, or shamir: shares that people give with `trstctl operator unseal`
	File              string `koanf:"file"` // of a file seal: 32 bytes, mode 0600, made by `trstctl operator keygen`
	seal.PKCS11Config `koanf:",squash"`
}

func (s SealEntry) id() string {
	if s.ID == "" {
		return s.Kind
	}
	return s.ID
}

// seals are the configured ones, in order. `seal.file` alone is a short way to say one.
func (c *Config) seals() []SealEntry {
	if c.Seal.File != "" && len(c.Seals) == 0 {
		return []SealEntry{{Kind: seal.KindFile, File: c.Seal.File}}
	}
	return c.Seals
}

// SealNamed returns the configured seal of this name.
func (c *Config) SealNamed(id string) (SealEntry, error) {
	var known []string
	for _, s := range c.seals() {
		if s.id() == id {
			return s, nil
		}
		known = append(known, s.id())
	}
	return SealEntry{}, fault.New(fault.NotFound, "the configuration has no seal %q; it has %s", id, strings.Join(known, ", "))
}

// validateSeals reports every fault with its key.
func (c *Config) validateSeals(bad func(key, format string, args ...any)) {
	if c.Seal.File != "" && len(c.Seals) > 0 {
		bad("seal.file", "goes without seals: name the file there, as {kind: file, file: %s}", c.Seal.File)
	}
	if len(c.seals()) == 0 {
		bad("seals", "name at least one seal: {kind: pkcs11, …}, {kind: file, file: PATH} (or seal.file, or TRSTCTL_SECRETS_KEK_FILE; `trstctl operator keygen FILE` makes one), or {kind: shamir} for shares alone")
	}
	var ids []string
	for i, s := range c.Seals {
		key := fmt.Sprintf("seals[%d]", i)
		if err := s.validate(); err != nil {
			bad(key, "%v", err)
		}
		if slices.Contains(ids, s.id()) {
			bad(key+".id", "another seal is called %q: give each an id of its own", s.id())
		}
		ids = append(ids, s.id())
	}
}

func (s SealEntry) validate() error {
	if s.Kind != seal.KindPKCS11 && !reflect.ValueOf(s.PKCS11Config).IsZero() {
		return fmt.Errorf("module, token, key and the like belong to kind: pkcs11, this is %q", s.Kind)
	}
	if s.Kind != seal.KindFile && s.File != "" {
		return fmt.Errorf("file belongs to kind: file, this is %q", s.Kind)
	}
	switch s.Kind {
	case seal.KindFile:
		if s.File == "" {
			return errors.New("file is missing: name the file with the key")
		}
	case seal.KindPKCS11:
		if err := s.PKCS11Config.Validate(); err != nil {
			return err
		}
	case seal.KindShamir:
		if s.ID != "" {
			return errors.New("id: a cluster has one set of shares, which needs no name")
		}
		return nil
	default:
		return fmt.Errorf("kind: %q is none of pkcs11, file, shamir", s.Kind)
	}
	return seal.ValidID(s.id())
}

// open makes the seal; nil for shares, which nobody has at a start.
func (s SealEntry) open(dir string, log *slog.Logger) (seal.Seal, error) {
	switch s.Kind {
	case seal.KindFile:
		f, err := seal.OpenFile(s.File)
		if err != nil {
			return nil, err
		}
		return f.As(s.id()), nil
	case seal.KindPKCS11:
		return s.HSM(dir, log)
	}
	return nil, nil
}

// HSM is a pkcs11 seal; it keeps what it has to remember, such as refused PINs, below the node's data directory.
func (s SealEntry) HSM(dir string, log *slog.Logger) (*seal.PKCS11, error) {
	if s.Kind != seal.KindPKCS11 {
		return nil, fault.New(fault.Invalid, "seal %q is of kind %s, not pkcs11", s.id(), s.Kind)
	}
	return seal.OpenPKCS11(s.id(), s.PKCS11Config, filepath.Join(dir, "seals"), log)
}

// openSeals opens all of a node's. A key file that is missing or badly kept is refused when it is the only seal; beside others it is said, and the
// others have to do.
func openSeals(c Config, log *slog.Logger) (out []seal.Seal, err error) {
	entries := c.seals()
	for _, e := range entries {
		s, err := e.open(c.Data, log)
		switch {
		case err != nil && len(entries) == 1:
			return nil, err
		case err != nil:
			log.Error("a seal cannot be used: this node opens with the others only", "seal", e.id(), "err", err)
		case s != nil:
			out = append(out, s)
		}
	}
	return out, nil
}
