package pki

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/trstctl/trstctl/fsm"
)

// Certificates stay for three days beyond their end: nobody needs them for longer, and no CRL names them any more.
const (
	keepExpired = 72 * time.Hour
	tidyBatch   = 256
	lookEvery   = 10 * time.Minute
	lookAgain   = 30 * time.Second
)

// Worker makes signers of OCSP answers before those that are end, and removes certificates that have long expired. It runs on the leader.
type Worker struct {
	e   *Engine
	log *slog.Logger
}

// Worker returns the worker of e.
func (e *Engine) Worker() *Worker { return &Worker{e, e.Log} }

// Run works now and every ten minutes, until ctx ends; it then returns nil. What failed is tried again after 30 seconds.
func (w *Worker) Run(ctx context.Context) error {
	for {
		pause := lookEvery
		if err := errors.Join(w.renew(ctx), w.tidy(ctx)); err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "signers of OCSP answers not renewed, or expired certificates not removed, will retry", "err", err)
			pause = lookAgain
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

func request(tenant fsm.UID) fsm.Request {
	return fsm.Request{ID: newUID(), Tenant: tenant, Actor: fsm.Actor{Identity: "system:pki"}}
}

// renew renews the signers that are due, all that can be.
func (w *Worker) renew(ctx context.Context) error {
	due, err := w.due()
	for _, at := range due {
		err = errors.Join(err, w.renewOne(ctx, at))
	}
	return err
}

// due are the issuers whose signer ends soon. One that is suspended signs nothing, this neither.
func (w *Worker) due() (all []home, err error) {
	v, err := w.e.Ledger.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	err = issuers.Scan(v, fsm.Span{}, func(_ fsm.Key, row issuerRow) (bool, error) {
		need, err := w.e.needsSigner(v, row)
		if err != nil || !need {
			return err == nil, err
		}
		where, found, err := homes.Get(v, fsm.K(row.UID))
		if found {
			all = append(all, where)
		}
		return err == nil, err
	})
	return all, err
}

func (e *Engine) needsSigner(v *fsm.View, row issuerRow) (bool, error) {
	ca, err := row.certificate()
	if err != nil {
		return false, err
	}
	now := e.time(v)
	if s := row.state(v, ca, now); s != Active && s != Disabled {
		return false, nil
	}
	c, err := row.responder(now.Std())
	if err != nil || c == nil {
		return true, err
	}
	return now.Std().Add(signerRenew).After(c.NotAfter) && c.NotAfter.Before(ca.NotAfter.Truncate(time.Second)), nil
}

func (w *Worker) renewOne(ctx context.Context, at home) error {
	_, _, err := w.e.changeIssuer(ctx, request(at.Tenant), at.Name, func(v *fsm.View, entry *fsm.Entry, row *issuerRow) error {
		need, err := w.e.needsSigner(v, *row)
		if err != nil || !need {
			return err
		}
		key, err := w.e.signer(v, at.Tenant, *row)
		if err != nil {
			return err
		}
		return w.e.addResponder(v, entry, at.Name, *row, key)
	})
	return err
}

// tidy removes what has long expired, a batch of a tenant at a time.
func (w *Worker) tidy(ctx context.Context) error {
	for ctx.Err() == nil {
		tenant, due, err := w.expired()
		if err != nil || len(due) == 0 {
			return err
		}
		_, err = w.e.Ledger.Commit(ctx, request(tenant), Tidied{}.EventStream(), func(_ *fsm.View, entry *fsm.Entry) error {
			entry.Add(Tidied{due})
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// expired are the first certificates that have long expired, of the tenant of the first.
func (w *Worker) expired() (tenant fsm.UID, due []Outlived, err error) {
	v, err := w.e.Ledger.View()
	if err != nil {
		return tenant, nil, err
	}
	defer v.Close()
	end := w.e.time(v).Add(-keepExpired)
	err = expiries.Scan(v, fsm.Span{}, func(at fsm.Key, issuer fsm.UID) (bool, error) {
		x, whose, err := expiredAt(at, issuer)
		if err != nil || x.NotAfter > end {
			return false, err
		}
		if len(due) == 0 {
			tenant = whose
		}
		if whose == tenant {
			due = append(due, x)
		}
		return len(due) < tidyBatch, nil
	})
	return tenant, due, err
}
