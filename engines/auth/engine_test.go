package auth

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestTheFirstTokenLogsInUntilItExpires(t *testing.T) {
	r := newRig(t)
	s := r.login(r.root.Secret)
	require.Equal(t, []string{"root"}, s.Policies)
	require.Equal(t, fsm.RootTenant, s.Tenant)
	require.Equal(t, "root", s.Identity)
	require.Empty(t, s.Ancestors)
	r.clock.advance(MaxTTL - 1)
	r.login(r.root.Secret)
	r.clock.advance(1)
	r.refused(r.root.Secret)
}

func TestACreatedTokenLogsInAndIsBounded(t *testing.T) {
	r := newRig(t)
	a := r.create(r.root.Secret, Grant{Name: "ci", Policies: []string{"abc"}, TTL: time.Hour}, acme)
	s := r.login(a.Secret)
	require.Equal(t, a.Token, s.Token, "what was answered is what is stored")
	require.Equal(t, "ci", s.Identity)
	require.Equal(t, acme, s.Tenant)
	require.Equal(t, []Token{r.root.Token}, s.Ancestors)

	b := r.create(a.Secret, Grant{Policies: []string{"ab"}, TTL: 9 * time.Hour}, acme)
	require.Equal(t, "token:"+b.Accessor, b.Identity, "a child inherits no name")
	require.Equal(t, a.Expires, b.Expires)
	_, err := r.try(b.Secret, Grant{Policies: []string{"c"}}, acme)
	require.True(t, fault.Is(err, fault.Denied), "%v", err)
	_, err = r.try(b.Secret, Grant{Policies: []string{"c"}, Orphan: true}, acme)
	require.True(t, fault.Is(err, fault.Denied), "an orphan gets no more either")
	_, err = r.try(b.Secret, Grant{}, other)
	require.True(t, fault.Is(err, fault.NotFound))
	for _, wrong := range []string{"", "trs.", a.Accessor, "trs." + a.Accessor} {
		r.refused([]byte(wrong))
	}
	r.check()
}

func TestRevokeKillsTheWholeTreeAtOnce(t *testing.T) {
	r := newRig(t)
	a := r.create(r.root.Secret, Grant{Policies: []string{"abc"}}, acme)
	chain, orphan := []Created{a}, r.create(a.Secret, Grant{Orphan: true, TTL: 10 * time.Hour}, acme)
	for range 5 {
		chain = append(chain, r.create(chain[len(chain)-1].Secret, Grant{Policies: []string{"a"}}, acme))
	}
	proposed := r.log.proposed
	require.NoError(t, r.revoke(a.Ref()))
	require.Equal(t, proposed+1, r.log.proposed, "one entry")
	for _, c := range chain {
		r.refused(c.Secret)
		got, found := r.lookup(c.Ref())
		require.True(t, found)
		require.True(t, got.Revoked, "a descendant shows as revoked")
	}
	require.Empty(t, r.login(orphan.Secret).Ancestors, "an orphan lives on")
	require.True(t, fault.Is(r.revoke(a.Ref()), fault.NotFound), "a second time")
	require.True(t, fault.Is(r.revoke(Ref{other, orphan.Accessor}), fault.NotFound), "another tenant's")
	_, err := r.renew(chain[3].Ref(), 0)
	require.True(t, fault.Is(err, fault.NotFound), "no renewal below a dead token")
	r.login(r.root.Secret)
	r.check()
}

func TestADeadCreatorCreatesNothing(t *testing.T) {
	r := newRig(t)
	a := r.create(r.root.Secret, Grant{}, acme)
	s := r.login(a.Secret)
	require.NoError(t, r.revoke(a.Ref()))
	req, key := r.request(acme)
	_, _, err := r.e.Create(t.Context(), req, s, Grant{}, key, acme)
	require.True(t, fault.Is(err, fault.Unauthenticated))
}

func TestAMeanwhileRevokedCreatorCreatesNothing(t *testing.T) {
	r := newRig(t)
	a := r.create(r.root.Secret, Grant{}, acme)
	b := r.create(a.Secret, Grant{}, acme)
	before := len(r.rows())
	s := r.login(b.Secret)
	r.log.before = func() { r.propose(acme, Revoked{a.Accessor}) } // the ancestor, between decision and log
	req, key := r.request(acme)
	_, _, err := r.e.Create(t.Context(), req, s, Grant{}, key, acme)
	require.True(t, fault.Is(err, fault.Unauthenticated), "%v", err)
	require.Len(t, r.rows(), before)
}

func TestWhatACreationRestsOnIsGuarded(t *testing.T) {
	for name, touch := range map[string]struct {
		tenant fsm.UID
		stream string
	}{"policy of the new token": {acme, "policy/a"}, "policy of the creator": {fsm.RootTenant, "policy/root"}, "tenant": {acme, "tenant"}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := r.login(r.root.Secret)
			r.log.before = func() { r.propose(touch.tenant, touched{touch.stream}) }
			proposed := r.log.proposed
			req, key := r.request(acme)
			made, _, err := r.e.Create(t.Context(), req, s, Grant{Policies: []string{"a"}}, key, acme)
			require.NoError(t, err)
			require.Equal(t, proposed+3, r.log.proposed, "the touch, the miss, the second attempt")
			r.login(made.Secret)
			require.Len(t, r.rows(), 2)
		})
	}
}

func TestARepeatedRequestGetsTheSameToken(t *testing.T) {
	r := newRig(t)
	root := r.login(r.root.Secret)
	req, key := r.request(acme)
	first, rc, err := r.e.Create(t.Context(), req, root, Grant{Name: "ci"}, key, acme)
	require.NoError(t, err)
	require.False(t, rc.Replayed)

	again, rc, err := r.e.Create(t.Context(), req, root, Grant{Name: "ci"}, key, acme)
	require.NoError(t, err)
	require.True(t, rc.Replayed)
	require.Equal(t, []byte(first.Secret), []byte(again.Secret))
	require.Equal(t, first.Token, again.Token)
	require.Len(t, r.rows(), 2)
	r.login(again.Secret)

	_, _, err = r.e.Create(t.Context(), req, root, Grant{Name: "ci"}, "another key", acme)
	require.Error(t, err, "the answer opens with its Idempotency-Key only")
	other := req
	other.Receipt = receiptOf(key, "another body")
	_, _, err = r.e.Create(t.Context(), other, root, Grant{}, key, acme)
	require.True(t, fault.Is(err, fault.KeyReused))

	require.NoError(t, r.revoke(first.Ref()))
	_, _, err = r.e.Create(t.Context(), req, root, Grant{Name: "ci"}, key, acme)
	require.True(t, fault.Is(err, fault.Conflict), "a revocation destroys the answer: %v", err)
}

func TestASecretAnswerIsKeptFifteenMinutes(t *testing.T) {
	r := newRig(t)
	req, key := r.request(acme)
	_, _, err := r.e.Create(t.Context(), req, r.login(r.root.Secret), Grant{}, key, acme)
	require.NoError(t, err)
	r.clock.advance(16 * time.Minute)
	r.propose(acme, touched{"x"}) // log time follows
	_, _, err = r.e.Create(t.Context(), req, r.login(r.root.Secret), Grant{}, key, acme)
	require.True(t, fault.Is(err, fault.Conflict))
}

func TestAnAppliedButUnansweredCreationIsRepeated(t *testing.T) {
	r := newRig(t)
	req, key := r.request(acme)
	root := r.login(r.root.Secret)
	r.log.fail = fault.New(fault.Unknown, "lost leadership")
	_, _, err := r.e.Create(t.Context(), req, root, Grant{}, key, acme)
	require.True(t, fault.Is(err, fault.Unknown))

	var made Created // the same request from two sides: the second finds the first's receipt when it is applied
	r.log.before = func() {
		inner := New(fsm.NewLedger(r.store, r.log), fakeAnswers{}, fakePolicies{}, WithClock(r.clock))
		made, _, err = inner.Create(context.WithoutCancel(t.Context()), req, root, Grant{}, key, acme)
		require.NoError(t, err)
	}
	again, rc, err := r.e.Create(t.Context(), req, root, Grant{}, key, acme)
	require.NoError(t, err)
	require.True(t, rc.Replayed)
	require.Equal(t, []byte(made.Secret), []byte(again.Secret))
	require.Len(t, r.rows(), 2)
	r.login(again.Secret)
}

func TestRenew(t *testing.T) {
	r := newRig(t)
	a := r.create(r.root.Secret, Grant{TTL: time.Hour, MaxTTL: 3 * time.Hour}, acme)
	b := r.create(a.Secret, Grant{TTL: time.Hour}, acme)
	r.clock.advance(30 * time.Minute)

	got, err := r.renew(b.Ref(), 2*time.Hour)
	require.NoError(t, err)
	require.Equal(t, a.Expires, got.Expires, "not beyond the parent")
	got, err = r.renew(a.Ref(), 0)
	require.NoError(t, err)
	require.Equal(t, 90*time.Minute, got.Expires.Sub(a.Created))
	got, err = r.renew(b.Ref(), 2*time.Hour)
	require.NoError(t, err)
	require.Equal(t, 90*time.Minute, got.Expires.Sub(a.Created))
	got, err = r.renew(a.Ref(), 100*time.Hour)
	require.NoError(t, err)
	require.Equal(t, a.MaxExpires, got.Expires)
	stored, _ := r.lookup(a.Ref())
	require.Equal(t, got, stored)
	r.check()

	proposed := r.log.proposed
	_, err = r.renew(a.Ref(), time.Minute)
	require.NoError(t, err)
	require.Equal(t, proposed, r.log.proposed, "nothing changes, nothing is logged")
	r.clock.advance(3 * time.Hour)
	_, err = r.renew(a.Ref(), 0)
	require.True(t, fault.Is(err, fault.NotFound), "a dead token stays dead")
	_, err = r.renew(r.root.Ref(), 0)
	require.True(t, fault.Is(err, fault.Denied))
	_, err = r.renew(a.Ref(), MaxTTL+1)
	require.True(t, fault.Is(err, fault.Invalid))
}

// TestAChildThatOutgrewItsParentIsNotRenewed: a policy that was widened widens every token that names it, for as long as it lives.
func TestAChildThatOutgrewItsParentIsNotRenewed(t *testing.T) {
	r := newRig(t)
	a := r.create(r.root.Secret, Grant{Policies: []string{"a"}}, acme)
	ref := a.Ref()
	wide, secret := draft(Grant{Policies: []string{"ab"}, TTL: time.Minute, MaxTTL: time.Hour}, &a.Token, fsm.At(r.clock.Now()))
	wide.Parent = &ref // its policy said "a" when it was made
	r.propose(acme, wide)
	proposed := r.log.proposed
	_, err := r.renew(Ref{acme, wide.Accessor}, time.Hour)
	require.True(t, fault.Is(err, fault.Denied), "%v", err)
	require.ErrorContains(t, err, "more than its parent")
	require.Equal(t, proposed, r.log.proposed)
	r.login(secret)
	orphan := r.create(r.root.Secret, Grant{Policies: []string{"ab"}, TTL: time.Minute, Orphan: true}, acme)
	_, err = r.renew(orphan.Ref(), time.Hour)
	require.NoError(t, err, "an orphan has no bound")
}

func TestWhatARenewalRestsOnIsGuarded(t *testing.T) {
	for _, policy := range []string{"policy/a", "policy/ab"} {
		r := newRig(t)
		parent := r.create(r.root.Secret, Grant{Policies: []string{"ab"}}, acme)
		child := r.create(parent.Secret, Grant{Policies: []string{"a"}, TTL: time.Minute}, acme)
		r.clock.advance(time.Second)
		r.log.before = func() { r.propose(acme, touched{policy}) }
		proposed := r.log.proposed
		_, err := r.renew(child.Ref(), time.Hour)
		require.NoError(t, err)
		require.Equal(t, proposed+3, r.log.proposed, "%s: the touch, the miss, the second attempt", policy)
	}
}

func TestARepeatedRenewalAnswersTheSame(t *testing.T) {
	r := newRig(t)
	a := r.create(r.root.Secret, Grant{TTL: time.Hour}, acme)
	r.clock.advance(time.Minute)
	req, _ := r.request(acme)
	first, err := r.e.Renew(t.Context(), req, a.Ref(), 0)
	require.NoError(t, err)
	r.clock.advance(time.Minute)
	again, err := r.e.Renew(t.Context(), req, a.Ref(), 0)
	require.NoError(t, err)
	require.Equal(t, first, again)
}

func TestDepthIsBounded(t *testing.T) {
	r := newRig(t)
	at := r.root
	for range MaxDepth - 1 {
		at = r.create(at.Secret, Grant{}, fsm.RootTenant)
	}
	require.Len(t, r.login(at.Secret).Ancestors, MaxDepth-1)
	_, err := r.try(at.Secret, Grant{}, fsm.RootTenant)
	require.True(t, fault.Is(err, fault.Limit))
	orphan := r.create(at.Secret, Grant{Orphan: true}, fsm.RootTenant)
	require.Empty(t, r.login(orphan.Secret).Ancestors)

	// A deeper chain, were there one, does not log in.
	ref := at.Ref()
	ev, secret := draft(Grant{TTL: time.Minute, MaxTTL: time.Minute}, nil, fsm.At(r.clock.Now()))
	ev.Parent = &ref
	r.propose(fsm.RootTenant, ev)
	r.refused(secret)
}

func TestATenantIsFullWhenItsLiveTokensAreTooMany(t *testing.T) {
	r := newRig(t)
	r.propose(acme, crowded{hour(fsm.At(begin)), MaxTokens})
	_, err := r.try(r.root.Secret, Grant{}, acme)
	require.True(t, fault.Is(err, fault.Limit), "%v", err)
	r.create(r.root.Secret, Grant{}, other)
	r.clock.advance(time.Hour)
	r.create(r.root.Secret, Grant{}, acme)
}

func TestAMemberCannotOutgrowItsBounds(t *testing.T) {
	r := newRig(t)
	seed := rand.New(rand.NewPCG(1, 2))
	subset := func(from string) []string {
		var out []string
		for _, c := range from {
			if seed.IntN(2) == 0 {
				out = append(out, string(c))
			}
		}
		return out
	}
	top := r.create(r.root.Secret, Grant{Policies: []string{"abcd"}, TTL: 100 * time.Hour}, acme)
	all := []Created{top}
	for range 150 {
		c := all[seed.IntN(len(all))]
		if _, err := r.auth(c.Secret); err != nil {
			c = top
		}
		switch seed.IntN(8) {
		case 0:
			r.clock.advance(time.Duration(seed.Int64N(int64(20 * time.Minute))))
		case 1, 2:
			if _, err := r.renew(c.Ref(), time.Second+time.Duration(seed.Int64N(int64(MaxTTL-time.Second)))); err != nil {
				require.True(t, fault.Is(err, fault.Denied), "%v", err)
			}
		case 3:
			if c.Accessor != top.Accessor && seed.IntN(3) == 0 {
				require.NoError(t, r.revoke(c.Ref()))
			}
		default:
			g := Grant{Policies: subset("abcd"), TTL: time.Second + time.Duration(seed.Int64N(int64(200*time.Hour))), Renewable: ptr(seed.IntN(4) > 0)}
			made, err := r.try(c.Secret, g, acme)
			if err != nil {
				require.True(t, fault.Is(err, fault.Denied) || fault.Is(err, fault.Limit), "%v", err)
				continue
			}
			all = append(all, made)
		}
	}
	require.Greater(t, len(all), 20)
	r.check()
}

func TestListPages(t *testing.T) {
	r := newRig(t)
	want := map[string]bool{}
	var first Created
	for i := range 23 {
		made := r.create(r.root.Secret, Grant{}, acme)
		want[made.Accessor] = true
		if i == 0 {
			first = made
		}
	}
	r.create(r.root.Secret, Grant{}, other)
	child := r.create(first.Secret, Grant{}, acme)
	want[child.Accessor] = true
	require.NoError(t, r.revoke(first.Ref()))
	got, after, pages, revoked := map[string]bool{}, "", 0, 0
	for {
		page, next, err := r.e.List(r.view(), acme, after, 6)
		require.NoError(t, err)
		for _, tok := range page {
			require.Greater(t, tok.Accessor, after)
			after, got[tok.Accessor] = tok.Accessor, true
			if tok.Revoked {
				revoked++
			}
		}
		pages++
		if next == "" {
			break
		}
		require.Len(t, page, 6)
		require.Equal(t, after, next)
	}
	require.Equal(t, want, got)
	require.Equal(t, 4, pages, "24 tokens, and no empty page at the end")
	require.Equal(t, 2, revoked, "the revoked one and its child")
	page, next, err := r.e.List(r.view(), fsm.UID{9}, "", 0)
	require.NoError(t, err)
	require.Empty(t, page)
	require.Empty(t, next)
}

func TestGuardsHoldTheChain(t *testing.T) {
	r := newRig(t)
	a := r.create(r.root.Secret, Grant{}, acme)
	s := r.login(a.Secret)
	guards, err := r.e.Guards(r.view(), s)
	require.NoError(t, err)
	require.Equal(t, []fsm.Guard{{Tenant: acme, Stream: "token/" + a.Accessor, Version: 1},
		{Tenant: fsm.RootTenant, Stream: "token/" + r.root.Accessor, Version: 1}}, guards)
}

func TestNoSecretIsStored(t *testing.T) {
	r := newRig(t)
	made := []Created{r.root, r.create(r.root.Secret, Grant{Name: "ci"}, acme)}
	made = append(made, r.create(made[1].Secret, Grant{}, acme))
	all := string(r.export())
	require.Contains(t, all, made[1].Accessor)
	for _, m := range made {
		for at := 4; at+16 <= len(m.Secret); at++ {
			require.NotContains(t, all, string([]byte(m.Secret)[at:at+16]))
		}
	}
}

func TestARebuildAgrees(t *testing.T) {
	r := newRig(t)
	a := r.create(r.root.Secret, Grant{Policies: []string{"ab"}, TTL: 48 * time.Hour}, acme)
	b := r.create(a.Secret, Grant{TTL: time.Hour}, acme)
	c := r.create(a.Secret, Grant{}, acme)
	r.clock.advance(time.Minute)
	_, err := r.renew(b.Ref(), 0)
	require.NoError(t, err)
	require.NoError(t, r.revoke(c.Ref()))
	r.clock.advance(40 * time.Hour)
	require.NoError(t, r.e.Sweeper(quiet()).sweep(t.Context()))
	require.Len(t, r.rows(), 2)
	r.check()

	v, again := r.view(), openStore(t)
	require.NoError(t, fsm.Rebuild(t.Context(), v, again))
	w, err := again.View()
	require.NoError(t, err)
	defer w.Close()
	want, err := fsm.TablesDigest(t.Context(), v)
	require.NoError(t, err)
	got, err := fsm.TablesDigest(t.Context(), w)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// Authenticate is on every request's path: what it allocates must not grow with what is stored.
func TestAuthenticateAllocatesTheSameHoweverManyTokens(t *testing.T) {
	r := newRig(t)
	a := r.create(r.root.Secret, Grant{}, acme)
	measure := func() float64 {
		v, now := r.view(), fsm.At(r.clock.Now())
		return testing.AllocsPerRun(200, func() {
			if _, err := r.e.Authenticate(v, a.Secret, now); err != nil {
				t.Error(err)
			}
		})
	}
	few := measure()
	e := &fsm.Entry{Tenant: acme}
	for range 2000 {
		ev, _ := draft(Grant{TTL: time.Hour, MaxTTL: time.Hour}, nil, fsm.At(r.clock.Now()))
		e.Add(ev)
	}
	_, err := r.log.apply(e)
	require.NoError(t, err)
	many := measure()
	require.InDelta(t, few, many, 3)
	t.Logf("%.0f allocations", many)
}

func BenchmarkAuthenticate(b *testing.B) {
	r := newRig(b)
	a := r.create(r.root.Secret, Grant{Policies: []string{"ab"}}, acme)
	v, now := r.view(), fsm.At(r.clock.Now())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.e.Authenticate(v, a.Secret, now); err != nil {
			b.Fatal(err)
		}
	}
}
