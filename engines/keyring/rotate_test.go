package keyring

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// kept is a feature that keeps sealed values.
type kept struct {
	Name  string
	Value fsm.Sealed
}

func (kept) EventType() string     { return "test.value.kept" }
func (e kept) EventStream() string { return "value/" + e.Name }

type gone struct{ Name string }

func (gone) EventType() string     { return "test.value.gone" }
func (e gone) EventStream() string { return "value/" + e.Name }

type raised struct{ Version uint32 }

func (raised) EventType() string   { return "test.version.raised" }
func (raised) EventStream() string { return "version" }

var values = fsm.NewTable[fsm.Sealed]("test.value")

func keptEvents(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e kept) error { return values.Put(tx, fsm.K(m.Tenant, e.Name), e.Value) })
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e gone) error {
		s, _, err := values.Get(tx, fsm.K(m.Tenant, e.Name))
		if err != nil {
			return err
		}
		return tx.Destroy(s)
	})
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e raised) error { tx.SetVersion(e.Version); return nil })
}

func valueBinding(tenant fsm.UID, name string) fsm.Binding {
	return fsm.Binding{Tenant: tenant, Feature: "test", Field: "value", Path: name, Version: 1}
}

// solo is a log of one node that applies at once.
type solo struct{ r *rig }

func (solo) Term() (uint64, error)                       { return 1, nil }
func (l solo) ReadIndex(context.Context) (uint64, error) { return l.r.store.Applied(), nil }
func (l solo) Propose(_ context.Context, e *fsm.Entry) (fsm.Receipt, error) {
	raw, err := e.Marshal()
	if err != nil {
		return fsm.Receipt{}, err
	}
	l.r.entries = append(l.r.entries, e)
	var b fsm.Batch
	b.Add(raw)
	l.r.index++
	out := l.r.store.FSM().Apply(&raft.Log{Index: l.r.index, Term: 1, Data: b.Marshal(1, fsm.Time(l.r.index))})
	if err, failed := out.(error); failed {
		return fsm.Receipt{}, err
	}
	o := out.([]fsm.Outcome)[0]
	return o.Receipt, o.Err
}

// members are keyrings over one store, by name; those that are nil do not answer.
type members struct {
	r     *rig
	all   map[string]*Keyring
	wraps int // questions for a wrap

	meanwhile func() // done once, behind the next question
}

func (m *members) MemberIDs() (out []string, err error) {
	for id := range m.all {
		out = append(out, id)
	}
	return out, nil
}

func (m *members) Ask(ctx context.Context, id, name string, body []byte) ([]byte, error) {
	if name == askWrap {
		m.wraps++
	}
	if m.meanwhile != nil {
		do := m.meanwhile
		m.meanwhile = nil
		defer do()
	}
	if m.all[id] == nil {
		return nil, fault.New(fault.NotDone, "%s does not answer", id)
	}
	v, err := m.r.store.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	if err := m.all[id].Refresh(ctx, v, v.Now()); err != nil {
		return nil, err
	}
	out, known, err := m.all[id].Answer(ctx, v, name, body)
	if !known {
		return nil, fmt.Errorf("not a question: %s", name)
	}
	return out, err
}

type rotation struct {
	*rig
	ledger *fsm.Ledger
	peers  *members
	rot    *Rotator
}

func newRotation(t *testing.T) *rotation {
	r := newRig(t)
	out := &rotation{rig: r, ledger: fsm.NewLedger(r.store, solo{r}), peers: &members{r: r, all: map[string]*Keyring{"n1": r.keys}}}
	out.rot = NewRotator(r.keys, out.ledger, out.peers, slog.New(slog.DiscardHandler), func(rd fsm.Reader, visit func(fsm.Binding, fsm.Sealed) error) error {
		return values.Scan(rd, fsm.Span{}, func(k fsm.Key, s fsm.Sealed) (bool, error) {
			for _, tenant := range []fsm.UID{acme, umbra} {
				for i := range 700 {
					if name := fmt.Sprintf("v%d", i); string(k) == string(fsm.K(tenant, name)) {
						return true, visit(valueBinding(tenant, name), s)
					}
				}
			}
			return true, nil
		})
	})
	return out
}

func (r *rotation) raise() { r.apply(fsm.RootTenant, raised{2}) }

// keep stores a value by way of the ledger, as a feature does.
func (r *rotation) keep(tenant fsm.UID, name string) {
	_, err := r.ledger.Commit(r.t.Context(), fsm.Request{Tenant: tenant}, "", func(v *fsm.View, e *fsm.Entry) error {
		s, err := r.keys.Seal(v, valueBinding(tenant, name), []byte("value of "+name))
		e.Add(kept{name, s})
		return err
	})
	require.NoError(r.t, err)
}

func (r *rotation) readable(k *Keyring, tenant fsm.UID, names ...string) {
	r.t.Helper()
	v := r.view()
	for _, name := range names {
		s, found, err := values.Get(v, fsm.K(tenant, name))
		require.NoError(r.t, err)
		require.True(r.t, found, name)
		out, err := k.Open(v, valueBinding(tenant, name), s)
		require.NoError(r.t, err, name)
		require.Equal(r.t, "value of "+name, string(out))
	}
}

// work runs the worker's passes until there is nothing more to do.
func (r *rotation) work() {
	r.t.Helper()
	for range 1000 {
		more, err := r.rot.pass(r.t.Context())
		require.NoError(r.t, err)
		if !more {
			return
		}
	}
	r.t.Fatal("the worker finds no end")
}

func (r *rotation) rotations() []Rotation {
	all, err := Rotations(r.view())
	require.NoError(r.t, err)
	require.NotEmpty(r.t, all)
	return all
}

func (r *rotation) last() Rotation { return r.rotations()[0] }

func TestATenantsKeyRotatesUnderItsReaders(t *testing.T) {
	r := newRotation(t)
	var names []string
	for i := range 600 { // 300 of before the index noted places
		if i == 300 {
			r.raise()
		}
		names = append(names, fmt.Sprintf("v%d", i))
		r.keep(acme, names[i])
	}
	r.keep(umbra, "v0")
	before := r.view()
	p, err := r.rot.Tenant(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, acme)
	require.NoError(t, err)
	require.EqualValues(t, 601, p.Remaining, "600 values and the MAC key")
	_, err = r.rot.Tenant(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, acme)
	require.True(t, fault.Is(err, fault.Conflict), "a second operator: %v", err)
	r.readable(r.keys, acme, names...)
	more, err := r.rot.pass(t.Context())
	require.NoError(t, err)
	require.True(t, more)
	other := r.ring(cluster, r.kek) // another node, in the middle
	require.NoError(t, other.Unseal(t.Context(), r.view()))
	r.readable(other, acme, names...)
	require.EqualValues(t, 601-batchValues, r.last().Remaining)
	stale, err := r.keys.Seal(before, valueBinding(acme, "late"), []byte("x"))
	require.NoError(t, err)
	r.work()
	r.readable(r.keys, acme, names...)
	r.readable(other, acme, names...)
	r.readable(r.keys, umbra, "v0")
	require.NotZero(t, r.last().Ended)
	require.Zero(t, r.last().Remaining)
	_, found, err := keks.Get(r.view(), kekKey(acme, 1))
	require.NoError(t, err)
	require.False(t, found, "the old version is gone")
	_, err = solo{r.rig}.Propose(t.Context(), withEvent(acme, kept{"late", stale}))
	require.ErrorIs(t, err, fsm.ErrStale, "what was sealed under it meanwhile is sealed again")
	_, err = r.keys.MAC(r.view(), acme, "test")
	require.NoError(t, err)
}

func TestABatchBeginsWhereTheLastOneEnded(t *testing.T) {
	r := newRotation(t)
	r.raise()
	for i := range 600 {
		r.keep(acme, fmt.Sprintf("v%d", i))
	}
	before := r.view()
	_, err := r.rot.Tenant(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, acme)
	require.NoError(t, err)
	_, err = r.rot.pass(t.Context())
	require.NoError(t, err)
	old := fsm.KEKID{Scope: acme, Version: 1}
	done := r.rot.done[old]
	visited := func() (out [][32]byte) {
		require.NoError(t, r.rot.held(r.view(), old, func(h fsm.Held) (bool, error) {
			out = append(out, h.Sealed.Digest())
			return true, nil
		}))
		return out
	}
	rest := visited()
	require.Len(t, rest, 601-batchValues)
	require.Positive(t, bytes.Compare(rest[0][:], done[:]))
	late := r.sealedBefore(before, done)
	_, err = solo{r.rig}.Propose(t.Context(), withEvent(acme, kept{"v699", late}))
	require.NoError(t, err, "the old key is there still")
	again := visited()
	require.True(t, slices.Equal(rest[:300], again[:300]))
	require.True(t, slices.Contains(again, late.Digest()), "what came behind is not left behind")
	slices.SortFunc(again, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
	require.Len(t, slices.Compact(again), len(rest)+1, "and nothing comes twice")
	r.work()
	require.Zero(t, r.last().Remaining)
	require.NotZero(t, r.last().Ended)
	require.Empty(t, r.rot.done)
	r.readable(r.keys, acme, "v0", "v599", "v699")
}

// sealedBefore seals the value of v699, as an older state has it, until its digest comes before one.
func (r *rotation) sealedBefore(v *fsm.View, digest [32]byte) fsm.Sealed {
	for range 1000 {
		s, err := r.keys.Seal(v, valueBinding(acme, "v699"), []byte("value of v699"))
		require.NoError(r.t, err)
		if d := s.Digest(); bytes.Compare(d[:], digest[:]) < 0 {
			return s
		}
	}
	r.t.Fatal("no digest comes before the one given")
	return fsm.Sealed{}
}

func withEvent(tenant fsm.UID, ev fsm.Event) *fsm.Entry {
	e := &fsm.Entry{Tenant: tenant}
	e.Add(ev)
	return e
}

func TestTheRootKeyRotatesAndTheOldOneIsGone(t *testing.T) {
	r := newRotation(t)
	r.keep(acme, "v1")
	_, err := r.rot.Root(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, false)
	require.True(t, fault.Is(err, fault.Conflict), "version 1 of the cluster: %v", err)
	r.raise()
	other := r.ring(cluster, r.kek)
	require.NoError(t, other.Unseal(t.Context(), r.view()))
	r.peers.all["n2"] = other
	for want := uint32(2); want < 4; want++ {
		p, err := r.rot.Root(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, false)
		require.NoError(t, err)
		require.Equal(t, want, p.To)
		r.readable(other, acme, "v1")
		r.work()
		require.NotZero(t, r.last().Ended)
		all, err := allRoots(r.view())
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.Equal(t, want, all[0].Version)
		r.readable(r.keys, acme, "v1")
		r.readable(other, acme, "v1")
		fresh := r.ring(cluster, r.kek)
		require.NoError(t, fresh.Unseal(t.Context(), r.view()), "from the seal alone")
		r.readable(fresh, acme, "v1")
	}
}

func TestAMemberThatHasNotCrossedKeepsTheOldRoot(t *testing.T) {
	r := newRotation(t)
	r.raise()
	r.peers.all["n2"] = nil
	_, err := r.rot.Root(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, false)
	require.NoError(t, err)
	ready, err := r.rot.membersHave(t.Context(), 2, fsm.At(time.Now()))
	require.NoError(t, err)
	require.False(t, ready, "n2 may come back and cross")
	ready, err = r.rot.membersHave(t.Context(), 2, fsm.At(time.Now().Add(-memberGrace)))
	require.NoError(t, err)
	require.True(t, ready, "it had long enough")
}

func TestRotatingEverythingMakesEveryTenantsKeyAnew(t *testing.T) {
	r := newRotation(t)
	r.raise()
	r.keep(acme, "v1")
	r.keep(umbra, "v1")
	_, err := r.rot.Root(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, true)
	require.NoError(t, err)
	r.work()
	require.NotZero(t, r.last().Ended)
	for _, tenant := range []fsm.UID{acme, umbra, fsm.RootTenant} {
		row, _, err := tenants.Get(r.view(), fsm.K(tenant))
		require.NoError(t, err)
		require.EqualValues(t, 2, row.KEK)
	}
	r.readable(r.keys, acme, "v1")
	r.readable(r.keys, umbra, "v1")
}

// TestSharesOpenAfterTwoRotationsWithoutTheHSM is SECURITY 5.
func TestSharesOpenAfterTwoRotationsWithoutTheHSM(t *testing.T) {
	r := newPeople(t)
	r.keep(acme, "v1")
	for range 2 {
		_, err := r.rot.Root(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, false)
		require.NoError(t, err)
		r.work()
		require.NotZero(t, r.last().Ended)
	}
	lost := New(cluster)
	err := lost.Unseal(t.Context(), r.view())
	require.True(t, fault.Is(err, fault.Sealed), "%v", err)
	require.ErrorContains(t, err, "operator unseal")
	held, err := HeldSeal(r.view())
	require.NoError(t, err)
	opened, err := held.WithShares(r.shares[1:4])
	require.NoError(t, err)
	require.NoError(t, lost.Unseal(t.Context(), r.view(), opened))
	r.readable(lost, acme, "v1")
}

type people struct {
	*rotation
	shares []seal.Share
}

// newPeople is a cluster of version 2 with a key file and five shares.
func newPeople(t *testing.T) *people {
	r := newRotation(t)
	r.raise()
	held, shares, err := seal.NewShares(SharesName, 5, 3)
	require.NoError(t, err)
	require.NoError(t, r.ledgerCommit(func(v *fsm.View, e *fsm.Entry) error {
		return r.keys.decideRoot(t.Context(), v, e, false, sealChange{people: held, held: People{5, 3}})
	}))
	r.work()
	return &people{r, shares}
}

func (r *rotation) ledgerCommit(decide fsm.Decide) error {
	_, err := r.ledger.Commit(r.t.Context(), fsm.Request{Tenant: fsm.RootTenant}, "", decide)
	return err
}

func TestAPublicKeyThatNobodyVouchesForIsRefused(t *testing.T) {
	r := newPeople(t)
	mallory, _, err := seal.NewShares(SharesName, 1, 1)
	require.NoError(t, err)
	row, _, err := seals.Get(r.view(), fsm.K(SharesName))
	require.NoError(t, err)
	row.Public = mallory.Public()
	r.apply(fsm.RootTenant, row)
	err = r.ring(cluster, r.kek).Unseal(t.Context(), r.view())
	require.True(t, fault.Is(err, fault.Corrupt), "%v", err)
}

// TestASealThatIsAwayIsBridged: the new key is wrapped by the node that has the seal, when it is there again; until then the key before stays.
func TestASealThatIsAwayIsBridged(t *testing.T) {
	r := newRotation(t)
	r.raise()
	r.keep(acme, "v1")
	path := t.TempDir() + "/other"
	require.NoError(t, seal.Keygen(path))
	file, err := seal.OpenFile(path)
	require.NoError(t, err)
	second := New(cluster, file.As("hsm-b"))
	require.NoError(t, second.Unseal(t.Context(), r.view(), r.keys.seals[0]), "as it would be with shares")
	r.peers.all["n2"] = second
	added, err := r.rot.AddSeal(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, "hsm-b")
	require.NoError(t, err)
	require.Equal(t, seal.KindFile, added.Kind, "as the node says that has it")
	alone := New(cluster, file.As("hsm-b"))
	require.NoError(t, alone.Unseal(t.Context(), r.view()), "the second node opens with its own seal")

	r.peers.all["n2"] = nil
	for range 2 {
		_, err = r.rot.Root(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, false)
		require.NoError(t, err, "a seal that is away does not hold a rotation up")
		r.work()
		require.Zero(t, r.last().Ended)
		require.Contains(t, r.last().Waits, "hsm-b")
	}
	back := New(cluster, file.As("hsm-b"))
	require.NoError(t, back.Unseal(t.Context(), r.view()), "over the bridges")
	r.readable(back, acme, "v1")
	r.peers.all["n2"] = back
	r.work()
	require.NotZero(t, r.last().Ended)
	again := New(cluster, file.As("hsm-b"))
	require.NoError(t, again.Unseal(t.Context(), r.view()))
	r.readable(again, acme, "v1")
}

func TestARemovedSealOpensNothingMore(t *testing.T) {
	r := newPeople(t)
	r.keep(acme, "v1")
	before := r.view()
	_, err := r.rot.RemoveSeal(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, "file")
	require.NoError(t, err)
	r.work()
	require.NotZero(t, r.last().Ended)
	err = r.ring(cluster, r.kek).Unseal(t.Context(), r.view())
	require.True(t, fault.Is(err, fault.Sealed), "%v", err)
	old := r.ring(cluster, r.kek)
	require.NoError(t, old.Unseal(t.Context(), before), "whoever has an old copy and the key still opens that")
	held, err := HeldSeal(r.view())
	require.NoError(t, err)
	opened, err := held.WithShares(r.shares[:3])
	require.NoError(t, err)
	ring := New(cluster)
	require.NoError(t, ring.Unseal(t.Context(), r.view(), opened))
	r.readable(ring, acme, "v1")
	_, err = r.rot.RemoveSeal(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, SharesName)
	require.True(t, fault.Is(err, fault.Conflict), "the last one: %v", err)
	_, err = r.rot.RemoveSeal(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, "nothing")
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
}

// TestANodeThatSleptThroughTwoRotations has root keys that are all gone: it asks its seals, and is sealed, not damaged, where none answers.
func TestANodeThatSleptThroughTwoRotations(t *testing.T) {
	r := newPeople(t)
	r.keep(acme, "v1")
	held, err := HeldSeal(r.view())
	require.NoError(t, err)
	opened, err := held.WithShares(r.shares[:3])
	require.NoError(t, err)
	byShares := New(cluster) // has no seal of its own
	require.NoError(t, byShares.Unseal(t.Context(), r.view(), opened))
	bySeal := r.ring(cluster, r.kek)
	require.NoError(t, bySeal.Unseal(t.Context(), r.view()))
	for range 2 {
		_, err := r.rot.Root(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, false)
		require.NoError(t, err)
		r.work()
		require.NotZero(t, r.last().Ended)
	}
	v := r.view()
	s, _, err := values.Get(v, fsm.K(acme, "v1"))
	require.NoError(t, err)
	for _, k := range []*Keyring{byShares, bySeal} { // before it looks
		k.noKeys(acme) // what it had opened
		_, err = k.Open(v, valueBinding(acme, "v1"), s)
		require.True(t, fault.Is(err, fault.Sealed), "%v", err)
	}
	require.NoError(t, bySeal.Refresh(t.Context(), v, v.Now()))
	r.readable(bySeal, acme, "v1")
	err = byShares.Refresh(t.Context(), v, v.Now())
	require.True(t, fault.Is(err, fault.Sealed), "%v", err)
	require.ErrorContains(t, err, "operator unseal")
	require.False(t, byShares.Unsealed(), "it has no key that is good for anything, and takes shares again")
	require.NoError(t, byShares.Unseal(t.Context(), v, opened))
	r.readable(byShares, acme, "v1")
}

// TestASealThatSleptThroughTwoRotationsOpensAtEveryStep: while older root keys stand, a seal has wrapped each that nothing leads to.
func TestASealThatSleptThroughTwoRotationsOpensAtEveryStep(t *testing.T) {
	r := newRotation(t)
	r.raise()
	r.keep(acme, "v1")
	path := t.TempDir() + "/other"
	require.NoError(t, seal.Keygen(path))
	file, err := seal.OpenFile(path)
	require.NoError(t, err)
	second := New(cluster, file.As("hsm-b"))
	require.NoError(t, second.Unseal(t.Context(), r.view(), r.keys.seals[0]))
	r.peers.all["n2"] = second
	_, err = r.rot.AddSeal(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, "hsm-b")
	require.NoError(t, err)
	r.peers.all["n2"] = nil
	for range 3 {
		_, err = r.rot.Root(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, false)
		require.NoError(t, err)
		r.work()
	}
	r.peers.all["n2"] = second
	for more := true; more; {
		alone := New(cluster, file.As("hsm-b"))
		require.NoError(t, alone.Unseal(t.Context(), r.view()))
		r.readable(alone, acme, "v1")
		more, err = r.rot.pass(t.Context())
		require.NoError(t, err)
	}
	require.NotZero(t, r.last().Ended)
}

// TestASealThatHangsDoesNotSlowRewrapping: every question to it may take seconds.
func TestASealThatHangsDoesNotSlowRewrapping(t *testing.T) {
	r := newRotation(t)
	r.raise()
	for i := range 600 {
		r.keep(acme, fmt.Sprintf("v%d", i))
	}
	require.NoError(t, r.ledgerCommit(func(v *fsm.View, e *fsm.Entry) error {
		record := SealRecorded{Name: "hsm-b", Kind: seal.KindPKCS11, Root: 1}
		e.Add(record)
		return r.rot.vouch(v, &record)
	}))
	_, err := r.rot.Tenant(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, acme)
	require.NoError(t, err)
	for row := (rotationRow{}); row.Ended == 0; {
		more, err := r.rot.pass(t.Context())
		require.NoError(t, err)
		require.True(t, more)
		require.Zero(t, r.peers.wraps)
		row, _, err = rotations.Get(r.view(), fsm.K(acme))
		require.NoError(t, err)
	}
	_, err = r.rot.pass(t.Context())
	require.NoError(t, err)
	require.NotZero(t, r.peers.wraps)
}

// TestASecondRotationKeepsThePromiseOfTheFirst: tenants' keys that were to be made anew after a leak are, whatever comes in between.
func TestASecondRotationKeepsThePromiseOfTheFirst(t *testing.T) {
	r := newRotation(t)
	r.raise()
	r.keep(acme, "v1")
	require.NoError(t, r.ledgerCommit(func(v *fsm.View, e *fsm.Entry) error {
		record := SealRecorded{Name: "hsm-b", Kind: seal.KindPKCS11, Root: 1}
		e.Add(record)
		return r.rot.vouch(v, &record)
	}))
	_, err := r.rot.Root(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, true)
	require.NoError(t, err)
	for r.last().Remaining > 0 { // as when the leader ends before it has come to every tenant
		more, err := r.rot.rewrapOne(t.Context(), r.view())
		require.NoError(t, err)
		require.True(t, more)
	}
	p, err := r.rot.Root(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, false)
	require.NoError(t, err)
	require.True(t, p.Tenants)
	r.work()
	row, _, err := tenants.Get(r.view(), fsm.K(acme))
	require.NoError(t, err)
	require.EqualValues(t, 2, row.KEK)
	r.readable(r.keys, acme, "v1")
}

// TestADeletedTenantsRotationIsOver: nothing of it can be wrapped anew any more.
func TestADeletedTenantsRotationIsOver(t *testing.T) {
	r := newRotation(t)
	r.raise()
	r.keep(acme, "v1")
	_, err := r.rot.Tenant(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, acme)
	require.NoError(t, err)
	events, err := r.keys.DropTenant(r.view(), acme)
	require.NoError(t, err)
	r.apply(acme, events...)
	r.work()
	all, err := Rotations(r.view())
	require.NoError(t, err)
	for _, p := range all {
		require.NotZero(t, p.Ended, "%v", p.Tenant)
	}
}

// TestASealThatIsAddedDuringARotationOpensOrIsRefused: what it wrapped may be gone by the time that it is noted.
func TestASealThatIsAddedDuringARotationOpensOrIsRefused(t *testing.T) {
	r := newRotation(t)
	r.raise()
	file, err := seal.OpenFile(r.kek)
	require.NoError(t, err)
	r.keys.seals = append(r.keys.seals, file.As("second"))
	r.peers.meanwhile = func() {
		_, err := r.rot.Root(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, false)
		require.NoError(t, err)
		r.work()
	}
	_, err = r.rot.AddSeal(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, "second")
	require.True(t, fault.Is(err, fault.NotDone), "%v", err)
	_, err = r.rot.AddSeal(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, "second")
	require.NoError(t, err)
	require.NoError(t, New(cluster, file).Unseal(t.Context(), r.view()))
}

// TestASealThatIsRemovedWhileItIsAskedGetsNothing: its late wrap opened the cluster until the rotation had ended.
func TestASealThatIsRemovedWhileItIsAskedGetsNothing(t *testing.T) {
	r := newRotation(t)
	r.raise()
	file, err := seal.OpenFile(r.kek)
	require.NoError(t, err)
	r.keys.seals = append(r.keys.seals, file.As("second"))
	require.NoError(t, r.ledgerCommit(func(v *fsm.View, e *fsm.Entry) error {
		record := SealRecorded{Name: "second", Kind: seal.KindFile, Root: 1}
		e.Add(record)
		return r.rot.vouch(v, &record)
	}))
	r.peers.meanwhile = func() {
		_, err := r.rot.RemoveSeal(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, "second")
		require.NoError(t, err)
	}
	_, err = r.rot.pass(t.Context())
	require.NoError(t, err)
	all, err := allRoots(r.view())
	require.NoError(t, err)
	for _, row := range all {
		_, found, err := wrapOf(r.view(), row, "second")
		require.NoError(t, err)
		require.False(t, found, "of root key %d", row.Version)
	}
}

// TestStoredAnswersOfVersionOneAreWaitedFor: nobody tells where they stand, and they end by themselves. Nothing else is held up, and status says so.
func TestStoredAnswersOfVersionOneAreWaitedFor(t *testing.T) {
	r := newRotation(t)
	untold := fsm.Binding{Tenant: acme, Feature: "test", Field: "answer", Path: "a", Version: 1}
	s, err := r.keys.Seal(r.view(), untold, []byte("answer"))
	require.NoError(t, err)
	r.apply(acme, kept{"answer", s}) // a place that the walk of the tests does not tell
	r.raise()
	r.keep(acme, "v1")
	_, err = r.rot.Tenant(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, acme)
	require.NoError(t, err)
	_, err = r.rot.Root(t.Context(), fsm.Request{Tenant: fsm.RootTenant}, false)
	require.NoError(t, err)
	r.work()
	all, err := Rotations(r.view())
	require.NoError(t, err)
	require.NotZero(t, all[0].Ended, "the root key's is not held up")
	require.EqualValues(t, 1, all[1].Remaining)
	require.Contains(t, all[1].Waits, "stored answers of version 1")
	r.readable(r.keys, acme, "v1")
	r.apply(acme, gone{"answer"})
	r.work()
	all, err = Rotations(r.view())
	require.NoError(t, err)
	require.NotZero(t, all[1].Ended)
}
