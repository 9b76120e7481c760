package rbac

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// withinByDefinition is what Within promises, rule by rule, however long it takes.
func withinByDefinition(s, o Set) bool {
	return !s.each(false, func(r *compiled) bool {
		if o.confined && !s.confined && touchesReserved(r.pattern) {
			return true
		}
		for c := Read; c <= Sudo; c <<= 1 {
			granted := o.each(false, func(g *compiled) bool { return g.rule.Capabilities&c != 0 && g.pattern.covers(r.pattern) })
			if r.rule.Capabilities&c != 0 && !granted {
				return true
			}
		}
		return o.each(true, func(d *compiled) bool {
			return d.pattern.overlaps(r.pattern) && !s.each(true, func(own *compiled) bool { return own.pattern.covers(d.pattern) })
		})
	})
}

func TestWithinAgreesWithItsDefinition(t *testing.T) {
	rng, yes := rand.New(rand.NewPCG(9, 10)), 0
	for range 20000 {
		o := manySet(rng)
		s := part(rng, o)
		want := withinByDefinition(s, o)
		require.Equal(t, want, s.Within(o), "%s\nwithin\n%s", describe(s), describe(o))
		require.Equal(t, withinByDefinition(o, s), o.Within(s), "%s\nwithin\n%s", describe(o), describe(s))
		if want {
			yes++
		}
	}
	require.Greater(t, yes, 1000)
	require.Less(t, yes, 19000)
}

// repeated is a set of eight policies that grant the same over and over and deny many things.
func repeated() Set {
	var s Set
	for i := range 8 {
		var rules []Rule
		for j := range 128 {
			rules = append(rules, Rule{"secrets/*", All}, Rule{fmt.Sprintf("secrets/%d/%d", i, j), Deny})
		}
		s.policies = append(s.policies, compile(fmt.Sprint("p", i), rules[:255]))
	}
	return s
}

// largest are sets of as many rules as can be compared, of which each is held against each: those of o match what those of s
// match but for the last segment.
func largest(grants int) (s, o Set) {
	var inner, outer []Rule
	for i := range maxSetRules - 1 {
		kind := Read
		if i >= grants {
			kind = Deny
		}
		inner = append(inner, Rule{fmt.Sprintf("a/a/a/s%d", i), kind})
		outer = append(outer, Rule{fmt.Sprintf("+/+/+/o%d", i), kind})
	}
	return set(true, append(inner, Rule{"+/+/+/*", Deny})...), set(true, append(outer, Rule{"*", All})...)
}

// TestAComparisonTakesAsManyStepsAsThereArePairs: it was cubic once, so that one request could hold the leader for minutes.
func TestAComparisonTakesAsManyStepsAsThereArePairs(t *testing.T) {
	same := repeated()
	require.NoError(t, same.bounded())
	c := compare(same, same)
	require.True(t, c.within())
	require.Less(t, c.pairs, 1<<20)
	for _, grants := range []int{0, maxSetRules / 2, maxSetRules - 1} {
		s, o := largest(grants)
		require.NoError(t, s.bounded())
		require.NoError(t, o.bounded())
		c := compare(s, o)
		require.True(t, c.within())
		require.LessOrEqual(t, c.pairs, maxSetRules*maxSetRules, "%d grants", grants)
		require.Greater(t, c.pairs, maxSetRules*maxSetRules/8, "%d grants: these are meant to be hard", grants)
	}
}

func BenchmarkWithin(b *testing.B) {
	same := repeated()
	b.Run("repeated grants", func(b *testing.B) {
		for b.Loop() {
			if !same.Within(same) {
				b.Fatal("not within itself")
			}
		}
	})
	for _, grants := range []int{0, maxSetRules / 2, maxSetRules - 1} {
		s, o := largest(grants)
		b.Run(fmt.Sprintf("%d grants, %d denies", grants, maxSetRules-grants), func(b *testing.B) {
			for b.Loop() {
				if !s.Within(o) {
					b.Fatal("not within")
				}
			}
		})
	}
}
