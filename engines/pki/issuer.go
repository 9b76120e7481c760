package pki

import (
	"context"
	"crypto/x509"
	"net/url"
	"strings"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// State is what a CA does.
type State string

// The states. In all but Waiting its CRL and OCSP answers go on, until it has expired.
const (
	Waiting   State = "waiting"   // for its certificate
	Active    State = "active"    // it issues
	Disabled  State = "disabled"  // by its settings
	Suspended State = "suspended" // the cluster was restored, and nobody has confirmed it
	Expired   State = "expired"
)

// Issuer is a CA as people see it.
type Issuer struct {
	Name        string   `cbor:"1,keyasint"`
	UID         fsm.UID  `cbor:"2,keyasint"`
	State       State    `cbor:"3,keyasint"`
	Default     bool     `cbor:"4,keyasint"`
	KeyType     KeyType  `cbor:"5,keyasint"`
	Settings    Settings `cbor:"6,keyasint"`
	Imported    bool     `cbor:"7,keyasint"`
	Parent      string   `cbor:"8,keyasint"`  // the issuer of ours that has signed it; "": itself, or somebody else
	Request     []byte   `cbor:"9,keyasint"`  // PKCS#10, DER
	Chain       [][]byte `cbor:"10,keyasint"` // its certificate and those above it, DER
	CrossDER    []byte   `cbor:"11,keyasint"` // its cross-signed certificate
	CrossBy     string   `cbor:"12,keyasint"`
	NotAfter    fsm.Time `cbor:"13,keyasint"`
	Revocations uint64   `cbor:"14,keyasint"` // ever
	Made        fsm.Time `cbor:"15,keyasint"`
	By          string   `cbor:"16,keyasint"`
}

func (row issuerRow) certificate() (*x509.Certificate, error) {
	if len(row.Chain) == 0 {
		return nil, nil
	}
	c, err := x509.ParseCertificate(row.Chain[0])
	if err != nil {
		return nil, fault.New(fault.Corrupt, "the certificate of CA %s cannot be read", row.UID).Because(err)
	}
	return c, nil
}

// state says what the CA does now; c is its certificate, nil if it has none.
func (row issuerRow) state(r fsm.Reader, c *x509.Certificate, now fsm.Time) State {
	switch {
	case c == nil:
		return Waiting
	case now.Std().After(c.NotAfter):
		return Expired
	case row.Epoch != fsm.Epoch(r):
		return Suspended
	case row.Settings.Disabled:
		return Disabled
	}
	return Active
}

func (row issuerRow) known(r fsm.Reader, tenant fsm.UID, name string, now fsm.Time) (Issuer, error) {
	c, err := row.certificate()
	if err != nil {
		return Issuer{}, err
	}
	first, _, err := defaults.Get(r, fsm.K(tenant))
	out := Issuer{Name: name, UID: row.UID, State: row.state(r, c, now), Default: first == name, KeyType: row.KeyType, Settings: row.Settings, Imported: row.Imported, Parent: row.Parent,
		Request: row.Request, Chain: row.Chain, CrossDER: row.CrossDER, CrossBy: row.CrossBy, Revocations: row.Revocations, Made: row.Made, By: row.By}
	if c != nil {
		out.NotAfter = fsm.At(c.NotAfter)
	}
	return out, err
}

// findIssuer returns an issuer of a tenant; fault.NotFound when there is none.
func findIssuer(r fsm.Reader, tenant fsm.UID, name string) (issuerRow, error) {
	row, found, err := issuers.Get(r, fsm.K(tenant, name))
	if err == nil && !found {
		err = fault.New(fault.NotFound, "there is no issuer %q", name)
	}
	return row, err
}

// GetIssuer returns an issuer; fault.NotFound when there is none.
func (e *Engine) GetIssuer(v *fsm.View, tenant fsm.UID, name string) (Issuer, error) {
	row, err := findIssuer(v, tenant, name)
	if err != nil {
		return Issuer{}, err
	}
	return row.known(v, tenant, name, e.time(v))
}

// Issuers returns all issuers of a tenant, 200 at most, in the order of their names.
func (e *Engine) Issuers(v *fsm.View, tenant fsm.UID) (all []Issuer, err error) {
	err = issuers.Scan(v, fsm.Span{Prefix: fsm.K(tenant)}, func(at fsm.Key, row issuerRow) (bool, error) {
		where, _, err := homes.Get(v, fsm.K(row.UID))
		if err != nil {
			return false, err
		}
		out, err := row.known(v, tenant, where.Name, e.time(v))
		all = append(all, out)
		return err == nil, err
	})
	return all, err
}

// issuing is a CA that may sign now.
type issuing struct {
	name   string
	row    issuerRow
	cert   *x509.Certificate
	stream string
}

// opened returns the CA of that name, or the default one for "". fault.Conflict says why it cannot issue.
func (e *Engine) opened(v *fsm.View, tenant fsm.UID, name string) (out issuing, err error) {
	if name == "" {
		if name, _, err = defaults.Get(v, fsm.K(tenant)); err == nil && name == "" {
			err = fault.New(fault.Conflict, "there is no default issuer: make one, or name the issuer")
		}
		if err != nil {
			return out, err
		}
	}
	row, err := findIssuer(v, tenant, name)
	if err != nil {
		return out, err
	}
	c, err := row.certificate()
	if err != nil {
		return out, err
	}
	advice := map[State]string{
		Waiting:   "it waits for its certificate: give that to it (trstctl pki issuer certify)",
		Expired:   "it has expired: make another, and let roles use that",
		Suspended: "the cluster was restored, and what it had issued since the backup is unknown: confirm it (trstctl pki issuer confirm)",
		Disabled:  "it is disabled",
	}[row.state(v, c, e.time(v))]
	if advice != "" {
		return out, fault.New(fault.Conflict, "issuer %q does not issue: %s", name, advice)
	}
	return issuing{name, row, c, issuerStream(name)}, nil
}

// check checks settings and fills in what was left out.
func (s *Settings) check() error {
	if s.CRLValidity == 0 {
		s.CRLValidity = 72 * time.Hour
	}
	switch {
	case s.CRLValidity < time.Hour || s.CRLValidity > 30*24*time.Hour:
		return fault.Bad("crl_validity", "is 1h to 30 days")
	case s.MaxTTL < 0 || s.MaxTTL > mostTTL:
		return fault.Bad("max_ttl", "is 0 to 50 years")
	}
	return s.checkURL()
}

// checkURL wants plain HTTP or HTTPS without anything that clients would not know what to do with. HTTP is the rule (RFC 5280, section 8): a client that fetches
// over TLS would have to check that certificate first.
func (s *Settings) checkURL() error {
	if s.URL == "" {
		return nil
	}
	s.URL = strings.TrimRight(s.URL, "/")
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || len(s.URL) > 256 || u.String() != s.URL {
		return fault.Bad("url", "is where clients reach the PKI's port, such as http://pki.example:8280")
	}
	return nil
}

// place is where clients find what an issuer publishes.
func (row issuerRow) place(what string) string {
	if row.Settings.URL == "" {
		return ""
	}
	return row.Settings.URL + "/pki/" + row.UID.String() + "/" + what
}

// changeIssuer decides about one issuer; the answer is the issuer as it is then.
func (e *Engine) changeIssuer(ctx context.Context, req fsm.Request, name string, decide func(v *fsm.View, entry *fsm.Entry, row *issuerRow) error) (out Issuer, rc fsm.Receipt, err error) {
	rc, err = e.commit(ctx, req, []string{issuerStream(name)}, func(v *fsm.View, entry *fsm.Entry) error {
		row, err := findIssuer(v, entry.Tenant, name)
		if err != nil {
			return err
		}
		if err := decide(v, entry, &row); err != nil {
			return err
		}
		out, err := row.known(v, entry.Tenant, name, e.time(v))
		if err == nil {
			entry.Reply.Public, err = fsm.Encode(out)
		}
		return err
	})
	if err == nil {
		err = fsm.Decode(rc.Reply.Public, &out)
	}
	return out, rc, err
}

// Configure changes the settings of an issuer. Certificates that are out keep the addresses that they name.
func (e *Engine) Configure(ctx context.Context, req fsm.Request, name string, change func(*Settings)) (Issuer, fsm.Receipt, error) {
	return e.changeIssuer(ctx, req, name, func(_ *fsm.View, entry *fsm.Entry, row *issuerRow) error {
		s := row.Settings
		change(&s)
		if err := s.check(); err != nil {
			return err
		}
		if s.Cross && row.CrossDER == nil {
			return fault.New(fault.Conflict, "issuer %q has no cross-signed certificate: make one first (trstctl pki issuer cross-sign)", name)
		}
		if s != row.Settings {
			row.Settings = s
			entry.Add(IssuerConfigured{name, s})
		}
		return nil
	})
}

// Confirm lets an issuer go on after a restore.
func (e *Engine) Confirm(ctx context.Context, req fsm.Request, name string) (Issuer, fsm.Receipt, error) {
	return e.changeIssuer(ctx, req, name, func(v *fsm.View, entry *fsm.Entry, row *issuerRow) error {
		if now := fsm.Epoch(v); row.Epoch != now {
			row.Epoch = now
			entry.Add(IssuerConfirmed{name, now})
		}
		return nil
	})
}

// SetDefault has roles that name no issuer use this one.
func (e *Engine) SetDefault(ctx context.Context, req fsm.Request, name string) (Issuer, fsm.Receipt, error) {
	out, rc, err := e.changeIssuer(ctx, req, name, func(v *fsm.View, entry *fsm.Entry, _ *issuerRow) error {
		if err := guard(v, entry, defaultStream); err != nil {
			return err
		}
		if now, _, err := defaults.Get(v, fsm.K(entry.Tenant)); err != nil || now == name {
			return err
		}
		entry.Add(DefaultSet{name})
		return nil
	})
	out.Default = err == nil
	return out, rc, err
}

// DeleteIssuer destroys the key of a CA: it publishes nothing any more. fault.Conflict as long as a certificate of it has not expired, unless force says so.
func (e *Engine) DeleteIssuer(ctx context.Context, req fsm.Request, name string, force bool) (fsm.Receipt, error) {
	_, rc, err := e.changeIssuer(ctx, req, name, func(v *fsm.View, entry *fsm.Entry, row *issuerRow) error {
		if err := guard(v, entry, defaultStream); err != nil {
			return err
		}
		living, err := livingOf(v, entry.Tenant, row.UID, e.time(v))
		if err == nil && living > 0 && !force {
			err = fault.New(fault.Conflict, "%d certificates of issuer %q have not expired, and nobody could revoke them or learn their status any more: disable the issuer, or say that it is meant (--force)", living, name)
		}
		entry.Add(IssuerDeleted{name})
		return err
	})
	return rc, err
}

// livingOf counts the stored certificates of an issuer that have not expired.
func livingOf(r fsm.Reader, tenant, issuer fsm.UID, now fsm.Time) (n int, err error) {
	err = certs.Scan(r, fsm.Span{Prefix: fsm.K(tenant)}, func(_ fsm.Key, c certRow) (bool, error) {
		if c.Issuer == issuer && c.NotAfter > now {
			n++
		}
		return true, nil
	})
	return n, err
}

// DropTenant refuses the end of a tenant with issuers: their CRLs end with its keys. It implements tenant.Undertaker.
func (e *Engine) DropTenant(r fsm.Reader, tenant fsm.UID) ([]fsm.Event, error) {
	any := false
	err := issuers.Scan(r, fsm.Span{Prefix: fsm.K(tenant)}, func(fsm.Key, issuerRow) (bool, error) {
		any = true
		return false, nil
	})
	if err == nil && any {
		err = fault.New(fault.Conflict, "the tenant has issuers of certificates, whose CRLs and OCSP answers would end with it: delete them first (trstctl pki issuer delete)")
	}
	return nil, err
}
