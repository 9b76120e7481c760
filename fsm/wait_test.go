package fsm_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

// waiting starts a Wait for index and returns where its answer comes.
func waiting(ctx context.Context, s *fsm.Store, index uint64) <-chan error {
	answer := make(chan error, 1)
	go func() { answer <- s.Wait(ctx, index) }()
	return answer
}

func requireWaiting(t *testing.T, answers ...<-chan error) {
	t.Helper()
	synctest.Wait()
	for _, a := range answers {
		select {
		case err := <-a:
			require.Fail(t, "it does not wait", "%v", err)
		default:
		}
	}
}

// bubble runs f with a store in a bubble of its own; pebble's tickers move its clock on whenever all wait.
func bubble(t *testing.T, f func(t *testing.T, p *script)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := fsm.Open(dir, fsm.NewRegistry(fsm.Builtin, testFeature), fsm.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		f(t, &script{t: t, s: s})
	})
}

func TestWaitReturnsOnceItsIndexIsApplied(t *testing.T) {
	bubble(t, func(t *testing.T, p *script) {
		require.NoError(t, p.s.Wait(t.Context(), 0))
		first, second, third := waiting(t.Context(), p.s, 1), waiting(t.Context(), p.s, 2), waiting(t.Context(), p.s, 3)
		requireWaiting(t, first, second, third)
		p.apply(note(t, "a"))
		require.NoError(t, <-first)
		requireWaiting(t, second, third)
		p.index = 2 // one Raft entry further at once
		p.s.FSM().ApplyBatch([]*raft.Log{{Index: 2, Term: 1, Type: raft.LogConfiguration}, {Index: 3, Term: 1, Type: raft.LogConfiguration}})
		require.NoError(t, <-second)
		require.NoError(t, <-third)
		require.NoError(t, p.s.Wait(t.Context(), 2))
		require.Zero(t, p.s.Waiters())
	})
}

func TestAWaitThatIsGivenUpIsForgotten(t *testing.T) {
	bubble(t, func(t *testing.T, p *script) {
		cause := errors.New("the caller went away")
		ctx, cancel := context.WithCancelCause(t.Context())
		gone, stays := waiting(ctx, p.s, 1), waiting(t.Context(), p.s, 1)
		requireWaiting(t, gone, stays)
		require.Equal(t, 2, p.s.Waiters())
		cancel(cause)
		require.ErrorIs(t, <-gone, cause)
		synctest.Wait()
		require.Equal(t, 1, p.s.Waiters())
		p.apply(note(t, "a"))
		require.NoError(t, <-stays)
		require.Zero(t, p.s.Waiters())
		require.NoError(t, p.s.Wait(ctx, 1), "what is applied needs no waiting")
	})
}

func TestAWaitEndsWithTheStateMachine(t *testing.T) {
	bubble(t, func(t *testing.T, p *script) {
		w := waiting(t.Context(), p.s, 1)
		requireWaiting(t, w)
		p.s.FSM().Apply(&raft.Log{Index: 1, Term: 1, Data: []byte("junk")})
		require.ErrorIs(t, <-w, p.s.Err())
		require.Error(t, p.s.Wait(t.Context(), 1))
	})
}

func TestARestoreWakesWhoWaits(t *testing.T) {
	from := &script{t: t, s: open(t)}
	from.apply(note(t, "a"))
	from.apply(note(t, "b"))
	snapshot := exported(t, from.s)
	bubble(t, func(t *testing.T, p *script) {
		covered, beyond := waiting(t.Context(), p.s, 2), waiting(t.Context(), p.s, 3)
		requireWaiting(t, covered, beyond)
		require.NoError(t, restoreBytes(p.s, snapshot))
		require.NoError(t, <-covered)
		requireWaiting(t, beyond)
		p.index = 2
		p.apply(note(t, "c"))
		require.NoError(t, <-beyond)
	})
}
