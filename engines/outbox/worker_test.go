package outbox

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

var errDown = errors.New("planted: the destination is down")

// TestWhatIsOwedArrivesAndIsSettled, with what becomes so by that in the same entry.
func TestWhatIsOwedArrivesAndIsSettled(t *testing.T) {
	r := newRig(t)
	r.owe(acme, [2]string{"a", "1"}, [2]string{"a", "2"}, [2]string{"b", "1"})
	r.owe(umbra, [2]string{"a", "1"})
	r.run(r.empty)
	require.Len(t, r.to.ids, 4)
	require.Len(t, r.noted(), 4)
	v, err := r.store.View()
	require.NoError(t, err)
	defer v.Close()
	all, err := fsm.Depths(v)
	require.NoError(t, err)
	require.Empty(t, all)
}

// TestALaneKeepsItsOrderThroughFailures: what is behind a message that fails waits for it.
func TestALaneKeepsItsOrderThroughFailures(t *testing.T) {
	r := newRig(t)
	order := []fsm.UID{}
	r.to.fail = func(m fsm.Owed, times int) error {
		if times < 3 {
			return errDown
		}
		order = append(order, m.ID)
		return nil
	}
	for range 5 {
		r.owe(acme, [2]string{"a", "1"})
	}
	var want []fsm.UID
	for _, o := range r.owed() {
		want = append(want, o.ID)
	}
	r.worker.Policy.Trips = 100
	r.run(r.empty)
	require.Equal(t, want, order)
}

// TestADestinationThatHangsHoldsUpNoOther, and gets no more calls at a time than it may.
func TestADestinationThatHangsHoldsUpNoOther(t *testing.T) {
	r := newRig(t)
	r.worker.Policy.PerDestination = 3
	hangs := make(chan struct{})
	r.worker.Dispatchers["slow"] = &receiver{hold: hangs}
	r.ledger.Serve("slow")
	_, err := r.ledger.Commit(t.Context(), r.req(acme), "", func(_ *fsm.View, e *fsm.Entry) error {
		for i := range 20 {
			e.Outbox = append(e.Outbox, fsm.Message{ID: newUID(), Kind: "slow", Destination: "a", Lane: string(rune('a' + i))})
		}
		return nil
	})
	require.NoError(t, err)
	r.owe(acme, [2]string{"a", "1"}, [2]string{"b", "1"})
	r.run(func() bool { return len(r.owed()) == 20 })
	slow := r.worker.Dispatchers["slow"].(*receiver)
	require.Equal(t, 3, slow.most["a"])
	close(hangs)
	r.run(r.empty)
	require.Equal(t, 3, slow.most["a"])
}

// TestADeadLetterStaysUntilSomebodyDecides: it is listed, requeued, or dropped, by its own tenant alone.
func TestADeadLetterStaysUntilSomebodyDecides(t *testing.T) {
	r := newRig(t)
	never := true
	r.to.fail = func(m fsm.Owed, _ int) error {
		if never && m.Destination == "a" {
			return fault.New(fault.Invalid, "there is no such address")
		}
		return nil
	}
	r.owe(acme, [2]string{"a", "1"}, [2]string{"a", "1"}, [2]string{"b", "1"})
	r.run(func() bool { return len(r.owed()) == 2 && r.owed()[1].Parked > 0 })
	v, err := r.store.View()
	require.NoError(t, err)
	defer v.Close()
	dead, next, err := List(v, acme, Filter{Parked: true, Kind: "mail", Destination: "a"}, Place{}, 10, 1000)
	require.NoError(t, err)
	require.Nil(t, next)
	require.Len(t, dead, 2)
	require.Equal(t, "there is no such address", dead[0].Reason)
	require.EqualValues(t, 1, dead[0].Tries)
	depth, err := fsm.DepthOf(v, acme, "mail", "a")
	require.NoError(t, err)
	require.EqualValues(t, 2, depth.Parked)
	require.Zero(t, depth.Waiting)

	first, second := Place{dead[0].Seq, dead[0].Pos}, Place{dead[1].Seq, dead[1].Pos}
	_, _, err = r.e.Requeue(t.Context(), r.req(umbra), first)
	require.True(t, fault.Is(err, fault.NotFound))
	_, _, err = r.e.Drop(t.Context(), r.req(umbra), first)
	require.True(t, fault.Is(err, fault.NotFound))
	_, _, err = r.e.Drop(t.Context(), r.req(acme), second)
	require.NoError(t, err)
	never = false
	o, _, err := r.e.Requeue(t.Context(), r.req(acme), first)
	require.NoError(t, err)
	require.Equal(t, dead[0].ID, o.ID)
	_, _, err = r.e.Requeue(t.Context(), r.req(acme), first)
	require.True(t, fault.Is(err, fault.Conflict))
	r.run(r.empty)
	require.Zero(t, r.to.ids[dead[1].ID]-1, "what was dropped is not delivered")
}

// TestWhatIsRequeuedIsTakenUpByTheWorkerThatRuns: it does not begin anew.
func TestWhatIsRequeuedIsTakenUpByTheWorkerThatRuns(t *testing.T) {
	r := newRig(t)
	r.worker.Policy.Life = 0
	down := true
	r.to.fail = func(fsm.Owed, int) error {
		if down {
			return errDown
		}
		return nil
	}
	r.owe(acme, [2]string{"a", "1"})
	requeued := false
	r.run(func() bool {
		all := r.owed()
		if len(all) == 1 && all[0].Parked > 0 && !requeued {
			down, requeued = false, true
			_, _, err := r.e.Requeue(t.Context(), r.req(acme), Place{all[0].Seq, all[0].Pos})
			require.NoError(t, err)
		}
		return len(all) == 0
	})
	require.True(t, requeued, "a message that lived too long is a dead letter")
}

// TestWhatWasDeliveredButNotSettledIsDeliveredAgain: whoever receives it knows it by its id.
func TestWhatWasDeliveredButNotSettledIsDeliveredAgain(t *testing.T) {
	r := newRig(t)
	r.owe(acme, [2]string{"a", "1"})
	r.log.lose.Store(2)
	r.run(r.empty)
	require.Equal(t, []string{"a/1", "a/1", "a/1"}, r.to.got)
	require.Len(t, r.to.ids, 1)
	require.Len(t, r.noted(), 1, "what becomes so by it does so once")
}

// TestNothingIsDeliveredWithoutTheTerm: who cannot confirm it may have been deposed.
func TestNothingIsDeliveredWithoutTheTerm(t *testing.T) {
	r := newRig(t)
	asked := make(chan struct{}, 1)
	r.worker.Confirm = func(context.Context) error {
		select {
		case asked <- struct{}{}:
		default:
		}
		return errDown
	}
	r.owe(acme, [2]string{"a", "1"})
	r.run(func() bool { return len(asked) > 0 })
	require.Zero(t, r.to.count())
	require.Len(t, r.owed(), 1)
}

func TestAMessageThatNobodyDeliversIsNotOwed(t *testing.T) {
	r := newRig(t)
	_, err := r.ledger.Commit(t.Context(), r.req(acme), "", func(_ *fsm.View, e *fsm.Entry) error {
		e.Outbox = []fsm.Message{{ID: newUID(), Kind: "pigeon"}}
		return nil
	})
	require.True(t, fault.Is(err, fault.Invalid))
	require.ErrorContains(t, err, `nobody delivers messages of kind "pigeon"`)
	require.Empty(t, r.owed())
}

// TestPages of a list begin where the last has ended, also where nothing was found.
func TestPagesOfAListBeginWhereTheLastHasEnded(t *testing.T) {
	r := newRig(t)
	for range 7 {
		r.owe(acme, [2]string{"a", "1"}, [2]string{"b", "1"})
		r.owe(umbra, [2]string{"a", "1"})
	}
	v, err := r.store.View()
	require.NoError(t, err)
	defer v.Close()
	var got []Place
	for after, pages := (&Place{}), 0; after != nil; pages++ {
		require.Less(t, pages, 20)
		var page []fsm.Owed
		page, after, err = List(v, acme, Filter{Destination: "b"}, *after, 2, 1000)
		require.NoError(t, err)
		for _, o := range page {
			require.Equal(t, "b", o.Destination)
			require.Equal(t, acme, o.Tenant)
			got = append(got, Place{o.Seq, o.Pos})
		}
	}
	require.Len(t, got, 7)
	require.True(t, slices.IsSortedFunc(got, func(a, b Place) int { return int(a.Seq) - int(b.Seq) }))
	_, next, err := List(v, acme, Filter{Destination: "none"}, Place{}, 2, 1)
	require.NoError(t, err)
	require.Nil(t, next, "one page holds it all")
}

func TestPausesGrowUpToTheMost(t *testing.T) {
	p := Policy{First: time.Second, Most: time.Minute}
	for failures, want := range map[uint64]time.Duration{1: time.Second, 2: 2 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1000: time.Minute} {
		for range 100 {
			d := p.pause(failures)
			require.LessOrEqual(t, d, want)
			require.GreaterOrEqual(t, d, want/2)
		}
	}
}
