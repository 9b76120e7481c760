package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/sdk"
)

// lease issues accounts at a target, logs in with them, renews and revokes their leases, or the tokens that hold them.
//
// In the history a credential is its lease and account. Its password is nowhere.
type lease struct {
	desk *desk // from Setup on

	mu   sync.Mutex            // guards the rest
	held map[string]sdk.Secret // account -> password
}

func newLease() *lease { return &lease{held: map[string]sdk.Secret{}} }

// lent is what is done with a lease, and what an answer says of one.
type lent struct {
	Lease   string        `json:"lease,omitempty"`
	Account string        `json:"account,omitempty"`
	Life    time.Duration `json:"life,omitempty"`   // that was asked for
	Expires time.Time     `json:"expires,omitzero"` // as it was answered
	Now     time.Time     `json:"now,omitzero"`     // of the harness, when it looked
	In      bool          `json:"in,omitempty"`     // let in at the target
	Refused sdk.Kind      `json:"refused,omitempty"`
}

const (
	leaseName  = "jepsen"
	shortLease = 10 * time.Second
	longLease  = time.Hour
)

func (*lease) Name() string   { return "lease" }
func (*lease) Processes() int { return 3 }

// Setup opens the target, and a connection to it.
func (l *lease) Setup(ctx context.Context, e *Env) (err error) {
	path := filepath.Join(e.Dir, "desk")
	if l.desk, err = openDesk(path, 1); err != nil {
		return err
	}
	spec := sdk.ConnectionSpec{Backend: "line", Host: "desk", Username: "root", Password: sdk.Secret("root"), Options: map[string]string{"socket": path}}
	if err := again(ctx, func(ctx context.Context) error { _, err := e.Any.WriteConnection(ctx, leaseName, spec); return err }); err != nil {
		return err
	}
	_, err = e.Any.WriteDynamicRole(ctx, leaseName, "r", sdk.DynamicRoleSpec{Grants: []string{"all"}, TTL: longLease, MaxTTL: 10 * longLease})
	return err
}

func (l *lease) Run(ctx context.Context, e *Env, process int, r *rand.Rand) {
	c := &borrower{lease: l, e: e, process: process, r: r}
	for ctx.Err() == nil {
		c.life()
		pause(ctx, time.Duration(50+r.IntN(200))*time.Millisecond)
	}
}

// borrower is one client.
type borrower struct {
	*lease
	e       *Env
	process int
	r       *rand.Rand
}

// life is that of one lease.
func (c *borrower) life() {
	life := longLease
	if c.r.IntN(3) == 0 {
		life = shortLease
	}
	got, err := c.issue(life)
	if err != nil || got.Refused != "" {
		return
	}
	c.login(got)
	if life == longLease && c.r.IntN(4) == 0 {
		c.on("renew", got, func(ctx context.Context, at *sdk.Client) (sdk.Lease, error) {
			return at.RenewLease(ctx, got.Lease, 2*longLease)
		})
		c.login(got)
	}
	if c.r.IntN(2) == 0 {
		c.on("revoke", got, func(ctx context.Context, at *sdk.Client) (sdk.Lease, error) { return at.RevokeLease(ctx, got.Lease) })
	}
}

func (c *borrower) issue(life time.Duration) (lent, error) {
	node := c.e.Node(c.r)
	return do(c.e, operation{c.process, "lease.issue", node, lent{Life: life}, false}, func(ctx context.Context) (lent, error) {
		got, err := c.e.Client(node).IssueCredential(ctx, leaseName, "r", life)
		if err != nil {
			return lent{}, err
		}
		c.keep(got.Username, got.Password)
		return lent{Lease: got.LeaseID, Account: got.Username, Expires: got.ExpiresAt}, nil
	})
}

func (l *lease) keep(account string, password sdk.Secret) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[account] = password
}

func (l *lease) letsIn(account string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.desk.letsIn(account, l.held[account])
}

// login tries a credential at the target.
func (c *borrower) login(of lent) {
	_, _ = do(c.e, operation{c.process, "lease.login", "", lent{Lease: of.Lease, Account: of.Account}, true}, func(context.Context) (lent, error) { // it is recorded
		return lent{In: c.letsIn(of.Account)}, nil
	})
}

func (c *borrower) on(f string, of lent, call func(context.Context, *sdk.Client) (sdk.Lease, error)) {
	node := c.e.Node(c.r)
	_, _ = do(c.e, operation{c.process, "lease." + f, node, lent{Lease: of.Lease, Account: of.Account}, false}, func(ctx context.Context) (lent, error) { // it is recorded
		l, err := call(ctx, c.e.Client(node))
		return lent{Expires: l.ExpiresAt}, err
	})
}

// standing is how things stand when the cluster has come to rest.
type standing struct {
	Now      time.Time `json:"now"`
	Accounts []string  `json:"accounts"` // at the target
	Leases   []lent    `json:"leases"`   // active
	Ending   int       `json:"ending"`
	Owed     int       `json:"owed"`
	Strays   []string  `json:"strays"`
	In       []string  `json:"in"` // accounts whose credential that was given out is let in
}

// Settle waits until nothing is owed any more and what has expired is gone, and records what is there then.
func (l *lease) Settle(ctx context.Context, e *Env) error {
	defer l.desk.close()
	var last standing
	for until := time.Now().Add(settleTime); ; {
		err := again(ctx, func(ctx context.Context) (err error) { last, err = l.look(ctx, e); return err })
		if err != nil {
			return fmt.Errorf("look at the leases: %w", err)
		}
		if last.Ending == 0 && last.Owed == 0 && len(last.Strays) == 0 || time.Now().After(until) {
			e.History.Add(history.Settler, history.OK, "lease.rest", "", last, nil)
			return nil
		}
		pause(ctx, 500*time.Millisecond)
	}
}

// settleTime is how long what is owed may take when nothing is wrong any more: a destination that has failed is left alone for a while.
const settleTime = 45 * time.Second

func (l *lease) look(ctx context.Context, e *Env) (out standing, err error) {
	out.Now = time.Now()
	for one, err := range sdk.All(func(cursor string) (sdk.Page[sdk.Lease], error) {
		return e.Any.Leases(ctx, leaseName+"/", sdk.Slice{Cursor: cursor})
	}) {
		if err != nil {
			return out, err
		}
		if one.State != "active" || one.ExpiresAt.Before(out.Now.Add(shortLease)) {
			out.Ending++ // or it ends while we look
			continue
		}
		out.Leases = append(out.Leases, lent{Lease: one.ID, Account: one.Account, Expires: one.ExpiresAt})
	}
	owed, errOwed := e.Any.Outbox(ctx, sdk.OutboxQuery{})
	strays, errStrays := e.Any.SweepConnection(ctx, leaseName, false)
	out.Owed, out.Accounts = len(owed.Items), l.desk.all()
	for _, s := range strays {
		out.Strays = append(out.Strays, s.Account)
	}
	for _, a := range out.Accounts {
		if l.letsIn(a) {
			out.In = append(out.In, a)
		}
	}
	return out, errors.Join(errOwed, errStrays)
}
