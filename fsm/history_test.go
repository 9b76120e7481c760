package fsm_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestHistoryIsReadBothWaysFromAnywhere(t *testing.T) {
	p := &script{t: t, s: open(t)}
	for _, n := range strings.Split("abcde", "") {
		p.apply(note(t, n))
	}
	read := func(seq uint64, reverse bool, limit int) (names string) {
		require.NoError(t, fsm.History(view(t, p.s), seq, reverse, func(r fsm.Record) (bool, error) {
			require.Equal(t, "ann", r.Actor.Identity)
			require.Equal(t, acme, r.Events[0].Tenant)
			names += strings.TrimPrefix(r.Events[0].Stream, "note/")
			return len(names) < limit, nil
		}))
		return names
	}
	require.Equal(t, "abcde", read(0, false, 9))
	require.Equal(t, "cd", read(2, false, 2))
	require.Empty(t, read(5, false, 9))
	require.Equal(t, "edcba", read(0, true, 9))
	require.Equal(t, "ba", read(3, true, 9))
	require.Empty(t, read(1, true, 9))
}

func TestAPastEventShowsNoSealedBytes(t *testing.T) {
	p := &script{t: t, s: open(t)}
	p.apply(note(t, "a"))
	require.NoError(t, fsm.History(view(t, p.s), 0, false, func(r fsm.Record) (bool, error) {
		fields, err := r.Events[0].Fields()
		require.NoError(t, err)
		require.Equal(t, "a", fields["Name"])
		require.Len(t, fields["Value"], 32, "a digest stands for the value")
		return true, nil
	}))
}

// TestTheChainNamesWhatWasChanged damages the event log and the sealed values in ways that Pebble's checksums do not see.
func TestTheChainNamesWhatWasChanged(t *testing.T) {
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { b[(at+len(b))%len(b)] ^= 1; return b }
	}
	gone := func([]byte) []byte { return nil }
	cut := func(b []byte) []byte { return b[:20] }
	value := sealedOf(t, "x")
	for name, c := range map[string]struct {
		change func(*fsm.Store) error
		names  string
	}{
		"a record's hash":         {func(s *fsm.Store) error { return s.ChangeRecord(2, flip(0)) }, "record 2"},
		"a record's first byte":   {func(s *fsm.Store) error { return s.ChangeRecord(2, flip(32)) }, "record 2"},
		"a record's last byte":    {func(s *fsm.Store) error { return s.ChangeRecord(2, flip(-1)) }, "record 2"},
		"the last record":         {func(s *fsm.Store) error { return s.ChangeRecord(4, flip(-1)) }, "record 4"},
		"a record cut short":      {func(s *fsm.Store) error { return s.ChangeRecord(3, cut) }, "record 3"},
		"the first record gone":   {func(s *fsm.Store) error { return s.ChangeRecord(1, gone) }, "record 1"},
		"a record gone":           {func(s *fsm.Store) error { return s.ChangeRecord(3, gone) }, "record 3"},
		"the last record gone":    {func(s *fsm.Store) error { return s.ChangeRecord(4, gone) }, "record 3"},
		"a record more":           {func(s *fsm.Store) error { return s.ChangeRecord(5, func([]byte) []byte { return make([]byte, 40) }) }, "record 5"},
		"a sealed value's nonce":  {func(s *fsm.Store) error { return s.ChangePayload(value, flip(fsm.SealedNonceAt)) }, "sealed value"},
		"a sealed value's end":    {func(s *fsm.Store) error { return s.ChangePayload(value, flip(-1)) }, "sealed value"},
		"a sealed value cut":      {func(s *fsm.Store) error { return s.ChangePayload(value, cut) }, "sealed value"},
		"a sealed value's format": {func(s *fsm.Store) error { return s.ChangePayload(value, flip(0)) }, "sealed value"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &script{t: t, s: open(t)}
			for range 3 {
				p.apply(note(t, "a"))
			}
			e := &fsm.Entry{Tenant: acme}
			e.Add(noted{"x", value})
			p.apply(e)
			found, err := fsm.VerifyChain(t.Context(), view(t, p.s))
			require.NoError(t, err)
			require.EqualValues(t, 4, found.Records)
			require.EqualValues(t, 4, found.Payloads)
			require.NoError(t, c.change(p.s))
			_, err = fsm.VerifyChain(t.Context(), view(t, p.s))
			require.True(t, fault.Is(err, fault.Corrupt), "%v", err)
			require.ErrorContains(t, err, c.names)
		})
	}
}
