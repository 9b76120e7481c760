package rbac

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"secrets/team-a/*", "secrets/team-a/x", true},
		{"secrets/team-a/*", "secrets/team-a/x/y", true},
		{"secrets/team-a/*", "secrets/team-a", false},
		{"secrets/team-a/*", "secrets/team-a/", false},
		{"secrets/team-a/*", "secrets/team-ab/x", false},
		{"secrets/+/db", "secrets/a/db", true},
		{"secrets/+/db", "secrets/a/b/db", false},
		{"secrets/+/db", "secrets//db", false},
		{"secrets/+", "secrets/a", true},
		{"secrets/+", "secrets/a/b", false},
		{"*", "anything/at/all", true},
		{"a*", "a*", true},
		{"a*", "ab", false},
		{"tokens", "tokens", true},
		{"tokens", "tokens/x", false},
	} {
		require.Equal(t, c.want, patternOf(c.pattern).matches(c.path), "%s on %s", c.pattern, c.path)
	}
}

func set(confined bool, rules ...Rule) Set {
	return Set{[]*named{compile("p", rules)}, confined}
}

func TestDenyWins(t *testing.T) {
	s := set(false, Rule{"secrets/*", All}, Rule{"secrets/hr/*", Deny})
	require.True(t, s.Check("secrets/a", Read))
	require.False(t, s.Check("secrets/hr/a", Read))
	d := s.Explain("secrets/hr/a", Read)
	require.True(t, d.Found && !d.Allowed)
	require.Equal(t, "secrets/hr/*", d.Rule.Path)
	require.False(t, s.Check("secrets/a", Deny))
	require.False(t, s.Check("secrets/a", 0))
	require.False(t, s.Overlaps("secrets/hr/", List))
	require.True(t, s.Overlaps("secrets/h", List))
}

func TestAConfinedSetNeverReachesTheCluster(t *testing.T) {
	s := set(true, Rule{"*", All}, Rule{"sys/members", All}, Rule{"tenants/+", All})
	for _, path := range []string{"sys", "sys/members", "sys/a/b", "tenants", "tenants/x"} {
		require.False(t, s.Check(path, Read), path)
		require.False(t, s.Explain(path, Read).Allowed, path)
	}
	require.True(t, s.Check("secrets/sys", Read))
	require.True(t, s.Within(set(false, Rule{"*", All})))
	require.False(t, set(false, Rule{"*", All}).Within(s))
}

var words = []string{"a", "b", "sys", "tenants"}

func randomPath(wild bool) string {
	var segments []string
	n := 1 + rand.IntN(3)
	for i := range n {
		s := words[rand.IntN(len(words))]
		if wild && rand.IntN(3) == 0 {
			s = "+"
		}
		if wild && i == n-1 && rand.IntN(3) == 0 {
			s = "*"
		}
		segments = append(segments, s)
	}
	return strings.Join(segments, "/")
}

func randomSet() Set {
	var rules []Rule
	for range 1 + rand.IntN(4) {
		r := Rule{randomPath(true), Capability(1 + rand.IntN(int(All)))}
		if rand.IntN(4) == 0 {
			r.Capabilities = Deny
		}
		rules = append(rules, r)
	}
	return set(rand.IntN(3) == 0, rules...)
}

// TestWithinIsNeverPermissive: whatever lies within another set allows nothing that the other does not.
func TestWithinIsNeverPermissive(t *testing.T) {
	var paths []string
	for _, a := range words {
		paths = append(paths, a)
		for _, b := range words {
			paths = append(paths, a+"/"+b)
			for _, c := range words {
				paths = append(paths, a+"/"+b+"/"+c, a+"/"+b+"/"+c+"/a")
			}
		}
	}
	yes := 0
	for range 20000 {
		a, b := randomSet(), randomSet()
		if !a.Within(b) {
			continue
		}
		yes++
		for _, p := range paths {
			for c := Read; c <= Sudo; c <<= 1 {
				if a.Check(p, c) && !b.Check(p, c) {
					t.Fatalf("%+v is said to lie within %+v, but allows %s on %s", *a.policies[0], *b.policies[0], c, p)
				}
			}
		}
	}
	require.Greater(t, yes, 100, "the property was hardly tried")
}

func TestOverlapsNeverHidesWhatIsAllowed(t *testing.T) {
	for range 20000 {
		s, path := randomSet(), randomPath(false)
		for c := Read; c <= Sudo; c <<= 1 {
			if !s.Check(path, c) {
				continue
			}
			for cut := range len(path) + 1 {
				if !s.Overlaps(path[:cut], c) {
					t.Fatalf("%+v allows %s on %s, but Overlaps(%q) is false", *s.policies[0], c, path, path[:cut])
				}
			}
		}
	}
}

func TestCoversAndOverlapsAgreeWithMatches(t *testing.T) {
	for range 20000 {
		p, q, path := patternOf(randomPath(true)), patternOf(randomPath(true)), randomPath(false)
		if p.covers(q) && q.matches(path) {
			require.True(t, p.matches(path), "%v covers %v, %s", p, q, path)
		}
		if p.matches(path) && q.matches(path) {
			require.True(t, p.overlaps(q), "%v and %v match %s", p, q, path)
		}
	}
}

func TestRulesAreChecked(t *testing.T) {
	for _, r := range []Rule{{"", Read}, {"a", 0}, {"a", Deny | Read}, {"a//b", Read}, {"/a", Read}, {"a/", Read}, {"a/*/b", Read}, {"a/../b", Read},
		{"a\nb", Read}, {"a", 64}, {strings.Repeat("a", 2000), Read}, {"\xff", Read}} {
		require.Error(t, r.check(), "%q", r.Path)
	}
	require.NoError(t, Rule{"secrets/+/x/*", Read | Sudo}.check())
	require.NoError(t, checkRules(nil), "a policy that grants nothing")
	require.Error(t, checkRules(make([]Rule, 257)))
	for _, n := range []string{"root", "Root", " root", "ROOT", "", "a/b", "r\u043eot", "root ", strings.Repeat("a", 65)} {
		require.Error(t, ValidName(n), "%q", n)
	}
	require.NoError(t, ValidName("team-a.reader_1"))
}

func FuzzMatches(f *testing.F) {
	f.Add("secrets/+/*", "secrets/a/b")
	f.Add("*", "")
	f.Fuzz(func(t *testing.T, p, path string) {
		r := Rule{p, Read}
		if r.check() != nil {
			return
		}
		got := patternOf(p).matches(path)
		if got && !set(false, r).Overlaps(path, Read) {
			t.Errorf("%q matches %q but does not overlap it", p, path)
		}
	})
}
