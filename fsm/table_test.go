package fsm_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

// stored puts rows into a table whose name begins and ends as its neighbours' do.
type stored struct{ Keys [][]byte }

func (stored) EventType() string   { return "test.rows.stored" }
func (stored) EventStream() string { return "rows" }

var (
	table   = fsm.NewTable[int]("test.row")
	longer  = fsm.NewTable[int]("test.row2")
	shorter = fsm.NewTable[int]("test.ro")
)

func tableFeature(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e stored) error {
		for i, k := range e.Keys {
			for _, into := range []fsm.Table[int]{table, longer, shorter} {
				if err := into.Put(tx, k, i); err != nil {
					return err
				}
			}
		}
		return scans(tx, e.Keys)
	})
}

// scans compares every span over a few ends with what a filter over all keys finds; apply calls it too.
func scans(r fsm.Reader, keys [][]byte) error {
	ends := append([][]byte{nil, fsm.K(), fsm.K("b"), fsm.K("zz"), fsm.K(uint64(0)), fsm.StringPrefix("a"), fsm.StringPrefix("")}, keys...)
	for _, prefix := range ends {
		for _, after := range ends {
			for _, reverse := range []bool{false, true} {
				span := fsm.Span{Prefix: prefix, After: after, Reverse: reverse}
				if err := scanned(r, keys, span); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func scanned(r fsm.Reader, keys [][]byte, span fsm.Span) error {
	var want, got []string
	for _, k := range keys {
		beyond := span.After == nil || bytes.Compare(k, span.After) > 0
		if span.Reverse {
			beyond = span.After == nil || bytes.Compare(k, span.After) < 0
		}
		if beyond && bytes.HasPrefix(k, span.Prefix) {
			want = append(want, fmt.Sprintf("%x", k))
		}
	}
	slices.Sort(want)
	if span.Reverse {
		slices.Reverse(want)
	}
	err := table.Scan(r, span, func(k fsm.Key, i int) (bool, error) {
		if !bytes.Equal(k, keys[i]) {
			return false, fmt.Errorf("%x has the row of %x", k, keys[i])
		}
		got = append(got, fmt.Sprintf("%x", k))
		return true, nil
	})
	if err == nil && !slices.Equal(want, got) {
		err = fmt.Errorf("span %x after %x, reverse %v: %s, not %s", span.Prefix, span.After, span.Reverse, got, want)
	}
	return err
}

func TestASpanVisitsExactlyItsRows(t *testing.T) {
	keys := [][]byte{
		fsm.K(), fsm.K("a"), fsm.K("a", uint64(1)), fsm.K("a", uint64(2)), fsm.K("a\x00"), fsm.K("a/b"), fsm.K("a/b", uint64(1)),
		fsm.K("ab"), fsm.K("b"), fsm.K("b", "c"), fsm.K("\xff\xff"), fsm.K(fsm.UID{1}), fsm.K(fsm.UID{1}, "x"), fsm.K(uint64(9)),
	}
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(tableFeature), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	e := &fsm.Entry{}
	e.Add(stored{keys})
	require.NoError(t, (&script{t: t, s: s}).apply(e)[0].Err, "inside apply")
	require.NoError(t, scans(view(t, s), keys), "in a view")
}

func TestAScanStopsWhereItsVisitorSays(t *testing.T) {
	p := &script{t: t, s: open(t)}
	p.apply(note(t, "a"), note(t, "b"), note(t, "c"))
	for _, reverse := range []bool{false, true} {
		var seen []string
		require.NoError(t, notes.Scan(view(t, p.s), fsm.Span{Prefix: fsm.K(acme), Reverse: reverse}, func(_ fsm.Key, n noted) (bool, error) {
			seen = append(seen, n.Name)
			return len(seen) < 2, nil
		}))
		require.Equal(t, map[bool][]string{false: {"a", "b"}, true: {"c", "b"}}[reverse], seen)
	}
	err := notes.Scan(view(t, p.s), fsm.Span{}, func(fsm.Key, noted) (bool, error) { return true, fmt.Errorf("no more") })
	require.EqualError(t, err, "no more")
}

// view opens a view until t ends.
func view(t *testing.T, s *fsm.Store) *fsm.View {
	v, err := s.View()
	require.NoError(t, err)
	t.Cleanup(func() { v.Close() })
	return v
}
