package journal

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestWhatWasAppendedIsThereAfterAStart(t *testing.T) {
	dir := journalDir(t)
	j := open(t, dir, small)
	fill(t, j, 20)
	require.Greater(t, len(filesOf(t, dir)), 2, "it has filled several files")
	head, _ := j.Head()
	require.NoError(t, j.Close())

	j = open(t, dir, small)
	again, synced := j.Head()
	require.Equal(t, head, again)
	require.Equal(t, head, synced)
	fill(t, j, 5)
	got := all(t, j, Query{})
	require.Len(t, got, 25)
	for i, r := range got {
		require.Equal(t, uint64(i+1), r.Seq)
		require.Equal(t, "db/password", r.Path)
	}
	v, err := j.Verify(t.Context(), anchors(head))
	require.NoError(t, err)
	require.Equal(t, 1, v.Anchors)
	require.EqualValues(t, 25, v.Records)
	require.NoError(t, j.Close())
}

func TestManyAppendAtOnceWithoutAGap(t *testing.T) {
	j := open(t, journalDir(t), func(o *Options) { o.File = 20 << 10 })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if err := j.Append(readOf("a"), readOf("b")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	v, err := j.Verify(t.Context(), anchors())
	require.NoError(t, err)
	require.EqualValues(t, 3200, v.Records)
	require.NoError(t, j.Close())
}

func TestOneGoroutineSyncsForAll(t *testing.T) {
	var mu sync.Mutex
	syncs := 0
	j := open(t, journalDir(t), func(o *Options) {
		o.OnSync = func(time.Duration) { mu.Lock(); syncs++; mu.Unlock() }
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	fill(t, j, 100)
	require.Eventually(t, func() bool { head, synced := j.Head(); return head == synced }, 10*time.Second, 5*time.Millisecond)
	mu.Lock()
	require.Less(t, syncs, 100)
	require.Positive(t, syncs)
	mu.Unlock()
	require.NoError(t, j.Append(readOf("last")))
	cancel()
	require.NoError(t, <-done)
	head, synced := j.Head()
	require.Equal(t, head, synced, "the end of Run leaves nothing unsynced")
	require.NoError(t, j.Close())
}

func TestAFullDiskRefusesAndIsForgottenWhenThereIsSpace(t *testing.T) {
	d, dir := &disk{space: -1}, journalDir(t)
	j := open(t, dir, func(o *Options) { o.create = d.create })
	fill(t, j, 3)
	for _, left := range []int64{0, 1, 39, 41, 100} {
		d.set(left, nil)
		err := j.Append(readOf("lost"))
		require.Equal(t, fault.NoSpace, fault.KindOf(err), "%v", err)
		require.ErrorContains(t, err, "reads are refused")
		d.set(-1, nil)
		fill(t, j, 1)
	}
	for _, r := range all(t, j, Query{}) {
		require.NotEqual(t, "lost", r.Path)
	}
	require.NoError(t, j.Close())
	j = open(t, dir)
	v, err := j.Verify(t.Context(), anchors())
	require.NoError(t, err)
	require.EqualValues(t, 8, v.Records)
	require.Zero(t, v.Cut)
	require.NoError(t, j.Close())
}

func TestAFullDiskAtTheEndOfAFile(t *testing.T) {
	d, dir := &disk{space: -1}, journalDir(t)
	j := open(t, dir, small, func(o *Options) { o.create = d.create })
	for len(filesOf(t, dir)) < 2 {
		fill(t, j, 1)
	}
	for j.size <= j.limit() {
		fill(t, j, 1)
	}
	d.set(0, nil)
	require.Equal(t, fault.NoSpace, fault.KindOf(j.Append(readOf("lost"))))
	require.Len(t, filesOf(t, dir), 2, "the file that could not be begun is gone")
	d.set(-1, nil)
	fill(t, j, 1)
	require.Len(t, filesOf(t, dir), 3)
	_, err := j.Verify(t.Context(), anchors())
	require.NoError(t, err)
	require.NoError(t, j.Close())
}

func TestAFailedSyncIsNeverTriedAgain(t *testing.T) {
	d, dir := &disk{space: -1}, journalDir(t)
	j := open(t, dir, func(o *Options) { o.create = d.create })
	fill(t, j, 1)
	d.set(-1, errors.New("the disk is broken"))
	require.ErrorContains(t, j.Sync(), "the disk is broken")
	d.set(-1, nil)
	err := j.Append(readOf("a"))
	require.Equal(t, fault.NotDone, fault.KindOf(err))
	require.ErrorContains(t, err, "restart the node")
	require.Error(t, j.Close())
	require.NoError(t, open(t, dir).Append(readOf("a")), "a start reads what is there and goes on")
}

func TestADiskThatDoesNotKeepUpIsToldSo(t *testing.T) {
	d := &disk{space: -1}
	j := open(t, journalDir(t), func(o *Options) { o.create = d.create })
	slow := make(chan struct{})
	d.mu.Lock()
	d.slow = slow
	d.mu.Unlock()
	fill(t, j, 1)
	done := make(chan error, 1)
	go func() { done <- j.Sync() }()
	var err error
	require.Eventually(t, func() bool { err = j.Append(readOf("a")); return err != nil }, 30*time.Second, 20*time.Millisecond)
	require.Equal(t, fault.NotDone, fault.KindOf(err))
	require.ErrorContains(t, err, "does not keep up")
	close(slow)
	require.NoError(t, <-done)
	require.NoError(t, j.Sync())
	fill(t, j, 1)
	require.NoError(t, j.Close())
}

func TestTimeDoesNotRunBackward(t *testing.T) {
	c, dir := newClock(), journalDir(t)
	j := open(t, dir, func(o *Options) { o.Clock = c.time })
	fill(t, j, 1)
	c.add(-time.Hour)
	fill(t, j, 1)
	require.NoError(t, j.Close())
	j = open(t, dir, func(o *Options) { o.Clock = c.time })
	fill(t, j, 1)
	got := all(t, j, Query{})
	require.Equal(t, got[0].At, got[1].At)
	require.Equal(t, got[0].At, got[2].At)
	require.NoError(t, j.Close())
}

func TestPages(t *testing.T) {
	c := newClock()
	start := fsm.At(c.time())
	j := open(t, journalDir(t), small, func(o *Options) { o.Clock = c.time })
	for i := range 30 {
		r := readOf([]string{"a/x", "b", "ab"}[i%3])
		if i%2 == 0 {
			r.Tenant, r.Identity = acme, "other"
		}
		require.NoError(t, j.Append(r))
		c.add(time.Second)
	}
	seqs := func(q Query) (out []uint64) {
		for _, r := range all(t, j, q) {
			out = append(out, r.Seq)
		}
		return out
	}
	require.Len(t, seqs(Query{Limit: 7}), 30, "pages leave nothing out and show nothing twice")
	require.Equal(t, []uint64{30, 29, 28}, seqs(Query{Reverse: true, Limit: 7})[:3])
	require.Len(t, seqs(Query{Reverse: true, Limit: 7}), 30)
	require.Equal(t, []uint64{1, 4, 7, 10}, seqs(Query{Path: "a", Limit: 2})[:4], "ab is not beneath a")
	require.Len(t, seqs(Query{Tenant: acme}), 15)
	require.Len(t, seqs(Query{Actor: "other"}), 15)
	require.Len(t, seqs(Query{Actor: "acc"}), 30, "an accessor is an actor too")
	require.Equal(t, []uint64{11, 12, 13}, seqs(Query{Since: start.Add(10 * time.Second), Until: start.Add(12 * time.Second)}))
	require.Equal(t, []uint64{13, 12, 11}, seqs(Query{Reverse: true, Since: start.Add(10 * time.Second), Until: start.Add(12 * time.Second)}))
	require.Empty(t, seqs(Query{Op: "secrets.list"}))
	require.NoError(t, j.Close())
}

func TestRetentionNeverBreaksTheChain(t *testing.T) {
	c, dir := newClock(), journalDir(t)
	keep := func(o *Options) { o.Clock, o.Keep, o.File = c.time, time.Hour, 600 }
	j := open(t, dir, keep)
	fill(t, j, 10)
	old, _ := j.Head()
	c.add(2 * time.Hour)
	for len(filesOf(t, dir)) < 6 {
		fill(t, j, 1)
	}
	kept, _ := j.Head()
	before := len(filesOf(t, dir))
	j.Trim()
	require.Less(t, len(filesOf(t, dir)), before)
	v, err := j.Verify(t.Context(), anchors(old, kept))
	require.NoError(t, err)
	require.Greater(t, v.First, uint64(1))
	require.NoError(t, j.Close())

	j = open(t, dir, keep)
	_, err = j.Verify(t.Context(), anchors(old, kept))
	require.NoError(t, err)
	require.NoError(t, j.Close())
	require.NoError(t, os.Remove(filesOf(t, dir)[0]))
	j = open(t, dir, keep)
	_, err = j.Verify(t.Context(), anchors(old, kept))
	require.Equal(t, fault.Corrupt, fault.KindOf(err))
	require.ErrorContains(t, err, "no record says that retention removed")
	require.NoError(t, j.Close())
}

func TestRetentionBySize(t *testing.T) {
	dir := journalDir(t)
	j := open(t, dir, func(o *Options) { o.File, o.Most = 2000, 8000 })
	for range 100 {
		fill(t, j, 1)
		j.Trim()
	}
	require.LessOrEqual(t, len(filesOf(t, dir)), 5)
	_, err := j.Verify(t.Context(), anchors())
	require.NoError(t, err)
	require.NoError(t, j.Close())
}

func TestEscaped(t *testing.T) {
	require.Equal(t, `db/pass`, Escaped("db/pass", 100))
	require.Equal(t, `a\nb\x1b\xff\\é`, Escaped("a\nb\x1b\xff\\é", 100))
	require.Equal(t, `xxxx…`, Escaped("xxxxxxxxxx", 4))
	require.Equal(t, "\ufffd", Escaped("\ufffd", 10))
	require.Equal(t, `\u202e`, Escaped("\u202e", 10), "what turns the line around does not reach the reader")
}

func TestRefusalsAreCountedInABoundedSpace(t *testing.T) {
	r, err := OpenRefusals(journalDir(t), Options{Node: "n1"})
	require.NoError(t, err)
	for range 3 {
		r.Add("10.0.0.1")
	}
	r.Flush()
	r.Flush()
	got := all(t, r.Journal(), Query{})
	require.Len(t, got, 1)
	require.Equal(t, Record{Seq: 1, At: got[0].At, Op: OpRefused, Address: "10.0.0.1", Count: 3, Outcome: "unauthenticated", Hash: got[0].Hash}, got[0])
	for i := range 5000 {
		r.Add(string(rune('a'+i%26)) + time.Duration(i).String())
	}
	r.Flush()
	got = all(t, r.Journal(), Query{From: 2})
	require.Len(t, got, refusedAddresses+1)
	sum := uint64(0)
	for _, one := range got {
		sum += one.Count
	}
	require.EqualValues(t, 5000, sum, "none is left out")
	require.NoError(t, r.Close())
}

func BenchmarkAppend(b *testing.B) {
	j, err := Open(b.TempDir(), Options{Node: "n1"})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	for b.Loop() {
		for err := error(fault.New(fault.NotDone, "")); err != nil; err = j.Append(readOf("db/password")) { // again while the disk does not keep up
		}
	}
	cancel()
	<-done
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}
