package acme

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/trstctl/trstctl/engines/acme"
	"github.com/trstctl/trstctl/fsm/fault"
)

// algorithms are those of accounts' keys.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.RS256, jose.PS256}

// bindings are those of external accounts (RFC 8555, section 7.3.4).
var bindings = []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512}

// message is what somebody has signed.
type message struct {
	payload []byte // nothing: a read (POST-as-GET)
	jwk     *jose.JSONWebKey
	kid     string
	nonce   string
	url     string
	signed  *jose.JSONWebSignature
}

func malformed(format string, args ...any) error {
	return acme.Refuse(fault.Invalid, "malformed", format, args...)
}

// parse reads a flattened JWS with one signature and nothing unprotected (RFC 8555, section 6.2).
func parse(raw []byte, with []jose.SignatureAlgorithm) (m message, err error) {
	var flat struct {
		Protected string `json:"protected"`
		Payload   string `json:"payload"`
		Signature string `json:"signature"`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&flat); err != nil || d.More() || flat.Protected == "" || flat.Signature == "" {
		return m, malformed("the request is not a flattened JWS without an unprotected header")
	}
	whole, _ := json.Marshal(flat) // text always can be written
	if m.signed, err = jose.ParseSignedJSON(string(whole), with); err != nil {
		if strings.Contains(err.Error(), "algorithm") {
			return m, acme.Refuse(fault.Invalid, "badSignatureAlgorithm", "the algorithm is none of %v", with)
		}
		return m, malformed("the JWS cannot be read")
	}
	h := m.signed.Signatures[0].Protected
	m.jwk, m.kid, m.nonce = h.JSONWebKey, h.KeyID, h.Nonce
	m.url, _ = h.ExtraHeaders["url"].(string)
	if m.payload, err = base64.RawURLEncoding.DecodeString(flat.Payload); err != nil {
		return m, malformed("the payload is not base64url")
	}
	return m, nil
}

// verify holds the signature against a key.
func (m message) verify(key any) error {
	if _, err := m.signed.Verify(key); err != nil {
		return acme.Refuse(fault.Denied, "unauthorized", "the signature is not of that key")
	}
	return nil
}

// publicKey checks a key that came with a request and returns it without anything beside it, and its thumbprint (RFC 7638).
func publicKey(k *jose.JSONWebKey) (clean []byte, thumb string, err error) {
	bad := acme.Refuse(fault.Invalid, "badPublicKey", "the key is none of ECDSA over P-256, P-384 or P-521, Ed25519, and RSA of 2048 to 4096 bits")
	if k == nil || !k.Valid() || !k.IsPublic() {
		return nil, "", bad
	}
	if r, ok := k.Key.(*rsa.PublicKey); ok && (r.N.BitLen() < 2048 || r.N.BitLen() > 4096) {
		return nil, "", bad
	}
	bare := jose.JSONWebKey{Key: k.Key}
	sum, err := bare.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, "", bad
	}
	if clean, err = bare.MarshalJSON(); err != nil {
		return nil, "", bad
	}
	return clean, base64.RawURLEncoding.EncodeToString(sum), nil
}

// open reads the request, and checks its nonce and that it was meant for this URL. Who signed it is not known yet.
func (c *call) open() (err error) {
	if c.sent, err = parse(c.raw, algorithms); err != nil {
		return err
	}
	if want := "https://" + c.host + c.r.URL.EscapedPath(); c.sent.url != want {
		return acme.Refuse(fault.Denied, "unauthorized", "the request was signed for %q, and sent to %q", cut(c.sent.url), cut(want))
	}
	return c.nonces.take(c.Keys, c.view, c.in.Tenant, c.in.UID, c.Now(), c.sent.nonce)
}

func cut(s string) string { return s[:min(len(s), 200)] }

// byKey has the request signed by the key that it brings.
func (c *call) byKey() (clean []byte, thumb string, err error) {
	if err := c.open(); err != nil {
		return nil, "", err
	}
	if c.sent.jwk == nil || c.sent.kid != "" {
		return nil, "", malformed("this request brings its key (jwk), and no kid")
	}
	if clean, thumb, err = publicKey(c.sent.jwk); err != nil {
		return nil, "", err
	}
	return clean, thumb, c.sent.verify(c.sent.jwk)
}

// byAccount has the request signed by an account's key, which kid names.
func (c *call) byAccount() (acme.Account, error) {
	if err := c.open(); err != nil {
		return acme.Account{}, err
	}
	return c.signer()
}

func (c *call) signer() (a acme.Account, err error) {
	if c.sent.jwk != nil || c.sent.kid == "" {
		return a, malformed("this request names its account (kid), and brings no key")
	}
	id, ok := strings.CutPrefix(c.sent.kid, c.url("account")+"/")
	if !ok {
		return a, acme.Refuse(fault.Invalid, "accountDoesNotExist", "kid is the URL of an account of this directory")
	}
	uid, err := acme.ParseUID(id)
	if err != nil {
		return a, acme.Refuse(fault.Invalid, "accountDoesNotExist", "there is no such account")
	}
	if a, err = acme.ByID(c.view, c.in, uid); err != nil {
		return a, err
	}
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(a.JWK); err != nil {
		return a, fault.New(fault.Corrupt, "the key of an ACME account cannot be read").Because(err)
	}
	if err := c.sent.verify(&key); err != nil {
		return a, err
	}
	if a.Ended {
		return a, acme.Refuse(fault.Denied, "unauthorized", "the account is deactivated")
	}
	return a, nil
}

// body decodes the payload.
func (c *call) body(into any) error {
	if err := json.Unmarshal(c.sent.payload, into); err != nil {
		return malformed("the payload is not what it should be")
	}
	return nil
}

// reads reports that the request asks, and changes nothing.
func (c *call) reads() bool { return len(c.sent.payload) == 0 }
