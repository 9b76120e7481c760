package secret

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

func TestAnImportIsOneEntry(t *testing.T) {
	r := newRig(t)
	r.put("b", "1")
	r.put("c", "1")
	r.must(r.delete("c", nil))
	records := r.records()
	a := Attributes{Labels: map[string]string{"k": "v"}, ContentType: "x", Expires: begin.Add(time.Hour)}
	r.log.pass(time.Second)
	got, err := r.tryImport(
		Item{Path: "a", Value: []byte("a1"), Cas: ptr[uint64](0), Attributes: a},
		Item{Path: "b", Value: []byte("b2"), Cas: ptr[uint64](1)},
		Item{Path: "c", Value: []byte("c2")},
		Item{Path: "a/b", Value: []byte{0xff, 0}})
	require.NoError(t, err)
	at := begin.Add(time.Second)
	require.Equal(t, []Written{{"a", 1, at}, {"b", 2, at}, {"c", 2, at}, {"a/b", 1, at}}, got, "in the order of the items")
	require.Equal(t, records+1, r.records())
	v, err := r.get("a", 0)
	require.NoError(t, err)
	require.Equal(t, Value{"a", 1, []byte("a1"), a, at, "ann", 1}, v)
	require.Equal(t, "b2", r.value("b", 0))
	require.Equal(t, "c2", r.value("c", 0))
	require.Equal(t, "\xff\x00", r.value("a/b", 0))
	r.check()
}

func TestOneBadItemOfAnImportIsNamedAndChangesNothing(t *testing.T) {
	r := newRig(t)
	r.put("there", "1")
	before := r.store.Applied()
	good := func(n int) []Item {
		items := make([]Item, n)
		for i := range items {
			items[i] = Item{Path: fmt.Sprint("i/", i), Value: []byte("x")}
		}
		return items
	}
	for name, c := range map[string]struct {
		bad   Item
		kind  fault.Kind
		field string
	}{
		"path":             {Item{Path: "a//b"}, fault.Invalid, "secrets[7].path"},
		"value":            {Item{Path: "a", Value: make([]byte, MaxValue+1)}, fault.TooLarge, "secrets[7].value"},
		"labels":           {Item{Path: "a", Attributes: Attributes{Labels: map[string]string{"": ""}}}, fault.Invalid, "secrets[7].labels"},
		"content type":     {Item{Path: "a", Attributes: Attributes{ContentType: "\n"}}, fault.Invalid, "secrets[7].content_type"},
		"expiry":           {Item{Path: "a", Attributes: Attributes{Expires: begin}}, fault.Invalid, "secrets[7].expires_at"},
		"duplicate":        {Item{Path: "i/3"}, fault.Invalid, "secrets[7].path"},
		"cas":              {Item{Path: "there", Cas: ptr[uint64](0)}, fault.Conflict, "secrets[7]"},
		"cas of a new one": {Item{Path: "a", Cas: ptr[uint64](1)}, fault.Conflict, "secrets[7]"},
	} {
		items := good(10)
		items[7] = c.bad
		_, err := r.tryImport(items...)
		require.Error(t, err, name)
		r.blames(err, c.kind, c.field)
		require.Equal(t, before, r.store.Applied(), name)
	}
	for _, n := range []int{0, 1001} {
		_, err := r.tryImport(good(n)...)
		r.blames(err, fault.Invalid, "secrets")
	}
	require.Equal(t, []string{"there"}, r.list(Query{}))
	got, err := r.tryImport(good(1000)...)
	require.NoError(t, err)
	require.Len(t, got, 1000)
	require.Len(t, r.list(Query{Prefix: "i/"}), 1000)
	r.check()
}

func TestAnImportThatLosesARaceDecidesAgainAsAWhole(t *testing.T) {
	r := newRig(t)
	r.log.before = func() { r.put("b", "theirs") }
	got, err := r.tryImport(Item{Path: "a", Value: []byte("a")}, Item{Path: "b", Value: []byte("b")})
	require.NoError(t, err)
	require.EqualValues(t, 2, got[1].Version)
	require.Equal(t, "theirs", r.value("b", 1))
	require.Equal(t, "b", r.value("b", 2))
	r.log.before = func() { r.put("b", "theirs") }
	_, err = r.tryImport(Item{Path: "a", Value: []byte("a")}, Item{Path: "b", Value: []byte("b"), Cas: ptr[uint64](2)})
	r.refused(err, fault.Conflict)
	require.EqualValues(t, 1, r.history("a", 9).Latest)
	r.check()
}

func TestImportsAndPutsThatRaceLoseNothing(t *testing.T) {
	r := newRig(t)
	_, failures := race(12, func(i int) (uint64, error) {
		if i%3 == 0 {
			_, err := r.tryImport(Item{Path: "a"}, Item{Path: fmt.Sprint("b", i)})
			return 0, err
		}
		w, err := r.tryPut(Item{Path: "a"})
		return w.Version, err
	})
	for _, err := range failures { // a miss of eight in a row is refused as not done, and changes nothing
		r.refused(err, fault.NotDone)
	}
	require.EqualValues(t, 12-len(failures), r.history("a", 99).Latest)
	r.check()
}

func TestMoveTakesTheLatestValueAndLeavesTheHistory(t *testing.T) {
	r := newRig(t)
	a := Attributes{Labels: map[string]string{"k": "v"}, ContentType: "x", Expires: begin.Add(time.Hour)}
	r.put("s", "1")
	r.put("s", "2\x00\xff", a)
	records := r.records()
	require.EqualValues(t, 1, r.must(r.move("s", "d", ptr[uint64](0))))
	require.Equal(t, records+1, r.records(), "one entry")
	v, err := r.get("d", 0)
	require.NoError(t, err)
	require.Equal(t, Value{"d", 1, []byte("2\x00\xff"), a, begin, "ann", 1}, v)
	r.unreadable("s", 0, "no secret")
	require.Equal(t, []string{"d"}, r.list(Query{}))
	require.True(t, r.history("s", 1).Deleted)
	require.Equal(t, []string{"2 deleted", "1 deleted"}, r.states("s"))
	r.must(r.undelete("s"))
	require.Equal(t, "2\x00\xff", r.value("s", 0))
	r.must(r.purge("s", 0))
	require.Equal(t, "2\x00\xff", r.value("d", 0), "the moved value has a sealing of its own")
	r.check()
}

func TestMoveOntoSomething(t *testing.T) {
	r := newRig(t)
	r.put("s", "s")
	r.put("d", "d1")
	r.put("d", "d2")
	for _, wrong := range []uint64{0, 1, 3} {
		_, err := r.move("s", "d", &wrong)
		r.refused(err, fault.Conflict)
	}
	require.Equal(t, "s", r.value("s", 0), "a refused move deletes nothing")
	r.must(r.delete("d", nil))
	require.EqualValues(t, 3, r.must(r.move("s", "d", ptr[uint64](2))), "a deleted destination is shown again")
	require.Equal(t, "s", r.value("d", 0))
	r.unreadable("d", 1, "was deleted")
	require.False(t, r.history("d", 1).Deleted)
	require.Equal(t, []string{"3 live", "2 deleted", "1 deleted"}, r.states("d"))
	r.must(r.undelete("d"))
	require.Equal(t, "d1", r.value("d", 1))
	r.must(r.purge("d", 0))
	r.put("s", "s2")
	require.EqualValues(t, 4, r.must(r.move("s", "d", nil)), "and a purged one goes on")
	require.EqualValues(t, 3, r.put("s", "s3"), "the source can be written again")
	require.EqualValues(t, 4, r.must(r.move("d", "s", nil)), "and be moved back to")
	require.Equal(t, "s2", r.value("s", 0))
	r.check()
}

func TestCopyTakesAnyVersionAndLeavesTheSource(t *testing.T) {
	r := newRig(t)
	a := Attributes{Labels: map[string]string{"k": "v"}, ContentType: "x"}
	r.put("s", "1", a)
	r.put("s", "2")
	require.EqualValues(t, 1, r.must(r.copy("s", 0, "d", ptr[uint64](0))))
	require.EqualValues(t, 2, r.must(r.copy("s", 1, "d", ptr[uint64](1))))
	_, err := r.copy("s", 1, "d", ptr[uint64](1))
	r.refused(err, fault.Conflict)
	require.Equal(t, "2", r.value("d", 1))
	v, err := r.get("d", 2)
	require.NoError(t, err)
	require.Equal(t, "1", string(v.Value))
	require.Equal(t, a, v.Attributes)
	require.Equal(t, []string{"2 live", "1 live"}, r.states("s"))
	require.Equal(t, "2", r.value("s", 0))
	r.check()
}

func TestWhatCannotBeReadCannotBeMovedOrCopied(t *testing.T) {
	r := newRig(t)
	r.put("expired", "x", Attributes{Expires: begin.Add(1)})
	r.put("deleted", "x")
	r.must(r.delete("deleted", nil))
	r.put("purged", "1")
	r.put("purged", "2")
	r.must(r.purge("purged", 2))
	r.log.pass(time.Hour)
	r.put("other", "x")
	before := r.store.Applied()
	for _, source := range []string{"missing", "expired", "deleted", "purged"} {
		for _, f := range []func() (uint64, error){
			func() (uint64, error) { return r.move(source, "d", nil) },
			func() (uint64, error) { return r.copy(source, 0, "d", nil) },
			func() (uint64, error) { return r.move(source, "other", nil) },
		} {
			_, err := f()
			r.refused(err, fault.NotFound)
			require.ErrorContains(t, err, source)
		}
	}
	_, err := r.copy("other", 2, "d", nil)
	r.refused(err, fault.NotFound)
	require.Equal(t, before, r.store.Applied())
	require.EqualValues(t, 1, r.must(r.copy("purged", 1, "d", nil)), "an older version that is still there can")
	r.check()
}

func TestTheEndsOfAMoveAreTwoPaths(t *testing.T) {
	r := newRig(t)
	r.put("a", "x")
	before := r.store.Applied()
	for range 20 { // the first one at fault is named, each time
		for _, c := range []struct{ source, destination, field string }{
			{"a", "a", "destination"}, {"a", "a/", "destination"}, {"a", "", "destination"}, {"a", "b\x00", "destination"},
			{"", "b", "source"}, {"*", "b", "source"}, {"a//b", "c//d", "source"}, {"", "", "source"},
		} {
			_, err := r.move(c.source, c.destination, nil)
			r.blames(err, fault.Invalid, c.field)
			_, err = r.copy(c.source, 0, c.destination, nil)
			r.blames(err, fault.Invalid, c.field)
		}
	}
	require.Equal(t, before, r.store.Applied())
}

func TestAMoveRacingAPutMovesTheNewValue(t *testing.T) {
	r := newRig(t)
	r.put("s", "old")
	r.log.before = func() { r.put("s", "new") }
	require.EqualValues(t, 1, r.must(r.move("s", "d", nil)))
	require.Equal(t, "new", r.value("d", 0), "nothing that was acknowledged is lost")
	r.log.before = func() { r.must(r.delete("d", nil)) }
	_, err := r.move("d", "e", nil)
	r.refused(err, fault.NotFound)
	r.unreadable("e", 0, "no secret")
	r.check()
}

func TestOfRacingMovesOfOneSourceOneWins(t *testing.T) {
	r := newRig(t)
	r.put("s", "x")
	got, failures := race(8, func(i int) (uint64, error) { return r.move("s", fmt.Sprint("d/", i), nil) })
	require.Len(t, got, 1)
	for _, err := range failures {
		r.refused(err, fault.NotFound)
	}
	require.Len(t, r.list(Query{}), 1)
	r.check()
}
