package lease

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

var errDown = errors.New("planted: the backend is down")

// TestALeaseEndsAtItsBackend: when it has expired it is good no more, and it is listed until the backend has ended it.
func TestALeaseEndsAtItsBackend(t *testing.T) {
	r := newRig(t)
	l := r.grant(r.terms("readonly", "t"))[0]
	require.Equal(t, l.Issued.Add(time.Hour), l.Expires)
	r.log.Pass(time.Hour - time.Second)
	r.work()
	require.Equal(t, times(1, Active), r.states())
	r.log.Pass(time.Second)
	r.work()
	r.work()
	require.Equal(t, times(1, Ending), r.states())
	require.Equal(t, 1, r.owed(), "once")
	r.to.err = errDown
	r.deliver()
	require.Equal(t, times(1, Ending), r.states(), "not forgotten while the backend is down")
	r.to.err = nil
	r.deliver()
	require.Empty(t, r.states())
	require.Equal(t, []string{l.Account}, r.to.ended)
	v := r.view()
	defer v.Close()
	n, err := Count(v, acme)
	require.NoError(t, err)
	require.Zero(t, n)
}

// TestARenewalIsCarriedThroughToTheBackend, and stays within the maximum and the holder's life.
func TestARenewalIsCarriedThroughToTheBackend(t *testing.T) {
	r := newRig(t)
	l := r.grant(r.terms("readonly", "t"))[0]
	renew := func(d time.Duration) (Lease, error) {
		got, _, err := r.e.Renew(t.Context(), r.req(), l.ID, d)
		return got, err
	}
	r.log.Pass(30 * time.Minute)
	got, err := renew(2 * time.Hour)
	require.NoError(t, err)
	require.Equal(t, r.log.Now().Add(2*time.Hour), got.Expires)
	require.Equal(t, got.Expires, r.to.extended[l.Account])
	got, err = renew(time.Minute)
	require.NoError(t, err)
	require.Equal(t, r.log.Now().Add(2*time.Hour), got.Expires, "never before its present end")
	got, err = renew(100 * time.Hour)
	require.NoError(t, err)
	require.Equal(t, l.Max, got.Expires)
	r.tokens["t"] = r.log.Now().Add(time.Hour)
	other := r.grant(r.terms("readonly", "t"))[0]
	require.Equal(t, r.tokens["t"], other.Expires, "not beyond its holder's life")

	r.to.err = errDown
	second := r.grant(r.terms("readonly", "u"))[0]
	_, _, err = r.e.Renew(t.Context(), r.req(), second.ID, 2*time.Hour)
	require.ErrorIs(t, err, errDown)
	require.Equal(t, second.Expires, must(r.get(second.ID)).Expires, "what the backend does not know is not promised")
	r.to.err = nil
	r.log.Pass(time.Hour)
	_, _, err = r.e.Renew(t.Context(), r.req(), second.ID, time.Hour)
	require.True(t, fault.Is(err, fault.Conflict), "it has expired, whether a worker has noticed or not: %v", err)
}

func (r *rig) get(id string) (Lease, error) {
	v := r.view()
	defer v.Close()
	return Get(v, r.tenant, id)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestALeaseEndsWithItsToken, also in another tenant, and no other's does.
func TestALeaseEndsWithItsToken(t *testing.T) {
	r := newRig(t)
	r.many(batch+10, "readonly", "doomed")
	r.many(3, "readonly", "other")
	abroad := r.in(umbra).terms("readonly", "x")
	abroad.Holder = Ref{acme, "doomed"} // an operator acts in another tenant
	r.in(umbra).grant(abroad)
	r.work()
	require.Zero(t, r.owed())
	r.tokens["doomed"] = r.log.Now()
	r.work()
	require.Equal(t, batch+10, r.owed())
	require.Equal(t, times(1, Ending), r.in(umbra).states())
	v := r.view()
	defer v.Close()
	page, _, err := List(v, acme, "", "", 10_000)
	require.NoError(t, err)
	for _, l := range page {
		require.Equal(t, l.Holder.Accessor == "doomed", l.State == Ending)
		require.Equal(t, l.State == Ending, l.Why == Holder)
	}
	_, err = r.try(r.terms("readonly", "doomed"))
	require.True(t, fault.Is(err, fault.Denied), "nothing is granted to the dead: %v", err)
}

// TestATokenThatDiesUnderAGrantGetsNothing: the entry guards the holder.
func TestATokenThatDiesUnderAGrantGetsNothing(t *testing.T) {
	r := newRig(t)
	r.log.Before(func() {
		r.tokens["t"] = r.log.Now()
		_, err := r.log.Apply(entryOf(acme, touched{"t"}))
		require.NoError(t, err)
	})
	_, err := r.try(r.terms("readonly", "t"))
	require.True(t, fault.Is(err, fault.Denied), "%v", err)
	require.Empty(t, r.states())
}

func entryOf(tenant fsm.UID, events ...fsm.Event) *fsm.Entry {
	e := &fsm.Entry{ID: newUID(), Tenant: tenant}
	e.Add(events...)
	return e
}

// TestRevocations end one lease, or all with a prefix, and nothing of another tenant's.
func TestRevocations(t *testing.T) {
	r := newRig(t)
	r.many(2*batch+1, "readonly", "t")
	r.many(2, "readonly2", "t")
	r.in(umbra).many(2, "readonly", "t")
	one := r.grant(r.terms("writer", "t"))[0]
	_, _, err := r.in(umbra).e.Revoke(t.Context(), r.in(umbra).req(), one.ID)
	require.True(t, fault.Is(err, fault.NotFound))
	for range 2 {
		got, _, err := r.e.Revoke(t.Context(), r.req(), one.ID)
		require.NoError(t, err, "revoking twice is no error")
		require.Equal(t, Ending, got.State)
	}
	require.Equal(t, 1, r.owed())
	for _, bad := range []string{"", "/", "pg", "pg/readonly", "pg//", "pg/readonly/x", "/readonly/"} {
		_, _, err := r.e.RevokePrefix(t.Context(), r.req(), bad)
		require.True(t, fault.Is(err, fault.Invalid), "%q", bad)
	}
	n, _, err := r.e.RevokePrefix(t.Context(), r.req(), "pg/readonly/")
	require.NoError(t, err)
	require.EqualValues(t, 2*batch+1, n)
	require.Equal(t, 2*batch+2, r.owed())
	n, _, err = r.e.RevokePrefix(t.Context(), r.req(), "pg/")
	require.NoError(t, err)
	require.EqualValues(t, 2, n, "of readonly2")
	r.deliver()
	require.Empty(t, r.states())
	require.Equal(t, times(2, Active), r.in(umbra).states())
}

// TestAForcedLeaseStaysOnTheList until somebody says that it may go.
func TestAForcedLeaseStaysOnTheList(t *testing.T) {
	r := newRig(t)
	l := r.grant(r.terms("readonly", "t"))[0]
	_, _, err := r.e.Forget(t.Context(), r.req(), l.ID)
	require.True(t, fault.Is(err, fault.Conflict))
	_, _, err = r.e.Revoke(t.Context(), r.req(), l.ID)
	require.NoError(t, err)
	got, _, err := r.e.Force(t.Context(), r.req(), l.ID)
	require.NoError(t, err)
	require.Equal(t, Irrevocable, got.State)
	require.Zero(t, r.owed(), "nobody is told any more")
	require.Equal(t, times(1, Irrevocable), r.states())
	v := r.view()
	n, err := Count(v, acme)
	require.NoError(t, err)
	require.NoError(t, v.Close())
	require.Zero(t, n, "it counts against no limit")
	_, _, err = r.e.Forget(t.Context(), r.req(), l.ID)
	require.NoError(t, err)
	require.Empty(t, r.states())
}

// TestLimits name what is full and whose it is, and count what is under way.
func TestLimits(t *testing.T) {
	r := newRig(t)
	reserve := func(role, token string, most uint64) (func(), error) {
		v := r.view()
		defer v.Close()
		return r.e.Reserve(v, r.tenant, "pg", role, Ref{acme, token}, most)
	}
	r.many(2, "readonly", "t")
	first, err := reserve("readonly", "t", 3)
	require.NoError(t, err)
	_, err = reserve("readonly", "u", 3)
	require.True(t, fault.Is(err, fault.Limit))
	require.ErrorContains(t, err, "role pg/readonly has 3 leases")
	first()
	first()
	again, err := reserve("readonly", "u", 3)
	require.NoError(t, err)
	again()
	require.Empty(t, r.e.pending)
	r.many(MaxPerHolder-2, "bulk", "t")
	_, err = reserve("bulk", "t", 0)
	require.True(t, fault.Is(err, fault.Limit))
	require.ErrorContains(t, err, "the token t has 10000 leases")
}

// TestManyThatExpireAtOnceAreAllEnded, by entries that others pass between.
func TestManyThatExpireAtOnceAreAllEnded(t *testing.T) {
	r := newRig(t)
	const n = 5000
	r.many(n, "readonly", "t")
	r.log.Pass(time.Hour)
	r.work()
	require.Equal(t, n, r.owed())
	require.Equal(t, times(n, Ending), r.states())
}

// TestAClosedLeaseIsOwedNothing: what it stood for ended with the entry.
func TestAClosedLeaseIsOwedNothing(t *testing.T) {
	r := newRig(t)
	l := r.grant(r.terms("readonly", "t"))[0]
	for range 2 {
		_, err := r.ledger.Commit(t.Context(), r.req(), "", func(v *fsm.View, entry *fsm.Entry) error { return r.e.Close(v, entry, l.ID) })
		require.NoError(t, err)
	}
	v := r.view()
	defer v.Close()
	_, err := Get(v, acme, l.ID)
	require.True(t, fault.Is(err, fault.NotFound))
	n, err := Count(v, acme)
	require.NoError(t, err)
	require.Zero(t, n)
	owed, err := fsm.Outbox(v, 0, 0, 10)
	require.NoError(t, err)
	require.Empty(t, owed)
}
