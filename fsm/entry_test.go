package fsm_test

import (
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

// everything registers all events of the tests of this package.
func everything(r *fsm.Registry) {
	testFeature(r)
	outboxFeature(r)
}

// TestThePackagesOwnRowsKeepItsPromises runs what the state machine keeps for every feature, receipts, streams, payloads and the
// outbox, through what fsmtest asks of a feature.
func TestThePackagesOwnRowsKeepItsPromises(t *testing.T) {
	var entries []*fsm.Entry
	for n := byte(1); n <= 12; n++ {
		e := ask(t, acme, n)
		e.Outbox = owing(t, "mail", 2).Outbox
		e.Reply.Secret = sealedOf(t, "answer")
		e.Reply.Once = n%4 == 0
		e.Origin = fsm.Origin{Request: "r1", Address: "192.0.2.1", Rule: "app"}
		e.Guard(fsm.Guard{Tenant: acme, Stream: "note/1", Version: uint64(n) % 3}) // most miss
		entries = append(entries, e, ask(t, umbra, n%5))
	}
	first := ask(t, acme, 99)
	first.Receipt.Request = [32]byte{98}
	end := fsmtest.Entry(acme, dropped{"1"}, settled{1, 0}, settled{2, 1})
	entries = append(entries, note(t, "1"), first, ask(t, acme, 99), end, owing(t, "more", 3),
		fsmtest.Entry(fsm.RootTenant, fsm.AnswersSwept{}), fsmtest.Entry(acme, retired{1}))
	v := fsmtest.Check(t, everything, entries...)
	_, found, err := fsm.FindReceipt(v, acme, ask(t, acme, 99).Receipt, v.Now())
	require.True(t, found)
	require.ErrorContains(t, err, "Idempotency-Key")
}

// FuzzBatch rehearses any bytes as a Raft entry: that never panics and changes nothing. That Apply does the same is what
// fsmtest checks.
func FuzzBatch(f *testing.F) {
	e := &fsm.Entry{Tenant: acme, Receipt: &fsm.ReceiptKey{}, Guards: []fsm.Guard{{Stream: "note/a"}}}
	e.Add(dropped{"a"})
	raw, err := e.Marshal()
	require.NoError(f, err)
	f.Add(marshalled(1, raw, raw))
	f.Add(marshalled(2, raw))
	f.Add(marshalled(1, raw[:len(raw)-1]))
	f.Add(marshalled(1, []byte{0xf6}))
	f.Add(append(marshalled(1), 0x80))
	f.Add(append(marshalled(1), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01))
	f.Add([]byte{1})
	s := populated(f)
	f.Fuzz(func(t *testing.T, data []byte) { rehearse(t, s, data) })
}

// FuzzEntry does so with any bytes as an entry, behind a batch's header.
func FuzzEntry(f *testing.F) {
	e := &fsm.Entry{Tenant: acme, Actor: fsm.Actor{Identity: "ann"}, Receipt: &fsm.ReceiptKey{}}
	e.Add(dropped{"a"}, settled{1, 1}, noted{Name: "b"})
	raw, err := e.Marshal()
	require.NoError(f, err)
	f.Add(raw)
	f.Add(raw[:len(raw)/2])
	f.Add([]byte{})
	f.Add([]byte{0xa1, 0x01, 0xa0})
	f.Add([]byte{0xa1, 0x03, 0x81, 0x40})
	s := populated(f)
	f.Fuzz(func(t *testing.T, entry []byte) { rehearse(t, s, marshalled(1, entry)) })
}

// populated is a store with a note, a message and a receipt.
func populated(f *testing.F) *fsm.Store {
	s, err := fsm.Open(f.TempDir(), fsm.NewRegistry(fsm.Builtin, everything), fsm.Options{})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, s.Close()) })
	e := &fsm.Entry{Tenant: acme, Receipt: &fsm.ReceiptKey{}, Outbox: []fsm.Message{{Kind: "mail"}, {Kind: "mail"}}}
	e.Add(noted{Name: "a"})
	raw, err := e.Marshal()
	require.NoError(f, err)
	_, ok := s.FSM().Apply(&raft.Log{Index: 1, Term: 1, Data: marshalled(1, raw)}).([]fsm.Outcome)
	require.True(f, ok)
	return s
}

func rehearse(t *testing.T, s *fsm.Store, data []byte) {
	before := digest(t, s)
	fsm.IsOpening(data)
	if err := s.Rehearse(1, data); err != nil {
		require.NotContains(t, err.Error(), "panic:")
	}
	require.Equal(t, before, digest(t, s))
	require.NoError(t, s.Err())
}
