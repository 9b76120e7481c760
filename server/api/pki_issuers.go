package api

import (
	"encoding/pem"
	"math"
	"time"

	"github.com/trstctl/trstctl/engines/pki"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

type issuerAnswer struct {
	Name        string   `json:"name"`
	UID         fsm.UID  `json:"uid" doc:"under which it publishes: /pki/UID/crl, /pki/UID/ocsp, /pki/UID/ca.cer"`
	State       string   `json:"state" doc:"active, waiting (for its certificate), disabled, suspended (after a restore, until it is confirmed) or expired"`
	Default     bool     `json:"default" doc:"roles that name no issuer use it"`
	KeyType     string   `json:"key_type"`
	Certificate string   `json:"certificate,omitempty" doc:"PEM"`
	Chain       string   `json:"chain,omitempty" doc:"PEM: those above it"`
	CSR         string   `json:"csr,omitempty" doc:"PEM: what is to be signed elsewhere"`
	Cross       string   `json:"cross_certificate,omitempty" doc:"PEM"`
	CrossBy     string   `json:"cross_signed_by,omitempty"`
	Parent      string   `json:"parent,omitempty" doc:"the issuer of the tenant that has signed it"`
	Imported    bool     `json:"imported"`
	NotAfter    fsm.Time `json:"expires_at,omitempty"`
	Revocations uint64   `json:"revocations" doc:"ever"`
	URL         string   `json:"url,omitempty" doc:"where clients reach what it publishes"`
	MaxTTL      string   `json:"max_ttl,omitempty" doc:"of what it issues"`
	CRLValidity string   `json:"crl_validity"`
	UseCross    bool     `json:"use_cross_certificate" doc:"chains go by the cross-signed certificate"`
	Made        fsm.Time `json:"created_at"`
	By          string   `json:"created_by"`
}

func issuerOf(i pki.Issuer) issuerAnswer {
	out := issuerAnswer{Name: i.Name, UID: i.UID, State: string(i.State), Default: i.Default, KeyType: string(i.KeyType), Cross: certificatePEM(i.CrossDER), CrossBy: i.CrossBy, Parent: i.Parent,
		Imported: i.Imported, NotAfter: i.NotAfter, Revocations: i.Revocations, URL: i.Settings.URL, CRLValidity: i.Settings.CRLValidity.String(), UseCross: i.Settings.Cross, Made: i.Made, By: i.By}
	if len(i.Chain) > 0 {
		out.Certificate, out.Chain = certificatePEM(i.Chain[0]), certificatesPEM(i.Chain[1:])
	}
	if i.State == pki.Waiting {
		out.CSR = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: i.Request}))
	}
	if i.Settings.MaxTTL > 0 {
		out.MaxTTL = i.Settings.MaxTTL.String()
	}
	return out
}

func certificatesPEM(all [][]byte) (out string) {
	for _, der := range all {
		out += certificatePEM(der)
	}
	return out
}

func changedIssuer(i pki.Issuer, _ fsm.Receipt, err error) (any, error) { return issuerOf(i), err }

type issuersAnswer struct {
	Items []issuerAnswer `json:"items"`
}

func listIssuers(c *call) (any, error) {
	all, err := c.api.opt.PKI.Issuers(c.view, c.tenant)
	out := issuersAnswer{Items: make([]issuerAnswer, 0, len(all))}
	for _, i := range all {
		if !c.session.Forbids("pki/issuers/" + i.Name) {
			out.Items = append(out.Items, issuerOf(i))
		}
	}
	return out, err
}

func readIssuer(c *call) (any, error) {
	i, err := c.api.opt.PKI.GetIssuer(c.view, c.tenant, c.path)
	return issuerOf(i), err
}

// issuerSettings are what may be said of any issuer when it is made.
type issuerSettings struct {
	URL         string `json:"url" doc:"where clients reach the PKI's port, such as http://pki.example:8280; nothing: certificates name no CRL and no OCSP responder"`
	MaxTTL      span   `json:"max_ttl" doc:"of what it issues; nothing: as long as it lasts itself"`
	CRLValidity span   `json:"crl_validity" doc:"1h to 720h, default 72h"`
}

func (s issuerSettings) engine() pki.Settings {
	return pki.Settings{URL: s.URL, MaxTTL: time.Duration(s.MaxTTL), CRLValidity: time.Duration(s.CRLValidity)}
}

type issuerBody struct {
	Kind         string   `json:"kind" strict:"required" doc:"root, intermediate or request"`
	Parent       string   `json:"parent" doc:"of an intermediate; nothing: the default issuer"`
	CommonName   string   `json:"common_name" strict:"required"`
	Organization string   `json:"organization"`
	Unit         string   `json:"organizational_unit"`
	Country      string   `json:"country" doc:"two letters"`
	Province     string   `json:"province"`
	Locality     string   `json:"locality"`
	KeyType      string   `json:"key_type" doc:"ec-p256, which is the default, ec-p384, ec-p521, rsa-2048, rsa-3072, rsa-4096 or ed25519"`
	TTL          span     `json:"ttl" doc:"default 10 years of a root, 5 of an intermediate"`
	PathLength   *uint64  `json:"path_length" doc:"how many CAs may stand below it; nothing: any number below a root, none below an intermediate"`
	Permitted    []string `json:"permitted_domains" doc:"in which all names of its certificates lie; nothing: any"`

	URL         string `json:"url" doc:"where clients reach the PKI's port, such as http://pki.example:8280; nothing: certificates name no CRL and no OCSP responder"`
	MaxTTL      span   `json:"max_ttl" doc:"of what it issues; nothing: as long as it lasts itself"`
	CRLValidity span   `json:"crl_validity" doc:"1h to 720h, default 72h"`
}

func makeIssuer(c *call) (any, error) {
	b := c.body.(*issuerBody)
	p := pki.Plan{Name: c.path, Kind: pki.Kind(b.Kind), Parent: b.Parent, KeyType: pki.KeyType(b.KeyType), TTL: time.Duration(b.TTL), Permitted: b.Permitted,
		Subject:  pki.Subject{CommonName: b.CommonName, Organization: b.Organization, Unit: b.Unit, Country: b.Country, Province: b.Province, Locality: b.Locality},
		Settings: issuerSettings{b.URL, b.MaxTTL, b.CRLValidity}.engine()}
	if b.PathLength != nil {
		if *b.PathLength > math.MaxInt8 {
			return nil, fault.Bad("path_length", "is 0 to 8")
		}
		n := int(*b.PathLength)
		p.PathLength = &n
	}
	return changedIssuer(c.api.opt.PKI.MakeIssuer(c.ctx, c.req, p))
}

type importIssuerBody struct {
	Certificate string          `json:"certificate" strict:"required" doc:"PEM: the CA's own, then those above it"`
	Key         strictjson.Text `json:"private_key" strict:"required" doc:"PEM: PKCS#8, PKCS#1 or SEC 1, not encrypted"`
	URL         string          `json:"url" doc:"where clients reach the PKI's port, such as http://pki.example:8280"`
	MaxTTL      span            `json:"max_ttl" doc:"of what it issues"`
	CRLValidity span            `json:"crl_validity" doc:"1h to 720h, default 72h"`
}

func (b *importIssuerBody) wipe() { clear(b.Key) }

func importIssuer(c *call) (any, error) {
	b := c.body.(*importIssuerBody)
	return changedIssuer(c.api.opt.PKI.Import(c.ctx, c.req, c.path, []byte(b.Certificate), b.Key, issuerSettings{b.URL, b.MaxTTL, b.CRLValidity}.engine()))
}

type certifyBody struct {
	Certificate string `json:"certificate" strict:"required" doc:"PEM: the CA's own, then those above it"`
}

func certifyIssuer(c *call) (any, error) {
	return changedIssuer(c.api.opt.PKI.Certify(c.ctx, c.req, c.path, []byte(c.body.(*certifyBody).Certificate)))
}

type crossBody struct {
	By string `json:"by" strict:"required" doc:"the issuer that signs"`
}

func crossSignIssuer(c *call) (any, error) {
	return changedIssuer(c.api.opt.PKI.CrossSign(c.ctx, c.req, c.path, c.body.(*crossBody).By))
}

type settingsBody struct {
	URL         *string `json:"url" doc:"empty: certificates name no CRL and no OCSP responder"`
	MaxTTL      *string `json:"max_ttl" doc:"of what it issues; \"0s\": as long as it lasts itself"`
	CRLValidity span    `json:"crl_validity" doc:"1h to 720h"`
	Disabled    *bool   `json:"disabled" doc:"it issues nothing; what it publishes goes on"`
	UseCross    *bool   `json:"use_cross_certificate" doc:"chains go by the cross-signed certificate"`
}

// change overwrites what the body names.
func (b *settingsBody) change() (func(*pki.Settings), error) {
	var most time.Duration
	if b.MaxTTL != nil {
		var err error
		if most, err = time.ParseDuration(*b.MaxTTL); err != nil {
			return nil, fault.Bad("max_ttl", `is a duration such as "720h", or "0s"`)
		}
	}
	return func(s *pki.Settings) {
		if b.URL != nil {
			s.URL = *b.URL
		}
		if b.MaxTTL != nil {
			s.MaxTTL = most
		}
		if b.CRLValidity > 0 {
			s.CRLValidity = time.Duration(b.CRLValidity)
		}
		if b.Disabled != nil {
			s.Disabled = *b.Disabled
		}
		if b.UseCross != nil {
			s.Cross = *b.UseCross
		}
	}, nil
}

func configureIssuer(c *call) (any, error) {
	change, err := c.body.(*settingsBody).change()
	if err != nil {
		return nil, err
	}
	return changedIssuer(c.api.opt.PKI.Configure(c.ctx, c.req, c.path, change))
}

func confirmIssuer(c *call) (any, error) {
	return changedIssuer(c.api.opt.PKI.Confirm(c.ctx, c.req, c.path))
}

func defaultIssuer(c *call) (any, error) {
	return changedIssuer(c.api.opt.PKI.SetDefault(c.ctx, c.req, c.path))
}

func deleteIssuer(c *call) (any, error) {
	force, err := c.flag("force")
	if err != nil {
		return nil, err
	}
	_, err = c.api.opt.PKI.DeleteIssuer(c.ctx, c.req, c.path, force)
	return named{c.path}, err
}

type verbatimBody struct {
	CSR string `json:"csr" strict:"required" doc:"PEM"`
	TTL span   `json:"ttl" doc:"default 720h, within the issuer's own life"`
	CA  bool   `json:"ca" doc:"the certificate is a CA's, below which no other may stand"`
}

func signVerbatim(c *call) (any, error) {
	b := c.body.(*verbatimBody)
	got, _, err := c.api.opt.PKI.SignVerbatim(c.ctx, c.req, pki.Verbatim{Issuer: c.path, Request: []byte(b.CSR), TTL: time.Duration(b.TTL), CA: b.CA, Holder: c.pkiHolder()})
	return certificateOf(got), err
}
