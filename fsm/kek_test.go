package fsm_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

func kekID(version uint32) fsm.KEKID { return fsm.KEKID{Scope: acme, Version: version} }

// under gives a sealed value the header of a key and a place.
func under(t *testing.T, id fsm.KEKID, text string) fsm.Sealed {
	blob := bytes.Clone(sealedOf(t, text).Bytes())
	copy(blob[1:], id.Bytes())
	s, err := fsm.NewSealed(blob)
	require.NoError(t, err)
	s, err = s.Bound(fsm.Binding{Tenant: acme, Feature: "test", Path: text})
	require.NoError(t, err)
	return s
}

func held(t *testing.T, r fsm.Reader, id fsm.KEKID) (out []fsm.Held) {
	require.NoError(t, fsm.HeldBy(r, id, func(h fsm.Held) (bool, error) {
		out = append(out, h)
		return true, nil
	}))
	return out
}

func with(events ...fsm.Event) *fsm.Entry {
	e := (&fsm.Entry{Tenant: acme}).Bind()
	e.Add(events...)
	return e
}

// rewrapped is the value under another key; what the rest of the wrap is does not matter to the state.
func rewrapped(t *testing.T, s fsm.Sealed, to fsm.KEKID) fsm.Rewrap {
	wrap := bytes.Clone(s.Bytes()[:fsm.SealedNonceAt])
	copy(wrap[1:], to.Bytes())
	w, err := fsm.NewRewrap(s, wrap, fsm.Binding{Tenant: acme, Feature: "test", Path: "noted again"})
	require.NoError(t, err)
	return w
}

func TestARewrapMovesAValueToAnotherKeyAndKeepsItsDigest(t *testing.T) {
	p := &script{t: t, s: open(t)}
	value := under(t, kekID(1), "a")
	require.NoError(t, p.apply(with(noted{"a", value}))[0].Err)
	require.Equal(t, "a", held(t, view(t, p.s), kekID(1))[0].Binding.Path)
	w := rewrapped(t, value, kekID(2))
	gone := rewrapped(t, under(t, kekID(1), "never stored"), kekID(2))
	move := with()
	move.Rewraps = []fsm.Rewrap{w, w, gone}
	require.NoError(t, p.apply(move)[0].Err)

	v := view(t, p.s)
	require.Empty(t, held(t, v, kekID(1)))
	at := held(t, v, kekID(2))
	require.Len(t, at, 1)
	require.Equal(t, "noted again", at[0].Binding.Path)
	full, found, err := fsm.Load(v, at[0].Sealed)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, w.Wrap, full.Bytes()[:fsm.SealedNonceAt])
	require.Equal(t, value.Bytes()[fsm.SealedNonceAt:], full.Bytes()[fsm.SealedNonceAt:])
	_, err = fsm.VerifyChain(t.Context(), v)
	require.NoError(t, err, "the chain holds digests, which a re-wrap keeps")

	rebuilt := open(t)
	require.NoError(t, fsm.Rebuild(t.Context(), v, rebuilt))
	require.Equal(t, digest(t, p.s), digest(t, rebuilt), "a rebuild finds wraps and places as they are now")
}

func TestARewrapOfAnotherFormIsRefused(t *testing.T) {
	p := &script{t: t, s: open(t)}
	value := under(t, kekID(1), "a")
	require.NoError(t, p.apply(with(noted{"a", value}))[0].Err)
	w := rewrapped(t, value, kekID(2))
	for _, bad := range []fsm.Rewrap{{Digest: w.Digest, From: w.From, Wrap: w.Wrap[1:]}, {Digest: w.Digest, From: w.From[1:], Wrap: w.Wrap},
		{Digest: w.Digest, From: w.From, Wrap: append([]byte{9}, w.Wrap[1:]...)}} {
		e := with()
		e.Rewraps = []fsm.Rewrap{bad}
		raw, err := e.Marshal()
		require.NoError(t, err)
		var b fsm.Batch
		b.Add(raw)
		require.Error(t, p.s.Rehearse(1, b.Marshal(1, 9)))
	}
}

func TestARetiredKeyTakesNothingMore(t *testing.T) {
	p := &script{t: t, s: open(t)}
	value, canary := under(t, kekID(1), "a"), under(t, kekID(1), "canary")
	require.NoError(t, p.apply(with(noted{"a", value}, noted{"canary", canary}))[0].Err)
	end := with(retired{1})
	end.Idle = []fsm.Idle{kekID(1).Only(canary)}
	require.ErrorIs(t, p.apply(end)[0].Err, fsm.ErrStale, "it wraps a value still")
	require.NoError(t, p.apply(with(dropped{"a"}))[0].Err)
	require.NoError(t, p.apply(end)[0].Err)
	require.ErrorIs(t, p.apply(with(noted{"b", under(t, kekID(1), "b")}))[0].Err, fsm.ErrStale, "sealed before, applied after")
	require.NoError(t, p.apply(with(noted{"b", under(t, kekID(2), "b")}))[0].Err)
	back := with()
	back.Rewraps = []fsm.Rewrap{rewrapped(t, under(t, kekID(2), "b"), kekID(1))}
	require.ErrorIs(t, p.apply(back)[0].Err, fsm.ErrStale, "nothing is wrapped under it again")
}

func TestAnEntryOfAnOlderVersionBringsNoPlaces(t *testing.T) {
	p := &script{t: t, s: open(t)}
	e := &fsm.Entry{Tenant: acme}
	e.Add(noted{"a", under(t, kekID(1), "a")})
	require.NoError(t, p.apply(e)[0].Err)
	require.Nil(t, held(t, view(t, p.s), kekID(1))[0].Binding)
}

func TestARowOfTheIndexIsPassedOverWithItsDigest(t *testing.T) {
	p := &script{t: t, s: open(t)}
	for _, name := range []string{"a", "b", "c", "d"} {
		require.NoError(t, p.apply(with(noted{name, under(t, kekID(1), name)}))[0].Err)
	}
	require.NoError(t, p.apply(with(noted{"e", under(t, kekID(2), "e")}))[0].Err)
	v := view(t, p.s)
	all := held(t, v, kekID(1))
	require.Len(t, all, 4)
	for i, from := range all {
		var rest []fsm.Held
		require.NoError(t, fsm.HeldAfter(v, kekID(1), from.Sealed.Digest(), func(h fsm.Held) (bool, error) {
			rest = append(rest, h)
			return true, nil
		}))
		require.Len(t, rest, 3-i)
		require.Equal(t, append([]fsm.Held{}, all[i+1:]...), append([]fsm.Held{}, rest...))
	}
	n, err := fsm.CountHeld(v, kekID(1))
	require.NoError(t, err)
	require.EqualValues(t, 4, n)
}
