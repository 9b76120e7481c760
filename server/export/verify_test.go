package export

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/audit"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/journal"
)

// rig is a log and a journal, and the key of their cluster.
type rig struct {
	t     testing.TB
	store *fsm.Store
	index uint64
	j     *journal.Journal
	key   ed25519.PrivateKey
}

func newRig(t testing.TB) *rig {
	s, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin, audit.Register), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	r := &rig{t: t, store: s}
	r.j = r.journal()
	_, r.key, err = ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return r
}

// journal is another journal, of the same node.
func (r *rig) journal() *journal.Journal {
	j, err := journal.Open(r.t.TempDir(), journal.Options{Node: "n1"})
	require.NoError(r.t, err)
	r.t.Cleanup(func() { require.NoError(r.t, j.Close()) })
	return j
}

func (r *rig) read(j *journal.Journal, n int) audit.Head {
	for range n {
		require.NoError(r.t, j.Append(journal.Record{Op: "secrets.get", Path: "a"}))
	}
	h, _ := j.Head()
	return audit.Head{Node: "n1", Journal: h.Journal, Seq: h.Seq, Hash: h.Hash}
}

func (r *rig) log(events ...fsm.Event) {
	e := &fsm.Entry{Tenant: fsm.RootTenant}
	e.Add(events...)
	raw, err := e.Marshal()
	require.NoError(r.t, err)
	var b fsm.Batch
	b.Add(raw)
	r.index++
	out, ok := r.store.FSM().Apply(&raft.Log{Index: r.index, Term: 1, Data: b.Marshal(1, fsm.Time(r.index))}).([]fsm.Outcome)
	require.True(r.t, ok)
	require.NoError(r.t, out[0].Err)
}

func (r *rig) anchor(heads ...audit.Head) { r.log(audit.Anchored{Heads: heads}) }

func (r *rig) restore() {
	v, err := r.store.View()
	require.NoError(r.t, err)
	defer v.Close()
	e, err := v.Restore(0, "n1", "restore", 0)
	require.NoError(r.t, err)
	r.log(e)
}

// shown is a record as an export has it.
type shown struct {
	Source string `json:"source"`
	Node   string `json:"node,omitempty"`
	Seq    uint64 `json:"seq"`
	Hash   string `json:"hash"`
	Raw    []byte `json:"raw"`
}

// export writes the log and a journal, from after on.
func (r *rig) export(j *journal.Journal) []byte {
	var b bytes.Buffer
	w, err := NewWriter(&b, Header{Cluster: "c", Scope: All})
	require.NoError(r.t, err)
	v, err := r.store.View()
	require.NoError(r.t, err)
	defer v.Close()
	require.NoError(r.t, w.Begin(Begin{Source: "log", Hash: hexOf(make([]byte, 32))}))
	require.NoError(r.t, fsm.History(v, 0, false, func(rec fsm.Record) (bool, error) {
		return true, w.Record(shown{"log", "", rec.Seq, hexOf(rec.Hash[:]), bytes.Clone(rec.Raw)})
	}))
	seq, hash := v.Head()
	require.NoError(r.t, w.End(End{Source: "log", Seq: seq, Hash: hexOf(hash[:])}))
	p, err := j.Read(r.t.Context(), journal.Query{})
	require.NoError(r.t, err)
	require.NoError(r.t, w.Begin(Begin{Source: "reads", Node: "n1", Journal: p.Head.Journal.String(), After: p.First - 1, Hash: hexOf(p.Prev[:])}))
	for _, l := range p.Lines {
		rec, err := l.Record()
		require.NoError(r.t, err)
		require.NoError(r.t, w.Record(shown{"reads", "n1", rec.Seq, hexOf(l.Hash[:]), l.Body}))
	}
	require.NoError(r.t, w.End(End{Source: "reads", Node: "n1", Seq: p.Head.Seq, Hash: hexOf(p.Head.Hash[:])}))
	require.NoError(r.t, w.Close(r.key.Public().(ed25519.PublicKey), func(m []byte) ([]byte, error) { return ed25519.Sign(r.key, m), nil }))
	return b.Bytes()
}

func (r *rig) verify(j *journal.Journal) (Result, error) {
	return Verify(bytes.NewReader(r.export(j)), audit.Fingerprint(r.key.Public().(ed25519.PublicKey)))
}

func TestAJournalIsHeldAgainstTheLog(t *testing.T) {
	r := newRig(t)
	r.anchor(r.read(r.j, 3))
	last := r.read(r.j, 2)
	r.anchor(last)
	r.read(r.j, 2)
	got, err := r.verify(r.j)
	require.NoError(t, err)
	require.Equal(t, 2, got.Sources[1].Anchors)
	require.EqualValues(t, 7, got.Sources[1].Records)

	other := r.journal()
	r.read(other, 9)
	_, err = r.verify(other)
	require.ErrorContains(t, err, "of another journal of node n1", "whoever signed it")

	wrong := last
	wrong.Seq, wrong.Hash[0] = last.Seq+1, last.Hash[0]^1
	r.anchor(wrong)
	_, err = r.verify(r.j)
	require.ErrorContains(t, err, "is not the one whose hash the log has")
}

func TestAJournalThatWasCutIsFoundInAnExport(t *testing.T) {
	r := newRig(t)
	h := r.read(r.j, 3)
	h.Seq = 9
	r.anchor(h)
	_, err := r.verify(r.j)
	require.ErrorContains(t, err, "its end was cut off")
	r = newRig(t)
	first := r.read(r.j, 3)
	r.anchor(r.read(r.j, 1))
	r.anchor(first)
	_, err = r.verify(r.j)
	require.ErrorContains(t, err, "was cut back")
}

func TestAfterARestoreANewNodeMayHaveTheId(t *testing.T) {
	r := newRig(t)
	r.anchor(r.read(r.j, 3))
	r.restore()
	other := r.journal()
	r.anchor(r.read(other, 2))
	got, err := r.verify(other)
	require.NoError(t, err)
	require.Equal(t, 1, got.Sources[1].Anchors)
}

// FuzzVerify reads any lines as an export: whatever they are, nothing is taken for signed by a key that has not signed it.
func FuzzVerify(f *testing.F) {
	r := newRig(f)
	r.anchor(r.read(r.j, 3))
	whole := r.export(r.j)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte("{\"export\":{\"format\":1}}\n{\"head\":{}}\n"))
	f.Add([]byte("{\"export\":{\"format\":1,\"scope\":\"all\"}}\n{\"end\":{}}\n{\"begin\":{\"hash\":\"00\"}}\n"))
	key := audit.Fingerprint(r.key.Public().(ed25519.PublicKey))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := Verify(bytes.NewReader(b), key)
		if err != nil && fault.KindOf(err) != fault.Corrupt {
			t.Fatalf("%v", err)
		}
		if err == nil && !bytes.Equal(b, whole) {
			t.Fatal("other bytes pass for those that were signed")
		}
		_, _ = Verify(bytes.NewReader(b), "") // any outcome, but no panic
	})
}
