package fsm_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// clocked applies entries at moments that a test chooses.
type clocked struct{ script }

func newClocked(t *testing.T) *clocked { return &clocked{script{t: t, s: open(t)}} }

func (p *clocked) put(now time.Duration, e *fsm.Entry) {
	p.t.Helper()
	raw, err := e.Marshal()
	require.NoError(p.t, err)
	var b fsm.Batch
	b.Add(raw)
	p.index++
	l := &raft.Log{Index: p.index, Term: 1, Type: raft.LogCommand, Data: b.Marshal(1, fsm.Time(now))}
	p.logs = append(p.logs, l)
	out, ok := p.s.FSM().Apply(l).([]fsm.Outcome)
	require.True(p.t, ok, "%v", p.s.Err())
	require.NoError(p.t, out[0].Err)
}

// answered is an entry whose answer holds a secret, and a reference to that.
func answered(t *testing.T, n byte, receipt bool) (e *fsm.Entry, secret fsm.Sealed) {
	e = note(t, string('a'+rune(n)))
	e.Reply.Secret = sealedOf(t, "answer")
	if receipt {
		e.Receipt = &fsm.ReceiptKey{Key: [32]byte{n}, Request: [32]byte{n}}
	}
	b, err := fsm.Encode(e.Reply.Secret)
	require.NoError(t, err)
	require.NoError(t, fsm.Decode(b, &secret))
	return e, secret
}

func (p *clocked) now() *fsm.View {
	v, err := p.s.View()
	require.NoError(p.t, err)
	p.t.Cleanup(func() { require.NoError(p.t, v.Close()) })
	return v
}

func (p *clocked) kept(s fsm.Sealed) bool {
	_, found, err := fsm.Load(p.now(), s)
	require.NoError(p.t, err)
	return found
}

// agree expects the same state from a replay, a snapshot and a rebuild.
func (p *clocked) agree() {
	p.t.Helper()
	want := digest(p.t, p.s)
	replayed, restored, rebuilt := open(p.t), open(p.t), open(p.t)
	for _, l := range p.logs {
		replayed.FSM().Apply(l)
	}
	var out bytes.Buffer
	require.NoError(p.t, p.now().Export(&out))
	require.NoError(p.t, restored.Restore(&out))
	require.NoError(p.t, fsm.Rebuild(p.t.Context(), p.now(), rebuilt))
	for name, s := range map[string]*fsm.Store{"replay": replayed, "snapshot": restored, "rebuild": rebuilt} {
		require.Equal(p.t, want, digest(p.t, s), name)
	}
	_, err := fsm.VerifyChain(p.t.Context(), p.now())
	require.NoError(p.t, err)
}

func sweeping() *fsm.Entry {
	e := &fsm.Entry{Tenant: fsm.RootTenant}
	e.Add(fsm.AnswersSwept{})
	return e
}

const quarter = 15 * time.Minute

// TestAnyEntryDestroysOldSecretAnswers, whoever's it is and whether it keeps a receipt or not.
func TestAnyEntryDestroysOldSecretAnswers(t *testing.T) {
	p := newClocked(t)
	kept, first := answered(t, 1, true)
	loose, second := answered(t, 2, false)
	p.put(time.Hour, kept)
	p.put(time.Hour+1, loose)
	due, found, err := fsm.AnswersDue(p.now())
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, fsm.Time(time.Hour+quarter+1), due)

	other := note(t, "x")
	other.Tenant = fsm.UID{7}
	p.put(time.Hour+quarter, other)
	require.True(t, p.kept(first), "exactly a quarter of an hour old")
	p.put(time.Hour+quarter+1, other)
	require.False(t, p.kept(first))
	require.True(t, p.kept(second))
	p.agree()
	p.put(time.Hour+quarter+2, other)
	require.False(t, p.kept(second))
	_, found, err = fsm.AnswersDue(p.now())
	require.NoError(t, err)
	require.False(t, found)
	again, third := answered(t, 3, true)
	p.put(2*time.Hour, again)
	p.put(2*time.Hour+quarter+1, other)
	require.False(t, p.kept(third), "the queue begins anew")
	_, found, err = fsm.FindReceipt(p.now(), acme, kept.Receipt, p.now().Now())
	require.True(t, found, "the receipt stays")
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)
	p.agree()
}

// TestOneEntryEndsAFewAnswersAndASweepMany: a backlog does not hold an entry up.
func TestOneEntryEndsAFewAnswersAndASweepMany(t *testing.T) {
	p := newClocked(t)
	var secrets []fsm.Sealed
	for n := range byte(30) {
		e, s := answered(t, n, n%2 == 0)
		secrets = append(secrets, s)
		p.put(time.Hour, e) // all at the same moment
	}
	left := func() (n int) {
		for _, s := range secrets {
			if p.kept(s) {
				n++
			}
		}
		return n
	}
	late, fresh := answered(t, 40, true)
	p.put(time.Hour+quarter+1, late)
	require.Equal(t, 26, left())
	require.False(t, p.kept(secrets[0]))
	require.True(t, p.kept(secrets[4]), "the oldest go first")
	p.agree()
	p.put(time.Hour+quarter+1, sweeping())
	require.Zero(t, left())
	require.True(t, p.kept(fresh))
	p.put(time.Hour+quarter+2, sweeping())
	require.True(t, p.kept(fresh))
	p.agree()
}

func TestALedgerJudgesReceiptsByItsClockToo(t *testing.T) {
	p := newClocked(t)
	e, _ := answered(t, 1, true)
	p.put(time.Hour, e)
	for now, fits := range map[time.Duration]bool{0: true, time.Hour + quarter: true, time.Hour + quarter + 1: false} {
		l := fsm.NewLedger(p.s, nil, fsm.WithClock(func() time.Time { return fsm.Time(now).Std() }))
		rc, found, err := l.Find(p.now(), acme, e.Receipt)
		require.True(t, found)
		require.Equal(t, fits, err == nil, "%s: %v", now, err)
		require.Equal(t, fits, rc.Replayed)
	}
	_, found, err := fsm.NewLedger(p.s, nil).Find(p.now(), acme, e.Receipt)
	require.True(t, found)
	require.True(t, fault.Is(err, fault.Conflict), "the system's clock is far ahead of this log's")
}

// TestAWrapIsKeptLikeASealedValue: a root key as a seal wrapped it has bytes of its own form, and no KEK.
func TestAWrapIsKeptLikeASealedValue(t *testing.T) {
	wrapOf := func(n int) []byte { return append([]byte{fsm.WrapFormat}, bytes.Repeat([]byte{5}, n-1)...) }
	for _, n := range []int{1, fsm.WrapMin - 1, fsm.WrapMax + 1} {
		_, err := fsm.NewSealed(wrapOf(n))
		require.Error(t, err, "%d bytes", n)
	}
	for _, n := range []int{fsm.WrapMin, fsm.WrapMax} {
		s, err := fsm.NewSealed(wrapOf(n))
		require.NoError(t, err)
		require.True(t, s.IsWrap())
		require.Equal(t, fsm.KEKID{}, s.KEK())
	}
	p := newClocked(t)
	s, err := fsm.NewSealed(wrapOf(100))
	require.NoError(t, err)
	e := &fsm.Entry{Tenant: acme}
	e.Add(noted{"wrap", s})
	p.put(1, e)
	row, _, err := notes.Get(p.now(), fsm.K(acme, "wrap"))
	require.NoError(t, err)
	require.True(t, p.kept(row.Value))
	p.agree()
	gone := &fsm.Entry{Tenant: acme}
	gone.Add(dropped{"wrap"})
	p.put(2, gone)
	require.False(t, p.kept(row.Value))
	p.agree()
	changed := wrapOf(100)
	changed[1] ^= 1
	other, err := fsm.NewSealed(changed)
	require.NoError(t, err)
	a, err := fsm.Encode(s)
	require.NoError(t, err)
	b, err := fsm.Encode(other)
	require.NoError(t, err)
	require.NotEqual(t, a, b, "the digest covers the first byte too")
}
