package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

const sourceHelp = `A client is known by what it shows when it connects:
  nothing else given                 a key that a node makes, and a certificate for it
  --csr FILE                         a certificate that is issued for a request (PKCS#10, PEM); the names in it are ignored
  --certificate FILE                 a certificate from elsewhere, PEM
  --fingerprint HEX                  the same, of which only the SHA-256 is known
  --public-key-fingerprint HEX       any valid certificate for a key, by the SHA-256 of its SubjectPublicKeyInfo
  --pending HEX                      the certificate that presented itself (trstctl kmip pending), by the SHA-256 of its SubjectPublicKeyInfo
  --subject-der FILE --ca NAME       any valid certificate with a subject from an external CA (trstctl kmip ca add); FILE is the subject in DER, or a
                                     certificate in PEM that has it
What a client was once known by is never bound to another. FILE may be -, which is stdin.`

// source is by what a client is to be known, as the flags have it.
type source struct {
	csr, certificate, fingerprint, publicKey, pending, subject, ca, algorithm string
	ttl                                                                       time.Duration
}

func sourceFlags(c *cobra.Command) *source {
	s := &source{}
	f := c.Flags()
	f.StringVar(&s.csr, "csr", "", "file with a certificate request in PEM")
	f.StringVar(&s.certificate, "certificate", "", "file with a certificate from elsewhere in PEM")
	f.StringVar(&s.fingerprint, "fingerprint", "", "SHA-256 of a certificate from elsewhere, with colons or without")
	f.StringVar(&s.publicKey, "public-key-fingerprint", "", "SHA-256 of a SubjectPublicKeyInfo")
	f.StringVar(&s.pending, "pending", "", "SHA-256 of the SubjectPublicKeyInfo of a certificate that presented itself")
	f.StringVar(&s.subject, "subject-der", "", "file with a subject in DER, or a certificate in PEM that has it; with --ca")
	f.StringVar(&s.ca, "ca", "", "name of an external CA; with --subject-der")
	f.StringVar(&s.algorithm, "algorithm", "", "of a key that is made: rsa-2048 (default), rsa-3072 or ec-p256")
	f.DurationVar(&s.ttl, "ttl", 0, "of a certificate that is issued: a minute to ten years (a year unless given)")
	return s
}

// given counts by how many things the client would be known.
func (s *source) given() (n int) {
	for _, text := range []string{s.csr, s.certificate, s.fingerprint, s.publicKey, s.pending, s.subject} {
		if text != "" {
			n++
		}
	}
	return n
}

// makes reports whether a node makes a key, issues whether it issues a certificate.
func (s *source) makes() bool  { return s.given() == 0 }
func (s *source) issues() bool { return s.makes() || s.csr != "" }

// stdin reports whether it is read from there.
func (s *source) stdin() bool { return s.csr == "-" || s.certificate == "-" || s.subject == "-" }

func (s *source) check(c *cobra.Command) error {
	switch {
	case s.given() > 1:
		return usagef("a client is known by one of --csr, --certificate, --fingerprint, --public-key-fingerprint, --pending and --subject-der, or by a key that is made: give one, or none")
	case s.algorithm != "" && !s.makes():
		return usagef("--algorithm goes with a key that is made: leave it out, or the rest")
	case c.Flag("ttl").Changed && !s.issues():
		return usagef("--ttl goes with a certificate that is issued: leave it out")
	case c.Flag("ttl").Changed && (s.ttl < time.Minute || s.ttl%time.Second != 0):
		return usagef("--ttl is a duration in whole seconds from a minute to ten years, such as 8760h")
	case (s.ca == "") != (s.subject == ""):
		return usagef("--subject-der and --ca go together: the subject, and the name of the external CA that vouches for it")
	}
	return nil
}

func (s *source) read(a *app) (sdk.KMIPSource, error) {
	text := func(file, what string) (string, error) {
		b, err := a.document(file, maxPublic, what)
		return string(b), err
	}
	switch {
	case s.csr != "":
		csr, err := text(s.csr, "the request")
		return sdk.KMIPRequest(csr, s.ttl), err
	case s.certificate != "":
		certificate, err := text(s.certificate, "the certificate")
		return sdk.KMIPCertificate(certificate), err
	case s.fingerprint != "":
		return sdk.KMIPFingerprint(s.fingerprint), nil
	case s.publicKey != "":
		return sdk.KMIPPublicKey(s.publicKey), nil
	case s.pending != "":
		return sdk.KMIPPresented(s.pending), nil
	case s.subject != "":
		b, err := a.document(s.subject, maxPublic, "the subject")
		if err == nil {
			b, err = subjectOf(b)
		}
		return sdk.KMIPSubject(s.ca, b), err
	}
	return sdk.KMIPMadeKey(s.algorithm, s.ttl), nil
}

// subjectOf takes the subject out of a certificate in PEM; anything else is the subject itself.
func subjectOf(b []byte) ([]byte, error) {
	block, _ := pem.Decode(b)
	if block == nil {
		if len(b) == 0 || bytes.HasPrefix(b, []byte("-----")) {
			return nil, usagef("--subject-der holds neither a subject in DER nor a certificate in PEM")
		}
		return b, nil
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, usagef("--subject-der: %v", err)
	}
	return c.RawSubject, nil
}
