package backend

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"maps"

	"github.com/trstctl/trstctl/fsm/fault"
)

// hostName has no slash, which would make it a path to some drivers, and no colon or comma, which they split at.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_.])?$`)

// Check fills in the usual port and verify-full where they were left out, and refuses what is wrong of host, TLS mode and CA.
func (c *Config) Check(usualPort uint16) error {
	if c.Port == 0 {
		c.Port = usualPort
	}
	if c.TLS == "" {
		c.TLS = VerifyFull
	}
	switch {
	case c.Host == "":
		return fault.Bad("host", "is missing")
	case !validHost(c.Host):
		return fault.Bad("host", "is a name or an IP address, without a port")
	case c.TLS != VerifyFull && c.TLS != Disable:
		return fault.Bad("tls", "is %s or %s", VerifyFull, Disable)
	case c.TLS == Disable && len(c.CA) > 0:
		return fault.Bad("ca", "is for tls %s", VerifyFull)
	}
	return checkCA(c.CA)
}

func validHost(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || hostName.MatchString(host)
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

// TLSConfig is what connections are made with, nil for those in the clear.
func (c Config) TLSConfig() *tls.Config {
	if c.TLS == Disable {
		return nil
	}
	t := &tls.Config{ServerName: c.Host, MinVersion: tls.VersionTLS12}
	if len(c.CA) > 0 {
		t.RootCAs = x509.NewCertPool()
		t.RootCAs.AppendCertsFromPEM(c.CA)
	}
	return t
}

// CheckOptions refuses options whose names are not among those that a backend knows; of is such as "a postgresql connection".
func CheckOptions(options map[string]string, of string, known ...string) error {
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if !slices.Contains(known, name) {
			return fault.Bad("options", "%q is not one of %s: there is %s", name, of, strings.Join(known, ", "))
		}
	}
	return nil
}
