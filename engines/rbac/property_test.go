package rbac

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// manySet is a set of one to three policies, rich in denies, confined or not.
func manySet(rng *rand.Rand) Set {
	s := Set{confined: rng.IntN(2) == 0}
	for i := range 1 + rng.IntN(3) {
		rules := make([]Rule, rng.IntN(4))
		for j := range rules {
			rules[j] = Rule{anyPath(rng, true), Capability(1 + rng.IntN(int(All)))}
			if rng.IntN(3) == 0 {
				rules[j].Capabilities = Deny
			}
		}
		s.policies = append(s.policies, compile(fmt.Sprint("p", i), rules))
	}
	return s
}

// anyPath makes a path of up to four segments, a rule's when wild.
func anyPath(rng *rand.Rand, wild bool) string {
	words := []string{"a", "b", "ab", "sys", "tenants", "audit", "verify"}
	n := 1 + rng.IntN(4)
	segments := make([]string, n)
	for i := range segments {
		segments[i] = words[rng.IntN(len(words))]
		switch {
		case wild && i == n-1 && rng.IntN(2) == 0:
			segments[i] = "*"
		case wild && rng.IntN(3) == 0:
			segments[i] = "+"
		}
	}
	return strings.Join(segments, "/")
}

// part is s without some of its grants and with more denies: it often lies within s, as random sets hardly do.
func part(rng *rand.Rand, s Set) Set {
	out := Set{confined: s.confined || rng.IntN(2) == 0}
	if rng.IntN(8) == 0 {
		out.confined = false
	}
	for _, p := range s.policies {
		var rules []Rule
		for _, r := range p.rules {
			if rng.IntN(5) == 0 {
				continue // grants and denies alike
			}
			rules = append(rules, narrower(rng, r.rule))
		}
		if rng.IntN(3) == 0 {
			rules = append(rules, Rule{anyPath(rng, true), Deny})
		}
		out.policies = append(out.policies, compile(p.name, rules))
	}
	return out
}

func narrower(rng *rand.Rand, r Rule) Rule {
	if beneath, star := strings.CutSuffix(r.Path, "*"); star && rng.IntN(2) == 0 {
		r.Path = beneath + anyPath(rng, true)
	}
	return r
}

func allowedOnlyBy(a, b Set, rng *rand.Rand, tries int) string {
	for range tries {
		path := anyPath(rng, false)
		for c := Read; c <= Sudo; c <<= 1 {
			if a.Check(path, c) && !b.Check(path, c) {
				return c.String() + " on " + path
			}
		}
	}
	return ""
}

func describe(s Set) string {
	out := fmt.Sprintf("confined=%v", s.confined)
	for _, p := range s.policies {
		for _, r := range p.rules {
			out += fmt.Sprintf(" [%s %s]", r.rule.Path, r.rule.Capabilities)
		}
	}
	return out
}

// TestWithinHoldsForSetsOfSeveralPolicies covers denies on both sides and confined and unconfined mixes.
func TestWithinHoldsForSetsOfSeveralPolicies(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	denies, mixed, yes := 0, 0, 0
	for range 3000 {
		b := manySet(rng)
		a := part(rng, b)
		if !a.Within(b) || !a.each(false, func(*compiled) bool { return true }) {
			continue
		}
		yes++
		all := func(*compiled) bool { return true }
		if a.each(true, all) && b.each(true, all) {
			denies++
		}
		if a.confined != b.confined {
			mixed++
		}
		if lost := allowedOnlyBy(a, b, rng, 1000); lost != "" {
			t.Fatalf("%s\nis said to lie within\n%s\nbut allows %s", describe(a), describe(b), lost)
		}
	}
	require.Greater(t, denies, 100, "denies on both sides were hardly tried")
	require.Greater(t, mixed, 100, "mixes were hardly tried")
	t.Logf("%d of 3000 lie within, %d with denies on both sides, %d of mixed confinement", yes, denies, mixed)
}

// TestASetLiesWithinItself keeps Within useful: without it nobody could pass on what they hold.
func TestASetLiesWithinItself(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		s := manySet(rng)
		require.True(t, s.Within(s), describe(s))
		require.True(t, Set{}.Within(s), "nothing lies within anything")
	}
}

func TestOverlapsHoldsForSetsOfSeveralPolicies(t *testing.T) {
	rng, tried := rand.New(rand.NewPCG(5, 6)), 0
	for range 30000 {
		s, path := manySet(rng), anyPath(rng, false)
		for c := Read; c <= Sudo; c <<= 1 {
			if !s.Check(path, c) {
				continue
			}
			tried++
			for cut := range len(path) + 1 {
				require.True(t, s.Overlaps(path[:cut], c), "%s allows %s on %s, not beneath %q", describe(s), c, path, path[:cut])
			}
		}
	}
	require.Greater(t, tried, 1000)
}

// TestCheckAgreesWithItsDefinition compares with the rules read literally: any deny loses, else any grant wins.
func TestCheckAgreesWithItsDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 10000 {
		s, path := manySet(rng), anyPath(rng, false)
		for c := Read; c <= Sudo; c <<= 1 {
			granted, denied := false, s.confined && clusters.MatchString(path)
			for _, p := range s.policies {
				for _, r := range p.rules {
					hit := reference(r.rule.Path).MatchString(path)
					denied = denied || hit && r.rule.Capabilities == Deny
					granted = granted || hit && r.rule.Capabilities&c != 0
				}
			}
			require.Equal(t, granted && !denied, s.Check(path, c), "%s: %s on %s", describe(s), c, path)
			require.Equal(t, granted && !denied, s.Explain(path, c).Allowed, "%s: %s on %s", describe(s), c, path)
		}
	}
}

var clusters = regexp.MustCompile(`^(sys|tenants)(/|$)|^audit/verify$`)

var references = map[string]*regexp.Regexp{}

// reference says in another way what a rule's path matches.
func reference(path string) *regexp.Regexp {
	if re, known := references[path]; known {
		return re
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		switch {
		case s == "*" && i == len(segments)-1:
			segments[i] = "(?s:.+)"
		case s == "+":
			segments[i] = "[^/]+"
		default:
			segments[i] = regexp.QuoteMeta(s)
		}
	}
	re := regexp.MustCompile("^(?:" + strings.Join(segments, "/") + ")$")
	references[path] = re
	return re
}

func FuzzMatchesAsDefined(f *testing.F) {
	f.Add("secrets/+/*", "secrets/a/b")
	f.Add("+", "")
	f.Add("a/+", "a/")
	f.Add("*", "sys")
	f.Add("a*/b+", "a*/b+")
	f.Fuzz(func(t *testing.T, rule, path string) {
		if (Rule{rule, Read}).check() != nil {
			return
		}
		if strings.ToValidUTF8(path, "?") != path {
			return // the reference reads runes, and no path has other bytes
		}
		require.Equal(t, reference(rule).MatchString(path), patternOf(rule).matches(path), "%q on %q", rule, path)
	})
}

func BenchmarkCheck(b *testing.B) {
	var rules []Rule
	for i := range 32 {
		rules = append(rules, Rule{fmt.Sprintf("secrets/team-%d/+/*", i), Read})
	}
	s := set(true, rules...)
	b.ReportAllocs()
	for b.Loop() {
		if !s.Check("secrets/team-31/db/password", Read) {
			b.Fatal("refused")
		}
	}
}
