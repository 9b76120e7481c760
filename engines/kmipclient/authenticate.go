package kmipclient

import (
	"cmp"
	"crypto/x509"
	"slices"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Client is who sends a request, with what it may do.
type Client struct {
	Tenant  fsm.UID
	UID     fsm.UID
	Name    string
	Role    Role
	Binding uint64 // number of what it was recognised by
}

// Sees reports whether the client sees objects of a group. Objects in no group are seen by those alone that see the whole tenant.
func (c Client) Sees(group string) bool {
	groups, all := c.Groups()
	for _, g := range groups {
		if g == group {
			return true
		}
	}
	return all
}

// Groups returns the object groups that the client sees; all says that it sees the whole tenant.
func (c Client) Groups() (groups []string, all bool) {
	for _, g := range c.Role.Groups {
		switch g {
		case EveryGroup:
			return nil, true
		case OwnGroup:
			g = c.Name
		}
		groups = append(groups, g)
	}
	if len(groups) == 0 {
		groups = []string{c.Name}
	}
	return groups, false
}

// refused is the one answer to all who do not come in, whatever the reason.
func refused() error {
	return fault.New(fault.Unauthenticated, "the certificate or credential is not that of a client that may come in")
}

// Authenticate returns the client whose certificate leads chain, as of r and now: of every request, also on a connection that was resumed. TLS has shown that the
// sender has the certificate's key, and nothing more; what stands behind the first certificate is ignored. Whatever is wrong, the refusal is the same
// fault.Unauthenticated. It reads about eight small rows; for a client that is known by its subject it also verifies a signature.
func (e *Engine) Authenticate(r fsm.Reader, chain []*x509.Certificate, now fsm.Time) (Client, error) {
	if len(chain) == 0 || !presentable(chain[0], now) {
		return Client{}, refused()
	}
	ref, found, err := match(r, chain[0], now)
	if err == nil && found {
		return e.enter(r, ref, now)
	}
	if err == nil {
		err = refused()
	}
	return Client{}, err
}

// presentable looks at what is asked of every certificate, also of one whose fingerprint is known: that it is valid now, and of a key that is not weak. Which use it is
// for matters by a subject only: whoever binds a fingerprint or key has chosen that very one.
func presentable(c *x509.Certificate, now fsm.Time) bool {
	at := now.Std()
	return checkKey("certificate", c.PublicKey) == nil && !at.Before(c.NotBefore) && !at.After(c.NotAfter)
}

// standing is a claim that a certificate which was shown falls under.
type standing struct {
	kind string
	claimRow
}

// Guard returns the guard that holds as long as nothing about a tenant's clients, CAs and roles changes: what a mutation decides on a client's word rests on it.
func Guard(r fsm.Reader, tenant fsm.UID) (fsm.Guard, error) { return fsm.GuardOf(r, tenant, stream) }

// match finds what a certificate is bound to.
func match(r fsm.Reader, c *x509.Certificate, now fsm.Time) (ref subjectRow, found bool, err error) {
	all, err := standings(r, c, now)
	if err == nil {
		ref, found = decideMatch(all)
	}
	return ref, found, err
}

// standings finds the claims that a certificate falls under.
func standings(r fsm.Reader, c *x509.Certificate, now fsm.Time) ([]standing, error) {
	all := make([]standing, 0, len(claimKinds))
	for _, by := range []struct {
		kind string
		sum  Fingerprint
	}{{byCertificate, printOf(c)}, {byKey, keyPrint(c)}} {
		row, found, err := claims.Get(r, fsm.K(by.kind, by.sum[:]))
		if err != nil {
			return nil, err
		}
		if found {
			all = append(all, standing{by.kind, row})
		}
	}
	row, found, err := matchSubject(r, c, now)
	if err == nil && found {
		all = append(all, standing{bySubject, row})
	}
	return all, err
}

// decideMatch says by which of the claims on a certificate its sender comes in: by the fingerprint, else the key, else the subject. Certificates are no
// secret, so a tenant may claim the fingerprint or key of one that is another's by its key or subject: whoever claimed any of them first decides, and no later
// tenant draws that one's clients away or keeps them out. By a subject nobody comes in with a key that another client of the tenant has.
func decideMatch(all []standing) (ref subjectRow, found bool) {
	if len(all) == 0 {
		return ref, false
	}
	tenant := slices.MinFunc(all, func(a, b standing) int { return cmp.Compare(a.Seq, b.Seq) }).Tenant
	all = slices.DeleteFunc(slices.Clone(all), func(s standing) bool { return s.Tenant != tenant })
	for _, s := range all {
		taken := slices.ContainsFunc(all, func(o standing) bool { return o.kind == byKey && o.Client != s.Client })
		if s.Admits {
			return subjectRow{s.Tenant, s.Client, s.Number}, s.kind != bySubject || !taken
		}
	}
	return ref, false
}

// matchSubject looks among the CAs of the certificate's issuer's name, of whichever tenants, for the one whose key has signed it.
func matchSubject(r fsm.Reader, c *x509.Certificate, now fsm.Time) (row claimRow, found bool, err error) {
	err = subjects.Scan(r, fsm.Span{Prefix: fsm.K(c.RawIssuer, c.RawSubject)}, func(_ fsm.Key, at subjectRow) (bool, error) {
		b, there, err := bindings.Get(r, fsm.K(at.Tenant, at.Client, at.Number))
		if err != nil || !there {
			return true, err
		}
		if found, err = vouched(r, at.Tenant, b.CA, c, now); err != nil || !found {
			return true, err
		}
		sum := subjectSum(b.CAKey, b.Subject)
		row, _, err = claims.Get(r, fsm.K(bySubject, sum[:]))
		row.Number = at.Number // under another name of the CA with the same key it may have a later one
		return false, err
	})
	return row, found, err
}

// vouched reports whether a tenant's CA has signed a client's certificate by itself, by RFC 5280 as crypto/x509 has it: signature, dates of both, basic
// constraints, name constraints, and an extended key usage of none, any or client authentication.
func vouched(r fsm.Reader, tenant, ca fsm.UID, c *x509.Certificate, now fsm.Time) (bool, error) {
	der, found, err := caCerts.Get(r, fsm.K(tenant, ca))
	if err != nil || !found {
		return false, err
	}
	issuer, err := x509.ParseCertificate(der)
	if err != nil {
		return false, fault.New(fault.Corrupt, "the certificate of CA %s cannot be read", ca).Because(err)
	}
	if c.IsCA {
		return false, nil
	}
	roots := x509.NewCertPool()
	roots.AddCert(issuer)
	_, err = c.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now.Std(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err == nil, nil
}

// enter returns the client of a binding, if both are alive.
func (e *Engine) enter(r fsm.Reader, at subjectRow, now fsm.Time) (Client, error) {
	row, err := e.alive(r, at, now)
	if err != nil {
		return Client{}, err
	}
	role, err := GetRole(r, at.Tenant, row.Role)
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.Corrupt, "client %q has role %q, which there is not", row.Name, row.Role)
	}
	return Client{Tenant: at.Tenant, UID: at.Client, Name: row.Name, Role: role, Binding: at.Number}, err
}

func (e *Engine) alive(r fsm.Reader, at subjectRow, now fsm.Time) (clientRow, error) {
	row, found, err := clients.Get(r, fsm.K(at.Tenant, at.Client))
	if err != nil {
		return row, err
	}
	own, _, err := tenants.Get(r, fsm.K(at.Tenant))
	if err != nil {
		return row, err
	}
	if !found || row.Revoked > 0 || !row.confirmed(own, r) {
		return row, refused()
	}
	for _, holds := range []func(fsm.Reader, subjectRow, fsm.Time) (bool, error){bindingHolds, e.tenantHolds} {
		if yes, err := holds(r, at, now); err != nil || !yes {
			return row, or(err, refused())
		}
	}
	return row, nil
}

func (e *Engine) tenantHolds(r fsm.Reader, at subjectRow, _ fsm.Time) (bool, error) {
	return e.tenants.Active(r, at.Tenant)
}

// bindingHolds also asks for the CA that issued the certificate, if it was one of the tenant's.
func bindingHolds(r fsm.Reader, at subjectRow, now fsm.Time) (bool, error) {
	b, found, err := bindings.Get(r, fsm.K(at.Tenant, at.Client, at.Number))
	if err != nil || !found || b.dead(now) || b.CA.IsZero() {
		return err == nil && found && !b.dead(now), err
	}
	_, found, err = cas.Get(r, fsm.K(at.Tenant, b.CA))
	return found, err
}

func or(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
