package fsm_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

var umbra = fsm.UID{4, 5, 6}

// ask is an entry of tenant that repeats itself under key n.
func ask(t *testing.T, tenant fsm.UID, n byte) *fsm.Entry {
	e := &fsm.Entry{Tenant: tenant, Receipt: &fsm.ReceiptKey{Key: [32]byte{n}, Request: [32]byte{n}}}
	e.Add(noted{fmt.Sprint(n), sealedOf(t, "x")})
	e.Reply.Public = []byte{n}
	return e
}

// at applies one entry with the leader's clock at this moment.
func (p *script) at(now time.Duration, e *fsm.Entry) fsm.Outcome {
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
	return out[0]
}

func (p *script) find(tenant fsm.UID, n byte) bool {
	p.t.Helper()
	v := view(p.t, p.s)
	_, found, err := fsm.FindReceipt(v, tenant, &fsm.ReceiptKey{Key: [32]byte{n}, Request: [32]byte{n}}, v.Now())
	if !found {
		require.NoError(p.t, err)
	}
	return found // err may say that its secret answer is gone
}

// loaded reports whether the bytes of s are still there.
func loaded(t *testing.T, r fsm.Reader, s fsm.Sealed) bool {
	t.Helper()
	b, err := fsm.Encode(s)
	require.NoError(t, err)
	var reference fsm.Sealed
	require.NoError(t, fsm.Decode(b, &reference))
	_, found, err := fsm.Load(r, reference)
	require.NoError(t, err)
	return found
}

func TestAReceiptIsKeptForADayOfLogTime(t *testing.T) {
	p := &script{t: t, s: open(t)}
	first := ask(t, acme, 1)
	first.Reply.Secret = sealedOf(t, "answer")
	p.at(time.Hour, first)
	p.at(25*time.Hour, ask(t, acme, 2)) // exactly a day later
	require.True(t, p.find(acme, 1))
	p.at(25*time.Hour+1, ask(t, umbra, 3))
	require.True(t, p.find(acme, 1), "only entries of its own tenant remove a receipt")
	p.at(25*time.Hour+1, ask(t, acme, 4))
	require.False(t, p.find(acme, 1))
	require.False(t, loaded(t, view(t, p.s), first.Reply.Secret), "its secret answer went with it")
	require.True(t, p.find(acme, 2))

	again := p.at(26*time.Hour, ask(t, acme, 1))
	require.NoError(t, again.Err)
	require.False(t, again.Receipt.Replayed, "the key is new again")
	n, err := fsm.StreamVersion(view(t, p.s), acme, "note/1")
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
}

func TestOldReceiptsAreRemovedAFewAtATime(t *testing.T) {
	p := &script{t: t, s: open(t)}
	for n := byte(1); n <= 10; n++ {
		p.at(time.Hour, ask(t, acme, n))
	}
	left := func() (n int) {
		for i := byte(1); i <= 10; i++ {
			if p.find(acme, i) {
				n++
			}
		}
		return n
	}
	for i, want := range []int{6, 2, 0} {
		p.at(48*time.Hour, ask(t, acme, byte(20+i)))
		require.Equal(t, want, left(), "entry %d", i)
	}
	require.True(t, p.find(acme, 20))

	again := open(t)
	require.NoError(t, fsm.Rebuild(t.Context(), view(t, p.s), again))
	require.Equal(t, digest(t, p.s), digest(t, again), "a rebuild removes the same")
}

func TestAFullQuotaEvictsTheTenantsOldest(t *testing.T) {
	p := &script{t: t, s: open(t)}
	p.at(time.Hour, ask(t, umbra, 1))
	for n := byte(1); n <= 3; n++ {
		p.at(time.Hour, ask(t, acme, n))
	}
	require.NoError(t, p.s.HoldReceipts(acme, fsm.ReceiptQuota-1))
	p.at(time.Hour, ask(t, acme, 4)) // the last one with room
	require.True(t, p.find(acme, 1))
	p.at(time.Hour, ask(t, acme, 5))
	require.False(t, p.find(acme, 1), "the oldest went")
	for n := byte(2); n <= 5; n++ {
		require.True(t, p.find(acme, n), "%d", n)
	}
	require.True(t, p.find(umbra, 1), "the other tenant's stay")
	p.at(time.Hour, ask(t, acme, 6))
	require.False(t, p.find(acme, 2))
}

func TestTheSameKeyOfAnotherTenantIsAnotherRequest(t *testing.T) {
	p := &script{t: t, s: open(t)}
	require.NoError(t, p.at(1, ask(t, acme, 1)).Err)
	other := ask(t, umbra, 1)
	other.Receipt.Request = [32]byte{99}
	out := p.at(1, other)
	require.NoError(t, out.Err)
	require.False(t, out.Receipt.Replayed)
}

func TestASecretAnswerIsGoneAfterAQuarterOfAnHour(t *testing.T) {
	p := &script{t: t, s: open(t)}
	secret := func() *fsm.Entry {
		e := ask(t, acme, 1)
		e.Reply.Secret = sealedOf(t, "answer")
		return e
	}
	first := p.at(time.Hour, secret())
	again := p.at(time.Hour+15*time.Minute, secret())
	require.NoError(t, again.Err)
	require.True(t, again.Receipt.Replayed)
	require.True(t, loaded(t, view(t, p.s), again.Receipt.Reply.Secret))
	again.Receipt.Replayed = false
	require.Equal(t, first.Receipt.Seq, again.Receipt.Seq)

	late := p.at(time.Hour+15*time.Minute+1, secret())
	require.True(t, fault.Is(late.Err, fault.Conflict), "%v", late.Err)
	require.Zero(t, late.Receipt)
	v := view(t, p.s)
	rc, found, err := fsm.FindReceipt(v, acme, secret().Receipt, fsm.Time(time.Hour+15*time.Minute+1))
	require.True(t, found)
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)
	require.Zero(t, rc)
	n, err := fsm.StreamVersion(v, acme, "note/1")
	require.NoError(t, err)
	require.EqualValues(t, 1, n, "it is not carried out again")
}

func TestAnAnswerGivenOnceIsNotRepeated(t *testing.T) {
	p := &script{t: t, s: open(t)}
	once := ask(t, acme, 1)
	once.Reply.Once = true
	require.Equal(t, []byte{1}, p.at(1, once).Receipt.Reply.Public)
	again := p.at(2, once)
	require.True(t, fault.Is(again.Err, fault.Conflict), "%v", again.Err)
	require.Zero(t, again.Receipt)
	_, found, err := fsm.FindReceipt(view(t, p.s), acme, once.Receipt, 2)
	require.True(t, found)
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)
	once.Receipt = &fsm.ReceiptKey{Key: [32]byte{1}, Request: [32]byte{2}}
	require.True(t, fault.Is(p.at(3, once).Err, fault.KeyReused))
}

func TestARepetitionIsAnsweredBeforeItsGuards(t *testing.T) {
	p := &script{t: t, s: open(t)}
	e := ask(t, acme, 1)
	e.Guard(fsm.Guard{Tenant: acme, Stream: "note/1"})
	missed := ask(t, acme, 2)
	missed.Guard(fsm.Guard{Tenant: acme, Stream: "note/1"})
	out := p.apply(e, e, missed)
	require.NoError(t, out[1].Err, "the first one moved the stream")
	require.True(t, out[1].Receipt.Replayed)
	require.Equal(t, out[0].Receipt.Seq, out[1].Receipt.Seq)
	require.ErrorIs(t, out[2].Err, fsm.ErrStale)
	require.False(t, p.find(acme, 2), "a missed guard leaves no receipt")
}
