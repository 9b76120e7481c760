package seal

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/durable"
	"github.com/trstctl/trstctl/fsm/fault"
)

// A pinMark is a file that forbids a second login with a PIN that the token has refused, also after restarts: a token locks itself after a few
// wrong ones, and a node that tries again and again would use them up.
//
// A PIN is short, so whatever is derived from one can be tried through; a file that only had a slow hash of it would give it away.
// Therefore 12 bits of the hash are kept. Whoever reads the mark learns little: thousands of 6-digit PINs share them, and the token bears a few
// attempts. A new PIN is taken for the old one once in 4096 times; the message then says what to do. That the file's age or name changed
// says nothing (a restart of a pod makes a new file), so these are not looked at.
//
// It is written before each login, as an attempt, and removed after success: if the node, the child or the machine dies in the login, the next one
// knows. An attempt whose end nobody saw is taken for refused when the token says that a wrong PIN was entered since the last login.
type pinMark struct{ path string }

type markContent struct {
	Refused bool      `json:"refused"` // the token said no; false is an attempt that has not ended
	Why     string    `json:"why,omitempty"`
	At      time.Time `json:"at"`
	Salt    []byte    `json:"salt"`
	Bits    uint16    `json:"bits"`
}

const (
	markIterations = 100_000
	markBits       = 0x0fff
)

// bits of a PIN, for one module and token: the same PIN may be right for another one.
func (c PKCS11Config) bits(pin, salt []byte) (uint16, error) {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(c.Module)))
	b = binary.BigEndian.AppendUint32(append(b, c.Module...), uint32(len(c.Token)))
	b = append(append(b, c.Token...), salt...)
	sum, err := pbkdf2.Key(sha256.New, string(pin), b, markIterations, sha256.Size) // the only form that it takes a password in
	if err != nil {
		return 0, fmt.Errorf("digest a PIN: %w", err)
	}
	return binary.BigEndian.Uint16(sum) & markBits, nil
}

// read returns the mark, nil if there is none. One that cannot be read forbids as well.
func (m pinMark) read() (*markContent, error) {
	b, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var c markContent
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "the mark of a refused PIN, %s, cannot be read, so nobody logs in: see that the PIN is right, then run `trstctl operator seal retry`", m.path).Because(err)
	}
	return &c, nil
}

// write makes the mark durable before it returns.
func (m pinMark) write(c markContent) error {
	b, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode the mark of a PIN: %w", err)
	}
	dir := filepath.Dir(m.path)
	if err := durable.MakeDir(dir); err != nil {
		return fmt.Errorf("make the directory of PIN marks: %w", err)
	}
	f, err := os.CreateTemp(dir, filepath.Base(m.path)+".*")
	if err != nil {
		return fmt.Errorf("write the mark of a PIN: %w", err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), m.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the mark of a PIN: %w", err), os.Remove(f.Name()))
	}
	return durable.SyncDir(dir)
}

// remove takes the mark away durably, if there is one.
func (m pinMark) remove() error {
	err := os.Remove(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove the mark of a PIN: %w", err)
	}
	return durable.SyncDir(filepath.Dir(m.path))
}

// attempt makes the content of a mark for pin.
func (c PKCS11Config) attempt(pin []byte) (markContent, error) {
	salt := make([]byte, 16)
	rand.Read(salt)
	bits, err := c.bits(pin, salt)
	return markContent{At: chaos.Now().UTC().Truncate(time.Second), Salt: salt, Bits: bits}, err
}
