package secret

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestVersionsCountUpFromOne(t *testing.T) {
	r := newRig(t)
	for i := uint64(1); i <= 5; i++ {
		require.Equal(t, i, r.put("db/password", fmt.Sprint("v", i)))
		require.EqualValues(t, 1, r.put(fmt.Sprint("other/", i), "x"), "each path counts for itself")
	}
	require.Equal(t, "v5", r.value("db/password", 0))
	for i := uint64(1); i <= 5; i++ {
		v, err := r.get("db/password", i)
		require.NoError(t, err)
		require.Equal(t, Value{"db/password", i, []byte(fmt.Sprint("v", i)), Attributes{}, begin, "ann", 5}, v)
	}
	r.unreadable("db/password", 6, "no version 6")
	r.unreadable("db", 0, "no secret")
	r.unreadable("db/password/x", 0, "no secret")
	r.check()
}

func TestAnswerNamesTheMomentOfTheEntry(t *testing.T) {
	r := newRig(t)
	r.log.pass(time.Hour)
	w, rc, err := r.e.Put(t.Context(), r.request(), Item{Path: "a", Value: []byte("1")})
	require.NoError(t, err)
	require.Equal(t, Written{"a", 1, begin.Add(time.Hour)}, w)
	require.Equal(t, r.store.Applied(), rc.Index)
	v, err := r.get("a", 0)
	require.NoError(t, err)
	require.Equal(t, w.At, v.At)
}

func TestCasIsTheLastNumberEver(t *testing.T) {
	r := newRig(t)
	_, err := r.cas("a", "x", 1)
	r.refused(err, fault.Conflict)
	r.unreadable("a", 0, "no secret")
	require.EqualValues(t, 1, r.must(r.cas("a", "1", 0)))
	for _, wrong := range []uint64{0, 2, 1 << 63} {
		_, err := r.cas("a", "x", wrong)
		r.refused(err, fault.Conflict)
		require.ErrorContains(t, err, "at version 1")
	}
	require.EqualValues(t, 2, r.must(r.cas("a", "2", 1)))

	r.must(r.delete("a", nil))
	_, err = r.cas("a", "x", 0)
	r.refused(err, fault.Conflict)
	require.EqualValues(t, 3, r.must(r.cas("a", "3", 2)), "a deletion is no version")
	require.Equal(t, "3", r.value("a", 0), "a put shows a deleted secret again")

	r.must(r.purge("a", 0))
	_, err = r.cas("a", "x", 0)
	r.refused(err, fault.Conflict)
	require.EqualValues(t, 4, r.must(r.cas("a", "4", 3)), "nor is a purge")
	require.Equal(t, []string{"4 live", "3 purged", "2 purged", "1 purged"}, r.states("a"))
	r.check()
}

// race runs n mutations at once and returns the versions of those that succeeded, sorted, and the failures.
func race(n int, f func(i int) (uint64, error)) (versions []uint64, failures []error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			v, err := f(i)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failures = append(failures, err)
				return
			}
			versions = append(versions, v)
		})
	}
	wg.Wait()
	slices.Sort(versions)
	return versions, failures
}

func TestRacingPutsWithoutCasAllSucceed(t *testing.T) {
	r := newRig(t)
	const n = 40
	var mu sync.Mutex
	wrote := map[uint64]string{}
	got, failures := race(n, func(i int) (uint64, error) {
		w, err := r.tryPut(Item{Path: "a", Value: fmt.Append(nil, i)})
		mu.Lock()
		defer mu.Unlock()
		wrote[w.Version] = fmt.Sprint(i)
		return w.Version, err
	})
	require.Empty(t, failures)
	require.Len(t, got, n)
	for i, v := range got {
		require.EqualValues(t, i+1, v, "distinct and consecutive")
		require.Equal(t, wrote[v], r.value("a", v), "each put has its own version")
	}
	r.check()
}

func TestOfRacingPutsWithOneCasOneWins(t *testing.T) {
	r := newRig(t)
	for round := range uint64(5) {
		got, failures := race(16, func(i int) (uint64, error) { return r.cas("a", fmt.Sprint(i), round) })
		require.Equal(t, []uint64{round + 1}, got)
		require.Len(t, failures, 15)
		for _, err := range failures {
			r.refused(err, fault.Conflict)
		}
	}
	r.check()
}

func TestAPutThatLostTheRaceIsSealedAnew(t *testing.T) {
	r := newRig(t)
	r.log.before = func() { r.put("a", "theirs") } // another node's put, which the lane does not see
	w, _, err := r.e.Copy(t.Context(), r.request(), "s", 0, "a", nil)
	r.refused(err, fault.NotFound)
	require.Zero(t, w)
	r.put("s", "mine")
	r.log.before = func() {
		r.propose(VersionWritten{Path: "a", Version: 2, Value: r.seal("a", 2, "late"), Size: 4})
	}
	require.EqualValues(t, 3, r.put("a", "mine"))
	require.Equal(t, "late", r.value("a", 2))
	require.Equal(t, "mine", r.value("a", 3))
	r.log.before = func() {
		r.propose(VersionWritten{Path: "a", Version: 4, Value: r.seal("a", 4, "later"), Size: 5})
	}
	_, err = r.cas("a", "x", 3)
	r.refused(err, fault.Conflict)
	require.EqualValues(t, 4, r.history("a", 10).Latest)
	r.check()
}

// seal seals a text for a place of the rig's tenant.
func (r *rig) seal(path string, number uint64, text string) (s fsm.Sealed) {
	r.t.Helper()
	r.look(func(v *fsm.View) {
		var err error
		s, err = r.keys.Seal(v, binding(r.tenant, path, number), []byte(text))
		require.NoError(r.t, err)
	})
	return s
}

func TestAnyBytesUpToOneMiBComeBack(t *testing.T) {
	r := newRig(t)
	random := make([]byte, MaxValue)
	_, _ = rand.Read(random)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for name, value := range map[string][]byte{
		"nothing": nil, "empty": {}, "NUL": {0}, "NULs": make([]byte, 4096), "not UTF-8": []byte("\xff\xfe\x80a\xc0\xaf"),
		"every byte": every, "a line": []byte("a\r\n"), "1 MiB": random, "1 MiB of NUL": make([]byte, MaxValue),
	} {
		t.Run(name, func(t *testing.T) {
			kept := bytes.Clone(value)
			w, err := r.tryPut(Item{Path: "v/" + name, Value: value})
			require.NoError(t, err)
			require.Equal(t, kept, value, "what the caller gave stays the caller's")
			v, err := r.get(w.Path, 0)
			require.NoError(t, err)
			require.True(t, bytes.Equal(value, v.Value))
			require.EqualValues(t, len(value), r.history(w.Path, 1).Items[0].Size)
		})
	}
	_, err := r.tryPut(Item{Path: "large", Value: make([]byte, MaxValue+1)})
	r.blames(err, fault.TooLarge, "value")
	r.unreadable("large", 0, "no secret")
	r.check()
}

func TestWhatGetGivesBelongsToTheCaller(t *testing.T) {
	r := newRig(t)
	value := []byte("s3cret")
	_, err := r.tryPut(Item{Path: "a", Value: value})
	require.NoError(t, err)
	clear(value)
	first, err := r.get("a", 0)
	require.NoError(t, err)
	second, err := r.get("a", 0)
	require.NoError(t, err)
	clear(first.Value)
	require.Equal(t, "s3cret", string(second.Value), "no two share a buffer")
	require.Equal(t, "s3cret", r.value("a", 0))
	require.EqualValues(t, 2, r.must(r.rollback("a", 1, nil)))
	require.Equal(t, "s3cret", r.value("a", 2), "zeroing behind a rollback reaches nothing that is kept")
}

func TestABadItemChangesNothing(t *testing.T) {
	r := newRig(t)
	r.put("a", "1")
	before := r.store.Applied()
	for field, it := range map[string]Item{
		"path":         {Path: "a//b"},
		"labels":       {Path: "a", Attributes: Attributes{Labels: map[string]string{"": "x"}}},
		"content_type": {Path: "a", Attributes: Attributes{ContentType: "\x00"}},
		"expires_at":   {Path: "a", Attributes: Attributes{Expires: begin}},
		"value":        {Path: "a", Value: make([]byte, MaxValue+1)},
	} {
		_, err := r.tryPut(it)
		require.Error(t, err)
		require.Equal(t, field, err.(*fault.Error).Field)
	}
	for _, bad := range []string{"", "a/", "*", "a\x00", "\xff"} {
		for name, f := range map[string]func() (uint64, error){
			"delete":   func() (uint64, error) { return r.delete(bad, nil) },
			"undelete": func() (uint64, error) { return r.undelete(bad) },
			"purge":    func() (uint64, error) { return r.purge(bad, 0) },
			"rollback": func() (uint64, error) { return r.rollback(bad, 1, nil) },
			"versions": func() (uint64, error) { _, _, err := r.e.Versions(r.view(), acme, bad, 0, 1); return 0, err },
		} {
			_, err := f()
			require.Error(t, err, "%s %q", name, bad)
			r.blames(err, fault.Invalid, "path")
		}
	}
	require.Equal(t, before, r.store.Applied())
}

func TestAttributesStandWithTheirVersion(t *testing.T) {
	r := newRig(t)
	first := Attributes{Labels: map[string]string{"env": "prod", "größe": ""}, ContentType: "text/plain", Expires: begin.Add(time.Hour)}
	r.put("a", "1", first)
	r.put("a", "2")
	v, err := r.get("a", 1)
	require.NoError(t, err)
	require.Equal(t, first, v.Attributes)
	v, err = r.get("a", 2)
	require.NoError(t, err)
	require.Equal(t, Attributes{}, v.Attributes, "the next version has its own")
	h := r.history("a", 10)
	require.Equal(t, []Past{{2, begin, "ann", 1, "live", Attributes{}}, {1, begin, "ann", 1, "live", first}}, h.Items)
	r.check()
}

func TestAnExpiredVersionIsNotReadAndNotListed(t *testing.T) {
	r := newRig(t)
	r.put("a", "old")
	r.put("a", "new", Attributes{Expires: begin.Add(time.Hour)})
	r.put("b", "x")
	require.Equal(t, []string{"a", "b"}, r.list(Query{}))

	r.log.pass(time.Hour - 1)
	require.Equal(t, "new", r.value("a", 0), "until the moment")
	r.log.pass(1)
	r.put("b", "y") // log time moves with entries
	r.unreadable("a", 0, "expired")
	r.unreadable("a", 2, "expired")
	require.Equal(t, "old", r.value("a", 1), "the version before it has not expired, and is not the latest either")
	require.Equal(t, []string{"b"}, r.list(Query{}))
	require.Equal(t, []string{"2 expired", "1 live"}, r.states("a"))

	_, err := r.rollback("a", 2, nil)
	r.refused(err, fault.NotFound)
	require.EqualValues(t, 3, r.must(r.rollback("a", 1, nil)))
	require.Equal(t, "old", r.value("a", 0))
	require.Equal(t, []string{"a", "b"}, r.list(Query{}))
	r.check()
}

func TestExpiryIsJudgedByTheNodesClockWhenTheLogIsIdle(t *testing.T) {
	past := fsm.At(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	r := newRigAt(t, past)
	r.propose(VersionWritten{Path: "a", Version: 1, Value: r.seal("a", 1, "x"), Size: 1, Attributes: Attributes{Expires: past.Add(time.Hour)}})
	require.Equal(t, []string{"1 expired"}, r.states("a"), "no entry has come since, and an hour is over all the same")
	_, err := r.tryPut(Item{Path: "b", Attributes: Attributes{Expires: past.Add(time.Hour)}})
	r.blames(err, fault.Invalid, "expires_at")
}

func TestAnExpiredSecretCanBeDeletedAndPurged(t *testing.T) {
	r := newRig(t)
	r.put("a", "x", Attributes{Expires: begin.Add(1)})
	r.log.pass(time.Hour)
	r.must(r.delete("a", nil))
	r.must(r.undelete("a"))
	r.unreadable("a", 0, "expired")
	r.must(r.purge("a", 1))
	require.Equal(t, []string{"1 purged"}, r.states("a"))
	r.check()
}

func TestTheSamePathInTwoTenantsIsTwoSecrets(t *testing.T) {
	r := newRig(t)
	u := r.in(umbra)
	r.put("a", "acme 1")
	require.EqualValues(t, 2, r.put("a", "acme 2"))
	u.unreadable("a", 0, "no secret")
	require.EqualValues(t, 1, u.must(u.cas("a", "umbra", 0)))
	u.put("z", "z")
	require.Equal(t, "acme 2", r.value("a", 0))
	require.Equal(t, "umbra", u.value("a", 0))
	require.Equal(t, []string{"a"}, r.list(Query{}))
	require.Equal(t, []string{"a", "z"}, u.list(Query{}))
	u.must(u.purge("a", 0))
	u.must(u.move("z", "a", nil))
	require.Equal(t, "acme 2", r.value("a", 0))
	require.Equal(t, []string{"2 live", "1 live"}, r.states("a"))
	_, err := r.copy("z", 0, "b", nil)
	r.refused(err, fault.NotFound)
	r.check()
}

func TestASealedValueOpensAtItsOwnPlaceOnly(t *testing.T) {
	r := newRig(t)
	sealed := r.seal("a", 1, "x")
	for _, place := range []struct {
		tenant fsm.UID
		e      VersionWritten
	}{
		{acme, VersionWritten{Path: "a", Version: 1, Value: sealed}},
		{acme, VersionWritten{Path: "a", Version: 2, Value: sealed}},
		{acme, VersionWritten{Path: "b", Version: 1, Value: sealed}},
		{umbra, VersionWritten{Path: "a", Version: 1, Value: sealed}},
	} {
		r.in(place.tenant).propose(place.e)
	}
	require.Equal(t, "x", r.value("a", 1))
	for _, moved := range []func() error{
		func() error { _, err := r.get("a", 2); return err },
		func() error { _, err := r.get("b", 1); return err },
		func() error { _, err := r.in(umbra).get("a", 1); return err },
		func() error { _, err := r.copy("b", 1, "c", nil); return err },
	} {
		r.refused(moved(), fault.Corrupt)
	}
}

func TestARepeatedRequestHasOneEffectAndTheSameAnswer(t *testing.T) {
	r := newRig(t)
	r.put("s", "1")
	r.put("s", "2")
	r.put("d", "1")
	for name, f := range map[string]func(fsm.Request) (any, fsm.Receipt, error){
		"put": func(q fsm.Request) (any, fsm.Receipt, error) {
			return three(r.e.Put(t.Context(), q, Item{Path: "a", Value: []byte("x")}))
		},
		"put with cas": func(q fsm.Request) (any, fsm.Receipt, error) {
			return three(r.e.Put(t.Context(), q, Item{Path: "new", Value: []byte("x"), Cas: ptr[uint64](0)}))
		},
		"import": func(q fsm.Request) (any, fsm.Receipt, error) {
			return three(r.e.Import(t.Context(), q, []Item{{Path: "i/a"}, {Path: "i/b", Cas: ptr[uint64](0)}}))
		},
		"rollback": func(q fsm.Request) (any, fsm.Receipt, error) { return three(r.e.Rollback(t.Context(), q, "s", 1, nil)) },
		"copy": func(q fsm.Request) (any, fsm.Receipt, error) {
			return three(r.e.Copy(t.Context(), q, "s", 1, "c", nil))
		},
		"move": func(q fsm.Request) (any, fsm.Receipt, error) {
			r.put("moving", "x")
			return three(r.e.Move(t.Context(), q, "moving", "moved", nil))
		},
		"delete": func(q fsm.Request) (any, fsm.Receipt, error) { return three(r.e.Delete(t.Context(), q, "d", nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			q := r.request()
			first, rc, err := f(q)
			require.NoError(t, err)
			require.False(t, rc.Replayed)
			records := r.records()
			r.log.pass(time.Minute)
			q.ID = fsm.UID{8, 8} // the caller's second attempt has an id of its own
			again, rc2, err := f(q)
			require.NoError(t, err)
			require.Equal(t, first, again)
			require.True(t, rc2.Replayed)
			require.Equal(t, rc.Index, rc2.Index)
			if name != "move" { // its own preparation is a record
				require.Equal(t, records, r.records(), "no second effect")
			}
			q.Receipt = &fsm.ReceiptKey{Key: q.Receipt.Key, Request: [32]byte{2}}
			_, _, err = f(q)
			r.refused(err, fault.KeyReused)
		})
	}
	require.EqualValues(t, 1, r.history("a", 9).Latest)
	require.EqualValues(t, 1, r.history("moved", 9).Latest)
	require.EqualValues(t, 3, r.history("s", 9).Latest)
	r.check()
}

func three[T any](w T, rc fsm.Receipt, err error) (any, fsm.Receipt, error) { return w, rc, err }

func (r *rig) records() (n uint64) {
	r.look(func(v *fsm.View) { n, _ = v.Head() })
	return n
}

func TestTheSameRequestTwiceAtOnceHasOneEffect(t *testing.T) {
	r := newRig(t)
	q := r.request()
	got, failures := race(8, func(int) (uint64, error) {
		w, _, err := r.e.Put(t.Context(), q, Item{Path: "a", Value: []byte("x")})
		return w.Version, err
	})
	require.Empty(t, failures)
	require.Equal(t, []uint64{1, 1, 1, 1, 1, 1, 1, 1}, got)
	require.EqualValues(t, 1, r.history("a", 9).Latest)
}
