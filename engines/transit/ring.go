package transit

import (
	"container/list"
	"sync"

	"github.com/trstctl/trstctl/engines/transit/primitive"
)

// ringSize is how many versions of keys a node holds ready for use, those used last.
const ringSize = 10_000

// ring holds the versions of keys that this node has unwrapped. What it gives out is good for as long as the caller holds it; a version that is dropped
// is wiped when the last caller has let it go. It knows nothing of what is allowed: who asks has found the version in the state.
type ring struct {
	mu    sync.Mutex // guards the rest and what held has
	at    map[place]*list.Element
	order *list.List // of *held, the one used last in front
	size  int
	wiped int // how often all was
}

type held struct {
	place  place
	latest uint64 // of the key's versions when this one came here
	key    *primitive.Key
	users  int
	out    bool // of the ring
}

func newRing(size int) *ring {
	return &ring{at: map[place]*list.Element{}, order: list.New(), size: size}
}

// use returns the version at p, which open unwraps if it is not here, and a function that lets it go. latest is the key's latest version.
func (r *ring) use(p place, latest uint64, open func() (*primitive.Key, error)) (*primitive.Key, func(), error) {
	h, wiped := r.take(p)
	if h == nil {
		k, err := open()
		if err != nil {
			return nil, nil, err
		}
		h = r.put(p, latest, k, wiped)
	}
	return h.key, func() { r.release(h) }, nil
}

// take counts a user of the version at p, if it is here. wiped is for put, if it is not.
func (r *ring) take(p place) (h *held, wiped int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.at[p]
	if e == nil {
		return nil, r.wiped
	}
	return r.lend(e), r.wiped
}

// put keeps fresh at p, unless another was first, and counts a user of it. What was unwrapped before a wipe is not kept behind it.
func (r *ring) put(p place, latest uint64, fresh *primitive.Key, wiped int) *held {
	r.mu.Lock()
	defer r.mu.Unlock()
	if wiped != r.wiped {
		return &held{key: fresh, users: 1, out: true}
	}
	e := r.at[p]
	if e != nil {
		fresh.Wipe()
		return r.lend(e)
	}
	e = r.order.PushFront(&held{place: p, latest: latest, key: fresh})
	r.at[p] = e
	h := r.lend(e)
	r.shrink()
	return h
}

func (r *ring) lend(e *list.Element) *held {
	r.order.MoveToFront(e)
	h := e.Value.(*held)
	h.users++
	return h
}

func (r *ring) shrink() {
	for r.order.Len() > r.size {
		r.remove(r.order.Back())
	}
}

func (r *ring) remove(e *list.Element) {
	h := r.order.Remove(e).(*held)
	delete(r.at, h.place)
	if h.out = true; h.users == 0 {
		h.key.Wipe()
	}
}

func (r *ring) release(h *held) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.users--; h.users == 0 && h.out {
		h.key.Wipe()
	}
}

// drop takes out the versions that gone is true of.
func (r *ring) drop(gone func(place) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, e := range r.at {
		if gone(p) {
			r.remove(e)
		}
	}
}

// wipe takes out all.
func (r *ring) wipe() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wiped++
	for r.order.Len() > 0 {
		r.remove(r.order.Back())
	}
}

// places are those of the versions that are held, each with the latest of its key when it came here.
func (r *ring) places() map[place]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[place]uint64, len(r.at))
	for p, e := range r.at {
		all[p] = e.Value.(*held).latest
	}
	return all
}
