package fsm_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// TestARefusalRestsOnThePresent has a node whose tables lag behind: what it does not see yet may exist.
func TestARefusalRestsOnThePresent(t *testing.T) {
	ledger(t, func(t *testing.T, l *fsm.Ledger, log *tape) {
		log.round = func(context.Context) (uint64, error) { return 1, nil } // someone else's entry, acknowledged before
		out := commit(t.Context(), l, request(1), "note/a", drop("a"))
		synctest.Wait()
		require.Empty(t, out, "no refusal before the tables cover the read index")
		log.p.apply(note(t, "a"))
		c := <-out
		require.NoError(t, c.err)
		require.EqualValues(t, 2, c.Index)
		_, rounds := log.counts()
		require.Equal(t, 1, rounds)
	})
}

func TestARefusalIsGivenAfterOneRound(t *testing.T) {
	ledger(t, func(t *testing.T, l *fsm.Ledger, log *tape) {
		log.p.apply(note(t, "z"))
		held := make(chan struct{})
		log.round = func(context.Context) (uint64, error) { <-held; return 1, nil }
		out := commit(t.Context(), l, request(1), "note/a", drop("a"))
		synctest.Wait()
		require.Empty(t, out)
		close(held)
		requireKind(t, fault.NotFound, (<-out).err)
		proposals, rounds := log.counts()
		require.Zero(t, proposals)
		require.Equal(t, 1, rounds)

		log.round = func(context.Context) (uint64, error) { return 0, fault.New(fault.NotDone, "no longer leads") }
		_, err := l.Commit(t.Context(), request(1), "note/a", drop("a"))
		requireKind(t, fault.NotDone, err)
	})
}

func TestAnAnswerWithoutEffectIsARead(t *testing.T) {
	ledger(t, func(t *testing.T, l *fsm.Ledger, log *tape) {
		log.p.apply(note(t, "z"))
		rc, err := l.Commit(t.Context(), request(1), "note/a", func(_ *fsm.View, e *fsm.Entry) error {
			e.Reply.Public = []byte("unchanged")
			return nil
		})
		require.NoError(t, err)
		require.Zero(t, rc.Index)
		require.Equal(t, "unchanged", string(rc.Reply.Public))
		require.Equal(t, view(t, log.p.s).Now(), rc.At)
		proposals, rounds := log.counts()
		require.Zero(t, proposals)
		require.Equal(t, 1, rounds)
	})
}

// TestAuthorityIsJudgedInTheViewThatDecides revokes what an actor rests on between its decision and its entry.
func TestAuthorityIsJudgedInTheViewThatDecides(t *testing.T) {
	ledger(t, func(t *testing.T, l *fsm.Ledger, log *tape) {
		log.meet = func(n int) {
			if n == 1 {
				log.p.apply(note(t, "revocation"))
			}
		}
		r := request(1)
		r.Authorize = func(v *fsm.View) ([]fsm.Guard, error) {
			g, err := fsm.GuardOf(v, acme, "note/revocation")
			if g.Version > 0 {
				return nil, fault.New(fault.Denied, "revoked")
			}
			return []fsm.Guard{g}, err
		}
		_, err := l.Commit(t.Context(), r, "note/a", write(t, "a"))
		requireKind(t, fault.Denied, err)
		_, found, err := notes.Get(view(t, log.p.s), fsm.K(acme, "a"))
		require.NoError(t, err)
		require.False(t, found)
	})
}
