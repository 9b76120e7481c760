package fsmtest_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

// kept and ended are the events of a feature that keeps values by name.
type kept struct {
	Name  string     `cbor:"1,keyasint"`
	Value fsm.Sealed `cbor:"2,keyasint"`
	Parts []string   `cbor:"3,keyasint"`
}

func (kept) EventType() string     { return "test.value.kept" }
func (e kept) EventStream() string { return "value/" + e.Name }

type ended struct {
	Name string `cbor:"1,keyasint"`
}

func (ended) EventType() string     { return "test.value.ended" }
func (e ended) EventStream() string { return "value/" + e.Name }

type row struct {
	Value fsm.Sealed
	Note  string
}

var rows = fsm.NewTable[row]("test.value")

// feature registers kept with a note that a test may make depend on what it must not.
func feature(note func(*fsm.Tx, fsm.Meta, kept) string) func(*fsm.Registry) {
	return func(r *fsm.Registry) {
		fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e kept) error {
			return rows.Put(tx, fsm.K(m.Tenant, e.Name), row{e.Value, note(tx, m, e)})
		})
		fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e ended) error {
			at, found, err := rows.Get(tx, fsm.K(m.Tenant, e.Name))
			if err == nil && !found {
				err = fmt.Errorf("there is no %s", e.Name)
			}
			if err != nil {
				return err
			}
			return tx.Destroy(at.Value)
		})
	}
}

func log(t testing.TB) []*fsm.Entry {
	var out []*fsm.Entry
	for i := range 9 {
		v, err := fsm.NewSealed(fsmtest.Blob(fsm.KEKID{Version: 1}, fmt.Sprint("value ", i)))
		require.NoError(t, err)
		e := &fsm.Entry{ID: fsm.UID{byte(i)}, Tenant: fsm.RootTenant}
		e.Add(kept{fmt.Sprint(i % 4), v, []string{"a", "b", "c", "d", "e", "f"}})
		e.Receipt, e.Reply.Secret = &fsm.ReceiptKey{Key: [32]byte{byte(i)}}, v
		out = append(out, e)
	}
	e := &fsm.Entry{Tenant: fsm.RootTenant}
	e.Add(ended{"0"})
	return append(out, e)
}

func TestAProjectionThatKeepsThePromisesPasses(t *testing.T) {
	v := fsmtest.Check(t, feature(func(*fsm.Tx, fsm.Meta, kept) string { return "" }), log(t)...)
	at, found, err := rows.Get(v, fsm.K(fsm.RootTenant, "0"))
	require.NoError(t, err)
	require.True(t, found)
	_, found, err = fsm.Load(v, at.Value)
	require.NoError(t, err)
	require.False(t, found, "the state at the end of the log")
}

func TestABrokenProjectionIsCaught(t *testing.T) {
	calls := 0
	notes := map[string]func(*fsm.Tx, fsm.Meta, kept) string{
		"another store": func(*fsm.Tx, fsm.Meta, kept) string { calls++; return fmt.Sprint(calls) },
		"as one batch":  func(*fsm.Tx, fsm.Meta, kept) string { return fmt.Sprint(time.Now().UnixNano()) },
		"which Raft":    func(_ *fsm.Tx, m fsm.Meta, _ kept) string { return fmt.Sprint(m.Index) },
		"panic":         func(_ *fsm.Tx, _ fsm.Meta, e kept) string { return e.Parts[0] },
		"rebuilt": func(tx *fsm.Tx, _ fsm.Meta, e kept) string {
			_, found, err := fsm.Load(tx, fsm.Sealed(e.Value))
			return fmt.Sprint(found, err)
		},
	}
	for message, note := range notes {
		t.Run(message, func(t *testing.T) { requireCaught(t, message, feature(note)) })
	}
	t.Run("map order", func(t *testing.T) {
		requireCaught(t, "another store", feature(func(_ *fsm.Tx, _ fsm.Meta, e kept) (note string) {
			parts := map[string]bool{}
			for i := range 64 {
				parts[fmt.Sprint(i)] = true
			}
			for p := range parts {
				note += p
			}
			return note
		}))
	})
	t.Run("memory", func(t *testing.T) {
		requireCaught(t, "durable tables", func(r *fsm.Registry) {
			n := 0
			feature(func(*fsm.Tx, fsm.Meta, kept) string { n++; return fmt.Sprint(n) })(r)
		})
	})
	t.Run("no entry with", func(t *testing.T) {
		requireCaught(t, "no entry with", func(r *fsm.Registry) {
			fsm.On(r, func(*fsm.Tx, fsm.Meta, forgotten) error { return nil })
			feature(func(*fsm.Tx, fsm.Meta, kept) string { return "" })(r)
		})
	})
}

type forgotten struct{}

func (forgotten) EventType() string   { return "test.value.forgotten" }
func (forgotten) EventStream() string { return "forgotten" }

// requireCaught runs Check and expects it to fail with message.
func requireCaught(t *testing.T, message string, register func(*fsm.Registry)) {
	r := &recorder{TB: t}
	entries := log(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		fsmtest.Check(r, register, entries...)
	}()
	<-done
	require.Contains(t, r.failure, message)
}

// recorder takes note of a failure instead of failing.
type recorder struct {
	testing.TB
	failure string
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
