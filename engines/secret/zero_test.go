package secret

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// watched keeps hold of every plaintext that was opened.
type watched struct {
	Keys
	opened [][]byte
}

func (w *watched) Open(r fsm.Reader, b fsm.Binding, s fsm.Sealed) ([]byte, error) {
	out, err := w.Keys.Open(r, b, s)
	w.opened = append(w.opened, out)
	return out, err
}

// zeroed asserts that n plaintexts were opened and that nothing is left of them.
func (w *watched) zeroed(t *testing.T, n int) {
	t.Helper()
	require.Len(t, w.opened, n)
	for _, b := range w.opened {
		require.NotEmpty(t, b)
		require.Equal(t, make([]byte, len(b)), b)
	}
	w.opened = nil
}

func TestNoPlaintextStaysBehindInMemory(t *testing.T) {
	r := newRig(t)
	w := &watched{Keys: r.keys}
	r.e = New(fsm.NewLedger(r.store, r.log), w)
	r.put("a", "s3cret")
	r.put("b", "<${secret:a}>")
	r.put("bad", "<${secret:missing}>")
	r.must(r.rollback("a", 1, nil))
	w.zeroed(t, 1)
	r.must(r.copy("a", 1, "c", nil))
	w.zeroed(t, 1)
	r.must(r.move("c", "d", nil))
	w.zeroed(t, 1)
	_, err := r.rollback("a", 1, ptr[uint64](9))
	r.refused(err, fault.Conflict)
	w.zeroed(t, 2)                                      // a refusal is decided again on what is surely the present
	r.log.before = func() { r.propose(Undeleted{"a"}) } // it misses its guard and opens the value again
	r.must(r.rollback("a", 1, nil))
	w.zeroed(t, 2)
	got, err := r.expand("${secret:b}", anyone)
	require.NoError(t, err)
	require.Equal(t, "<s3cret>", got)
	w.zeroed(t, 2)
	_, err = r.expand("${secret:b}${secret:bad}", anyone)
	r.refused(err, fault.NotFound)
	w.zeroed(t, 3)
}

func TestAnOutgrownBufferIsZeroed(t *testing.T) {
	out := append(make([]byte, 0, 8), "s3cret"...)
	old := out
	out, err := grow(out, []byte("!!"))
	require.NoError(t, err)
	require.Same(t, &old[0], &out[0], "what fits is not moved")
	out, err = grow(out, []byte("more"))
	require.NoError(t, err)
	require.Equal(t, "s3cret!!more", string(out))
	require.Equal(t, make([]byte, 8), old[:8])
	_, err = grow(out, bytes.Repeat([]byte("x"), MaxValue-len(out)+1))
	require.Equal(t, fault.TooLarge, fault.KindOf(err))
}

func TestNoErrorHoldsAValue(t *testing.T) {
	r := newRig(t)
	const value = "hunter2-hunter2"
	r.put("a", value+"${secret:b}")
	r.put("b", value+"${secret:a}")
	r.put("open", value+"${secret:")
	huge := strings.Repeat(value, MaxValue/len(value)+1)
	for _, f := range []func() error{
		func() error { _, err := r.tryPut(Item{Path: "a", Value: []byte(huge)}); return err },
		func() error { _, err := r.cas("a", value, 0); return err },
		func() error { _, err := r.tryImport(Item{Path: "x", Value: []byte(huge)}); return err },
		func() error {
			_, err := r.tryImport(Item{Path: "a", Value: []byte(value), Cas: ptr[uint64](0)})
			return err
		},
		func() error { _, err := r.expand("${secret:a}", anyone); return err },
		func() error { _, err := r.expand("${secret:open}", anyone); return err },
		func() error { _, err := r.copy("a", 0, "b", ptr[uint64](0)); return err },
	} {
		err := f()
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestASealedNodeReadsAndWritesNoValue(t *testing.T) {
	r := newRig(t)
	r.put("a", "1")
	r.keys.Close()
	before := r.store.Applied()
	_, err := r.get("a", 0)
	r.refused(err, fault.Sealed)
	_, err = r.tryPut(Item{Path: "a"})
	r.refused(err, fault.Sealed)
	_, err = r.move("a", "b", nil)
	r.refused(err, fault.Sealed)
	require.Equal(t, before, r.store.Applied())
	require.NoError(t, r.keys.Unseal(t.Context(), r.view()))
	require.Equal(t, "1", r.value("a", 0))
	r.check()
}
