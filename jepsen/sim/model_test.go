package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// model is what the engines promise, by the plainest means: no log, no views, no keys. Its methods answer in words: "done" with what was made, or the
// kind of the refusal.
type model struct {
	now      fsm.Time
	tenants  []*mTenant
	tokens   []*mToken
	receipts map[string]*mReceipt // by tenant and key
	lenient  bool                 // deliberately wrong: a revocation ends the token alone
	restarts bool                 // deliberately wrong: versions begin again after a purge of all
	forgets  bool                 // deliberately wrong: a repetition is carried out again
}

type mTenant struct {
	name     string
	uid      fsm.UID
	gone     bool
	paths    map[string]*mSecret
	policies map[string]int // name -> what it lets do with secrets
}

type mSecret struct {
	versions []mVersion
	deleted  bool
	hidden   uint64 // versions that were deleted before a later one was written
}

type mVersion struct {
	value   string
	expires fsm.Time
	purged  bool
}

type mToken struct {
	tenant           *mTenant
	accessor         string
	secret           []byte
	policy           string
	parent           *mToken
	expires, last    fsm.Time
	life             time.Duration
	renewable, ended bool
}

type mReceipt struct {
	request string
	answer  string
	at      fsm.Time
	token   *mToken // whose secret is in the answer
}

const (
	mayRead = 1 << iota
	mayWrite
	mayDelete
	mayAll = mayRead | mayWrite | mayDelete
	admin  = mayAll | 1<<7
)

func refused(k fault.Kind) string { return k.String() }

// kinds of refusal that the model knows.
var (
	rNotFound = refused(fault.NotFound)
	rConflict = refused(fault.Conflict)
	rDenied   = refused(fault.Denied)
	rNobody   = refused(fault.Unauthenticated)
	rInvalid  = refused(fault.Invalid)
	rReused   = refused(fault.KeyReused)
	rLimit    = refused(fault.Limit)
)

func made(versions ...uint64) string { return fmt.Sprint("done ", versions) }

// alive reports whether a token authenticates: it, everybody above it, and its tenant.
func (m *model) alive(t *mToken) bool {
	for at := t; at != nil; at = at.parent {
		if at.ended && !(m.lenient && at != t) || m.now >= at.expires {
			return false
		}
	}
	return !t.tenant.gone
}

// may returns what a token lets its holder do with secrets of its tenant.
func (t *mToken) may() int {
	if t.policy == "root" {
		return admin
	}
	return t.tenant.policies[t.policy]
}

// allows judges a token that acts in a tenant; need 0 asks for life only.
func (m *model) allows(t *mToken, in *mTenant, need int) string {
	switch {
	case !m.alive(t):
		return rNobody
	case in != t.tenant && (t.policy != "root" || in.gone):
		return rNotFound
	case t.may()&need != need:
		return rDenied
	}
	return ""
}

func (t *mTenant) at(path string) *mSecret {
	if s := t.paths[path]; s != nil {
		return s
	}
	return &mSecret{}
}

func (s *mSecret) last() uint64 { return uint64(len(s.versions)) }

func (s *mSecret) live() bool {
	return slices.ContainsFunc(s.versions, func(v mVersion) bool { return !v.purged })
}

func (m *model) get(t *mTenant, path string, n uint64) (mVersion, uint64, bool) {
	s := t.at(path)
	if n == 0 {
		n = s.last()
	}
	if s.deleted || n <= s.hidden || n > s.last() {
		return mVersion{}, 0, false
	}
	v := s.versions[n-1]
	return v, n, !v.purged && (v.expires == 0 || m.now < v.expires)
}

func (m *model) mayPut(t *mTenant, path string, v mVersion, cas *uint64) string {
	switch s := t.at(path); {
	case cas != nil && *cas != s.last():
		return rConflict
	case v.expires != 0 && v.expires <= m.now:
		return rInvalid
	}
	return ""
}

func (m *model) put(t *mTenant, path string, v mVersion, cas *uint64) string {
	if no := m.mayPut(t, path, v, cas); no != "" {
		return no
	}
	s := t.at(path)
	if m.restarts && !s.live() {
		s.versions = nil
	}
	if s.deleted {
		s.hidden = s.last()
	}
	s.versions, s.deleted = append(s.versions, v), false
	t.paths[path] = s
	return made(s.last())
}

func (m *model) putAll(t *mTenant, paths []string, all []mVersion, cas []*uint64) string {
	for i := range paths {
		if no := m.mayPut(t, paths[i], all[i], cas[i]); no != "" {
			return no
		}
	}
	numbers := make([]uint64, len(paths))
	for i := range paths {
		m.put(t, paths[i], all[i], cas[i])
		numbers[i] = t.at(paths[i]).last()
	}
	return made(numbers...)
}

func (m *model) copy(t *mTenant, from string, n uint64, to string, cas *uint64, move bool) string {
	v, _, ok := m.get(t, from, n)
	if !ok {
		return rNotFound
	}
	out := m.put(t, to, v, cas)
	if move && t.paths[to] != nil && out == made(t.at(to).last()) {
		t.paths[from].deleted = true
	}
	return out
}

func (m *model) delete(t *mTenant, path string, cas *uint64) string {
	s := t.at(path)
	switch {
	case s.deleted || !s.live():
		return rNotFound
	case cas != nil && *cas != s.last():
		return rConflict
	}
	s.deleted = true
	return made(s.last())
}

func (m *model) undelete(t *mTenant, path string) string {
	s := t.at(path)
	switch {
	case !s.live():
		return rNotFound
	case !s.deleted && s.hidden == 0:
		return rConflict
	}
	s.deleted, s.hidden = false, 0
	return made(s.last())
}

func (m *model) purge(t *mTenant, path string, n uint64) string {
	s := t.at(path)
	switch {
	case n == 0 && !s.live() || n > s.last() || n > 0 && s.versions[n-1].purged:
		return rNotFound
	case n > 0:
		s.versions[n-1].purged = true
		return made(n)
	}
	for i := range s.versions {
		s.versions[i].purged = true
	}
	return made(s.last())
}

// child judges a token that creator makes in a tenant. What it is like otherwise is random; the engine says it.
func (m *model) child(creator *mToken, in *mTenant, policy string, orphan bool) string {
	depth := 1
	for at := creator; at != nil; at = at.parent {
		depth++
	}
	mask, exists := in.policies[policy]
	switch {
	case in != creator.tenant && creator.policy != "root":
		return rNotFound
	case depth > 16 && !orphan:
		return rLimit
	case !exists || mask&^creator.may() != 0:
		return rDenied
	}
	return ""
}

func (m *model) renew(t *mToken, ttl time.Duration) string {
	switch {
	case !m.chain(t):
		return rNotFound
	case !t.renewable:
		return rDenied
	case t.parent != nil && (!t.known() || t.may()&^t.parent.may() != 0):
		return rDenied
	}
	if ttl == 0 {
		ttl = t.life
	}
	until := min(m.now.Add(ttl), t.last)
	if t.parent != nil {
		until = min(until, t.parent.expires)
	}
	t.expires = max(until, t.expires)
	return fmt.Sprint("done until ", int64(t.expires))
}

// chain is alive without the tenant: the engine of tokens does not look at it.
func (m *model) chain(t *mToken) bool {
	gone := t.tenant.gone
	t.tenant.gone = false
	defer func() { t.tenant.gone = gone }()
	return m.alive(t)
}

// known reports whether the token's policy exists.
func (t *mToken) known() bool {
	_, exists := t.tenant.policies[t.policy]
	return exists || t.policy == "root"
}

func (m *model) revoke(t *mToken) string {
	if t.ended {
		return rNotFound
	}
	t.ended = true
	return "done"
}

func (m *model) writePolicy(by *mToken, in *mTenant, name string, mask int) string {
	if mask&^by.may() != 0 {
		return rDenied
	}
	in.policies[name] = mask
	return "done"
}

func (m *model) deletePolicy(in *mTenant, name string) string {
	if _, exists := in.policies[name]; !exists {
		return rNotFound
	}
	delete(in.policies, name)
	return "done"
}

func (m *model) named(name string) *mTenant {
	for _, t := range m.tenants {
		if t.name == name && !t.gone {
			return t
		}
	}
	return nil
}
