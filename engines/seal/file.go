package seal

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/mutant"
)

// KeySize is the size of a key file in bytes: an AES-256 key, raw.
const KeySize = 32

const (
	saltSize = 32
	wrapInfo = "trstctl seal file v1"
)

// key is 32 bytes that no formatter prints.
type key [KeySize]byte

func (key) String() string                 { return "[redacted]" }
func (key) GoString() string               { return "[redacted]" }
func (key) Format(f fmt.State, _ rune)     { io.WriteString(f, "[redacted]") }
func (key) LogValue() slog.Value           { return slog.StringValue("[redacted]") }
func (key) MarshalJSON() ([]byte, error)   { return []byte(`"[redacted]"`), nil }
func (key) MarshalText() ([]byte, error)   { return []byte("[redacted]"), nil }
func (key) MarshalBinary() ([]byte, error) { return nil, errors.New("a key is not marshalled") }

// File is a Seal whose key stands in a file.
type File struct {
	name string
	path string
	key  key
}

// OpenFile reads the key at path. It refuses what is not a regular file of exactly 32 bytes, mode 0600 or stricter, owned by the
// process's user or root; a missing file is never made.
func OpenFile(path string) (*File, error) {
	// a FIFO would hold a start up until someone writes to it: it is opened at once, and refused below
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fault.New(fault.Invalid, "the KEK file %s does not exist: copy it from where it is kept, or make one for a new cluster with `trstctl operator keygen %s`", path, path)
	case errors.Is(err, syscall.ELOOP):
		return nil, fault.New(fault.Invalid, "the KEK file %s is a symbolic link: name the file itself", path)
	case err != nil:
		return nil, fmt.Errorf("open the KEK file: %w", err)
	}
	defer f.Close()
	if err := wellKept(f, path); err != nil {
		return nil, err
	}
	s := &File{name: KindFile, path: path}
	if _, err := io.ReadFull(f, s.key[:]); err != nil {
		return nil, fmt.Errorf("read the KEK file %s: %w", path, err)
	}
	return s, nil
}

// wellKept looks at the open file, so that nothing can be exchanged in between.
func wellKept(f *os.File, path string) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("look at the KEK file: %w", err)
	}
	st, _ := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return fault.New(fault.Invalid, "the KEK file %s is not a regular file", path)
	case info.Mode().Perm()&0o077 != 0:
		return fault.New(fault.Invalid, "the KEK file %s has mode %04o, others could read it: run `chmod 600 %s`", path, info.Mode().Perm(), path)
	case st != nil && st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return fault.New(fault.Invalid, "the KEK file %s belongs to user %d, not to the one that runs the node (%d): run `chown %d %s`", path, st.Uid, os.Geteuid(), os.Geteuid(), path)
	case info.Size() != KeySize:
		return fault.New(fault.Invalid, "the KEK file %s has %d bytes, a key has exactly %d: make one with `trstctl operator keygen`", path, info.Size(), KeySize)
	}
	return nil
}

// Keygen writes a new random key to path, mode 0600, durably. An existing file is never touched.
func Keygen(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fault.New(fault.Conflict, "%s exists: a key that is in use must not be overwritten, choose another name", path)
	}
	if err != nil {
		return fmt.Errorf("make the KEK file: %w", err)
	}
	var k key
	rand.Read(k[:])
	defer clear(k[:])
	_, err = f.Write(k[:])
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write the KEK file %s: %w", path, err), os.Remove(path))
	}
	if mutant.SkippedDirectoryFsync {
		return nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("sync the KEK file's directory: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// As gives the seal another name than "file", for a cluster that has several.
func (s *File) As(name string) *File {
	s.name = name
	return s
}

// Name and Kind implement Seal.
func (s *File) Name() string { return s.name }
func (s *File) Kind() string { return KindFile }

// Wrap implements Seal: 32 bytes salt, 12 bytes nonce, ciphertext and tag. The key that encrypts is derived with the salt, so
// that it is never used twice.
func (s *File) Wrap(_ context.Context, plaintext, aad []byte) ([]byte, error) {
	head := make([]byte, saltSize+12, saltSize+12+len(plaintext)+16)
	rand.Read(head)
	aead, err := s.aead(head[:saltSize])
	if err != nil {
		return nil, err
	}
	return aead.Seal(head, head[saltSize:], plaintext, aad), nil
}

// Unwrap implements Seal.
func (s *File) Unwrap(_ context.Context, wrapped, aad []byte) ([]byte, error) {
	if len(wrapped) < saltSize+12+16 {
		return nil, fmt.Errorf("a wrapped key of %d bytes: %w", len(wrapped), ErrWrongKey)
	}
	aead, err := s.aead(wrapped[:saltSize])
	if err != nil {
		return nil, err
	}
	out, err := aead.Open(nil, wrapped[saltSize:saltSize+12], wrapped[saltSize+12:], aad)
	if err != nil {
		return nil, fmt.Errorf("the KEK file %s: %w", s.path, ErrWrongKey)
	}
	return out, nil
}

func (s *File) aead(salt []byte) (cipher.AEAD, error) {
	k, err := hkdf.Key(sha256.New, s.key[:], salt, wrapInfo, KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive a wrapping key: %w", err)
	}
	defer clear(k)
	block, err := aes.NewCipher(k)
	if err != nil {
		return nil, fmt.Errorf("make a cipher: %w", err)
	}
	return cipher.NewGCM(block)
}

// Close zeroes the key.
func (s *File) Close() { clear(s.key[:]) }

// Format keeps the key out of every formatter: a method of the field itself is not called for an unexported field.
func (s *File) Format(f fmt.State, _ rune) { io.WriteString(f, "seal file "+s.path) }
