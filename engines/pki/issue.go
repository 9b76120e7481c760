package pki

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"net/netip"
	"sync"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Order is a certificate that somebody wants.
type Order struct {
	Role       string
	CommonName string
	DNS        []string
	IPs        []string
	URIs       []string
	Emails     []string
	TTL        time.Duration // 0: the role's
	KeyType    KeyType       // "": the role's first
	Request    []byte        // PKCS#10, PEM: the names come from it, and no key is made
	Holder     Holder
	Key        string // the Idempotency-Key
}

// Certificate is what was issued.
type Certificate struct {
	Serial   string   `cbor:"1,keyasint"`
	Issuer   string   `cbor:"2,keyasint"`
	Role     string   `cbor:"3,keyasint"`
	DER      []byte   `cbor:"4,keyasint"`
	Chain    [][]byte `cbor:"5,keyasint"` // what a server sends behind it: the CAs up to the root, without that
	Anchor   []byte   `cbor:"6,keyasint"` // who it is verified against: the last CA that is known
	NotAfter fsm.Time `cbor:"7,keyasint"`
	Lease    string   `cbor:"8,keyasint"` // "": none
	KeyType  KeyType  `cbor:"9,keyasint"`
	Made     bool     `cbor:"10,keyasint"` // the key was made here

	Private Secret `cbor:"-"` // that key
}

// attempt is one request for a certificate.
type attempt struct {
	*Engine
	req   fsm.Request
	order Order
	csr   *x509.CertificateRequest // nil: the key is made here
	key   func() (crypto.Signer, error)
	made  crypto.Signer // by key
}

// Issue makes a key and a certificate for it by a role; with a Request it signs the key that is there. The key is in the answer, and in that to a repetition of the
// request for 15 minutes: fault.Conflict then.
func (e *Engine) Issue(ctx context.Context, req fsm.Request, o Order) (Certificate, fsm.Receipt, error) {
	a := &attempt{Engine: e, req: req, order: o}
	role, err := a.begin()
	if err != nil {
		return Certificate{}, fsm.Receipt{}, err
	}
	if a.csr == nil {
		kind := o.KeyType
		if kind == "" {
			kind = role.KeyTypes[0]
		}
		a.key = sync.OnceValues(func() (k crypto.Signer, err error) {
			a.made, err = generate(kind)
			return a.made, err
		})
		defer a.done()
	}
	release, err := a.reserve(role)
	if err != nil {
		return Certificate{}, fsm.Receipt{}, err
	}
	defer release()
	return a.commit(ctx)
}

// begin reads the request, and the role as it is now.
func (a *attempt) begin() (role Role, err error) {
	if len(a.order.Request) > 0 {
		if a.csr, err = requestOf(a.order.Request); err != nil {
			return role, err
		}
	}
	v, err := a.Ledger.View()
	if err != nil {
		return role, err
	}
	defer v.Close()
	if role, err = GetRole(v, a.req.Tenant, a.order.Role); err != nil {
		return role, err
	}
	return role, a.order.KeyType.known()
}

func (t KeyType) known() error {
	if t == "" {
		return nil
	}
	return t.valid("key_type")
}

// requestOf reads a request and has it prove that its key is there.
func requestOf(text []byte) (*x509.CertificateRequest, error) {
	all, err := blocks("csr", text, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
	if err != nil {
		return nil, err
	}
	if len(all) > 1 {
		return nil, fault.Bad("csr", "is one request, not %d", len(all))
	}
	return parsedRequest(all[0])
}

func parsedRequest(der []byte) (*x509.CertificateRequest, error) {
	r, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fault.Bad("csr", "cannot be read: %v", err)
	}
	if _, err := keyTypeOf("csr", r.PublicKey); err != nil { // before anything is computed with a key of any size
		return nil, err
	}
	if err := r.CheckSignature(); err != nil {
		return nil, fault.Bad("csr", "is not signed by its own key: %v", err)
	}
	return r, nil
}

// reserve takes a place for the lease, if there is to be one.
func (a *attempt) reserve(role Role) (func(), error) {
	if !role.Lease {
		return func() {}, nil
	}
	v, err := a.Ledger.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	if _, found, err := a.Ledger.Find(v, a.req.Tenant, a.req.Receipt); err != nil || found {
		return func() {}, err
	}
	return a.Leases.Reserve(v, a.req.Tenant, role.Name, a.order.Holder, role.MaxLeases)
}

// done overwrites the key that was made.
func (a *attempt) done() {
	if a.made != nil {
		wipe(a.made)
	}
}

func (a *attempt) commit(ctx context.Context) (out Certificate, rc fsm.Receipt, err error) {
	rc, err = a.Ledger.Commit(ctx, a.req, "", func(v *fsm.View, entry *fsm.Entry) error {
		c, err := a.decide(v, entry)
		if err == nil {
			entry.Reply.Public, err = fsm.Encode(c)
		}
		return err
	})
	if err == nil {
		err = fsm.Decode(rc.Reply.Public, &out)
	}
	if err != nil || !out.Made {
		return out, rc, err
	}
	if rc.Replayed {
		out.Private, err = a.again(out, rc)
		return out, rc, err
	}
	key, err := a.key()
	if err == nil {
		out.Private, err = secretOf(key)
	}
	return out, rc, err
}

// decide signs a certificate for what the state says now, and has it recorded.
func (a *attempt) decide(v *fsm.View, entry *fsm.Entry) (Certificate, error) {
	role, err := GetRole(v, entry.Tenant, a.order.Role)
	if err != nil {
		return Certificate{}, err
	}
	by, err := a.opened(v, entry.Tenant, role.Issuer)
	if err != nil {
		return Certificate{}, err
	}
	streams := []string{roleStream(role.Name), by.stream}
	if role.Issuer == "" {
		streams = append(streams, defaultStream)
	}
	if err := guard(v, entry, streams...); err != nil {
		return Certificate{}, err
	}
	t, public, err := a.describe(v, role, by)
	if err != nil {
		return Certificate{}, err
	}
	return a.sign(v, entry, role, by, t, public)
}

// describe says what is to be signed: nothing that the role does not allow.
func (a *attempt) describe(v *fsm.View, role Role, by issuing) (*x509.Certificate, crypto.PublicKey, error) {
	asked, err := a.asked(role)
	if err != nil {
		return nil, nil, err
	}
	n, err := role.allow(asked, a.order.Holder.Identity)
	if err == nil && n.count() == 0 && n.common == "" {
		err = fault.Bad("common_name", "is missing, as are all other names")
	}
	if err != nil {
		return nil, nil, err
	}
	if a.order.TTL > role.MaxTTL {
		return nil, nil, fault.Bad("ttl", "role %q gives %s at most", role.Name, role.MaxTTL)
	}
	if a.order.TTL != 0 && a.order.TTL < leastTTL {
		return nil, nil, fault.Bad("ttl", "is %s at least", leastTTL)
	}
	now := a.time(v).Std()
	ttl, err := by.fits(now, a.order.TTL, role.TTL)
	if err != nil {
		return nil, nil, err
	}
	public, err := a.public() // last: it may take a second, which nobody spends for what is refused
	if err != nil {
		return nil, nil, err
	}
	t := role.leaf(n, public, now, ttl)
	by.row.point(t)
	if role.Unstored {
		t.OCSPServer = nil // nobody would know it
	}
	return t, public, nil
}

// asked is what the order is for: its own names, or those of its request.
func (a *attempt) asked(role Role) (names, error) {
	if a.csr != nil {
		return requested(a.csr), a.presented(role)
	}
	n := names{common: a.order.CommonName, dns: a.order.DNS, uris: a.order.URIs, emails: a.order.Emails}
	for _, s := range a.order.IPs {
		ip, err := netip.ParseAddr(s)
		if err != nil || ip.Zone() != "" {
			return n, fault.Bad("ip_sans", "%q is not an IP address", cut(s))
		}
		n.ips = append(n.ips, ip.Unmap())
	}
	if !role.takes(a.order.KeyType) {
		return n, fault.New(fault.Denied, "role %q makes no keys of type %s, but of %v", role.Name, a.order.KeyType, role.KeyTypes)
	}
	return n, nil
}

// public is the key that is certified: the request's, or one that is made now.
func (a *attempt) public() (crypto.PublicKey, error) {
	if a.csr != nil {
		return a.csr.PublicKey, nil
	}
	key, err := a.key()
	if err != nil {
		return nil, err
	}
	return key.Public(), nil
}

func (r Role) takes(t KeyType) bool {
	for _, k := range r.KeyTypes {
		if t == "" || k == t {
			return true
		}
	}
	return false
}

// presented refuses a key in the request that the role does not take.
func (a *attempt) presented(role Role) error {
	if o := a.order; o.CommonName != "" || len(o.DNS)+len(o.IPs)+len(o.URIs)+len(o.Emails) > 0 || o.KeyType != "" {
		return fault.Bad("csr", "has the names and the key: ask for none beside it")
	}
	kind, err := keyTypeOf("csr", a.csr.PublicKey)
	if err == nil && !role.takes(kind) {
		err = fault.New(fault.Denied, "role %q takes no keys of type %s, but of %v", role.Name, kind, role.KeyTypes)
	}
	return err
}

func requested(r *x509.CertificateRequest) names {
	n := names{common: r.Subject.CommonName, dns: r.DNSNames, emails: r.EmailAddresses}
	for _, ip := range r.IPAddresses {
		if a, ok := netip.AddrFromSlice(ip); ok {
			n.ips = append(n.ips, a.Unmap())
		}
	}
	for _, u := range r.URIs {
		n.uris = append(n.uris, u.String())
	}
	return n
}

// sign lints, signs, and adds the certificate to the entry with its lease and its answer.
func (a *attempt) sign(v *fsm.View, entry *fsm.Entry, role Role, by issuing, t *x509.Certificate, public crypto.PublicKey) (out Certificate, err error) {
	out = Certificate{Serial: serialOf(t), Issuer: by.name, Role: role.Name, NotAfter: expiryOf(t), Made: a.csr == nil}
	if out.DER, err = a.signLeaf(v, entry.Tenant, by, t, public); err != nil {
		return out, err
	}
	if out.KeyType, err = keyTypeOf("csr", public); err != nil {
		return out, err
	}
	if out.Chain, out.Anchor, err = by.row.above(); err != nil {
		return out, err
	}
	ev := Issued{Serial: out.Serial, Issuer: by.row.UID, Role: role.Name, Subject: nameOf(t.Subject), Names: namesOf(t), NotAfter: out.NotAfter, Holder: a.order.Holder.Accessor}
	if !role.Unstored {
		ev.DER = out.DER
	}
	if ev.Answer, err = a.answer(v, out); err != nil {
		return out, err
	}
	if role.Lease {
		out.Lease = a.Leases.NewID(role.Name)
		ev.Lease = out.Lease
		if _, err = a.Leases.Grant(v, entry, Terms{ID: out.Lease, Role: role.Name, Serial: out.Serial, Holder: a.order.Holder, Until: out.NotAfter, Answer: ev.Answer}); err != nil {
			return out, err
		}
	}
	entry.Add(ev)
	entry.Reply.Secret = ev.Answer
	return out, nil
}

// signLeaf has the certificate linted first, signed by a throw-away key.
func (e *Engine) signLeaf(v *fsm.View, tenant fsm.UID, by issuing, t *x509.Certificate, public crypto.PublicKey) ([]byte, error) {
	if err := e.lints.check(t, by.cert, by.row.KeyType, public); err != nil {
		return nil, err
	}
	key, err := e.signer(v, tenant, by.row)
	if err != nil {
		return nil, err
	}
	return signed(t, by.cert, public, key)
}

// above are the CAs that a server sends behind its certificate, and who stands over them all.
func (row issuerRow) above() (chain [][]byte, anchor []byte, err error) {
	all := row.Chain
	if row.Settings.Cross && row.CrossDER != nil {
		all = [][]byte{row.CrossDER}
	}
	for i, der := range all {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, nil, fault.New(fault.Corrupt, "a certificate of CA %s cannot be read", row.UID).Because(err)
		}
		if selfSigned := string(c.RawIssuer) == string(c.RawSubject); !selfSigned {
			chain = append(chain, der)
		}
		anchor = all[i]
	}
	return chain, anchor, nil
}

// namesOf lists the names of a certificate.
func namesOf(t *x509.Certificate) []string {
	n := requested(&x509.CertificateRequest{DNSNames: t.DNSNames, EmailAddresses: t.EmailAddresses, IPAddresses: t.IPAddresses, URIs: t.URIs})
	return n.all()
}

// answer seals the key for a repetition of the request; without a receipt there is none to answer.
func (a *attempt) answer(v *fsm.View, c Certificate) (fsm.Sealed, error) {
	if a.req.Receipt == nil || !c.Made {
		return fsm.Sealed{}, nil
	}
	key, err := a.key()
	if err != nil {
		return fsm.Sealed{}, err
	}
	secret, err := secretOf(key)
	if err != nil {
		return fsm.Sealed{}, err
	}
	defer secret.Zero()
	return a.Keys.SealAnswer(v, answerBinding(a.req.Tenant, c.Serial), a.order.Key, secret)
}

// again opens the key that an earlier attempt made.
func (a *attempt) again(c Certificate, rc fsm.Receipt) (Secret, error) {
	v, err := a.Ledger.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	secret, err := a.Keys.OpenAnswer(v, answerBinding(a.req.Tenant, c.Serial), a.order.Key, rc.Reply.Secret)
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.Conflict, "this request was answered with certificate %s before; its key is no longer kept: ask for another", c.Serial)
	}
	return secret, err
}

// Verbatim is a request to be signed as it is, without a role: subject, names and usages are the request's.
type Verbatim struct {
	Issuer  string // "": the default one
	Request []byte // PKCS#10, PEM
	TTL     time.Duration
	CA      bool // the certificate is a CA's: its names are left out, and no CA may stand below it
	Holder  Holder
}

// What of a request SignVerbatim takes over beside the names (RFC 5280, sections 4.2.1.3 and 4.2.1.12).
var (
	oidKeyUsage    = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidExtKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
)

// SignVerbatim signs a request without holding it against a role. Lints are held against it all the same.
func (e *Engine) SignVerbatim(ctx context.Context, req fsm.Request, o Verbatim) (out Certificate, rc fsm.Receipt, err error) {
	csr, err := requestOf(o.Request)
	if err != nil {
		return out, rc, err
	}
	kind, err := keyTypeOf("csr", csr.PublicKey)
	if err != nil {
		return out, rc, err
	}
	if o.TTL != 0 && (o.TTL < leastTTL || o.TTL > mostTTL) {
		return out, rc, fault.Bad("ttl", "is %s to 50 years", leastTTL)
	}
	rc, err = e.Ledger.Commit(ctx, req, "", func(v *fsm.View, entry *fsm.Entry) error {
		by, err := e.opened(v, entry.Tenant, o.Issuer)
		if err != nil {
			return err
		}
		now := e.time(v).Std()
		ttl, err := by.fits(now, o.TTL, defaultTTL)
		if err != nil {
			return err
		}
		der, t, err := e.verbatim(v, entry, by, csr, o, now, ttl)
		if err != nil {
			return err
		}
		c := Certificate{Serial: serialOf(t), Issuer: by.name, DER: der, NotAfter: expiryOf(t), KeyType: kind}
		if c.Chain, c.Anchor, err = by.row.above(); err != nil {
			return err
		}
		entry.Reply.Public, err = fsm.Encode(c)
		return err
	})
	if err == nil {
		err = fsm.Decode(rc.Reply.Public, &out)
	}
	return out, rc, err
}

func (e *Engine) verbatim(v *fsm.View, entry *fsm.Entry, by issuing, csr *x509.CertificateRequest, o Verbatim, now time.Time, ttl time.Duration) ([]byte, *x509.Certificate, error) {
	t := &x509.Certificate{RawSubject: csr.RawSubject, Subject: csr.Subject, NotBefore: now.Add(-backdate).Truncate(time.Second), NotAfter: now.Add(ttl).Truncate(time.Second), BasicConstraintsValid: true}
	if o.CA {
		t.IsCA, t.MaxPathLenZero, t.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
		der, err := e.signCA(v, entry, by, t, csr.PublicKey)
		return der, t, err
	}
	t.SerialNumber, t.KeyUsage = newSerial(), usageOf(csr.PublicKey)
	t.DNSNames, t.EmailAddresses, t.IPAddresses, t.URIs = csr.DNSNames, csr.EmailAddresses, csr.IPAddresses, csr.URIs
	for _, x := range csr.Extensions {
		if x.Id.Equal(oidKeyUsage) || x.Id.Equal(oidExtKeyUsage) {
			t.ExtraExtensions = append(t.ExtraExtensions, x)
		}
	}
	by.row.point(t)
	der, err := e.signLeaf(v, entry.Tenant, by, t, csr.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	entry.Add(Issued{Serial: serialOf(t), Issuer: by.row.UID, Subject: nameOf(t.Subject), Names: namesOf(t), NotAfter: expiryOf(t), DER: der, Holder: o.Holder.Accessor})
	return der, t, guard(v, entry, by.stream)
}
