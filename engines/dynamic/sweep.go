package dynamic

import (
	"context"
	"errors"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm"
)

// Stray is an account at a target that no lease stands for.
type Stray struct {
	Account   string
	Expires   fsm.Time // 0: the target does not know
	Abandoned bool     // nobody got it: it is ended without being told to
	Ended     bool     // it was, now
	Err       error    // it was not
}

// Sweep compares the accounts at a connection whose names are ours with leases and intents. It ends those of closed intents, and with all the others that are strays too.
func (e *Engine) Sweep(ctx context.Context, tenant fsm.UID, connection string, all bool) ([]Stray, error) {
	v, err := e.Ledger.View()
	if err != nil {
		return nil, err
	}
	row, err := find(v, tenant, connection)
	v.Close()
	if err != nil {
		return nil, err
	}
	var found []backend.Found
	err = e.use(ctx, tenant, connection, func(ctx context.Context, s backend.Session) (err error) {
		found, err = s.List(ctx, prefixOf(row.UID))
		return err
	})
	if err != nil {
		return nil, told("list the accounts at "+connection, err)
	}
	strays, err := e.strays(ctx, tenant, connection, found)
	for i := range strays {
		if s := &strays[i]; s.Abandoned || all {
			s.Err = e.end(ctx, tenant, connection, "", s.Account)
			s.Ended = s.Err == nil
		}
	}
	return strays, err
}

// strays are the accounts that neither a lease nor an open intent stands for, as of a state that is surely later than the list: what was made meanwhile is none.
func (e *Engine) strays(ctx context.Context, tenant fsm.UID, connection string, found []backend.Found) (out []Stray, err error) {
	if err := e.Confirm(ctx); err != nil {
		return nil, err
	}
	v, err := e.Ledger.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	known, abandoned := map[string]bool{}, map[string]bool{}
	err = intents.Scan(v, fsm.Span{Prefix: fsm.K(tenant)}, func(_ fsm.Key, row intentRow) (bool, error) {
		if row.Connection == connection {
			known[row.Account], abandoned[row.Account] = row.Abandoned == 0, row.Abandoned > 0
		}
		return true, nil
	})
	err = errors.Join(err, e.Leases.Accounts(v, tenant, connection, func(account string) { known[account] = true }))
	for _, f := range found {
		if !known[f.Name] {
			s := Stray{Account: f.Name, Abandoned: abandoned[f.Name]}
			if !f.Until.IsZero() {
				s.Expires = fsm.At(f.Until)
			}
			out = append(out, s)
		}
	}
	return out, err
}

// sweep looks at every connection that has abandoned intents: a former leader that was paused may have made their accounts late.
func (w *Worker) sweep(ctx context.Context) error {
	suspect, err := w.suspects()
	for _, n := range suspect {
		strays, bad := w.e.Sweep(ctx, n.tenant, n.name, false)
		err = errors.Join(err, bad)
		for _, s := range strays {
			w.log.WarnContext(ctx, "an account at a target has no lease", "connection", n.name, "account", s.Account, "ended", s.Ended, "err", s.Err)
		}
	}
	return err
}

func (w *Worker) suspects() (all []named, err error) {
	v, err := w.e.Ledger.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	seen := map[named]bool{}
	err = intents.Scan(v, fsm.Span{}, func(at fsm.Key, row intentRow) (bool, error) {
		tenant, _ := at.UID()
		if n := (named{tenant, row.Connection}); row.Abandoned > 0 && !seen[n] {
			seen[n] = true
			all = append(all, n)
		}
		return true, nil
	})
	return all, err
}
