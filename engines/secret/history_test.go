package secret

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestVersionsComeNewestFirstInPagesWithoutGaps(t *testing.T) {
	r := newRig(t)
	var want []string
	for i := 7; i >= 1; i-- {
		want = append(want, fmt.Sprint(i, " live"))
		r.put("a", "x")
		r.put("a-neighbour", "x")
		r.put("a/b", "x")
	}
	for limit := 1; limit <= 9; limit++ {
		var got []string
		for _, p := range r.history("a", limit).Items {
			got = append(got, fmt.Sprint(p.Version, " ", p.State))
		}
		require.Equal(t, want, got, "limit %d", limit)
	}
	_, _, err := r.e.Versions(r.view(), acme, "b", 0, 10)
	r.refused(err, fault.NotFound)
	_, _, err = r.e.Versions(r.view(), umbra, "a", 0, 10)
	r.refused(err, fault.NotFound)
}

func TestACursorAnywhereGivesTheVersionsBelowIt(t *testing.T) {
	r := newRig(t)
	for _, v := range []string{"1", "22", "333"} {
		r.put("a", v)
	}
	for before, want := range map[uint64][]uint64{1: nil, 2: {1}, 3: {2, 1}, 4: {3, 2, 1}, 5: {3, 2, 1}, 100: {3, 2, 1}, math.MaxInt64: {3, 2, 1}, math.MaxUint64: {3, 2, 1}} {
		h, next, err := r.e.Versions(r.view(), acme, "a", before, 10)
		require.NoError(t, err)
		require.Zero(t, next)
		require.EqualValues(t, 3, h.Latest)
		var got []uint64
		for _, p := range h.Items {
			got = append(got, p.Version)
			require.EqualValues(t, p.Version, p.Size, "a version keeps its own row")
		}
		require.Equal(t, want, got, "below %d", before)
	}
	h, next, err := r.e.Versions(r.view(), acme, "a", 100, 2)
	require.NoError(t, err)
	require.Len(t, h.Items, 2)
	require.EqualValues(t, 2, next)
}

func TestRollbackMakesAnOldVersionTheNewest(t *testing.T) {
	r := newRig(t)
	a := Attributes{Labels: map[string]string{"k": "v"}, ContentType: "text/plain", Expires: begin.Add(time.Hour)}
	r.put("a", "old", a)
	r.put("a", "new")
	require.EqualValues(t, 3, r.must(r.rollback("a", 1, ptr[uint64](2))))
	v, err := r.get("a", 0)
	require.NoError(t, err)
	require.Equal(t, Value{"a", 3, []byte("old"), a, begin, "ann", 3}, v)
	require.Equal(t, "new", r.value("a", 2))
	require.EqualValues(t, 4, r.must(r.rollback("a", 3, nil)), "the newest can be rolled back to as well")

	r.must(r.purge("a", 1))
	require.Equal(t, "old", r.value("a", 3), "it was sealed anew: the old one's purge does not touch it")
	_, err = r.rollback("a", 2, ptr[uint64](3))
	r.refused(err, fault.Conflict)
	_, err = r.rollback("a", 1, nil)
	r.refused(err, fault.NotFound)
	require.ErrorContains(t, err, "purged")
	_, err = r.rollback("a", 5, nil)
	r.refused(err, fault.NotFound)
	_, err = r.rollback("b", 1, nil)
	r.refused(err, fault.NotFound)
	r.must(r.delete("a", nil))
	_, err = r.rollback("a", 2, nil)
	r.refused(err, fault.NotFound)
	r.must(r.undelete("a"))
	require.Equal(t, []string{"4 live", "3 live", "2 live", "1 purged"}, r.states("a"))
	r.check()
}

func TestRollbackAwayFromAPurgedLatest(t *testing.T) {
	r := newRig(t)
	r.put("a", "1")
	r.put("a", "2", Attributes{ContentType: "x"})
	r.must(r.purge("a", 2))
	r.unreadable("a", 0, "purged")
	require.Empty(t, r.list(Query{}))
	require.EqualValues(t, 3, r.must(r.rollback("a", 1, ptr[uint64](2))))
	require.Equal(t, "1", r.value("a", 0))
	require.Equal(t, []string{"a"}, r.list(Query{}))
	r.check()
}

func TestADeletedSecretIsHiddenAndComesBack(t *testing.T) {
	r := newRig(t)
	r.put("a", "1")
	r.put("a", "2")
	_, err := r.delete("a", ptr[uint64](1))
	r.refused(err, fault.Conflict)
	require.EqualValues(t, 2, r.must(r.delete("a", ptr[uint64](2))))
	for _, n := range []uint64{0, 1, 2} {
		r.unreadable("a", n, "no secret")
	}
	require.Empty(t, r.list(Query{}))
	h := r.history("a", 10)
	require.True(t, h.Deleted)
	require.EqualValues(t, 2, h.Latest)
	require.Len(t, h.Items, 2, "its history stays")
	_, err = r.delete("a", nil)
	r.refused(err, fault.NotFound)
	_, err = r.move("a", "b", nil)
	r.refused(err, fault.NotFound)
	_, err = r.copy("a", 1, "b", nil)
	r.refused(err, fault.NotFound)

	require.EqualValues(t, 2, r.must(r.undelete("a")))
	require.Equal(t, "1", r.value("a", 1))
	require.Equal(t, "2", r.value("a", 0))
	require.False(t, r.history("a", 1).Deleted)
	_, err = r.undelete("a")
	r.refused(err, fault.Conflict)
	_, err = r.undelete("b")
	r.refused(err, fault.NotFound)
	_, err = r.delete("b", nil)
	r.refused(err, fault.NotFound)
	r.check()
}

// payload reports whether the bytes of a sealed value are still there.
func (r *rig) payload(s fsm.Sealed) (found bool) {
	r.t.Helper()
	r.look(func(v *fsm.View) {
		b, err := fsm.Encode(s)
		require.NoError(r.t, err)
		var bare fsm.Sealed // by digest only, as a row refers to it
		require.NoError(r.t, fsm.Decode(b, &bare))
		_, found, err = fsm.Load(v, bare)
		require.NoError(r.t, err)
	})
	return found
}

func (r *rig) row(path string, number uint64) (row version) {
	r.t.Helper()
	r.look(func(v *fsm.View) {
		var found bool
		var err error
		row, found, err = versions.Get(v, fsm.K(r.tenant, path, number))
		require.NoError(r.t, err)
		require.True(r.t, found)
	})
	return row
}

func TestAPurgedValueIsGoneAndTheChainIsWhole(t *testing.T) {
	r := newRig(t)
	for _, v := range []string{"1", "2", "3"} {
		r.put("a", v, Attributes{Labels: map[string]string{"v": v}})
	}
	first, third := r.row("a", 1).Value, r.row("a", 3).Value
	require.True(t, r.payload(first))
	require.EqualValues(t, 1, r.must(r.purge("a", 1)), "the answer names the version that was purged")
	require.False(t, r.payload(first))
	require.True(t, r.payload(third))
	r.unreadable("a", 1, "purged")
	require.Equal(t, "3", r.value("a", 0))
	_, err := r.purge("a", 1)
	r.refused(err, fault.NotFound)
	_, err = r.purge("a", 4)
	r.refused(err, fault.NotFound)
	_, err = r.purge("b", 0)
	r.refused(err, fault.NotFound)
	_, err = r.purge("b", 1)
	r.refused(err, fault.NotFound)
	r.check()

	require.EqualValues(t, 3, r.must(r.purge("a", 3)))
	require.False(t, r.payload(third))
	r.unreadable("a", 0, "purged")
	require.Equal(t, "2", r.value("a", 2), "the one before stays, and does not become the latest")
	h := r.history("a", 10)
	require.Equal(t, []string{"3 purged", "2 live", "1 purged"}, r.states("a"))
	require.Empty(t, h.Items[0].Attributes, "labels go with the value")
	require.EqualValues(t, 1, h.Items[0].Size)
	require.Equal(t, "ann", h.Items[0].By)
	require.Empty(t, r.list(Query{}))
	require.EqualValues(t, 4, r.put("a", "4"))
	r.check()
}

func TestAfterAPurgeOfAllTheNextNumberFollows(t *testing.T) {
	r := newRig(t)
	r.put("a", "1")
	r.put("a", "2")
	r.put("a/b", "kept")
	r.put("a-b", "kept")
	require.EqualValues(t, 2, r.must(r.purge("a", 0)))
	require.Equal(t, []string{"2 purged", "1 purged"}, r.states("a"))
	require.False(t, r.history("a", 1).Deleted)
	r.unreadable("a", 0, "purged")
	require.Equal(t, []string{"a-b", "a/b"}, r.list(Query{}), "neighbours stay")
	for name, f := range map[string]func() (uint64, error){
		"purge all": func() (uint64, error) { return r.purge("a", 0) }, "purge one": func() (uint64, error) { return r.purge("a", 2) },
		"delete": func() (uint64, error) { return r.delete("a", nil) }, "undelete": func() (uint64, error) { return r.undelete("a") },
		"rollback": func() (uint64, error) { return r.rollback("a", 1, nil) }, "move": func() (uint64, error) { return r.move("a", "b", nil) },
	} {
		_, err := f()
		require.Equal(t, fault.NotFound, fault.KindOf(err), name)
	}
	require.EqualValues(t, 3, r.put("a", "3"))
	require.Equal(t, "3", r.value("a", 0))
	r.check()
}

func TestADeletedSecretCanBePurged(t *testing.T) {
	r := newRig(t)
	r.put("a", "1")
	r.put("a", "2")
	r.must(r.delete("a", nil))
	r.must(r.purge("a", 2))
	r.must(r.undelete("a"))
	r.unreadable("a", 0, "purged")
	require.Equal(t, "1", r.value("a", 1))
	r.must(r.delete("a", nil))
	r.must(r.purge("a", 0))
	_, err := r.undelete("a")
	r.refused(err, fault.NotFound)
	require.True(t, r.history("a", 1).Deleted)
	require.EqualValues(t, 3, r.put("a", "3"), "and written again")
	require.Equal(t, "3", r.value("a", 0))
	require.False(t, r.history("a", 1).Deleted)
	r.check()
}

func TestPurgingEachVersionIsPurgingAll(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"up", "down"} {
		for range 3 {
			r.put(path, "x")
		}
	}
	for i := range uint64(3) {
		r.must(r.purge("up", i+1))
		r.must(r.purge("down", 3-i))
	}
	for _, path := range []string{"up", "down"} {
		_, err := r.purge(path, 0)
		r.refused(err, fault.NotFound)
		_, err = r.delete(path, nil)
		r.refused(err, fault.NotFound)
	}
	r.check()
}

func TestAPurgeRacingAPutPurgesWhatItSaw(t *testing.T) {
	r := newRig(t)
	r.put("a", "1")
	r.log.before = func() {
		r.propose(VersionWritten{Path: "a", Version: 2, Value: r.seal("a", 2, "2"), Size: 1})
	}
	require.EqualValues(t, 2, r.must(r.purge("a", 0)), "it decided again, with the version that came between")
	require.Equal(t, []string{"2 purged", "1 purged"}, r.states("a"))
	r.check()
}
