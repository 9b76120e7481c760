package acme

import (
	"context"
	"crypto/x509"
	"slices"
	"strings"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Order is an order as its account sees it.
type Order struct {
	UID     fsm.UID
	Status  Status
	Names   []Named
	Expires fsm.Time
	Chain   [][]byte // of a valid one: the certificate and those above it
}

// Authorization is what one name of an order is proved by.
type Authorization struct {
	UID     fsm.UID
	Order   fsm.UID
	Named   Named
	Status  Status
	Kind    ProofKind // that was chosen; "": none
	At      fsm.Time  // when it was settled
	Problem *Problem  // why it is invalid
	Expires fsm.Time
}

// Kinds are how the name may be proved.
func (a Authorization) Kinds() []ProofKind {
	if a.Named.Wild {
		return []ProofKind{DNS}
	}
	return []ProofKind{HTTP, DNS, ALPN}
}

// MakeOrder orders a certificate for names of hosts, in small letters, with "*." before wildcards.
func (e *Engine) MakeOrder(ctx context.Context, d Found, a Account, hosts []string) (out Order, err error) {
	hosts = slices.Compact(slices.Sorted(slices.Values(hosts)))
	if len(hosts) == 0 || len(hosts) > maxNames {
		return out, Refuse(fault.Invalid, "malformed", "an order has 1 to %d identifiers", maxNames)
	}
	_, err = e.commit(ctx, request(d.Tenant, a.Identity, a.Accessor()), bucket("orders", a.UID), func(v *fsm.View, entry *fsm.Entry) error {
		if err := e.mayOrder(v, d, a, hosts); err != nil {
			return err
		}
		ev := OrderMade{UID: newUID(), Account: a.UID, Expires: e.time(v).Add(orderLife)}
		for _, h := range hosts {
			name, wild := strings.CutPrefix(h, "*.")
			ev.Names = append(ev.Names, Named{newUID(), name, wild, newToken()})
		}
		entry.Add(ev)
		out = Order{ev.UID, Pending, ev.Names, ev.Expires, nil}
		return guard(v, entry, bucket("account", d.UID))
	})
	return out, err
}

// mayOrder holds the names against the role before anybody is asked about them.
func (e *Engine) mayOrder(v *fsm.View, d Found, a Account, hosts []string) error {
	if _, err := alive(v, d, a.UID); err != nil {
		return err
	}
	n := 0
	err := ofAccount.Scan(v, fsm.Span{Prefix: fsm.K(a.UID)}, func(fsm.Key, fsm.UID) (bool, error) {
		n++
		return n < maxOpen, nil
	})
	if err == nil && n >= maxOpen {
		err = Refuse(fault.RateLimited, "rateLimited", "the account has %d orders that have not come to their end, the most it may", maxOpen)
	}
	if err != nil {
		return err
	}
	return refused(e.Certificates.Permits(v, d.Tenant, d.Role, a.Identity, hosts), "rejectedIdentifier")
}

// refused gives a refusal its name in the protocol; what is none stays as it is.
func refused(err error, name string) error {
	switch fault.KindOf(err) {
	case fault.Denied, fault.Invalid, fault.Conflict:
		if err != nil && TypeOf(err) == "" {
			return &Problem{name, err}
		}
	}
	return err
}

// status is that of an order now: one that is not valid ends with its time.
func (row orderRow) status(now fsm.Time) Status {
	if row.Status != Valid && now >= row.Expires {
		return Invalid
	}
	return row.Status
}

func find(r fsm.Reader, tenant, account, uid fsm.UID) (orderRow, error) {
	row, found, err := orders.Get(r, fsm.K(tenant, uid))
	if err == nil && (!found || row.Account != account) {
		err = fault.New(fault.NotFound, "there is no such order")
	}
	return row, err
}

// GetOrder returns an order of an account; fault.NotFound when there is none.
func (e *Engine) GetOrder(v *fsm.View, d Found, account, uid fsm.UID) (Order, error) {
	row, err := find(v, d.Tenant, account, uid)
	return Order{uid, row.status(e.time(v)), row.Names, row.Expires, row.Chain}, err
}

// GetAuthorization returns an authorization of an account; fault.NotFound when there is none.
func (e *Engine) GetAuthorization(v *fsm.View, d Found, account, uid fsm.UID) (Authorization, error) {
	row, found, err := auths.Get(v, fsm.K(d.Tenant, uid))
	if err == nil && !found {
		err = fault.New(fault.NotFound, "there is no such authorization")
	}
	if err != nil {
		return Authorization{}, err
	}
	order, err := find(v, d.Tenant, account, row.Order)
	out := Authorization{UID: uid, Order: row.Order, Named: row.Name, Status: row.Status, Kind: row.Kind, At: row.At, Expires: order.Expires}
	if row.Type != "" {
		out.Problem = &Problem{row.Type, fault.New(fault.Invalid, "%s", row.Detail)}
	}
	if order.status(e.time(v)) == Invalid && (row.Status == Pending || row.Status == Processing) {
		out.Status = Invalid
	}
	return out, err
}

// AskProof says that a proof is there. What comes of it is looked up later. It is no error that it was asked for before.
func (e *Engine) AskProof(ctx context.Context, d Found, a Account, auth Authorization, kind ProofKind) error {
	if !slices.Contains(auth.Kinds(), kind) {
		return fault.New(fault.NotFound, "there is no such challenge")
	}
	_, err := e.commit(ctx, request(d.Tenant, a.Identity, a.Accessor()), bucket("order", auth.Order), func(v *fsm.View, entry *fsm.Entry) error {
		if _, err := alive(v, d, a.UID); err != nil {
			return err
		}
		now, err := e.GetAuthorization(v, d, a.UID, auth.UID)
		if err != nil || now.Status != Pending {
			return err
		}
		entry.Add(ProofAsked{auth.UID, auth.Order, kind})
		return nil
	})
	if err == nil {
		e.nudge()
	}
	return err
}

// EndAuthorization gives an authorization up; its order is invalid then.
func (e *Engine) EndAuthorization(ctx context.Context, d Found, a Account, auth Authorization) error {
	_, err := e.commit(ctx, request(d.Tenant, a.Identity, a.Accessor()), bucket("order", auth.Order), func(v *fsm.View, entry *fsm.Entry) error {
		now, err := e.GetAuthorization(v, d, a.UID, auth.UID)
		if err == nil && now.Status != Deactivated {
			entry.Add(AuthorizationEnded{auth.UID, auth.Order})
		}
		return err
	})
	return err
}

// Finalize signs the certificate of an order whose names are proved, for a request (PKCS#10, DER) with just these names.
func (e *Engine) Finalize(ctx context.Context, d Found, a Account, uid fsm.UID, request509 []byte) (out Order, err error) {
	csr, err := x509.ParseCertificateRequest(request509)
	if err != nil {
		return out, Refuse(fault.Invalid, "badCSR", "the request cannot be read")
	}
	_, err = e.commit(ctx, request(d.Tenant, a.Identity, a.Accessor()), bucket("order", uid), func(v *fsm.View, entry *fsm.Entry) error {
		if _, err := alive(v, d, a.UID); err != nil {
			return err
		}
		row, err := find(v, d.Tenant, a.UID, uid)
		if err != nil {
			return err
		}
		out = Order{uid, row.status(e.time(v)), row.Names, row.Expires, row.Chain}
		switch {
		case out.Status == Valid:
			return nil
		case out.Status != Ready:
			return Refuse(fault.Denied, "orderNotReady", "the order is %s: only one that is ready is finalized", out.Status)
		case !same(csr, row.Names):
			return Refuse(fault.Invalid, "badCSR", "the request has other names than the order")
		}
		signed, err := e.Certificates.Sign(v, entry, d.Role, a.Accessor(), a.Identity, request509)
		if err != nil {
			return refused(err, "badCSR")
		}
		out.Status, out.Chain = Valid, append([][]byte{signed.DER}, signed.Chain...)
		entry.Add(OrderFinalized{uid, signed.Serial, out.Chain})
		return guard(v, entry, bucket("account", d.UID))
	})
	return out, err
}

// same reports whether a request has the names of an order and no other.
func same(csr *x509.CertificateRequest, names []Named) bool {
	if len(csr.IPAddresses)+len(csr.EmailAddresses)+len(csr.URIs) > 0 {
		return false
	}
	var want, has []string
	for _, n := range names {
		if n.Wild {
			n.Name = "*." + n.Name
		}
		want = append(want, n.Name)
	}
	for _, h := range csr.DNSNames {
		has = append(has, strings.ToLower(h))
	}
	if cn := strings.ToLower(csr.Subject.CommonName); cn != "" {
		has = append(has, cn)
	}
	slices.Sort(want)
	slices.Sort(has)
	return slices.Equal(want, slices.Compact(has))
}

// Revoke revokes a certificate for the account that it was issued to, or, where account is nil, for its own key, which the caller has seen sign.
func (e *Engine) Revoke(ctx context.Context, d Found, a *Account, c *x509.Certificate, serial string, reason int) error {
	req := request(d.Tenant, "acme", "")
	if a != nil {
		req = request(d.Tenant, a.Identity, a.Accessor())
	}
	_, err := e.Ledger.Commit(ctx, req, "", func(v *fsm.View, entry *fsm.Entry) error {
		holder, der, err := e.Certificates.Known(v, d.Tenant, serial)
		if err != nil {
			return err
		}
		if string(der) != string(c.Raw) {
			return fault.New(fault.NotFound, "there is no such certificate")
		}
		if a != nil {
			if _, err := alive(v, d, a.UID); err != nil {
				return err
			}
			if holder != a.Accessor() {
				return Refuse(fault.Denied, "unauthorized", "the certificate was issued to somebody else: sign the request with its own key")
			}
		}
		if err := refused(e.Certificates.Revoke(v, entry, serial, reason), "badRevocationReason"); err != nil {
			return err
		}
		if entry.Empty() {
			return Refuse(fault.Invalid, "alreadyRevoked", "the certificate is revoked")
		}
		return nil
	})
	return err
}
