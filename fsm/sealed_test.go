package fsm_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

func TestASealedValueHasAHeader(t *testing.T) {
	good := make([]byte, fsm.SealedMin)
	good[0] = fsm.SealedFormat
	_, err := fsm.NewSealed(good)
	require.NoError(t, err)
	large := make([]byte, fsm.SealedMax)
	large[0] = fsm.SealedFormat
	_, err = fsm.NewSealed(large)
	require.NoError(t, err)
	for name, blob := range map[string][]byte{
		"nothing": nil, "cut": good[:len(good)-1], "too large": append(large, 0), "format 0": make([]byte, fsm.SealedMin),
		"format 2": append([]byte{2}, good[1:]...),
	} {
		s, err := fsm.NewSealed(blob)
		require.Error(t, err, name)
		require.True(t, s.IsZero(), name)
	}
}

// TestTheWrapIsNotPartOfTheDigest: a re-wrap leaves records as they are, any other change does not.
func TestTheWrapIsNotPartOfTheDigest(t *testing.T) {
	s := sealedOf(t, "x")
	name, err := fsm.Encode(s)
	require.NoError(t, err)
	for i := 1; i < len(s.Bytes()); i++ {
		blob := bytes.Clone(s.Bytes())
		blob[i] ^= 1
		other, err := fsm.NewSealed(blob)
		require.NoError(t, err)
		b, err := fsm.Encode(other)
		require.NoError(t, err)
		require.Equal(t, i < fsm.SealedNonceAt, bytes.Equal(name, b), "byte %d", i)
	}
}

func TestASealedValueNamesItsKey(t *testing.T) {
	blob := make([]byte, fsm.SealedMin)
	blob[0] = fsm.SealedFormat
	copy(blob[1:], acme[:])
	copy(blob[17:], []byte{0, 0, 1, 2})
	s, err := fsm.NewSealed(blob)
	require.NoError(t, err)
	require.Equal(t, fsm.KEKID{Scope: acme, Version: 258}, s.KEK())
	require.Equal(t, acme.String()+"/258", s.KEK().String())
	require.Equal(t, "root/3", fsm.KEKID{Version: 3}.String())
}

func TestASealedValueIsNotPrinted(t *testing.T) {
	s := sealedOf(t, "PLANTED")
	var out strings.Builder
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		fmt.Fprintf(&out, format, s)
		fmt.Fprintf(&out, format, &s)
		fmt.Fprintf(&out, format, struct{ Value fsm.Sealed }{s})
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "value", s, "in", struct{ Value fsm.Sealed }{s})
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "value", s)
	b, err := json.Marshal(map[string]fsm.Sealed{"value": s})
	require.NoError(t, err)
	out.Write(b)
	require.NotContains(t, out.String(), "PLANTED")
	require.NotContains(t, out.String(), fmt.Sprint(s.Bytes()[:8]))
	require.Contains(t, out.String(), "[sealed]")
}

func TestAnEventBringsTheBytesOfItsValues(t *testing.T) {
	p := &script{t: t, s: open(t)}
	value := sealedOf(t, "shared")
	a := &fsm.Entry{Tenant: acme}
	a.Add(noted{"a", value}, noted{"b", value})
	require.NoError(t, p.apply(a)[0].Err)
	row, found, err := notes.Get(view(t, p.s), fsm.K(acme, "b"))
	require.NoError(t, err)
	require.True(t, found)
	require.False(t, row.Value.Loaded(), "a row refers to a value")
	full, found, err := fsm.Load(view(t, p.s), row.Value)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, value.Bytes(), full.Bytes())

	again := &fsm.Entry{Tenant: acme}
	again.Add(noted{"c", row.Value})
	_, err = again.Marshal()
	require.ErrorContains(t, err, "does not bring")
	owed := &fsm.Entry{Outbox: []fsm.Message{{Body: row.Value}}}
	_, err = owed.Marshal()
	require.ErrorContains(t, err, "does not bring", "in the outbox")
	answered := note(t, "d")
	answered.Reply.Secret = row.Value
	_, err = answered.Marshal()
	require.ErrorContains(t, err, "does not bring", "in an answer")

	drop := &fsm.Entry{Tenant: acme}
	drop.Add(dropped{"a"}, dropped{"a"})
	require.NoError(t, p.apply(drop)[0].Err)
	_, found, err = fsm.Load(view(t, p.s), row.Value)
	require.NoError(t, err)
	require.False(t, found, "one delete makes it unreadable everywhere")
	found2, err := fsm.VerifyChain(t.Context(), view(t, p.s))
	require.NoError(t, err)
	require.Zero(t, found2.Payloads)
}

// nested has sealed values wherever a feature may put them.
type nested struct {
	List   []fsm.Sealed
	Named  map[string]fsm.Sealed
	Inside *struct{ Value fsm.Sealed }
	Pair   [2]fsm.Sealed
	None   fsm.Sealed
}

func (nested) EventType() string   { return "test.nested.made" }
func (nested) EventStream() string { return "nested" }

func TestSealedValuesAreFoundInsideEveryShape(t *testing.T) {
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(func(r *fsm.Registry) {
		fsm.On(r, func(*fsm.Tx, fsm.Meta, nested) error { return nil })
	}), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	var all []fsm.Sealed
	next := func() fsm.Sealed {
		all = append(all, sealedOf(t, fmt.Sprint(len(all))))
		return all[len(all)-1]
	}
	e := &fsm.Entry{}
	e.Add(nested{[]fsm.Sealed{next(), next()}, map[string]fsm.Sealed{"a": next()}, &struct{ Value fsm.Sealed }{next()}, [2]fsm.Sealed{next(), next()}, fsm.Sealed{}})
	require.NoError(t, (&script{t: t, s: s}).apply(e)[0].Err)
	for i, v := range all {
		require.True(t, loaded(t, view(t, s), v), "value %d", i)
	}
}
