package api

import (
	"encoding/json"
	"time"

	"github.com/trstctl/trstctl/engines/pki"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

// pkiHolder is the token that a certificate is for.
func (c *call) pkiHolder() pki.Holder {
	t := c.session.Token
	return pki.Holder{Tenant: t.Tenant, Accessor: t.Accessor, Identity: t.Identity}
}

type orderedBody struct {
	CommonName string   `json:"common_name" doc:"a host or address among the names, or what the role allows; nothing: the first of them"`
	DNS        []string `json:"dns_names"`
	IPs        []string `json:"ip_sans"`
	URIs       []string `json:"uri_sans"`
	Emails     []string `json:"email_sans"`
	TTL        span     `json:"ttl" doc:"nothing: the role's"`
	KeyType    string   `json:"key_type" doc:"nothing: the role's first"`
}

// certificate is what was issued, without its key.
type certificate struct {
	Serial      string   `json:"serial_number" doc:"hexadecimal"`
	Certificate string   `json:"certificate" doc:"PEM"`
	Chain       string   `json:"chain,omitempty" doc:"PEM: the CAs between it and the root, which a server sends behind it"`
	CA          string   `json:"ca_certificate" doc:"PEM: the root, or the last CA that is known"`
	Issuer      string   `json:"issuer"`
	Role        string   `json:"role,omitempty"`
	KeyType     string   `json:"key_type"`
	Expires     fsm.Time `json:"expires_at"`
	Lease       string   `json:"lease_id,omitempty"`
}

// certificateAnswer is the one answer that holds a certificate's key.
type certificateAnswer struct {
	Key strictjson.Text `json:"private_key" doc:"PEM: PKCS#8"`
	certificate
}

func certificateOf(got pki.Certificate) certificate {
	return certificate{Serial: got.Serial, Certificate: certificatePEM(got.DER), Chain: certificatesPEM(got.Chain), CA: certificatePEM(got.Anchor), Issuer: got.Issuer, Role: got.Role,
		KeyType: string(got.KeyType), Expires: got.NotAfter, Lease: got.Lease}
}

func (a *certificateAnswer) wipe() { clear(a.Key) }

// appendJSON writes the key in front of the rest, so that it passes through no string and is in one buffer alone.
func (a *certificateAnswer) appendJSON([]byte) []byte {
	rest, _ := json.Marshal(a.certificate) // text always can be written
	b := append(make([]byte, 0, 64+2*len(a.Key)+len(rest)), `{"private_key":`...)
	b = append(strictjson.AppendString(b, a.Key), ',')
	return append(b, rest[1:]...)
}

func issueCertificate(c *call) (any, error) {
	b := c.body.(*orderedBody)
	got, _, err := c.api.opt.PKI.Issue(c.ctx, c.req, pki.Order{Role: c.path, CommonName: b.CommonName, DNS: b.DNS, IPs: b.IPs, URIs: b.URIs, Emails: b.Emails, TTL: time.Duration(b.TTL),
		KeyType: pki.KeyType(b.KeyType), Holder: c.pkiHolder(), Key: c.key})
	if err != nil {
		return nil, err
	}
	return &certificateAnswer{strictjson.Text(got.Private), certificateOf(got)}, nil
}

type csrBody struct {
	CSR string `json:"csr" strict:"required" doc:"PEM: the names are its own"`
	TTL span   `json:"ttl" doc:"nothing: the role's"`
}

func signRequest(c *call) (any, error) {
	b := c.body.(*csrBody)
	got, _, err := c.api.opt.PKI.Issue(c.ctx, c.req, pki.Order{Role: c.path, Request: []byte(b.CSR), TTL: time.Duration(b.TTL), Holder: c.pkiHolder(), Key: c.key})
	return certificateOf(got), err
}

// keptCertificate is a certificate that is stored.
type keptCertificate struct {
	Serial      string   `json:"serial_number"`
	Certificate string   `json:"certificate" doc:"PEM"`
	Issuer      string   `json:"issuer,omitempty" doc:"left out: it was deleted"`
	Role        string   `json:"role,omitempty" doc:"left out: signed without one, or a CA's"`
	Subject     string   `json:"subject"`
	Names       []string `json:"names,omitempty"`
	State       string   `json:"state" doc:"good, revoked or expired"`
	Issued      fsm.Time `json:"issued_at"`
	Expires     fsm.Time `json:"expires_at"`
	Holder      string   `json:"holder,omitempty" doc:"accessor of the token that it was given to"`
	By          string   `json:"issued_to"`
	Lease       string   `json:"lease_id,omitempty"`
	Revoked     fsm.Time `json:"revoked_at,omitempty"`
	Reason      string   `json:"revocation_reason,omitempty"`
}

func (c *call) keptOf(k pki.Kept) keptCertificate {
	out := keptCertificate{Serial: k.Serial, Certificate: certificatePEM(k.DER), Issuer: k.Issuer, Role: k.Role, Subject: k.Subject, Names: k.Names, State: "good", Issued: k.At, Expires: k.NotAfter,
		Holder: k.Holder, By: k.By, Lease: k.Lease, Revoked: k.Revoked}
	switch {
	case k.Revoked > 0:
		out.State, out.Reason = "revoked", pki.ReasonName(k.Reason)
	case k.NotAfter <= c.api.opt.PKI.Now():
		out.State = "expired"
	}
	return out
}

func readCertificate(c *call) (any, error) {
	k, err := pki.GetCertificate(c.view, c.tenant, c.path)
	return c.keptOf(k), err
}

type certificatesAnswer struct {
	Items []keptCertificate `json:"items"`
	Next  string            `json:"next_cursor"`
}

func listCertificates(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	page := func(after string, limit int) ([]pki.Kept, string, error) {
		return pki.Certificates(c.view, c.tenant, after, limit)
	}
	found, next, err := shown(c.params["cursor"], limit, page, func(k pki.Kept) string { return k.Serial },
		func(serial string) bool { return c.session.Forbids("pki/certificates/" + serial) })
	out := certificatesAnswer{Items: make([]keptCertificate, len(found)), Next: next}
	for i, k := range found {
		out.Items[i] = c.keptOf(k)
	}
	return out, err
}

type revokeCertificateBody struct {
	Reason string `json:"reason" doc:"keyCompromise, affiliationChanged, superseded, cessationOfOperation, privilegeWithdrawn or unspecified, which is the default"`
}

func revokeCertificate(c *call) (any, error) {
	k, _, err := c.api.opt.PKI.Revoke(c.ctx, c.req, c.path, c.body.(*revokeCertificateBody).Reason)
	return c.keptOf(k), err
}

type presentedBody struct {
	Certificate string `json:"certificate" strict:"required" doc:"PEM"`
	Reason      string `json:"reason" doc:"as when a serial number is named"`
}

type revokedSerial struct {
	Serial string `json:"serial_number"`
}

func revokePresented(c *call) (any, error) {
	b := c.body.(*presentedBody)
	serial, _, err := c.api.opt.PKI.RevokePresented(c.ctx, c.req, []byte(b.Certificate), b.Reason)
	return revokedSerial{serial}, err
}
