package kmipclient

import (
	"context"
	"crypto"
	"fmt"
	"sync"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// issuance is one request to bind something to a client.
type issuance struct {
	*Engine
	req    fsm.Request
	key    string // the Idempotency-Key
	by     Source
	signer func() (crypto.Signer, error) // the key that was made here
}

func (e *Engine) issuance(req fsm.Request, by Source, idempotencyKey string) (*issuance, error) {
	if by.kind == 0 {
		return nil, fault.Bad("source", "a client is known by something: a certificate, a key or a subject")
	}
	i := &issuance{e, req, idempotencyKey, by, sync.OnceValues(func() (crypto.Signer, error) { return generate(by.algorithm) })}
	if by.kind != Made || e.answered(req) {
		return i, nil
	}
	_, err := i.signer() // it takes a while, so it is made before others have to wait
	return i, err
}

// answered says whether the request seems to be a repetition. The ledger knows for sure.
func (e *Engine) answered(req fsm.Request) bool {
	v, err := e.ledger.View()
	if err != nil {
		return false
	}
	defer v.Close()
	_, found, err := e.ledger.Find(v, req.Tenant, req.Receipt)
	return found || err != nil
}

// bind fills in b from the source of i and adds it with its claims. In an Enrolled that comes before it c has given no number yet.
func (t *turn) bind(i *issuance, c clientRow, b Bound) (Issued, error) {
	b.Number = c.Given + 1
	out := Issued{Client: c.Name, UID: b.Client, Role: c.Role, Number: b.Number}
	err := i.by.bind(&b, t.now)
	switch i.by.kind {
	case Made, Requested:
		out.CA, err = t.issue(i, c.Name, &b)
	case Subject:
		err = t.subject(i.by, &b)
	}
	if err == nil {
		err = t.claim(b)
	}
	if err != nil {
		return Issued{}, err
	}
	t.entry.Add(b)
	t.entry.Reply.Secret = b.Answer
	out.Kind, out.Certificate, out.Print, out.PublicKey, out.Expires = b.Kind, b.Certificate, b.Print, b.PublicKey, b.Expires
	return out, nil
}

// issue has the tenant's CA sign a certificate, and seals the key that was made for it.
func (t *turn) issue(i *issuance, name string, b *Bound) (ca []byte, err error) {
	by, err := openIssuer(t.v, t.keys, t.entry.Tenant, ClientCA, t.now)
	if err != nil {
		return nil, err
	}
	public := i.by.public
	if i.by.kind == Made {
		key, err := i.signer()
		if err != nil {
			return nil, err
		}
		public = key.Public()
	}
	c, err := by.client(t.entry.Tenant, name, public, t.now.Std(), i.by.lifetime)
	if err != nil {
		return nil, err
	}
	b.describe(c)
	b.CA = by.uid
	b.Answer, err = t.answer(i, b)
	return by.certificate.Raw, err
}

// answer seals the key for a repetition of the request; without a receipt there is none to answer.
func (t *turn) answer(i *issuance, b *Bound) (fsm.Sealed, error) {
	if i.by.kind != Made || i.req.Receipt == nil {
		return fsm.Sealed{}, nil
	}
	secret, err := i.secret()
	if err != nil {
		return fsm.Sealed{}, err
	}
	defer secret.Zero()
	sealed, err := t.keys.SealAnswer(t.v, answerBinding(t.entry.Tenant, b.Client, b.Number), i.key, secret)
	if err != nil {
		return fsm.Sealed{}, fmt.Errorf("seal the key of a client: %w", err)
	}
	return sealed, nil
}

// subject takes the place of the client's subject from the external CA of that name.
func (t *turn) subject(by Source, b *Bound) error {
	all, err := CAs(t.v, t.entry.Tenant)
	if err != nil {
		return err
	}
	ca, issuer, err := decideSubject(all, by.ca, t.now)
	if err != nil {
		return err
	}
	b.CA, b.CAKey, b.Issuer, b.Subject = ca.UID, ca.PublicKey, issuer, by.subject
	return nil
}

func answerBinding(tenant, client fsm.UID, number uint64) fsm.Binding {
	return fsm.Binding{Tenant: tenant, Feature: "kmipclient", Field: "client-key", Path: client.String(), Version: number}
}

func (i *issuance) secret() (Secret, error) {
	key, err := i.signer()
	if err != nil {
		return nil, err
	}
	return keyPEM(key)
}

// commit carries out the request, and gives the key with the answer: the one that was made now, or that of an earlier attempt.
func (i *issuance) commit(ctx context.Context, change func(*turn) (Issued, error)) (Issued, fsm.Receipt, error) {
	out, rc, err := commit(ctx, i.Engine, i.req, change)
	if err != nil || out.Kind != Made {
		return out, rc, err
	}
	if rc.Replayed {
		out.Key, err = i.reopen(out, rc.Reply.Secret)
	} else {
		out.Key, err = i.secret()
	}
	if err != nil {
		return Issued{}, rc, err
	}
	return out, rc, nil
}

func (i *issuance) reopen(out Issued, answer fsm.Sealed) (Secret, error) {
	v, err := i.ledger.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	secret, err := i.keys.OpenAnswer(v, answerBinding(i.req.Tenant, out.UID, out.Number), i.key, answer)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, fault.New(fault.Conflict, "this request made a key for client %q before; it is no longer kept: renew the client", out.Client)
	case err != nil:
		return nil, fmt.Errorf("open the answer with a client's key: %w", err)
	}
	return secret, nil
}
