package sdk

import (
	"context"
	"net/http"
	"time"
)

// KMIPSource is by what a client is to be known. The zero value has the node make a key and issue a certificate for it, as KMIPMadeKey does.
type KMIPSource struct{ wire sourceWire }

// sourceWire has pointers so that what is empty by mistake is sent as such, and refused.
type sourceWire struct {
	CSR         *string `json:"csr,omitempty"`
	Certificate *string `json:"certificate,omitempty"`
	Fingerprint *string `json:"fingerprint,omitempty"`
	PublicKey   *string `json:"public_key_fingerprint,omitempty"`
	Pending     *string `json:"pending_public_key_fingerprint,omitempty"`
	Subject     *[]byte `json:"subject_der,omitempty"`
	CA          string  `json:"ca,omitempty"`
	Algorithm   string  `json:"algorithm,omitempty"`
	TTL         string  `json:"ttl,omitempty"`
}

// KMIPMadeKey has the node make a key (rsa-2048, "" is that, rsa-3072 or ec-p256) and issue a certificate for it, which lives for ttl: a minute to ten years, and a year
// for 0. The key is in the answer and is stored nowhere.
func KMIPMadeKey(algorithm string, ttl time.Duration) KMIPSource {
	return KMIPSource{sourceWire{Algorithm: algorithm, TTL: span(ttl)}}
}

// KMIPRequest has the node issue a certificate for a request (PKCS#10) in PEM; the names in it are ignored.
func KMIPRequest(csr string, ttl time.Duration) KMIPSource {
	return KMIPSource{sourceWire{CSR: &csr, TTL: span(ttl)}}
}

// KMIPCertificate is a certificate from elsewhere, in PEM, whoever signed it.
func KMIPCertificate(certificate string) KMIPSource {
	return KMIPSource{sourceWire{Certificate: &certificate}}
}

// KMIPFingerprint is a certificate from elsewhere of which only the SHA-256 is known, in hexadecimal digits, with colons between bytes or without.
func KMIPFingerprint(sum string) KMIPSource { return KMIPSource{sourceWire{Fingerprint: &sum}} }

// KMIPPublicKey is every valid certificate for a key, by the SHA-256 of its SubjectPublicKeyInfo.
func KMIPPublicKey(sum string) KMIPSource { return KMIPSource{sourceWire{PublicKey: &sum}} }

// KMIPPresented is the certificate that presented itself to a node while a window was open (OpenKMIPWindow), by the SHA-256 of its SubjectPublicKeyInfo as its owner reads
// it off the device. NotFound if none did.
func KMIPPresented(sum string) KMIPSource { return KMIPSource{sourceWire{Pending: &sum}} }

// KMIPSubject is every valid certificate with a subject (RDNSequence in DER, as x509.Certificate.RawSubject has it) from the external CA of that name.
func KMIPSubject(ca string, subject []byte) KMIPSource {
	subject = given(subject)
	return KMIPSource{sourceWire{Subject: &subject, CA: ca}}
}

// KMIPEnrolment is a client to be made.
type KMIPEnrolment struct {
	Role string // one that the token may read; "": default
	By   KMIPSource
	KMIPCredentials
}

// KMIPIssued says by what a client is known from now on.
type KMIPIssued struct {
	PrivateKey  Secret    `json:"private_key,omitempty"` // PKCS#8 in PEM, of a key that the node made: it is shown this once. The caller's to clear
	Name        string    `json:"name"`
	UID         string    `json:"uid"`
	Role        string    `json:"role"`
	Number      uint64    `json:"number"`                           // of the binding
	Kind        string    `json:"kind"`                             // issued, request, certificate, fingerprint, public-key or subject
	Certificate string    `json:"certificate,omitempty"`            // PEM, if it is known
	CA          string    `json:"ca_certificate,omitempty"`         // PEM, of the CA that issued it
	Fingerprint string    `json:"fingerprint,omitempty"`            // SHA-256 of the certificate
	PublicKey   string    `json:"public_key_fingerprint,omitempty"` // SHA-256 of its SubjectPublicKeyInfo
	ExpiresAt   time.Time `json:"expires_at,omitzero"`              // the certificate; zero: not known
}

// EnrolKMIPClient makes a client. Conflict for a name that is in use, and for what is bound already or was once, whoever's it is.
func (c *Client) EnrolKMIPClient(ctx context.Context, name string, e KMIPEnrolment) (i KMIPIssued, err error) {
	body := struct {
		Role string `json:"role,omitempty"`
		sourceWire
		credentialsWire
	}{e.Role, e.By.wire, e.wire()}
	err = c.onClient(ctx, request{method: http.MethodPost, body: body, kind: mutates}, name, "", &i)
	return i, err
}

// RenewKMIPClient has a client known by something else as well. What it was known by before ends after overlap, in whole seconds and 365 days at most; nil leaves it
// good until it expires or is revoked.
func (c *Client) RenewKMIPClient(ctx context.Context, name string, by KMIPSource, overlap *time.Duration) (i KMIPIssued, err error) {
	body := struct {
		Overlap *string `json:"overlap,omitempty"`
		sourceWire
	}{sourceWire: by.wire}
	if overlap != nil {
		text := overlap.String()
		body.Overlap = &text
	}
	err = c.onClient(ctx, request{method: http.MethodPost, body: body, kind: mutates}, name, "/renew", &i)
	return i, err
}
