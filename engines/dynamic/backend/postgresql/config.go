package postgresql

import (
	"encoding/pem"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"crypto/x509"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm/fault"
)

const (
	defaultPort     = 5432
	defaultDatabase = "postgres"
	heirOption      = "heir"
	defaultHeir     = "trstctl_heir"
)

// hostName has no slash, which would make it a directory with a socket, and no colon or comma, which drivers split at.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_.])?$`)

// CheckConfig implements backend.Backend.
func (Backend) CheckConfig(c *backend.Config) error {
	fill(c)
	switch {
	case c.Host == "":
		return fault.Bad("host", "is missing")
	case !validHost(c.Host):
		return fault.Bad("host", "is a name or an IP address, without a port")
	case !validName(c.Database):
		return fault.Bad("database", "is 1 to %d bytes without control characters", nameLimit)
	case c.TLS != backend.VerifyFull && c.TLS != backend.Disable:
		return fault.Bad("tls", "is %s or %s", backend.VerifyFull, backend.Disable)
	case c.TLS == backend.Disable && len(c.CA) > 0:
		return fault.Bad("ca", "is for tls %s", backend.VerifyFull)
	}
	if err := checkCA(c.CA); err != nil {
		return err
	}
	return checkOptions(c.Options)
}

// fill fills in what was left out.
func fill(c *backend.Config) {
	if c.Port == 0 {
		c.Port = defaultPort
	}
	if c.Database == "" {
		c.Database = defaultDatabase
	}
	if c.TLS == "" {
		c.TLS = backend.VerifyFull
	}
	if c.Options[heirOption] == "" {
		c.Options = maps.Clone(c.Options)
		if c.Options == nil {
			c.Options = map[string]string{}
		}
		c.Options[heirOption] = defaultHeir
	}
}

func validHost(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || hostName.MatchString(host)
}

func validName(name string) bool {
	return name != "" && len(name) <= nameLimit && !strings.ContainsFunc(name, unicode.IsControl)
}

// checkCA takes certificates and nothing else: a key beside them would be kept where it does not belong.
func checkCA(ca []byte) error {
	for rest := ca; len(strings.TrimSpace(string(rest))) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return fault.Bad("ca", "is one or more certificates in PEM, and nothing else")
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fault.Bad("ca", "has a certificate that cannot be read: %v", err)
		}
	}
	return nil
}

func checkOptions(options map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if name != heirOption {
			return fault.Bad("options", "%q is not one of a postgresql connection: there is %s", name, heirOption)
		}
	}
	heir := options[heirOption]
	if !validName(heir) || strings.HasPrefix(heir, "pg_") {
		return fault.Bad("options", "heir is the name of a role, of 1 to %d bytes, not beginning with pg_", nameLimit)
	}
	return nil
}
