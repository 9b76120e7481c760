package cluster

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm"
)

// addresses knows where nodes may be reached. Every source is a hint: the certificate of whoever answers decides.
type addresses struct {
	peers []string // configured; whose they are is found out by dialing
	store *fsm.Store
	raft  atomic.Pointer[raft.Raft] // nil before it has started

	mu       sync.Mutex
	proved   map[string]string // node -> where its certificate was last seen
	gossiped map[string]string // node -> where it says it is
}

func newAddresses(peers []string, store *fsm.Store) *addresses {
	return &addresses{peers: peers, store: store, proved: map[string]string{}, gossiped: map[string]string{}}
}

// of returns candidates for a node, the likeliest first: proved, gossiped, the members' table, Raft's configuration,
// the operator's.
func (a *addresses) of(id string) []string {
	a.mu.Lock()
	found := []string{a.proved[id], a.gossiped[id]}
	var others []string
	for node, addr := range a.proved {
		if node != id {
			others = append(others, addr)
		}
	}
	a.mu.Unlock()
	found = append(found, a.member(id), a.configured(id))
	for _, p := range a.peers {
		if !slices.Contains(others, p) {
			found = append(found, p)
		}
	}
	var out []string
	for _, addr := range found {
		if addr != "" && !slices.Contains(out, addr) {
			out = append(out, addr)
		}
	}
	return out
}

func (a *addresses) member(id string) string {
	v, err := a.store.View()
	if err != nil {
		return ""
	}
	defer v.Close()
	m, _, err := member(v, id)
	if err != nil {
		return ""
	}
	return m.Cluster
}

// configured is what Raft's configuration says: it is on the disk also when the tables lag behind the log.
func (a *addresses) configured(id string) string {
	r := a.raft.Load()
	if r == nil {
		return ""
	}
	for _, s := range r.GetConfiguration().Configuration().Servers {
		if string(s.ID) == id {
			_, addr, _ := strings.Cut(string(s.Address), "@")
			return addr
		}
	}
	return ""
}

// known returns where a node is by what was proved, gossiped and agreed, without the guesses.
func (a *addresses) known(id string) (out []string) {
	a.mu.Lock()
	found := []string{a.proved[id], a.gossiped[id]}
	a.mu.Unlock()
	for _, addr := range append(found, a.member(id)) {
		if addr != "" && !slices.Contains(out, addr) {
			out = append(out, addr)
		}
	}
	return out
}

// prove notes where a node's certificate was seen.
func (a *addresses) prove(id, addr string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for node, at := range a.proved {
		if at == addr && node != id {
			delete(a.proved, node)
		}
	}
	a.proved[id] = addr
}

// gossip notes where a node says it is.
func (a *addresses) gossip(id, addr string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gossiped[id] = addr
}
