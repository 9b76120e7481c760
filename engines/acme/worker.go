package acme

import (
	"context"
	"encoding/hex"
	"log/slog"
	"sync"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// How proofs are looked for.
const (
	tries      = 4
	firstPause = time.Second // doubled before each further try
	tryTime    = 10 * time.Second
	together   = 16
	tidyBatch  = 128
	lookEvery  = 5 * time.Second
	tidyEvery  = 10 * time.Minute
	keepEnded  = 24 * time.Hour
)

// Worker looks for proofs and forgets old orders. It runs on the leader.
type Worker struct {
	e   *Engine
	log *slog.Logger

	mu    sync.Mutex // guards under
	under map[string]bool
}

// Worker returns the worker of e.
func (e *Engine) Worker() *Worker { return &Worker{e: e, log: e.Log, under: map[string]bool{}} }

func (e *Engine) nudge() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends; it then returns nil.
func (w *Worker) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	places := make(chan struct{}, together)
	tidy := time.NewTicker(tidyEvery)
	defer tidy.Stop()
	for ctx.Err() == nil {
		asked, err := w.asked()
		if err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "what is to be proved by ACME is not read, will retry", "err", err)
		}
		for _, p := range asked {
			select {
			case places <- struct{}{}:
				wg.Go(func() {
					defer func() { <-places }()
					w.prove(ctx, p)
				})
			case <-ctx.Done():
			}
		}
		select {
		case <-ctx.Done():
		case <-w.e.wake:
		case <-time.After(lookEvery):
		case <-tidy.C:
			if err := w.tidy(ctx); err != nil && ctx.Err() == nil {
				w.log.WarnContext(ctx, "old ACME orders not forgotten, will retry", "err", err)
			}
		}
	}
	return nil
}

// proof is one that is asked for.
type proof struct {
	at            string // key of its row
	tenant        fsm.UID
	uid           fsm.UID
	row           authRow
	authorization string // what the client shows: token and thumbprint (RFC 8555, section 8.1)
}

// asked are the proofs that nobody looks for yet.
func (w *Worker) asked() (all []proof, err error) {
	v, err := w.e.Ledger.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	err = proofs.Scan(v, fsm.Span{}, func(at fsm.Key, account fsm.UID) (bool, error) {
		if !w.take(string(at)) {
			return true, nil
		}
		p, err := describe(v, at, account)
		if err == nil {
			all = append(all, p)
		}
		return err == nil, err
	})
	return all, err
}

func (w *Worker) take(at string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.under[at] {
		return false
	}
	w.under[at] = true
	return true
}

func (w *Worker) leave(at string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.under, at)
}

func describe(v *fsm.View, at fsm.Key, account fsm.UID) (p proof, err error) {
	p.at = string(at)
	p.tenant, _ = at.UID()
	p.uid, _ = at[uidSize:].UID()
	if p.row, _, err = auths.Get(v, fsm.K(p.tenant, p.uid)); err != nil {
		return p, err
	}
	thumb, err := thumbOf(v, p.tenant, account)
	p.authorization = p.row.Name.Token + "." + thumb
	return p, err
}

// thumbOf looks for an account among the directories of its tenant; "" when it is gone, so that no proof fits.
func thumbOf(v *fsm.View, tenant, account fsm.UID) (thumb string, err error) {
	err = directories.Scan(v, fsm.Span{Prefix: fsm.K(tenant)}, func(_ fsm.Key, d directoryRow) (bool, error) {
		row, found, err := accounts.Get(v, fsm.K(d.UID, account))
		thumb = row.Thumb
		return !found, err
	})
	return thumb, err
}

// prove looks for a proof some times and records what came of it.
func (w *Worker) prove(ctx context.Context, p proof) {
	defer w.leave(p.at)
	var last error
	for i := range tries {
		if last = w.try(ctx, p); last == nil || ctx.Err() != nil {
			break
		}
		if i == tries-1 {
			break
		}
		select {
		case <-time.After(firstPause << i):
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return // the next leader looks again
	}
	settled := ProofSettled{Authorization: p.uid, Order: p.row.Order}
	if last != nil {
		settled.Type, settled.Detail = typeOr(last, "serverInternal"), cut(last.Error())
	}
	if err := w.settle(ctx, p, settled); err != nil && ctx.Err() == nil {
		w.log.WarnContext(ctx, "what came of an ACME challenge is not recorded, will retry", "name", p.row.Name.Name, "err", err)
	}
}

func typeOr(err error, otherwise string) string {
	if t := TypeOf(err); t != "" {
		return t
	}
	return otherwise
}

func cut(s string) string { return s[:min(len(s), 300)] }

func (w *Worker) try(ctx context.Context, p proof) error {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	return w.e.Prover.Prove(ctx, p.row.Kind, p.row.Name.Name, p.row.Name.Token, p.authorization)
}

func (w *Worker) settle(ctx context.Context, p proof, settled ProofSettled) error {
	_, err := w.e.commit(ctx, request(p.tenant, "system:acme", ""), bucket("order", p.row.Order), func(v *fsm.View, entry *fsm.Entry) error {
		row, found, err := auths.Get(v, fsm.K(p.tenant, p.uid))
		if err == nil && found && row.Status == Processing {
			entry.Add(settled)
		}
		return err
	})
	return err
}

// tidy forgets orders that ended more than a day ago.
func (w *Worker) tidy(ctx context.Context) error {
	for ctx.Err() == nil {
		tenant, due, err := w.ended()
		if err != nil || len(due) == 0 {
			return err
		}
		_, err = w.e.commit(ctx, request(tenant, "system:acme", ""), OrdersForgotten{}.EventStream(), func(_ *fsm.View, entry *fsm.Entry) error {
			entry.Add(OrdersForgotten{due})
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *Worker) ended() (tenant fsm.UID, due []fsm.UID, err error) {
	v, err := w.e.Ledger.View()
	if err != nil {
		return tenant, nil, err
	}
	defer v.Close()
	end := w.e.time(v).Add(-keepEnded)
	err = expiries.Scan(v, fsm.Span{}, func(at fsm.Key, order fsm.UID) (bool, error) {
		const moment = 9 // bytes: a type and a number
		when, _ := at[:moment].LastUint()
		if fsm.Time(when) > end {
			return false, nil
		}
		whose, _ := at[moment:].UID()
		if len(due) == 0 {
			tenant = whose
		}
		if whose == tenant {
			due = append(due, order)
		}
		return len(due) < tidyBatch, nil
	})
	return tenant, due, err
}

// ParseUID reads a UID as URLs carry it; fault.NotFound for what is none.
func ParseUID(s string) (uid fsm.UID, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(uid) {
		return uid, fault.New(fault.NotFound, "there is no such thing")
	}
	copy(uid[:], b)
	return uid, nil
}
