package sdk

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

const pki = api + "/secrets/pki"

// Issuer is a certification authority.
type Issuer struct {
	Name                string    `json:"name"`
	UID                 string    `json:"uid"`   // under which it publishes: /pki/UID/crl, /pki/UID/ocsp, /pki/UID/ca.cer
	State               string    `json:"state"` // active, waiting (for its certificate), disabled, suspended (after a restore) or expired
	Default             bool      `json:"default"`
	KeyType             string    `json:"key_type"`
	Certificate         string    `json:"certificate,omitempty"`       // PEM
	Chain               string    `json:"chain,omitempty"`             // PEM: those above it
	CSR                 string    `json:"csr,omitempty"`               // PEM, of one that waits
	CrossCertificate    string    `json:"cross_certificate,omitempty"` // PEM
	CrossSignedBy       string    `json:"cross_signed_by,omitempty"`
	Parent              string    `json:"parent,omitempty"`
	Imported            bool      `json:"imported"`
	ExpiresAt           time.Time `json:"expires_at,omitzero"`
	Revocations         uint64    `json:"revocations"`
	URL                 string    `json:"url,omitempty"`
	MaxTTL              string    `json:"max_ttl,omitempty"`
	CRLValidity         string    `json:"crl_validity"`
	UseCrossCertificate bool      `json:"use_cross_certificate"`
	CreatedAt           time.Time `json:"created_at"`
	CreatedBy           string    `json:"created_by"`
}

// IssuerSettings are what may be said of any issuer. What is empty is the usual.
type IssuerSettings struct {
	URL         string        // where clients reach the PKI's port, such as http://pki.example:8280
	MaxTTL      time.Duration // of what it issues
	CRLValidity time.Duration // 1h to 720h; 0: 72h
}

// IssuerSpec is a CA to be made.
type IssuerSpec struct {
	Kind               string // root, intermediate or request: signed elsewhere
	Parent             string // of an intermediate; "": the default issuer
	CommonName         string
	Organization       string
	OrganizationalUnit string
	Country            string
	Province           string
	Locality           string
	KeyType            string        // "": ec-p256
	TTL                time.Duration // 0: 10 years of a root, 5 of an intermediate
	PathLength         *uint64       // nil: any number of CAs below a root, none below an intermediate
	PermittedDomains   []string
	IssuerSettings
}

// CreateIssuer makes a CA with a key of its own. It takes sudo, as does all that changes an issuer.
func (c *Client) CreateIssuer(ctx context.Context, name string, s IssuerSpec) (Issuer, error) {
	body := struct {
		Kind        string   `json:"kind"`
		Parent      string   `json:"parent,omitempty"`
		CommonName  string   `json:"common_name"`
		O           string   `json:"organization,omitempty"`
		OU          string   `json:"organizational_unit,omitempty"`
		Country     string   `json:"country,omitempty"`
		Province    string   `json:"province,omitempty"`
		Locality    string   `json:"locality,omitempty"`
		KeyType     string   `json:"key_type,omitempty"`
		TTL         string   `json:"ttl,omitempty"`
		PathLength  *uint64  `json:"path_length,omitempty"`
		Permitted   []string `json:"permitted_domains,omitempty"`
		URL         string   `json:"url,omitempty"`
		MaxTTL      string   `json:"max_ttl,omitempty"`
		CRLValidity string   `json:"crl_validity,omitempty"`
	}{s.Kind, s.Parent, s.CommonName, s.Organization, s.OrganizationalUnit, s.Country, s.Province, s.Locality, s.KeyType, span(s.TTL), s.PathLength, s.PermittedDomains, s.URL, span(s.MaxTTL),
		span(s.CRLValidity)}
	return c.changeIssuer(ctx, http.MethodPost, name, "", body)
}

// ImportIssuer takes a CA that was made elsewhere: its certificate with those above it, and its key, in PEM. The key is the caller's to clear.
func (c *Client) ImportIssuer(ctx context.Context, name, certificate string, key Secret, s IssuerSettings) (Issuer, error) {
	body := struct {
		Certificate string `json:"certificate"`
		Key         *Text  `json:"private_key"`
		URL         string `json:"url,omitempty"`
		MaxTTL      string `json:"max_ttl,omitempty"`
		CRLValidity string `json:"crl_validity,omitempty"`
	}{certificate, (*Text)(&key), s.URL, span(s.MaxTTL), span(s.CRLValidity)}
	return c.changeIssuer(ctx, http.MethodPost, name, "/import", body)
}

// CertifyIssuer gives a CA the certificate that was signed elsewhere for its request, with those above it, in PEM.
func (c *Client) CertifyIssuer(ctx context.Context, name, certificate string) (Issuer, error) {
	return c.changeIssuer(ctx, http.MethodPost, name, "/certify", map[string]string{"certificate": certificate})
}

// CrossSignIssuer has another issuer sign this one's key and name.
func (c *Client) CrossSignIssuer(ctx context.Context, name, by string) (Issuer, error) {
	return c.changeIssuer(ctx, http.MethodPost, name, "/cross-sign", map[string]string{"by": by})
}

// IssuerChange is what becomes of an issuer's settings; what is nil stays.
type IssuerChange struct {
	URL                 *string        `json:"url,omitempty"`
	MaxTTL              *time.Duration `json:"-"` // 0: as long as it lasts itself
	CRLValidity         time.Duration  `json:"-"` // 0: stays
	Disabled            *bool          `json:"disabled,omitempty"`
	UseCrossCertificate *bool          `json:"use_cross_certificate,omitempty"`
}

// ConfigureIssuer changes settings of an issuer.
func (c *Client) ConfigureIssuer(ctx context.Context, name string, change IssuerChange) (Issuer, error) {
	body := struct {
		IssuerChange
		MaxTTL      *string `json:"max_ttl,omitempty"`
		CRLValidity string  `json:"crl_validity,omitempty"`
	}{IssuerChange: change, CRLValidity: span(change.CRLValidity)}
	if change.MaxTTL != nil {
		most := change.MaxTTL.String()
		body.MaxTTL = &most
	}
	return c.changeIssuer(ctx, http.MethodPut, name, "/settings", body)
}

// ConfirmIssuer lets an issuer go on after the cluster was restored.
func (c *Client) ConfirmIssuer(ctx context.Context, name string) (Issuer, error) {
	return c.changeIssuer(ctx, http.MethodPost, name, "/confirm", struct{}{})
}

// SetDefaultIssuer has roles that name no issuer use this one.
func (c *Client) SetDefaultIssuer(ctx context.Context, name string) (Issuer, error) {
	return c.changeIssuer(ctx, http.MethodPost, name, "/default", struct{}{})
}

// Issuers lists the tenant's issuers that the token may see.
func (c *Client) Issuers(ctx context.Context) ([]Issuer, error) {
	var out struct{ Items []Issuer }
	err := c.do(ctx, request{method: http.MethodGet, path: pki + "/issuers"}, &out)
	return out.Items, err
}

// Issuer describes one.
func (c *Client) Issuer(ctx context.Context, name string) (out Issuer, err error) {
	err = c.onPKI(ctx, request{method: http.MethodGet}, "issuers", name, "", &out)
	return out, err
}

// DeleteIssuer destroys the key of a CA; Conflict as long as certificates of it have not expired, unless force says so.
func (c *Client) DeleteIssuer(ctx context.Context, name string, force bool) error {
	r := request{method: http.MethodDelete, kind: mutates}
	if force {
		r.query = url.Values{"force": {"true"}}
	}
	return c.onPKI(ctx, r, "issuers", name, "", nil)
}

func (c *Client) changeIssuer(ctx context.Context, method, name, verb string, body any) (out Issuer, err error) {
	err = c.onPKI(ctx, request{method: method, body: body, kind: mutates}, "issuers", name, verb, &out)
	return out, err
}

func (c *Client) onPKI(ctx context.Context, r request, what, name, verb string, out any) error {
	target, err := joinName(pki+"/"+what, "name", name)
	if err != nil {
		return err
	}
	r.path = target + verb
	return c.do(ctx, r, out)
}

// ACMEDirectory is where clients of ACME (RFC 8555) find a role.
type ACMEDirectory struct {
	Role      string    `json:"role"`
	Path      string    `json:"path"` // below the API's address: what clients are given
	Open      bool      `json:"open"` // accounts need no key
	Accounts  uint64    `json:"accounts"`
	WrittenAt time.Time `json:"written_at"`
	WrittenBy string    `json:"written_by"`
}

// WriteACMEDirectory gives a role a directory. open says that accounts need no key. It takes sudo.
func (c *Client) WriteACMEDirectory(ctx context.Context, role string, open bool) (out ACMEDirectory, err error) {
	body := struct {
		Open bool `json:"open,omitempty"`
	}{open}
	err = c.onPKI(ctx, request{method: http.MethodPut, body: body, kind: mutates}, "acme", role, "", &out)
	return out, err
}

// ACMEDirectory describes the directory of a role.
func (c *Client) ACMEDirectory(ctx context.Context, role string) (out ACMEDirectory, err error) {
	err = c.onPKI(ctx, request{method: http.MethodGet}, "acme", role, "", &out)
	return out, err
}

// DeleteACMEDirectory ends the directory of a role with its accounts. Certificates stay as they are.
func (c *Client) DeleteACMEDirectory(ctx context.Context, role string) error {
	return c.onPKI(ctx, request{method: http.MethodDelete, kind: mutates}, "acme", role, "", nil)
}

// ACMEKey opens one account (external account binding).
type ACMEKey struct {
	KID       string    `json:"kid"`
	HMACKey   Secret    `json:"hmac_key"` // base64url. The caller's to clear
	ExpiresAt time.Time `json:"expires_at"`
}

// CreateACMEKey makes a key that opens one account within a week. identity is as whom the account orders, "" the caller; another takes sudo.
func (c *Client) CreateACMEKey(ctx context.Context, role, identity string) (out ACMEKey, err error) {
	body := struct {
		Identity string `json:"identity,omitempty"`
	}{identity}
	err = c.onPKI(ctx, request{method: http.MethodPost, body: body, kind: mutates}, "acme", role, "/keys", &out)
	return out, err
}
