package secret

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

// projection makes entries of one tenant's secrets as the engine decides them, and knows what has to come out.
type projection struct {
	t      testing.TB
	tenant fsm.UID
	paths  map[string]*projected
}

type projected struct {
	values  []fsm.Sealed // of every version, from 1
	purged  map[uint64]bool
	deleted bool
	hidden  uint64 // versions that were deleted before the next one was written
}

func (p *projection) at(path string) *projected {
	if p.paths[path] == nil {
		p.paths[path] = &projected{purged: map[uint64]bool{}}
	}
	return p.paths[path]
}

func (p *projected) live() uint64 { return uint64(len(p.values) - len(p.purged)) }

func (p *projection) written(path string) VersionWritten {
	at := p.at(path)
	n := uint64(len(at.values)) + 1
	s, err := fsm.NewSealed(fsmtest.Blob(fsm.KEKID{Scope: p.tenant, Version: 1}, fmt.Sprintf("%s %s %d", p.tenant, path, n)))
	require.NoError(p.t, err)
	if at.deleted {
		at.hidden = n - 1
	}
	at.values, at.deleted = append(at.values, s), false
	labels := map[string]string{"team": "a", "env": "prod", "owner": path, "tier": "1"}
	return VersionWritten{path, n, s, 20, Attributes{Labels: labels, ContentType: "text/plain", Expires: fsm.Time(n)}}
}

func (p *projection) write(paths ...string) *fsm.Entry {
	e := fsmtest.Entry(p.tenant)
	for _, path := range paths {
		e.Add(p.written(path))
	}
	return e
}

func (p *projection) move(from, to string) *fsm.Entry {
	e := fsmtest.Entry(p.tenant, p.written(to), Deleted{from})
	p.at(from).deleted = true
	return e
}

func (p *projection) hide(path string) *fsm.Entry {
	p.at(path).deleted = true
	return fsmtest.Entry(p.tenant, Deleted{path})
}

func (p *projection) show(path string) *fsm.Entry {
	p.at(path).deleted, p.at(path).hidden = false, 0
	return fsmtest.Entry(p.tenant, Undeleted{path})
}

// purge ends one version, or all when it is 0.
func (p *projection) purge(path string, version uint64) *fsm.Entry {
	at := p.at(path)
	for n := range uint64(len(at.values)) {
		if version == 0 || version == n+1 {
			at.purged[n+1] = true
		}
	}
	return fsmtest.Entry(p.tenant, VersionPurged{path, version})
}

// require compares the tables with what has to be in them; the bytes of a value are there exactly when it was not purged.
func (p *projection) require(v *fsm.View) {
	p.t.Helper()
	for path, want := range p.paths {
		last := uint64(len(want.values))
		h, _, err := heads.Get(v, fsm.K(p.tenant, path))
		require.NoError(p.t, err)
		require.Equal(p.t, last, h.Version, path)
		require.Equal(p.t, want.live(), h.Live, path)
		require.Equal(p.t, want.deleted, h.Deleted, path)
		require.Equal(p.t, want.hidden, h.Hidden, path)
		require.Equal(p.t, want.purged[last], h.Purged, path)
		for i, s := range want.values {
			n := uint64(i) + 1
			row, found, err := versions.Get(v, fsm.K(p.tenant, path, n))
			require.NoError(p.t, err)
			require.True(p.t, found, "%s %d", path, n)
			require.Equal(p.t, want.purged[n], row.Purged, "%s %d", path, n)
			require.Equal(p.t, "ann", row.By)
			p.requireBytes(v, s, row, n)
		}
		_, found, err := versions.Get(v, fsm.K(p.tenant, path, last+1))
		require.NoError(p.t, err)
		require.False(p.t, found)
	}
}

func (p *projection) requireBytes(v *fsm.View, s fsm.Sealed, row version, n uint64) {
	p.t.Helper()
	var reference fsm.Sealed // to s without its bytes
	b, err := fsm.Encode(s)
	require.NoError(p.t, err)
	require.NoError(p.t, fsm.Decode(b, &reference))
	full, found, err := fsm.Load(v, reference)
	require.NoError(p.t, err)
	require.Equal(p.t, !row.Purged, found)
	if found {
		require.Equal(p.t, s.Bytes(), full.Bytes())
		require.Equal(p.t, fsm.Time(n), row.Attributes.Expires)
	} else {
		require.Empty(p.t, row.Attributes, "a purged version keeps no attributes")
	}
}

// TestTheProjectionKeepsItsPromises takes two tenants' secrets through everything that can happen to them.
func TestTheProjectionKeepsItsPromises(t *testing.T) {
	acme := &projection{t, fsm.UID{1}, map[string]*projected{}}
	other := &projection{t, fsm.UID{2}, map[string]*projected{}}
	entries := []*fsm.Entry{
		acme.write("db/password"), acme.write("db/password"), other.write("db/password"),
		acme.hide("db/password"), acme.show("db/password"),
		acme.purge("db/password", 1), acme.write("db/password"), acme.purge("db/password", 3),
		acme.write("db/password"), acme.purge("db/password", 0), acme.write("db/password"), // version 5, the only one left
		acme.write("a", "b", "db/passwor", "db/password2"), // an import
		acme.move("a", "b"), acme.hide("b"), acme.write("b"),
		acme.write("c"), acme.hide("c"), acme.purge("c", 0),
		acme.write("d"), acme.write("d"), acme.purge("d", 1), acme.hide("d"), acme.show("d"),
	}
	late := fsmtest.Entry(acme.tenant, VersionWritten{Path: "db/password", Version: 6, Value: acme.at("db/password").values[4]})
	late.Guard(fsm.Guard{Tenant: acme.tenant, Stream: stream("db/password"), Version: 3})
	v := fsmtest.Check(t, Register, append(entries, late)...)
	acme.require(v)
	other.require(v)
}

// FuzzProjection does the same with what a seed makes up.
func FuzzProjection(f *testing.F) {
	for seed := range uint64(3) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		p := &projection{t, fsm.UID{1}, map[string]*projected{}}
		entries := []*fsm.Entry{p.write("a"), p.hide("a"), p.show("a"), p.purge("a", 1)} // each type once
		for range 30 {
			entries = append(entries, p.any(r))
		}
		p.require(fsmtest.Check(t, Register, entries...))
	})
}

// any does something that the rules allow.
func (p *projection) any(r *rand.Rand) *fsm.Entry {
	paths := []string{"a", "a/b", "ab"}
	path, other := paths[r.IntN(3)], paths[r.IntN(3)]
	at := p.at(path)
	last := uint64(len(at.values))
	switch which := r.Uint64N(last + 1); {
	case at.live() == 0 || r.IntN(3) == 0:
		return p.write(path)
	case (at.deleted || at.hidden > 0) && r.IntN(2) == 0:
		return p.show(path)
	case !at.deleted && r.IntN(3) == 0:
		return p.hide(path)
	case path != other && !at.deleted && !at.purged[last] && r.IntN(2) == 0:
		return p.move(path, other)
	case !at.purged[which]:
		return p.purge(path, which)
	default:
		return p.write(path)
	}
}
