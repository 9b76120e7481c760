package auth

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

// fill adds n orphans that expire after ttl.
func (r *rig) fill(n int, ttl time.Duration) []Secret {
	e, secrets := &fsm.Entry{Tenant: acme}, make([]Secret, n)
	for i := range n {
		var ev Issued
		ev, secrets[i] = draft(Grant{TTL: ttl, MaxTTL: ttl}, nil, fsm.At(r.clock.Now()))
		e.Add(ev)
	}
	_, err := r.log.apply(e)
	require.NoError(r.t, err)
	return secrets
}

func TestTheSweeperRemovesWhatIsDeadForADay(t *testing.T) {
	r := newRig(t)
	secrets := r.fill(250, time.Hour)
	late := r.create(r.root.Secret, Grant{TTL: 2 * time.Hour}, acme)
	gone := r.create(r.root.Secret, Grant{TTL: 200 * time.Hour}, acme)
	require.NoError(t, r.revoke(gone.Ref()))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- r.e.Sweeper(quiet()).Run(ctx) }()

	require.Equal(t, sweepEvery, <-r.clock.waits)
	require.Len(t, r.rows(), 253, "nothing is due")
	require.Equal(t, r.log.proposed, int(r.log.index))
	proposed := r.log.proposed

	r.clock.advance(25 * time.Hour)
	r.clock.turn <- true
	require.Equal(t, sweepEvery, <-r.clock.waits)
	require.Len(t, r.rows(), 252, "the revoked one is dead for a day and more, the others not yet")
	r.refused(gone.Secret)
	_, found := r.lookup(gone.Ref())
	require.False(t, found)

	r.clock.advance(time.Minute)
	r.log.before = func() { r.propose(acme, touched{"x"}) }
	r.log.fail = errors.New("no quorum")
	r.clock.turn <- true
	require.Equal(t, sweepRetry, <-r.clock.waits)
	require.Len(t, r.rows(), 252)
	r.clock.turn <- true
	require.Equal(t, sweepEvery, <-r.clock.waits)
	require.Len(t, r.rows(), 2, "the root token and the late one")
	require.Equal(t, proposed+1+1+3, r.log.proposed, "batches of 100")
	r.refused(secrets[0])
	_, found = r.lookup(late.Ref())
	require.True(t, found)
	r.check()

	r.clock.turn <- false
	require.NoError(t, <-ended)
}

// TestTheSweeperEndsSecretAnswersWhenNobodyWrites: the clock goes on, log time does not.
func TestTheSweeperEndsSecretAnswersWhenNobodyWrites(t *testing.T) {
	r := newRig(t)
	made := r.create(r.root.Secret, Grant{TTL: 100 * time.Hour}, acme)
	held := func() bool {
		_, found, err := fsm.Load(r.view(), r.rows()[made.Ref()].Answer)
		require.NoError(t, err)
		return found
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- r.e.Sweeper(quiet()).Run(ctx) }()
	require.Equal(t, sweepEvery, <-r.clock.waits)
	r.clock.advance(sweepEvery)
	r.clock.turn <- true
	require.Equal(t, 5*time.Minute+1, <-r.clock.waits, "until it is due")
	proposed := r.log.proposed
	require.True(t, held())

	r.clock.advance(5*time.Minute + 1)
	r.log.fail = errors.New("no quorum")
	r.clock.turn <- true
	require.Equal(t, sweepRetry, <-r.clock.waits)
	require.True(t, held())
	r.clock.turn <- true
	require.Equal(t, sweepEvery, <-r.clock.waits)
	require.False(t, held())
	require.Equal(t, proposed+1, r.log.proposed)
	r.login(made.Secret)

	r.clock.turn <- true
	require.Equal(t, sweepEvery, <-r.clock.waits)
	require.Equal(t, proposed+1, r.log.proposed, "nothing is due, nothing is logged")
	r.clock.turn <- false
	require.NoError(t, <-ended)
}

// TestALongQueueOfAnswersIsEndedInOneRound brings more of them than one event ends.
func TestALongQueueOfAnswersIsEndedInOneRound(t *testing.T) {
	r := newRig(t)
	for i := range 600 {
		s, err := fakeAnswers{}.SealAnswer(nil, fsm.Binding{}, "k", fmt.Append(nil, i))
		require.NoError(t, err)
		e := &fsm.Entry{Tenant: acme, Reply: fsm.Reply{Secret: s}}
		e.Add(touched{"x"})
		_, err = r.log.apply(e)
		require.NoError(t, err)
		r.clock.advance(time.Millisecond)
	}
	r.clock.advance(time.Hour)
	proposed := r.log.proposed
	pause, err := r.e.Sweeper(quiet()).round(t.Context())
	require.NoError(t, err)
	require.Equal(t, sweepEvery, pause)
	require.Equal(t, proposed+2, r.log.proposed)
}

func TestAChildOfAForgottenTokenIsDead(t *testing.T) {
	r := newRig(t)
	a := r.create(r.root.Secret, Grant{TTL: 100 * time.Hour}, acme)
	b := r.create(a.Secret, Grant{TTL: 100 * time.Hour}, acme)
	require.NoError(t, r.revoke(a.Ref()))
	r.clock.advance(25 * time.Hour)
	require.NoError(t, r.e.Sweeper(quiet()).sweep(t.Context()))
	_, found := r.lookup(a.Ref())
	require.False(t, found)
	r.refused(b.Secret)
	got, found := r.lookup(b.Ref())
	require.True(t, found)
	require.True(t, got.Revoked)
	require.NoError(t, r.revoke(b.Ref()), "it can still be revoked itself")
}

func TestTheSystemClockWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Minute)
		defer cancel()
		begin := time.Now()
		require.True(t, systemClock{}.Wait(ctx, time.Hour))
		require.Equal(t, time.Hour, systemClock{}.Now().Sub(begin))
		require.False(t, systemClock{}.Wait(ctx, time.Hour))
	})
}
