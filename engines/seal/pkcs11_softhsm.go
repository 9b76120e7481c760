package seal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"

	"github.com/trstctl/trstctl/fsm/fault"
)

// SoftHSM is a token in files, for development and tests.
type SoftHSM struct {
	Module  string
	Conf    string // softhsm2.conf
	Label   string
	PINFile string
}

// softHSMModules is where distributions put the library.
var softHSMModules = []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
	"/usr/lib64/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"}

// SoftHSMModule finds the library.
func SoftHSMModule() (string, error) {
	for _, m := range softHSMModules {
		if _, err := os.Stat(m); err == nil {
			return m, nil
		}
	}
	return "", fault.New(fault.Invalid, "SoftHSM is not installed: on Debian `apt-get install softhsm2`")
}

// MakeSoftHSM makes a token with this label in dir, with random PINs in files that only this user can read; a token that it made earlier is taken
// again. executable is the trstctl whose child loads the library.
func MakeSoftHSM(ctx context.Context, executable, dir, label string) (SoftHSM, error) {
	s := SoftHSM{Conf: filepath.Join(dir, "softhsm2.conf"), Label: label, PINFile: filepath.Join(dir, label+".pin")}
	var err error
	if s.Module, err = SoftHSMModule(); err != nil {
		return s, err
	}
	if _, err := os.Stat(s.PINFile); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return s, err // the PIN is given its name last, when the token is whole
	}
	if err := s.layOut(dir); err != nil {
		return s, err
	}
	return s, s.initToken(ctx, executable)
}

func (s SoftHSM) layOut(dir string) error {
	tokens := filepath.Join(dir, "tokens")
	if err := os.MkdirAll(tokens, 0o700); err != nil {
		return fmt.Errorf("make the directory of tokens: %w", err)
	}
	conf := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n", tokens)
	if err := os.WriteFile(s.Conf, []byte(conf), 0o600); err != nil {
		return fmt.Errorf("write SoftHSM's configuration: %w", err)
	}
	return nil
}

func (s SoftHSM) initToken(ctx context.Context, executable string) error {
	officer, pin := randomPIN(), randomPIN()
	defer clear(officer)
	defer clear(pin)
	if err := os.WriteFile(s.PINFile+".so", officer, 0o600); err != nil {
		return fmt.Errorf("keep the security officer's PIN: %w", err)
	}
	if err := os.WriteFile(s.PINFile+".new", pin, 0o600); err != nil {
		return fmt.Errorf("keep the PIN: %w", err)
	}
	err := InitToken(ctx, executable, s.Module, s.env(), s.Label, officer, pin)
	if fault.Is(err, fault.Conflict) {
		return fault.New(fault.Conflict, "%s has a token %q that was not finished: move %s aside and start again", filepath.Dir(s.Conf), s.Label, filepath.Dir(s.Conf))
	}
	if err != nil {
		return err
	}
	return os.Rename(s.PINFile+".new", s.PINFile)
}

func (s SoftHSM) env() map[string]string { return map[string]string{"SOFTHSM2_CONF": s.Conf} }

// Config names a key on the token; the rest is the default.
func (s SoftHSM) Config(key string) PKCS11Config {
	return PKCS11Config{Module: s.Module, Token: s.Label, PINFile: s.PINFile, Key: key, Env: s.env()}
}

// randomPIN has 16 digits.
func randomPIN() []byte {
	pin := make([]byte, 16)
	for i := range pin {
		n, _ := rand.Int(rand.Reader, big.NewInt(10)) // its reader never fails
		pin[i] = '0' + byte(n.Int64())
	}
	return pin
}
