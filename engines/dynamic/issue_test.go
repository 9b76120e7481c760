package dynamic

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// TestWhatIsGivenOutLogsIn, and its lease knows the account.
func TestWhatIsGivenOutLogsIn(t *testing.T) {
	r := ready(t)
	c, err := r.issue("one")
	require.NoError(t, err)
	require.True(t, r.db.LogsIn(c.Username, c.Password))
	g, found, err := given.Get(r.view(), fsm.K(acme, c.Lease))
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, c.Username, g.Account)
	require.Equal(t, begin.Add(time.Hour), c.Expires)
	require.Equal(t, c.Expires.Std(), r.db.Until(c.Username))
	require.LessOrEqual(t, len(c.Username), 32)
	require.Contains(t, c.Username, "_readonly_")
	require.Zero(t, r.open())
	require.Empty(t, r.owed())
	require.Zero(t, r.leases.taken.Load())
}

// TestARepetitionGetsTheSameAnswer, with one account, and nothing once the answer is gone.
func TestARepetitionGetsTheSameAnswer(t *testing.T) {
	r := ready(t)
	first, err := r.issue("one")
	require.NoError(t, err)
	again, err := r.issue("one")
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Equal(t, 1, r.made())
	_, _, err = r.e.Issue(t.Context(), r.keyed("one"), Order{Connection: "pg", Role: "readonly", Key: "another"})
	require.Error(t, err, "without the key nobody opens the answer")
	r.log.Must(t, acme, burnt{r.leases.answer})
	_, err = r.issue("one")
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)
	require.ErrorContains(t, err, first.Lease)
	other, err := r.issue("two")
	require.NoError(t, err)
	require.NotEqual(t, first.Username, other.Username)
}

// TestWhatTheTargetDrawsIsGivenOut, once more to the same caller, and ends when the target says.
func TestWhatTheTargetDrawsIsGivenOut(t *testing.T) {
	r := ready(t)
	soon := begin.Add(time.Minute)
	drawn := []backend.Field{{Name: "access_key_id", Value: []byte("AKIA"), Variable: "KEY"}, {Name: "secret", Value: []byte("drawn")}}
	r.db.Draw(backend.Made{Username: "them", Until: soon.Std(), Fields: drawn})
	first, err := r.issue("one")
	require.NoError(t, err)
	require.Equal(t, "them", first.Username)
	require.Equal(t, Secrets{Fields: []backend.Field{{Name: "access_key_id", Value: []byte("AKIA"), Variable: "KEY"}, {Name: "secret", Value: []byte("drawn")}}}, first.Secrets)
	require.Equal(t, soon, first.Expires)
	require.Equal(t, soon, first.Last, "it cannot be moved")
	require.Empty(t, first.Variable)
	again, err := r.issue("one")
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Equal(t, 1, r.made())
}

// TestTwoOfTheSameRequestAtOnceGiveOneAccount: the one that comes second is ended.
func TestTwoOfTheSameRequestAtOnceGiveOneAccount(t *testing.T) {
	r := ready(t)
	got := make([]Credential, 4)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			c, err := r.issue("one")
			require.NoError(t, err)
			got[i] = c
		})
	}
	wg.Wait()
	for _, c := range got {
		require.Equal(t, got[0], c)
		require.True(t, r.db.LogsIn(c.Username, c.Password))
	}
	r.deliver()
	require.Equal(t, 1, r.are())
	require.Zero(t, r.open())
}

// TestNothingIsLeftOfAnAccountThatNobodyGot, at whichever step it fails.
func TestNothingIsLeftOfAnAccountThatNobodyGot(t *testing.T) {
	for name, plant := range map[string]func(*rig){
		"the target is down":          func(r *rig) { r.db.Fail(at("create")) },
		"the answer is lost":          func(r *rig) { r.db.Fail(at("after create")) },
		"the result is not committed": func(r *rig) { r.log.before = "dynamic.account.issued" },
		"the holder is dead":          func(r *rig) { r.leases.dead.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			r := ready(t)
			plant(r)
			c, err := r.issue("one")
			require.Error(t, err)
			require.NotContains(t, err.Error(), "internal")
			require.Empty(t, c.Password)
			r.db.Fail(nil)
			r.log.before = ""
			require.Len(t, r.owed(), 1)
			r.deliver()
			require.Zero(t, r.are())
			require.Zero(t, r.open())
			require.Zero(t, r.leases.taken.Load())
		})
	}
}

func at(step string) func(string) error {
	return func(what string) error {
		if what == step {
			return errDown
		}
		return nil
	}
}

// TestTheReconcilerEndsWhatADeadNodeLeft, and what it has taken back nobody gets.
func TestTheReconcilerEndsWhatADeadNodeLeft(t *testing.T) {
	r := ready(t)
	v := r.view()
	a, release, err := r.e.begin(v, r.keyed("one"), Order{Connection: "pg", Role: "readonly", Holder: Holder{acme, "t", "ann"}, Key: "one"})
	require.NoError(t, err)
	defer release()
	require.NoError(t, a.intend(t.Context()))
	require.NoError(t, r.e.use(t.Context(), acme, "pg", func(ctx ctx, s backend.Session) error {
		_, err := s.Create(ctx, backend.Account{Name: a.intent.Account, Password: a.secret.Password})
		return err
	}))
	r.restart() // the node is gone
	require.NoError(t, r.worker.reconcile(t.Context()))
	require.Empty(t, r.owed(), "it may still be under way")
	r.log.Pass(patience + time.Second)
	require.NoError(t, r.worker.reconcile(t.Context()))
	require.NoError(t, r.worker.reconcile(t.Context()))
	require.Len(t, r.owed(), 1)
	_, _, err = a.result(t.Context())
	require.True(t, fault.Is(err, fault.NotDone), "the node was only paused: %v", err)
	r.deliver()
	require.Zero(t, r.are())
	r.db.Plant(a.intent.Account) // it makes the account late
	require.NoError(t, r.worker.sweep(t.Context()))
	require.Zero(t, r.are(), "the name of a closed intent is looked for")
	r.log.Pass(keepName + time.Hour)
	require.NoError(t, r.worker.reconcile(t.Context()))
	n := 0
	require.NoError(t, intents.Scan(r.view(), fsm.Span{}, func(fsm.Key, intentRow) (bool, error) { n++; return true, nil }))
	require.Zero(t, n, "it would have expired by itself")
}

// TestAnUnknownOutcomeIsFoundByTheSameRequest: the credential was given out in the log.
func TestAnUnknownOutcomeIsFoundByTheSameRequest(t *testing.T) {
	r := ready(t)
	r.log.after = "dynamic.account.issued"
	_, err := r.issue("one")
	require.True(t, fault.Is(err, fault.Unknown), "%v", err)
	r.log.after = ""
	c, err := r.issue("one")
	require.NoError(t, err)
	require.True(t, r.db.LogsIn(c.Username, c.Password))
	require.Empty(t, r.owed())
	require.Equal(t, 1, r.are())
}

func TestWhatIsAskedForStaysWithinTheRole(t *testing.T) {
	r := ready(t)
	order := func(o Order) error {
		_, _, err := r.e.Issue(t.Context(), r.keyed("k"), o)
		return err
	}
	require.True(t, fault.Is(order(Order{Connection: "pg", Role: "none"}), fault.NotFound))
	require.True(t, fault.Is(order(Order{Connection: "none", Role: "readonly"}), fault.NotFound))
	require.True(t, fault.Is(order(Order{Connection: "pg", Role: "readonly", TTL: 25 * time.Hour}), fault.Invalid))
	require.True(t, fault.Is(order(Order{Connection: "pg", Role: "readonly", TTL: time.Second}), fault.Invalid))
	_, _, err := r.e.WriteRole(t.Context(), r.req(), "pg", Role{Name: "full", Grant: backend.Role{Grants: []string{"x"}}, MaxLeases: 1})
	require.NoError(t, err)
	require.True(t, fault.Is(order(Order{Connection: "pg", Role: "full"}), fault.Limit))
	require.Zero(t, r.made())
	require.Zero(t, r.open())
}

func TestPasswordsAndNames(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		p := newPassword(leastLength)
		require.True(t, varied(p))
		require.Len(t, p, leastLength)
		require.False(t, seen[string(p)])
		seen[string(p)] = true
	}
	uid := fsm.UID{1, 2, 3, 4, 5}
	for role, want := range map[string]string{"Read.Only": "readonly", "--": "", strings.Repeat("x", 100): "xxxxxxxxxxxxx"} {
		for _, limit := range []int{32, 44, 63} {
			n := accountName(uid, role, limit)
			require.LessOrEqual(t, len(n), limit)
			require.True(t, strings.HasPrefix(n, prefixOf(uid)))
			require.Regexp(t, `^[a-z][a-z0-9_]*$`, n)
			if limit == 63 && want != "" {
				require.Contains(t, n, "_"+want)
			}
		}
	}
}

// TestATargetThatFailsDoesNotFillTheOutbox: each account that may have been made is owed its end, so that their number is bounded.
func TestATargetThatFailsDoesNotFillTheOutbox(t *testing.T) {
	r := ready(t)
	r.e.most = 3
	r.db.Fail(func(string) error { return errDown })
	for i := range 3 {
		_, err := r.issue(string(rune('a' + i)))
		require.True(t, fault.Is(err, fault.NotDone), "%v", err)
	}
	_, err := r.issue("d")
	require.True(t, fault.Is(err, fault.Limit), "%v", err)
	require.Len(t, r.owed(), 3)
	r.db.Fail(nil)
	r.deliver()
	r.log.Pass(keepName + time.Hour)
	require.NoError(t, r.worker.reconcile(t.Context()))
	_, err = r.issue("e")
	require.NoError(t, err)
}
