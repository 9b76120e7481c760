package transit

import (
	"context"
	"sync/atomic"

	"github.com/trstctl/trstctl/engines/transit/primitive"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Worker uses keys. Every node has one; it needs no leader but for another block of messages under a version whose nonces are drawn.
type Worker struct {
	keys    Keys
	ring    *ring
	allowed *allowance
	reserve Reserve
	seen    atomic.Uint64 // changes when Refresh looked last
}

// Reserve has the leader reserve a block of messages under a version: Engine.Reserve, wherever the leader is.
type Reserve func(ctx context.Context, tenant fsm.UID, name string, version uint64) error

// NewWorker returns a worker that opens versions with keys.
func NewWorker(keys Keys, reserve Reserve) *Worker {
	return &Worker{keys: keys, ring: newRing(ringSize), allowed: newAllowance(), reserve: reserve}
}

// Refresh drops the versions of keys that were rotated, trimmed or deleted since the last call; it looks at none when nothing was. What is allowed does not
// rest on that, only how long material stays in memory.
func (w *Worker) Refresh(r fsm.Reader) error {
	n, _, err := changes.Get(r, fsm.K())
	if err != nil || n == w.seen.Load() {
		return err
	}
	old, gone := map[place]bool{}, map[place]bool{}
	for p, latest := range w.ring.places() {
		now, there, err := stands(r, p)
		if err != nil {
			return err
		}
		old[p], gone[p] = !there || now != latest, !there
	}
	w.ring.drop(func(p place) bool { return old[p] })
	w.allowed.forget(func(p place) bool { return gone[p] })
	w.seen.Store(n)
	return nil
}

// stands reports whether a version is there, and which is the latest of its key.
func stands(r fsm.Reader, p place) (latest uint64, there bool, err error) {
	if _, there, err = versions.Get(r, fsm.K(p.tenant, p.key, p.version)); err != nil || !there {
		return 0, false, err
	}
	uid, _, err := uids.Get(r, fsm.K(p.tenant, p.key))
	if err != nil {
		return 0, false, err
	}
	k, _, err := keys.Get(r, fsm.K(p.tenant, uid.Name))
	return k.Latest, true, err
}

// Wipe drops all versions: the node seals itself.
func (w *Worker) Wipe() {
	w.ring.wipe()
	w.allowed.forget(func(place) bool { return true })
}

// Use is a key as one state has it, for one request: all that is done with it sees the same versions. It is not safe for concurrent use, and must be closed.
type Use struct {
	w      *Worker
	r      fsm.Reader
	tenant fsm.UID
	name   string
	row    keyRow
	alg    primitive.Algorithm
	loans  map[uint64]loan
}

type loan struct {
	key   *primitive.Key
	letGo func()
}

// Use returns a key of a tenant as r has it, which must stay open as long; fault.NotFound when there is none.
func (w *Worker) Use(r fsm.Reader, tenant fsm.UID, name string) (*Use, error) {
	if err := ValidName(name); err != nil {
		return nil, err
	}
	return w.use(r, tenant, name)
}

func (w *Worker) use(r fsm.Reader, tenant fsm.UID, name string) (*Use, error) {
	row, err := find(r, tenant, name)
	if err != nil {
		return nil, err
	}
	alg, err := primitive.ParseAlgorithm(row.Algorithm)
	if err != nil {
		return nil, fault.New(fault.Corrupt, "transit key %q is of an algorithm that this node does not know", name)
	}
	return &Use{w, r, tenant, name, row, alg, map[uint64]loan{}}, nil
}

// Close lets the versions go.
func (u *Use) Close() {
	for _, l := range u.loans {
		l.letGo()
	}
	clear(u.loans)
}

// Asymmetric reports whether the key has a public half.
func (u *Use) Asymmetric() bool { return u.alg.Asymmetric() }

// Info describes the key.
func (u *Use) Info() Info { return u.row.info(u.name) }

func (u *Use) place(number uint64) place { return place{u.tenant, u.row.UID, number} }

// version returns one that is there, unwrapped; found is false when it was trimmed or never was.
func (u *Use) version(number uint64) (k *primitive.Key, found bool, err error) {
	if l, here := u.loans[number]; here {
		return l.key, true, nil
	}
	row, found, err := versions.Get(u.r, fsm.K(u.tenant, u.row.UID, number))
	if err != nil || !found {
		return nil, false, err
	}
	k, letGo, err := u.w.ring.use(u.place(number), u.row.Latest, func() (*primitive.Key, error) { return u.open(number, row) })
	if err != nil {
		return nil, false, err
	}
	u.loans[number] = loan{k, letGo}
	return k, true, nil
}

func (u *Use) open(number uint64, row versionRow) (*primitive.Key, error) {
	b, err := u.w.keys.Open(u.r, binding(u.tenant, u.row.UID, number), row.Material)
	if err != nil {
		return nil, err
	}
	defer clear(b)
	return primitive.Unmarshal(b)
}

// forNew returns the version for something new, the latest for 0.
func (u *Use) forNew(number uint64) (*primitive.Key, uint64, error) {
	least := max(u.row.Settings.MinDecrypt, u.row.Settings.MinEncrypt, u.row.Oldest)
	if number == 0 {
		number = u.row.Latest
	}
	if number < least || number > u.row.Latest {
		return nil, 0, fault.Bad("key_version", "is 0 (the latest) or from %d to %d", least, u.row.Latest)
	}
	k, found, err := u.version(number)
	if err == nil && !found {
		err = fault.Bad("key_version", "key %q has no version %d", u.name, number)
	}
	return k, number, err
}

// forOld returns the version that made something; found is false for one that may not be used any more, or never was.
func (u *Use) forOld(number uint64) (k *primitive.Key, found bool, err error) {
	if number < u.row.Settings.MinDecrypt || number > u.row.Latest {
		return nil, false, nil
	}
	return u.version(number)
}

// terms bind what is encrypted to the key, its tenant and its version.
func (u *Use) terms(number uint64, associated, derivation []byte) primitive.Terms {
	return primitive.Terms{UID: u.row.UID, Place: u.row.Origin[:], Version: number, Associated: associated, Context: derivation,
		Derived: u.row.Derived, Convergent: u.row.Convergent}
}

// spend counts a message under a version whose nonces are drawn.
func (u *Use) spend(ctx context.Context, number uint64) error {
	if !u.alg.ShortNonces() || u.row.Convergent {
		return nil
	}
	return u.w.allowed.take(ctx, u.place(number), 1, func(ctx context.Context) error { return u.w.reserve(ctx, u.tenant, u.name, number) })
}
