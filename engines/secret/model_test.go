package secret

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

// model is the store by the plainest means; its methods answer with the version and the kind of refusal, "done" for none.
type model struct {
	now   fsm.Time
	paths map[string]*modelled
}

type modelled struct {
	versions []modelVersion
	deleted  bool
	hidden   uint64 // versions that were deleted before a later one was written
}

type modelVersion struct {
	value   string
	expires fsm.Time
	purged  bool
}

func (m *model) at(path string) *modelled {
	if s := m.paths[path]; s != nil {
		return s
	}
	return &modelled{}
}

func (s *modelled) last() uint64 { return uint64(len(s.versions)) }

func (s *modelled) live() bool {
	return slices.ContainsFunc(s.versions, func(v modelVersion) bool { return !v.purged })
}

func (m *model) get(path string, n uint64) (modelVersion, bool) {
	s := m.at(path)
	if n == 0 {
		n = s.last()
	}
	if s.deleted || n <= s.hidden || n > s.last() {
		return modelVersion{}, false
	}
	v := s.versions[n-1]
	return v, !v.purged && (v.expires == 0 || m.now < v.expires)
}

func (m *model) put(path string, v modelVersion, cas *uint64) (uint64, string) {
	s := m.at(path)
	if cas != nil && *cas != s.last() {
		return 0, "conflict"
	}
	if v.expires != 0 && v.expires <= m.now {
		return 0, "invalid"
	}
	if s.deleted {
		s.hidden = s.last()
	}
	s.versions, s.deleted = append(s.versions, v), false
	m.paths[path] = s
	return s.last(), "done"
}

func (m *model) copy(from string, n uint64, to string, cas *uint64) (uint64, string) {
	v, ok := m.get(from, n)
	if !ok {
		return 0, "not-found"
	}
	return m.put(to, v, cas)
}

func (m *model) move(from, to string, cas *uint64) (uint64, string) {
	n, kind := m.copy(from, 0, to, cas)
	if kind == "done" {
		m.paths[from].deleted = true
	}
	return n, kind
}

func (m *model) delete(path string, cas *uint64) (uint64, string) {
	s := m.at(path)
	switch {
	case s.deleted || !s.live():
		return 0, "not-found"
	case cas != nil && *cas != s.last():
		return 0, "conflict"
	}
	s.deleted = true
	return s.last(), "done"
}

func (m *model) undelete(path string) (uint64, string) {
	s := m.at(path)
	switch {
	case !s.live():
		return 0, "not-found"
	case !s.deleted && s.hidden == 0:
		return 0, "conflict"
	}
	s.deleted, s.hidden = false, 0
	return s.last(), "done"
}

func (m *model) purge(path string, n uint64) (uint64, string) {
	s := m.at(path)
	switch {
	case n == 0 && !s.live() || n > s.last() || n > 0 && s.versions[n-1].purged:
		return 0, "not-found"
	case n > 0:
		s.versions[n-1].purged = true
		return n, "done"
	}
	for i := range s.versions {
		s.versions[i].purged = true
	}
	return s.last(), "done"
}

// step does one random thing to both and compares the answers.
func (m *model) step(r *rig, rnd *rand.Rand, i int) {
	paths := []string{"a", "a-b", "a/b", "a/b/c", "a0"}
	path, other := paths[rnd.IntN(len(paths))], paths[rnd.IntN(len(paths))]
	number := uint64(rnd.IntN(int(m.at(path).last()) + 2))
	v := modelVersion{value: fmt.Sprint("value ", i)}
	if rnd.IntN(5) == 0 {
		v.expires = m.now.Add(time.Duration(rnd.IntN(10)-2) * time.Second)
	}
	var cas *uint64
	at := func(p string) {
		if rnd.IntN(3) == 0 {
			cas = ptr(m.at(p).last() - min(m.at(p).last(), uint64(rnd.IntN(2))))
		}
	}
	var want, got uint64
	var kind, name string
	var err error
	switch rnd.IntN(10) {
	case 0, 1, 2, 3:
		at(path)
		name = "put " + path
		want, kind = m.put(path, v, cas)
		var w Written
		w, err = r.tryPut(Item{Path: path, Value: []byte(v.value), Cas: cas, Attributes: Attributes{Expires: v.expires}})
		got = w.Version
	case 4:
		at(path)
		name = "delete " + path
		want, kind = m.delete(path, cas)
		got, err = r.delete(path, cas)
	case 5:
		name = "undelete " + path
		want, kind = m.undelete(path)
		got, err = r.undelete(path)
	case 6:
		if rnd.IntN(4) > 0 {
			number = max(number, 1)
		}
		name = fmt.Sprint("purge ", path, " ", number)
		want, kind = m.purge(path, number)
		got, err = r.purge(path, number)
	case 7:
		at(path)
		number = max(number, 1)
		name = fmt.Sprint("rollback ", path, " ", number)
		want, kind = m.copy(path, number, path, cas)
		got, err = r.rollback(path, number, cas)
	default:
		if other == path {
			return
		}
		at(other)
		if rnd.IntN(2) == 0 {
			name = "move " + path + " " + other
			want, kind = m.move(path, other, cas)
			got, err = r.move(path, other, cas)
			break
		}
		name = fmt.Sprint("copy ", path, " ", number, " ", other)
		want, kind = m.copy(path, number, other, cas)
		got, err = r.copy(path, number, other, cas)
	}
	require.Equal(r.t, kind, kindOf(err), "step %d: %s", i, name)
	require.Equal(r.t, want, got, "step %d: %s", i, name)
}

// compare holds everything that can be read against the model.
func (m *model) compare(r *rig) {
	var listed []string
	for path, s := range m.paths {
		if _, ok := m.get(path, 0); ok {
			listed = append(listed, path)
		}
		var states []string
		for n := s.last(); n > 0; n-- {
			v := s.versions[n-1]
			state := "live"
			if v.purged {
				state = "purged"
			} else if s.deleted || n <= s.hidden {
				state = "deleted"
			} else if v.expires != 0 && v.expires <= m.now {
				state = "expired"
			}
			states = append(states, fmt.Sprint(n, " ", state))
		}
		require.Equal(r.t, states, r.states(path), path)
		require.Equal(r.t, s.deleted, r.history(path, 3).Deleted, path)
		for n := uint64(0); n <= s.last()+1; n++ {
			want, ok := m.get(path, n)
			got, err := r.get(path, n)
			require.Equal(r.t, ok, err == nil, "%s %d: %v", path, n, err)
			if ok {
				require.Equal(r.t, want.value, string(got.Value))
			}
		}
	}
	slices.Sort(listed)
	require.Equal(r.t, listed, r.list(Query{Limit: 2}))
}

func TestTheStoreAgreesWithAPlainModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r, rnd := newRig(t), rand.New(rand.NewPCG(seed, 2))
			m := &model{now: begin, paths: map[string]*modelled{}}
			for i := range 250 {
				m.step(r, rnd, i)
				if i%10 == 9 { // a record moves log time, by which what expires is judged
					r.log.pass(time.Second)
					r.put("clock", "tick")
					r.must(r.purge("clock", 0))
					m.now = m.now.Add(time.Second)
				}
				if i%25 == 24 {
					m.compare(r)
				}
			}
			r.check()
		})
	}
}
