package kmip

import (
	"crypto/tls"

	"github.com/trstctl/trstctl/fsm/chaos"
)

// legacySuites are what the basic profiles of KMIP 1.0 to 1.2 ask for (KMIP Profiles 1.2 section 3.1), and old arrays know nothing else: RSA key exchange, which gives
// away what was sent before to whoever gets the server's key later, and CBC with SHA-1. They stand behind the others.
var legacySuites = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA256, tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA}

// TLS is the configuration of a server whose certificate is what certificate returns. TLS is 1.2 or 1.3. Any client's certificate is accepted here, and looked at with
// every message: a session that is resumed says no more than the one that it was.
func TLS(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error), legacy bool) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, Time: chaos.Now, ClientAuth: tls.RequireAnyClientCert, GetCertificate: certificate}
	if legacy {
		for _, s := range tls.CipherSuites() {
			c.CipherSuites = append(c.CipherSuites, s.ID)
		}
		c.CipherSuites = append(c.CipherSuites, legacySuites...)
	}
	return c
}
