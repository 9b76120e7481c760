package acme

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"strings"

	"github.com/trstctl/trstctl/engines/acme"
	"github.com/trstctl/trstctl/engines/pki"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// identifier is a name as clients write it.
type identifier struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type orderBody struct {
	Status         string       `json:"status"`
	Expires        fsm.Time     `json:"expires"`
	Identifiers    []identifier `json:"identifiers"`
	Authorizations []string     `json:"authorizations"`
	Finalize       string       `json:"finalize"`
	Certificate    string       `json:"certificate,omitempty"`
}

func (c *call) sendOrder(status int, o acme.Order) error {
	id := o.UID.String()
	out := orderBody{Status: string(o.Status), Expires: o.Expires, Finalize: c.url("order", id, "finalize")}
	for _, n := range o.Names {
		value := n.Name
		if n.Wild {
			value = "*." + value
		}
		out.Identifiers = append(out.Identifiers, identifier{"dns", value})
		out.Authorizations = append(out.Authorizations, c.url("authorization", n.UID.String()))
	}
	if o.Status == acme.Valid {
		out.Certificate = c.url("order", id, "certificate")
	}
	c.w.Header().Set("Location", c.url("order", id))
	return c.send(status, out)
}

func (c *call) newOrder() error {
	a, err := c.byAccount()
	if err != nil {
		return err
	}
	var b struct {
		Identifiers []identifier `json:"identifiers"`
		NotBefore   string       `json:"notBefore"`
		NotAfter    string       `json:"notAfter"`
	}
	if err := c.body(&b); err != nil {
		return err
	}
	if b.NotBefore != "" || b.NotAfter != "" {
		return malformed("how long a certificate is good is the role's to say: leave notBefore and notAfter out")
	}
	var hosts []string
	for _, i := range b.Identifiers {
		if i.Type != "dns" {
			return acme.Refuse(fault.Invalid, "unsupportedIdentifier", "identifiers are of type dns")
		}
		hosts = append(hosts, strings.ToLower(i.Value))
	}
	o, err := c.Engine.MakeOrder(c.r.Context(), c.in, a, hosts)
	if err != nil {
		return err
	}
	return c.sendOrder(http.StatusCreated, o)
}

// orderOf finds the order that the URL names.
func (c *call) orderOf() (a acme.Account, o acme.Order, err error) {
	if a, err = c.byAccount(); err != nil {
		return a, o, err
	}
	uid, err := acme.ParseUID(c.r.PathValue("id"))
	if err == nil {
		o, err = c.Engine.GetOrder(c.view, c.in, a.UID, uid)
	}
	return a, o, err
}

func (c *call) order() error {
	_, o, err := c.orderOf()
	if err != nil {
		return err
	}
	return c.sendOrder(http.StatusOK, o)
}

func (c *call) finalize() error {
	a, o, err := c.orderOf()
	if err != nil {
		return err
	}
	var b struct {
		CSR string `json:"csr"`
	}
	if err := c.body(&b); err != nil {
		return err
	}
	der, err := base64.RawURLEncoding.DecodeString(b.CSR)
	if err != nil {
		return malformed("csr is DER in base64url")
	}
	if o, err = c.Engine.Finalize(c.r.Context(), c.in, a, o.UID, der); err != nil {
		return err
	}
	return c.sendOrder(http.StatusOK, o)
}

func (c *call) certificate() error {
	_, o, err := c.orderOf()
	if err == nil && o.Status != acme.Valid {
		err = fault.New(fault.NotFound, "the order has no certificate")
	}
	if err != nil {
		return err
	}
	if err := c.head(); err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/pem-certificate-chain")
	for _, der := range o.Chain {
		_ = pem.Encode(c.w, &pem.Block{Type: "CERTIFICATE", Bytes: der}) // who has hung up learns nothing
	}
	return nil
}

type challengeBody struct {
	Type      string    `json:"type"`
	URL       string    `json:"url"`
	Status    string    `json:"status"`
	Token     string    `json:"token"`
	Validated *fsm.Time `json:"validated,omitempty"`
	Error     *problem  `json:"error,omitempty"`
}

type authorizationBody struct {
	Identifier identifier      `json:"identifier"`
	Status     string          `json:"status"`
	Expires    fsm.Time        `json:"expires"`
	Wildcard   bool            `json:"wildcard,omitempty"`
	Challenges []challengeBody `json:"challenges"`
}

// challengeOf is one way to prove a name.
func (c *call) challengeOf(a acme.Authorization, kind acme.ProofKind) challengeBody {
	out := challengeBody{Type: string(kind), URL: c.url("challenge", a.UID.String(), string(kind)), Status: "pending", Token: a.Named.Token}
	if kind != a.Kind || a.Status == acme.Deactivated {
		return out
	}
	out.Status = string(a.Status)
	if a.Status == acme.Valid {
		out.Validated = &a.At
	}
	if a.Problem != nil {
		p := document(a.Problem, 0, a.Problem.Error())
		out.Error = &p
	}
	return out
}

// sendAuthorization leaves the ways out that nobody can go any more.
func (c *call) sendAuthorization(a acme.Authorization) error {
	status := a.Status
	if status == acme.Processing {
		status = acme.Pending // an authorization is never processing (RFC 8555, section 7.1.6)
	}
	out := authorizationBody{Identifier: identifier{"dns", a.Named.Name}, Status: string(status), Expires: a.Expires, Wildcard: a.Named.Wild, Challenges: []challengeBody{}}
	for _, k := range a.Kinds() {
		if status == acme.Pending || k == a.Kind {
			out.Challenges = append(out.Challenges, c.challengeOf(a, k))
		}
	}
	return c.send(http.StatusOK, out)
}

// authorizationOf finds the authorization that the URL names.
func (c *call) authorizationOf() (a acme.Account, z acme.Authorization, err error) {
	if a, err = c.byAccount(); err != nil {
		return a, z, err
	}
	uid, err := acme.ParseUID(c.r.PathValue("id"))
	if err == nil {
		z, err = c.Engine.GetAuthorization(c.view, c.in, a.UID, uid)
	}
	return a, z, err
}

func (c *call) authorization() error {
	a, z, err := c.authorizationOf()
	if err != nil {
		return err
	}
	if c.reads() {
		return c.sendAuthorization(z)
	}
	var b struct {
		Status string `json:"status"`
	}
	if err := c.body(&b); err != nil || b.Status != "deactivated" {
		return malformed("an authorization becomes deactivated, and nothing else")
	}
	if err := c.Engine.EndAuthorization(c.r.Context(), c.in, a, z); err != nil {
		return err
	}
	z.Status = acme.Deactivated
	return c.sendAuthorization(z)
}

func (c *call) challenge() error {
	a, z, err := c.authorizationOf()
	if err != nil {
		return err
	}
	kind := acme.ProofKind(c.r.PathValue("kind"))
	if !c.reads() {
		if err := c.Engine.AskProof(c.r.Context(), c.in, a, z, kind); err != nil {
			return err
		}
		if z.Status == acme.Pending {
			z.Status, z.Kind = acme.Processing, kind
		}
	}
	c.w.Header().Add("Link", "<"+c.url("authorization", z.UID.String())+`>;rel="up"`)
	return c.send(http.StatusOK, c.challengeOf(z, kind))
}

// revokeCert is signed by the account that has the certificate, or by the certificate's own key (RFC 8555, section 7.6).
func (c *call) revokeCert() error {
	if err := c.open(); err != nil {
		return err
	}
	var b struct {
		Certificate string `json:"certificate"`
		Reason      int    `json:"reason"`
	}
	if err := c.body(&b); err != nil {
		return err
	}
	der, err := base64.RawURLEncoding.DecodeString(b.Certificate)
	if err != nil {
		return malformed("certificate is DER in base64url")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return malformed("the certificate cannot be read")
	}
	by, err := c.revoker(cert)
	if err != nil {
		return err
	}
	if err := c.Engine.Revoke(c.r.Context(), c.in, by, cert, pki.SerialOf(cert), b.Reason); err != nil {
		return err
	}
	return c.send(http.StatusOK, nil)
}

// revoker is the account that has signed; nil when it was the certificate's own key.
func (c *call) revoker(cert *x509.Certificate) (*acme.Account, error) {
	if c.sent.kid != "" {
		a, err := c.signer()
		return &a, err
	}
	if _, _, err := publicKey(c.sent.jwk); err != nil {
		return nil, err
	}
	own, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !own.Equal(c.sent.jwk.Key) {
		return nil, acme.Refuse(fault.Denied, "unauthorized", "the key is not the certificate's")
	}
	return nil, c.sent.verify(c.sent.jwk)
}
