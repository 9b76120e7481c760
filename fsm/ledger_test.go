package fsm_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestCommitsThatRaceInOneLaneAllSucceedWithoutARetry(t *testing.T) {
	ledger(t, func(t *testing.T, l *fsm.Ledger, log *tape) {
		const racers = 30
		step := make(chan struct{})
		log.meet = func(int) { <-step }
		var outs []<-chan committed
		for n := range byte(racers) {
			outs = append(outs, commit(t.Context(), l, request(n), "note/a", write(t, "a")))
		}
		for n := range racers {
			synctest.Wait()
			proposals, _ := log.counts()
			require.Equal(t, n+1, proposals, "one at a time")
			step <- struct{}{}
		}
		given := map[byte]bool{}
		for _, o := range outs {
			c := <-o
			require.NoError(t, c.err)
			given[c.Reply.Public[0]] = true
		}
		require.Len(t, given, racers, "each got a version of its own")
	})
}

func TestLanesOfOtherObjectsAndTenantsDoNotWait(t *testing.T) {
	ledger(t, func(t *testing.T, l *fsm.Ledger, log *tape) {
		step := make(chan struct{})
		log.meet = func(int) { <-step }
		theirs := request(3)
		theirs.Tenant = umbra
		outs := []<-chan committed{
			commit(t.Context(), l, request(1), "note/a", write(t, "a")),
			commit(t.Context(), l, request(2), "note/b", write(t, "b")),
			commit(t.Context(), l, theirs, "note/a", write(t, "a")),
		}
		synctest.Wait()
		proposals, _ := log.counts()
		require.Equal(t, 3, proposals)
		close(step)
		for _, o := range outs {
			require.NoError(t, (<-o).err)
		}
	})
}

func TestAMissedGuardIsDecidedAgain(t *testing.T) {
	ledger(t, func(t *testing.T, l *fsm.Ledger, log *tape) {
		step := make(chan struct{})
		log.meet = func(int) { <-step }
		a := commit(t.Context(), l, request(1), "", write(t, "a"))
		b := commit(t.Context(), l, request(2), "", write(t, "a"))
		synctest.Wait()
		close(step) // both were decided on the same state
		one, two := <-a, <-b
		require.NoError(t, one.err)
		require.NoError(t, two.err)
		require.ElementsMatch(t, []byte{1, 2}, []byte{one.Reply.Public[0], two.Reply.Public[0]})
		proposals, rounds := log.counts()
		require.Equal(t, 3, proposals)
		require.Zero(t, rounds, "what was applied is the present")
	})
}

func TestAStateThatKeepsMovingIsGivenUpAfterEightAttempts(t *testing.T) {
	ledger(t, func(t *testing.T, l *fsm.Ledger, log *tape) {
		log.answer = func(int) (fsm.Receipt, error) { return fsm.Receipt{}, fsm.ErrStale }
		_, err := l.Commit(t.Context(), request(1), "", write(t, "a"))
		requireKind(t, fault.NotDone, err)
		var f *fault.Error
		require.ErrorAs(t, err, &f)
		require.Equal(t, time.Second, f.RetryAfter)
		proposals, _ := log.counts()
		require.Equal(t, 8, proposals)

		log.answer = func(n int) (fsm.Receipt, error) {
			if n < 8+8 {
				return fsm.Receipt{}, fsm.ErrStale
			}
			return fsm.Receipt{Index: 77}, nil
		}
		rc, err := l.Commit(t.Context(), request(1), "", write(t, "a"))
		require.NoError(t, err, "the eighth attempt counts")
		require.EqualValues(t, 77, rc.Index)
	})
}

func TestAnUnknownOutcomeIsNotTriedAgain(t *testing.T) {
	ledger(t, func(t *testing.T, l *fsm.Ledger, log *tape) {
		log.answer = func(int) (fsm.Receipt, error) { return fsm.Receipt{}, fault.New(fault.Unknown, "lost leadership") }
		_, err := l.Commit(t.Context(), request(1), "note/a", write(t, "a"))
		requireKind(t, fault.Unknown, err)
		proposals, _ := log.counts()
		require.Equal(t, 1, proposals)
	})
}

func TestAnEntryCarriesTheTermBeforeItsDecision(t *testing.T) {
	ledger(t, func(t *testing.T, l *fsm.Ledger, log *tape) {
		_, err := l.Commit(t.Context(), request(1), "note/a", func(v *fsm.View, e *fsm.Entry) error {
			log.mu.Lock()
			log.term = 9 // another term begins while the decision is made
			log.mu.Unlock()
			return write(t, "a")(v, e)
		})
		require.NoError(t, err)
		e := log.proposed[0]
		require.EqualValues(t, 1, e.Term)
		require.Equal(t, request(1).ID, e.ID)
		require.Equal(t, acme, e.Tenant)
		require.Equal(t, "ann", e.Actor.Identity)

		log.term = 0
		_, err = l.Commit(t.Context(), request(2), "note/a", func(*fsm.View, *fsm.Entry) error {
			require.Fail(t, "a node that does not lead decides nothing")
			return nil
		})
		requireKind(t, fault.NotDone, err)
	})
}

func TestADuplicateInFlightGetsTheFirstsAnswer(t *testing.T) {
	ledger(t, func(t *testing.T, l *fsm.Ledger, log *tape) {
		step := make(chan struct{})
		log.meet = func(int) { <-step }
		first := commit(t.Context(), l, request(1), "note/a", write(t, "a"))
		synctest.Wait()
		second := commit(t.Context(), l, request(1), "note/a", write(t, "a"))
		reused := request(1)
		reused.Receipt.Request = [32]byte{9}
		third := commit(t.Context(), l, reused, "note/b", write(t, "b"))
		synctest.Wait()
		require.Empty(t, second)
		require.Empty(t, third)
		close(step)
		one, two := <-first, <-second
		require.NoError(t, one.err)
		require.NoError(t, two.err)
		require.False(t, one.Replayed)
		require.True(t, two.Replayed)
		require.Equal(t, one.Seq, two.Seq)
		require.Equal(t, one.Reply.Public, two.Reply.Public)
		requireKind(t, fault.KeyReused, (<-third).err)
		proposals, rounds := log.counts()
		require.Equal(t, 1, proposals)
		require.Equal(t, 2, rounds, "a stored answer is a read")
	})
}

func TestWhoGivesUpInALaneLetsTheOthersPass(t *testing.T) {
	ledger(t, func(t *testing.T, l *fsm.Ledger, log *tape) {
		step := make(chan struct{})
		log.meet = func(int) { <-step }
		first := commit(t.Context(), l, request(1), "note/a", write(t, "a"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		impatient := commit(ctx, l, request(2), "note/a", write(t, "a"))
		patient := commit(t.Context(), l, request(3), "note/a", write(t, "a"))
		c := <-impatient // the bubble's clock jumps to its deadline
		requireKind(t, fault.NotDone, c.err)
		require.ErrorIs(t, c.err, context.DeadlineExceeded)
		require.Empty(t, patient)
		close(step)
		require.NoError(t, (<-first).err)
		require.NoError(t, (<-patient).err)
		again := commit(t.Context(), l, request(2), "note/a", write(t, "a"))
		require.NoError(t, (<-again).err, "the key of the one that gave up is not taken")
	})
}

// pledged came with version 2 of the cluster.
type pledged struct{ Name string }

func (pledged) EventType() string     { return "test.pledge.given" }
func (e pledged) EventStream() string { return "pledge/" + e.Name }
func (pledged) Since() uint32         { return 2 }

// agreed raises the version of the cluster.
type agreed struct{}

func (agreed) EventType() string   { return "test.version.agreed" }
func (agreed) EventStream() string { return "version" }

func TestAnEventWaitsForTheVersionThatItCameWith(t *testing.T) {
	reg := fsm.NewRegistry(fsm.Builtin, func(r *fsm.Registry) {
		fsm.On(r, func(*fsm.Tx, fsm.Meta, pledged) error { return nil })
		fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, _ agreed) error { tx.SetVersion(2); return nil })
	})
	s, err := fsm.Open(t.TempDir(), reg, fsm.Options{})
	require.NoError(t, err)
	defer s.Close()
	log := &tape{term: 1, answer: func(int) (fsm.Receipt, error) { return fsm.Receipt{Index: 7}, nil }, round: func(context.Context) (uint64, error) { return 1, nil }}
	p := &script{t: t, s: s}
	require.NoError(t, p.apply(&fsm.Entry{})[0].Err)
	l := fsm.NewLedger(s, log)
	pledge := func(_ *fsm.View, e *fsm.Entry) error { e.Add(pledged{"x"}); return nil }

	_, err = l.Commit(t.Context(), request(1), "", pledge)
	require.True(t, fault.Is(err, fault.NotDone), "%v", err)
	require.ErrorContains(t, err, "needs version 2 of the cluster, which is at 1")
	proposals, _ := log.counts()
	require.Zero(t, proposals, "what a member could not read reaches no log")

	raise := &fsm.Entry{}
	raise.Add(agreed{})
	require.NoError(t, p.apply(raise)[0].Err)
	rc, err := l.Commit(t.Context(), request(1), "", pledge)
	require.NoError(t, err)
	require.EqualValues(t, 7, rc.Index)

	require.Contains(t, reg.Types(), "test.pledge.given")
	require.NotContains(t, reg.UpTo(1).Types(), "test.pledge.given", "a binary of version 1 does not know it")
	require.Contains(t, reg.Types(), "cluster.term.began")
	require.Len(t, reg.Events(), len(reg.Types()))
}
