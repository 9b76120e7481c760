package seal

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/seal/token"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestAConfigurationIsJudgedByItsKeys(t *testing.T) {
	good := PKCS11Config{Module: "/lib/m.so", Token: "kek", PINFile: "/etc/pin", Key: "root"}
	for name, c := range map[string]struct {
		change func(*PKCS11Config)
		key    string
	}{
		"good":                   {func(*PKCS11Config) {}, ""},
		"by id":                  {func(c *PKCS11Config) { c.Key, c.KeyID = "", "0aff" }, ""},
		"cbc":                    {func(c *PKCS11Config) { c.Mechanism = "AES_CBC_PAD" }, ""},
		"oaep":                   {func(c *PKCS11Config) { c.Mechanism, c.OAEPHash = "RSA_OAEP", "sha1" }, ""},
		"env":                    {func(c *PKCS11Config) { c.Env = map[string]string{"SOFTHSM2_CONF": "/x"} }, ""},
		"no module":              {func(c *PKCS11Config) { c.Module = "" }, "module"},
		"relative module":        {func(c *PKCS11Config) { c.Module = "m.so" }, "module"},
		"no token":               {func(c *PKCS11Config) { c.Token = "" }, "token"},
		"long token":             {func(c *PKCS11Config) { c.Token = "123456789012345678901234567890123" }, "token"},
		"no pin":                 {func(c *PKCS11Config) { c.PINFile = "" }, "pin_file"},
		"two pins":               {func(c *PKCS11Config) { c.PINEnv = "PIN" }, "pin_file"},
		"relative pin":           {func(c *PKCS11Config) { c.PINFile = "pin" }, "pin_file"},
		"relative command":       {func(c *PKCS11Config) { c.PINFile, c.PINCommand = "", []string{"cat"} }, "pin_command"},
		"pin variable":           {func(c *PKCS11Config) { c.PINFile, c.PINEnv = "", "A=B" }, "pin_env"},
		"no key":                 {func(c *PKCS11Config) { c.Key = "" }, "key"},
		"two keys":               {func(c *PKCS11Config) { c.KeyID = "00" }, "key"},
		"id":                     {func(c *PKCS11Config) { c.Key, c.KeyID = "", "xy" }, "key_id"},
		"mechanism":              {func(c *PKCS11Config) { c.Mechanism = "AES_ECB" }, "mechanism"},
		"hash":                   {func(c *PKCS11Config) { c.Mechanism, c.OAEPHash = "RSA_OAEP", "md5" }, "oaep_hash"},
		"hash of another":        {func(c *PKCS11Config) { c.OAEPHash = "sha1" }, "oaep_hash"},
		"mac of another":         {func(c *PKCS11Config) { c.MACKey = "x" }, "mac_key"},
		"mac of an id":           {func(c *PKCS11Config) { c.Key, c.KeyID, c.Mechanism = "", "00", "AES_CBC_PAD" }, "mac_key"},
		"mac is the key":         {func(c *PKCS11Config) { c.Mechanism, c.MACKey = "AES_CBC_PAD", "root" }, "mac_key"},
		"our variable":           {func(c *PKCS11Config) { c.Env = map[string]string{"TRSTCTL_TOKEN": "x"} }, "env"},
		"no variable":            {func(c *PKCS11Config) { c.Env = map[string]string{"A B": "x"} }, "env"},
		"zero byte":              {func(c *PKCS11Config) { c.Env = map[string]string{"A": "\x00"} }, "env"},
		"zero byte for the init": {func(c *PKCS11Config) { c.Reserved = "\x00" }, "reserved"},
	} {
		t.Run(name, func(t *testing.T) {
			conf := good
			c.change(&conf)
			err := conf.Validate()
			if c.key == "" {
				if token.Built {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, "built without cgo")
				}
				return
			}
			require.True(t, fault.Is(err, fault.Invalid))
			require.Equal(t, c.key, err.(*fault.Error).Field)
			require.ErrorContains(t, err, c.key)
		})
	}
}

// A seal whose HSM is away is made all the same: whether it answers shows when it is asked.
func TestOpeningAsksNobody(t *testing.T) {
	if !token.Built {
		t.Skip("built without cgo")
	}
	conf := PKCS11Config{Module: "/does/not/exist.so", Token: "kek", PINFile: "/does/not/exist", Key: "root"}
	dir := t.TempDir()
	s, err := OpenPKCS11("hsm", conf, filepath.Join(dir, "seals"), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Equal(t, "hsm", s.Name())
	require.Equal(t, "pkcs11", s.Kind())
	require.NoError(t, s.Problem())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
	require.ErrorContains(t, s.Test(t.Context()), "pin_file")
	s.Close()
	s.Close()
	require.ErrorContains(t, s.Test(t.Context()), "closed")
	for _, id := range []string{"", "../x", "A", "-x", "x/y"} {
		_, err := OpenPKCS11(id, conf, dir, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, "no name of a seal", id)
	}
}

func TestWhatAModuleInherits(t *testing.T) {
	got := childEnv([]string{"PATH=/bin", "TRSTCTL_TOKEN=t", "SOFTHSM2_CONF=/old", "AWS_SECRET_ACCESS_KEY=k", "LD_PRELOAD=x"}, map[string]string{"SOFTHSM2_CONF": "/new", "VENDOR": "v"})
	require.ElementsMatch(t, []string{"PATH=/bin", "SOFTHSM2_CONF=/new", "VENDOR=v"}, got)
}
