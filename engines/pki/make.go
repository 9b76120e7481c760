package pki

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"sync"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Kind is how a CA comes to be.
type Kind string

// The kinds.
const (
	Root         Kind = "root"         // signs itself
	Intermediate Kind = "intermediate" // is signed by another issuer of the tenant
	Requested    Kind = "request"      // is signed elsewhere, by its request
)

// Subject is the name of a CA, or what a role adds to names. Country is two letters (ISO 3166).
type Subject struct {
	CommonName   string `cbor:"1,keyasint,omitempty"`
	Organization string `cbor:"2,keyasint,omitempty"`
	Unit         string `cbor:"3,keyasint,omitempty"`
	Country      string `cbor:"4,keyasint,omitempty"`
	Province     string `cbor:"5,keyasint,omitempty"`
	Locality     string `cbor:"6,keyasint,omitempty"`
}

// name is the X.501 form.
func (s Subject) name() pkix.Name {
	one := func(v string) []string {
		if v == "" {
			return nil
		}
		return []string{v}
	}
	return pkix.Name{CommonName: s.CommonName, Organization: one(s.Organization), OrganizationalUnit: one(s.Unit), Country: one(s.Country), Province: one(s.Province), Locality: one(s.Locality)}
}

// check holds the parts against the upper bounds of RFC 5280, appendix A.1.
func (s Subject) check() error {
	for _, part := range []struct {
		field, value string
		most         int
	}{{"common_name", s.CommonName, 64}, {"organization", s.Organization, 64}, {"organizational_unit", s.Unit, 64}, {"province", s.Province, 128}, {"locality", s.Locality, 128}} {
		if err := printable(part.field, part.value, part.most); err != nil {
			return err
		}
	}
	if c := s.Country; c != "" && (len(c) != 2 || c[0] < 'A' || c[0] > 'Z' || c[1] < 'A' || c[1] > 'Z') {
		return fault.Bad("country", "is two capital letters (ISO 3166)")
	}
	return nil
}

// Plan is a CA to be made.
type Plan struct {
	Name       string
	Kind       Kind
	Parent     string // of an Intermediate; "": the default issuer
	Subject    Subject
	KeyType    KeyType       // "": ec-p256
	TTL        time.Duration // 0: 10 years of a root, 5 of an intermediate, but within its parent's
	PathLength *int          // how many CAs may stand below it; nil: any number below a root, none below an intermediate
	Permitted  []string      // domains that all names of its certificates lie in (RFC 5280, section 4.2.1.10); none: any
	Settings   Settings
}

func (p *Plan) check() error {
	if err := ValidName("name", p.Name); err != nil {
		return err
	}
	if p.KeyType == "" {
		p.KeyType = P256
	}
	if p.PathLength == nil && p.Kind == Intermediate {
		p.PathLength = new(int)
	}
	switch {
	case p.Kind != Root && p.Kind != Intermediate && p.Kind != Requested:
		return fault.Bad("kind", "is %s, %s or %s", Root, Intermediate, Requested)
	case p.Kind != Intermediate && p.Parent != "":
		return fault.Bad("parent", "is of an intermediate")
	case p.Subject.CommonName == "":
		return fault.Bad("common_name", "is missing: the CA's name")
	case p.TTL < 0 || p.TTL > 0 && p.TTL < time.Hour || p.TTL > mostTTL:
		return fault.Bad("ttl", "is 1h to 50 years")
	case p.PathLength != nil && (*p.PathLength < 0 || *p.PathLength > 8):
		return fault.Bad("path_length", "is 0 to 8")
	case len(p.Permitted) > 64:
		return fault.Bad("permitted_domains", "are 64 at most")
	}
	for i, d := range p.Permitted {
		clean, err := dnsName("permitted_domains", d)
		if err != nil {
			return err
		}
		p.Permitted[i] = clean
	}
	for _, f := range []func() error{func() error { return p.KeyType.valid("key_type") }, p.Subject.check, p.Settings.check} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// MakeIssuer makes a CA with a key of its own. A Requested one waits for its certificate (Certify).
func (e *Engine) MakeIssuer(ctx context.Context, req fsm.Request, p Plan) (Issuer, fsm.Receipt, error) {
	if err := p.check(); err != nil {
		return Issuer{}, fsm.Receipt{}, err
	}
	key := sync.OnceValues(func() (crypto.Signer, error) { return generate(p.KeyType) })
	if _, err := key(); err != nil { // it may take seconds, so it is made before others have to wait
		return Issuer{}, fsm.Receipt{}, err
	}
	return e.addIssuer(ctx, req, p.Name, func(v *fsm.View, entry *fsm.Entry, m *IssuerMade) (crypto.Signer, error) {
		k, err := key()
		if err == nil {
			m.KeyType, m.Settings, err = p.KeyType, p.Settings, e.certifyNew(v, entry, p, k, m)
		}
		return k, err
	})
}

// addIssuer adds what fill has made of a CA, with a signer of OCSP answers, and makes it the default one if there is none.
func (e *Engine) addIssuer(ctx context.Context, req fsm.Request, name string, fill func(v *fsm.View, entry *fsm.Entry, m *IssuerMade) (crypto.Signer, error)) (out Issuer, rc fsm.Receipt, err error) {
	rc, err = e.commit(ctx, req, []string{issuerStream(name), defaultStream}, func(v *fsm.View, entry *fsm.Entry) error {
		if err := issuerRoom(v, entry.Tenant, name); err != nil {
			return err
		}
		m := IssuerMade{Name: name, UID: newUID(), Epoch: fsm.Epoch(v)}
		key, err := fill(v, entry, &m)
		if err != nil {
			return err
		}
		if m.Key, err = e.sealKey(v, keyBinding(entry.Tenant, m.UID), key); err != nil {
			return err
		}
		first, _, err := defaults.Get(v, fsm.K(entry.Tenant))
		if err != nil {
			return err
		}
		m.Default = first == "" && m.Chain != nil
		row := issuerRow{UID: m.UID, KeyType: m.KeyType, Request: m.Request, Chain: m.Chain, Settings: m.Settings, Imported: m.Imported, Epoch: m.Epoch, Parent: m.Parent, Made: e.time(v), By: entry.Actor.Identity}
		entry.Add(m)
		if err := e.addResponder(v, entry, name, row, key); err != nil {
			return err
		}
		known, err := row.known(v, entry.Tenant, name, e.time(v))
		if known.Default = m.Default; err == nil {
			entry.Reply.Public, err = fsm.Encode(known)
		}
		return err
	})
	if err == nil {
		err = fsm.Decode(rc.Reply.Public, &out)
	}
	return out, rc, err
}

func issuerRoom(v *fsm.View, tenant fsm.UID, name string) error {
	if _, found, err := issuers.Get(v, fsm.K(tenant, name)); err != nil || found {
		return errorOr(err, fault.New(fault.Conflict, "there is an issuer %q already", name))
	}
	n := 0
	err := issuers.Scan(v, fsm.Span{Prefix: fsm.K(tenant)}, func(fsm.Key, issuerRow) (bool, error) {
		n++
		return n < maxIssuers, nil
	})
	if err == nil && n >= maxIssuers {
		err = fault.New(fault.Limit, "the tenant has %d issuers, the most it may", maxIssuers)
	}
	return err
}

func errorOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// certifyNew gives a new CA its certificate, or the request by which it gets one.
func (e *Engine) certifyNew(v *fsm.View, entry *fsm.Entry, p Plan, key crypto.Signer, m *IssuerMade) (err error) {
	now := e.time(v).Std()
	switch p.Kind {
	case Requested:
		m.Request, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: p.Subject.name()}, key)
		return err
	case Root:
		t := p.template(now, ttlOr(p.TTL, 10*365*24*time.Hour))
		der, err := signed(t, t, key.Public(), key)
		m.Chain = [][]byte{der}
		return err
	}
	by, err := e.opened(v, entry.Tenant, p.Parent)
	if err != nil {
		return err
	}
	ttl, err := by.fits(now, p.TTL, 5*365*24*time.Hour)
	if err != nil {
		return err
	}
	der, err := e.signCA(v, entry, by, p.template(now, ttl), key.Public())
	m.Chain, m.Parent = append([][]byte{der}, by.row.Chain...), by.name
	return err
}

func ttlOr(ttl, otherwise time.Duration) time.Duration {
	if ttl > 0 {
		return ttl
	}
	return otherwise
}

// fits bounds a lifetime by what the CA may give: one that was asked for is refused beyond it, one that was not is cut.
func (by issuing) fits(now time.Time, asked, otherwise time.Duration) (time.Duration, error) {
	last := by.cert.NotAfter.Sub(now)
	if most := by.row.Settings.MaxTTL; most > 0 {
		last = min(last, most)
	}
	last = last.Truncate(time.Second)
	if asked > last {
		return 0, fault.Bad("ttl", "issuer %q gives %s at most now", by.name, last)
	}
	return min(ttlOr(asked, otherwise), last), nil
}

func (p Plan) template(now time.Time, ttl time.Duration) *x509.Certificate {
	t := &x509.Certificate{Subject: p.Subject.name(), NotBefore: now.Add(-backdate).Truncate(time.Second), NotAfter: now.Add(ttl).Truncate(time.Second), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, PermittedDNSDomains: p.Permitted, PermittedDNSDomainsCritical: len(p.Permitted) > 0}
	if t.MaxPathLen = -1; p.PathLength != nil {
		t.MaxPathLen, t.MaxPathLenZero = *p.PathLength, *p.PathLength == 0
	}
	return t
}

// signCA has a CA sign another's certificate, which is recorded so that it can be revoked.
func (e *Engine) signCA(v *fsm.View, entry *fsm.Entry, by issuing, t *x509.Certificate, public crypto.PublicKey) ([]byte, error) {
	if by.cert.MaxPathLenZero && by.cert.MaxPathLen == 0 {
		return nil, fault.New(fault.Conflict, "no CA may stand below issuer %q: its path length is 0", by.name)
	}
	if most := by.cert.MaxPathLen; most > 0 && (t.MaxPathLen < 0 || t.MaxPathLen >= most) {
		t.MaxPathLen, t.MaxPathLenZero = most-1, most == 1
	}
	key, err := e.signer(v, entry.Tenant, by.row)
	if err != nil {
		return nil, err
	}
	by.row.point(t)
	der, err := signed(t, by.cert, public, key)
	if err != nil {
		return nil, err
	}
	if err := guard(v, entry, by.stream); err != nil {
		return nil, err
	}
	entry.Add(Issued{Serial: serialOf(t), Issuer: by.row.UID, Subject: t.Subject.String(), NotAfter: fsm.At(t.NotAfter), DER: der})
	return der, nil
}

// point has a certificate say where its issuer publishes what is known about it.
func (row issuerRow) point(t *x509.Certificate) {
	if row.Settings.URL == "" {
		return
	}
	t.CRLDistributionPoints = []string{row.place("crl")}
	t.OCSPServer = []string{row.place("ocsp")}
	t.IssuingCertificateURL = []string{row.place("ca.cer")}
}

// signed draws a serial number and signs.
func signed(t, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) ([]byte, error) {
	if t.SerialNumber == nil {
		t.SerialNumber = newSerial()
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, public, key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	return der, nil
}

// CrossSign has one issuer sign another's key and name: who trusts the first alone accepts what the second issues, once its settings say that chains go that way.
func (e *Engine) CrossSign(ctx context.Context, req fsm.Request, name, signer string) (Issuer, fsm.Receipt, error) {
	return e.changeIssuer(ctx, req, name, func(v *fsm.View, entry *fsm.Entry, row *issuerRow) error {
		c, err := row.certificate()
		if err == nil && c == nil {
			err = fault.New(fault.Conflict, "issuer %q has no certificate yet", name)
		}
		if err != nil {
			return err
		}
		by, err := e.opened(v, entry.Tenant, signer)
		switch {
		case err != nil:
			return err
		case by.row.UID == row.UID || bytes.Equal(by.cert.RawSubject, c.RawSubject):
			return fault.Bad("by", "is another issuer, of another name")
		}
		now := e.time(v).Std()
		ttl, err := by.fits(now, 0, c.NotAfter.Sub(now))
		if err != nil {
			return err
		}
		t := &x509.Certificate{RawSubject: c.RawSubject, Subject: c.Subject, NotBefore: now.Add(-backdate).Truncate(time.Second), NotAfter: now.Add(ttl).Truncate(time.Second), IsCA: true,
			BasicConstraintsValid: true, MaxPathLen: c.MaxPathLen, MaxPathLenZero: c.MaxPathLenZero, KeyUsage: c.KeyUsage, SubjectKeyId: c.SubjectKeyId,
			PermittedDNSDomains: c.PermittedDNSDomains, PermittedDNSDomainsCritical: c.PermittedDNSDomainsCritical}
		der, err := e.signCA(v, entry, by, t, c.PublicKey)
		if err != nil {
			return err
		}
		row.CrossDER, row.CrossBy = der, by.name
		entry.Add(IssuerCrossed{name, by.name, der})
		return nil
	})
}
