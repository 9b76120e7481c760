package kmipclient

import (
	"context"
	"crypto/x509"
	"fmt"
	"sync"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// InitCA makes the tenant's first client CA, with a key of RSA3072 if a is empty. fault.Conflict: it has one.
func (e *Engine) InitCA(ctx context.Context, req fsm.Request, a Algorithm) (CA, fsm.Receipt, error) {
	return e.addOwn(ctx, req, ClientCA, a, 0, func(newest CA) (bool, error) {
		if newest.Generation > 0 {
			return false, fault.New(fault.Conflict, "the tenant has a KMIP CA: `trstctl kmip ca rotate` makes its next generation")
		}
		return false, nil
	})
}

// RotateCA makes the next generation of the tenant's client CA, which issues from now on. What the former ones issued is good until they are removed.
func (e *Engine) RotateCA(ctx context.Context, req fsm.Request, a Algorithm) (CA, fsm.Receipt, error) {
	return e.addOwn(ctx, req, ClientCA, a, 0, follow)
}

// EnsureServerCA makes the cluster's server CA if there is none, and returns the newest. The request is the root tenant's.
func (e *Engine) EnsureServerCA(ctx context.Context, req fsm.Request, a Algorithm) (CA, fsm.Receipt, error) {
	return e.addOwn(ctx, req, ServerCA, a, 0, func(newest CA) (bool, error) { return newest.Generation > 0, nil })
}

// RotateServerCA makes the next generation of the cluster's server CA. Roots lists it at once; nodes take certificates from it only after delay, 365 days at most, by
// when clients must have learnt it. The request is the root tenant's.
func (e *Engine) RotateServerCA(ctx context.Context, req fsm.Request, a Algorithm, delay time.Duration) (CA, fsm.Receipt, error) {
	if delay < 0 || delay > maxDelay {
		return CA{}, fsm.Receipt{}, fault.Bad("delay", "a new CA begins to issue within 365 days")
	}
	return e.addOwn(ctx, req, ServerCA, a, delay, follow)
}

// rule says whether the newest generation that there is, a zero one if there is none, is enough, or whether none may follow it.
type rule func(newest CA) (enough bool, err error)

func follow(newest CA) (bool, error) {
	if newest.Generation == 0 {
		return false, fault.New(fault.Conflict, "there is no KMIP CA yet that another could follow")
	}
	return false, nil
}

// addOwn makes a generation of a CA whose key is kept here. The key takes a second, so it is made before others have to wait, if it seems to be wanted.
func (e *Engine) addOwn(ctx context.Context, req fsm.Request, kind CAKind, a Algorithm, delay time.Duration, may rule) (CA, fsm.Receipt, error) {
	if kind == ServerCA && req.Tenant != fsm.RootTenant {
		return CA{}, fsm.Receipt{}, fault.New(fault.Denied, "the CA of the cluster's servers is the root tenant's")
	}
	a, err := ParseAlgorithm(string(a), RSA3072)
	if err != nil {
		return CA{}, fsm.Receipt{}, err
	}
	uid := newUID()
	made := sync.OnceValues(func() (issuer, error) { return newCA(uid, kind.subject(req.Tenant, uid), a, e.now().Std()) })
	if wanted, err := e.wanted(req.Tenant, kind, may); err != nil {
		return CA{}, fsm.Receipt{}, err
	} else if wanted {
		if _, err := made(); err != nil {
			return CA{}, fsm.Receipt{}, err
		}
	}
	return commit(ctx, e, req, func(t *turn) (CA, error) { return t.addOwn(kind, a, delay, may, made) })
}

// subject is a name that no other CA has.
func (k CAKind) subject(tenant, ca fsm.UID) string {
	if k == ServerCA {
		return "trstctl KMIP servers " + ca.String()[:16]
	}
	return "trstctl KMIP clients " + tenant.String()[:16] + " " + ca.String()[:16]
}

// wanted says whether a generation is to be made, as this node knows now.
func (e *Engine) wanted(tenant fsm.UID, kind CAKind, may rule) (bool, error) {
	v, err := e.ledger.View()
	if err != nil {
		return false, err
	}
	defer v.Close()
	all, err := CAs(v, tenant)
	if err != nil {
		return false, err
	}
	_, newest := issuing(all, kind, e.now())
	enough, refusal := may(newest)
	return !enough && refusal == nil, nil
}

func (t *turn) addOwn(kind CAKind, a Algorithm, delay time.Duration, may rule, made func() (issuer, error)) (CA, error) {
	all, err := CAs(t.v, t.entry.Tenant)
	if err != nil {
		return CA{}, err
	}
	_, newest := issuing(all, kind, t.now)
	if enough, err := may(newest); enough || err != nil {
		return newest, err
	}
	i, err := made()
	if err != nil {
		return CA{}, err
	}
	key, err := t.sealCA(i)
	if err != nil {
		return CA{}, err
	}
	return t.addCA(all, CAAdded{UID: i.uid, Kind: kind, Generation: newest.Generation + 1, Algorithm: string(a), Key: key, From: t.now.Add(delay)}, i.certificate)
}

func (t *turn) sealCA(i issuer) (fsm.Sealed, error) {
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		return fsm.Sealed{}, fmt.Errorf("encode the key of a CA: %w", err)
	}
	defer clear(der)
	sealed, err := t.keys.Seal(t.v, caBinding(t.entry.Tenant, i.uid), der)
	if err != nil {
		return fsm.Sealed{}, fmt.Errorf("seal the key of a CA: %w", err)
	}
	return sealed, nil
}

func (t *turn) addCA(all []CA, e CAAdded, c *x509.Certificate) (CA, error) {
	if len(all) >= maxCAs && !has(all, e.UID) {
		return CA{}, fault.New(fault.Limit, "the tenant has %d CAs, the most it may: remove those that are not needed any more", maxCAs)
	}
	e.Certificate, e.PublicKey, e.Expires = c.Raw, keyPrint(c), expiry(c)
	t.entry.Add(e)
	return CA{UID: e.UID, Kind: e.Kind, Name: e.Name, Generation: e.Generation, Algorithm: e.Algorithm, Certificate: e.Certificate, PublicKey: e.PublicKey,
		From: e.From, Expires: e.Expires, Created: t.now, By: t.entry.Actor.Identity}, nil
}

func has(all []CA, uid fsm.UID) bool {
	for _, ca := range all {
		if ca.UID == uid {
			return true
		}
	}
	return false
}

// RemoveCA ends a CA: clients that it vouches for, or to which it issued, are refused from then on. The one that issues now is not removed, nor one that will.
func (e *Engine) RemoveCA(ctx context.Context, req fsm.Request, uid fsm.UID) (CA, fsm.Receipt, error) {
	return commit(ctx, e, req, func(t *turn) (CA, error) {
		all, err := CAs(t.v, t.entry.Tenant)
		if err != nil {
			return CA{}, err
		}
		ca, err := decideRemoveCA(all, uid, t.now)
		if err == nil {
			t.entry.Add(CARemoved{uid})
		}
		return ca, err
	})
}

func decideRemoveCA(all []CA, uid fsm.UID, now fsm.Time) (CA, error) {
	for _, ca := range all {
		if ca.UID != uid {
			continue
		}
		if current, _ := issuing(all, ca.Kind, now); ca.Kind != ExternalCA && ca.Generation >= current.Generation {
			return CA{}, fault.New(fault.Conflict, "generation %d of the CA is in use: rotate it first, and remove it when the next one issues", ca.Generation)
		}
		return ca, nil
	}
	return CA{}, fault.New(fault.NotFound, "there is no KMIP CA %s", uid)
}

// decideIssue lets a CA issue a certificate by now.
func decideIssue(ca CA, kind CAKind, now fsm.Time) error {
	switch {
	case ca.Generation == 0 && kind == ServerCA:
		return fault.New(fault.NotDone, "the cluster has no CA for its KMIP servers yet")
	case ca.Generation == 0:
		return fault.New(fault.Conflict, "the tenant has no KMIP CA: `trstctl kmip ca init` makes it")
	case past(ca.Expires, now):
		return fault.New(fault.Conflict, "generation %d of the CA has expired: `trstctl kmip ca rotate` makes the next one", ca.Generation)
	}
	return nil
}
