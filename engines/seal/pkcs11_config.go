package seal

import (
	"encoding/hex"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/trstctl/trstctl/engines/seal/token"
	"github.com/trstctl/trstctl/fsm/fault"
)

// PKCS11Config says which key of which token seals.
type PKCS11Config struct {
	Module     string            `koanf:"module"`      // absolute path of the HSM's PKCS#11 library
	Token      string            `koanf:"token"`       // label of the token; slot numbers change and are not taken
	PINFile    string            `koanf:"pin_file"`    // file that holds the user's PIN; exactly one of pin_file, pin_env, pin_command
	PINEnv     string            `koanf:"pin_env"`     // variable that holds it
	PINCommand []string          `koanf:"pin_command"` // program and arguments that print it
	Key        string            `koanf:"key"`         // label of the key; exactly one of key, key_id
	KeyID      string            `koanf:"key_id"`      // its CKA_ID in hexadecimal
	Mechanism  string            `koanf:"mechanism"`   // AES_GCM (default), AES_KEY_WRAP_PAD, AES_CBC_PAD, RSA_OAEP
	MACKey     string            `koanf:"mac_key"`     // label of the HMAC key beside an AES_CBC_PAD key; the key's label and "-mac" unless given
	OAEPHash   string            `koanf:"oaep_hash"`   // of RSA_OAEP: sha1, sha256 (default), sha384, sha512
	Reserved   string            `koanf:"reserved"`    // reserved parameters for C_Initialize, which NSS wants
	Env        map[string]string `koanf:"env"`         // more environment for the module, such as SOFTHSM2_CONF
}

// Validate returns what is wrong, with the key's name. It looks at nothing outside.
func (c PKCS11Config) Validate() error {
	for _, check := range []func() error{c.checkToken, c.checkPIN, c.checkKey, c.checkMechanism, c.checkEnv} {
		if err := check(); err != nil {
			return err
		}
	}
	if !token.Built {
		return fault.New(fault.Invalid, "PKCS#11 is not in this binary, which was built without cgo: install one that was built with it, or use another seal")
	}
	return nil
}

func (c PKCS11Config) checkToken() error {
	switch {
	case c.Module == "":
		return fault.Bad("module", "module is missing: name the HSM's PKCS#11 library")
	case !filepath.IsAbs(c.Module):
		return fault.Bad("module", "module %q is not an absolute path", c.Module)
	case c.Token == "":
		return fault.Bad("token", "token is missing: give the token's label")
	case len(c.Token) > 32:
		return fault.Bad("token", "token %q is longer than a label can be, 32 bytes", c.Token)
	}
	return nil
}

func (c PKCS11Config) checkPIN() error {
	n := 0
	for _, given := range []bool{c.PINFile != "", c.PINEnv != "", len(c.PINCommand) > 0} {
		if given {
			n++
		}
	}
	switch {
	case n != 1:
		return fault.Bad("pin_file", "%d of pin_file, pin_env and pin_command are given: the PIN comes from exactly one", n)
	case c.PINFile != "" && !filepath.IsAbs(c.PINFile):
		return fault.Bad("pin_file", "pin_file %q is not an absolute path", c.PINFile)
	case len(c.PINCommand) > 0 && !filepath.IsAbs(c.PINCommand[0]):
		return fault.Bad("pin_command", "pin_command %q is not an absolute path", c.PINCommand[0])
	case strings.ContainsAny(c.PINEnv, "=\x00"):
		return fault.Bad("pin_env", "pin_env %q is not the name of a variable", c.PINEnv)
	}
	return nil
}

func (c PKCS11Config) checkKey() error {
	id, err := hex.DecodeString(c.KeyID)
	switch {
	case (c.Key == "") == (c.KeyID == ""):
		return fault.Bad("key", "give exactly one of key (a label) and key_id")
	case err != nil || len(id) > 64:
		return fault.Bad("key_id", "key_id %q is not a CKA_ID in hexadecimal", c.KeyID)
	}
	return nil
}

func (c PKCS11Config) checkMechanism() error {
	m, ok := token.ParseMechanism(c.mechanism())
	switch {
	case !ok:
		return fault.Bad("mechanism", "mechanism %q is not known: use AES_GCM, AES_KEY_WRAP_PAD, AES_CBC_PAD or RSA_OAEP", c.Mechanism)
	case c.OAEPHash != "" && m != token.OAEP:
		return fault.Bad("oaep_hash", "oaep_hash goes with mechanism RSA_OAEP")
	case !slices.Contains([]string{"sha1", "sha256", "sha384", "sha512"}, c.hash()):
		return fault.Bad("oaep_hash", "oaep_hash %q is not known: use sha1, sha256, sha384 or sha512", c.OAEPHash)
	case c.MACKey != "" && m != token.CBC:
		return fault.Bad("mac_key", "mac_key goes with mechanism AES_CBC_PAD")
	case m == token.CBC && c.macKey() == "":
		return fault.Bad("mac_key", "mac_key is missing: AES_CBC_PAD needs the label of a second key, and there is no key label to derive it from")
	case m == token.CBC && c.macKey() == c.Key:
		return fault.Bad("mac_key", "mac_key names the key itself: AES_CBC_PAD needs a second one")
	}
	return nil
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (c PKCS11Config) checkEnv() error {
	for name, value := range c.Env {
		switch {
		case !envName.MatchString(name):
			return fault.Bad("env", "env %q is not the name of a variable", name)
		case strings.HasPrefix(name, "TRSTCTL_"):
			return fault.Bad("env", "env %s is ours: the module does not get it", name)
		case strings.Contains(value, "\x00"):
			return fault.Bad("env", "env %s has a zero byte in its value", name)
		}
	}
	if strings.Contains(c.Reserved, "\x00") {
		return fault.Bad("reserved", "reserved has a zero byte in it")
	}
	return nil
}

func (c PKCS11Config) mechanism() string {
	if c.Mechanism == "" {
		return token.GCM.String()
	}
	return c.Mechanism
}

func (c PKCS11Config) hash() string {
	if c.OAEPHash == "" {
		return "sha256"
	}
	return c.OAEPHash
}

func (c PKCS11Config) macKey() string {
	if c.MACKey == "" && c.Key != "" {
		return c.Key + "-mac"
	}
	return c.MACKey
}

// settings are what the child is told of a valid configuration.
func (c PKCS11Config) settings() token.Settings {
	m, _ := token.ParseMechanism(c.mechanism())
	id, _ := hex.DecodeString(c.KeyID)
	s := token.Settings{Module: c.Module, Reserved: c.Reserved, Token: c.Token, Label: c.Key, ID: id, Mechanism: m}
	switch m {
	case token.CBC:
		s.MACLabel = c.macKey()
	case token.OAEP:
		s.Hash = c.hash()
	}
	return s
}
