package rbac

import "github.com/trstctl/trstctl/fsm/fault"

// What the policies of one token may say together for a comparison, which the leader makes while it decides: it takes time with
// the product of two such numbers.
const (
	maxSetRules    = 2048
	maxSetSegments = 8192 // of all paths together
)

// bounded refuses a set that is too large to be compared.
func (s Set) bounded() error {
	rules, segments := 0, 0
	for _, p := range s.policies {
		rules += len(p.rules)
		for i := range p.rules {
			segments += len(p.rules[i].pattern)
		}
	}
	if rules > maxSetRules || segments > maxSetSegments {
		return fault.New(fault.Limit, "the policies are too many to be compared: a token's have at most %d rules with %d segments together, these have %d with %d",
			maxSetRules, maxSetSegments, rules, segments)
	}
	return nil
}

// Within reports whether s allows nothing that o does not. It may say no where that is so, never yes where it is not.
func (s Set) Within(o Set) bool { return compare(s, o).within() }

// comparison holds what two sets say, each path once. Every rule of the inner one is held against every rule of the outer one
// at most once, and pairs counts that.
type comparison struct {
	confined       bool // the outer set is, the inner one is not
	grants, denies []compiled
	may            []compiled // granted by the outer set
	lost           []compiled // denied by the outer set, and not by the inner one as a whole
	pairs          int
}

func compare(inner, outer Set) *comparison {
	c := &comparison{confined: outer.confined && !inner.confined}
	c.grants, c.denies = inner.distinct()
	var denied []compiled
	c.may, denied = outer.distinct()
	for _, d := range denied {
		if !c.denied(d.pattern) {
			c.lost = append(c.lost, d)
		}
	}
	return c
}

// distinct returns what grants and what denies in s, with every path once.
func (s Set) distinct() (grants, denies []compiled) {
	seen := map[string]int{}
	s.each(false, func(r *compiled) bool {
		i, known := seen[r.rule.Path]
		if !known {
			i, grants = len(grants), append(grants, *r)
			seen[r.rule.Path] = i
		}
		grants[i].rule.Capabilities |= r.rule.Capabilities
		return false
	})
	clear(seen)
	s.each(true, func(r *compiled) bool {
		if _, known := seen[r.rule.Path]; !known {
			seen[r.rule.Path], denies = 0, append(denies, *r)
		}
		return false
	})
	return grants, denies
}

// denied reports whether the inner set denies all that p matches.
func (c *comparison) denied(p pattern) bool {
	for i := range c.denies {
		if c.pairs++; c.denies[i].pattern.covers(p) {
			return true
		}
	}
	return false
}

func (c *comparison) within() bool {
	for i := range c.grants {
		if r := &c.grants[i]; c.confined && touchesReserved(r.pattern) || !c.granted(r) || c.reachesLost(r) {
			return false
		}
	}
	return true
}

// granted reports whether the outer set grants each capability of r on all of its paths.
func (c *comparison) granted(r *compiled) bool {
	missing := r.rule.Capabilities
	for i := range c.may {
		g := &c.may[i]
		if c.pairs++; g.rule.Capabilities&missing != 0 && g.pattern.covers(r.pattern) {
			missing &^= g.rule.Capabilities
		}
		if missing == 0 {
			return true
		}
	}
	return missing == 0
}

// reachesLost reports whether r matches something that only the outer set denies.
func (c *comparison) reachesLost(r *compiled) bool {
	for i := range c.lost {
		if c.pairs++; c.lost[i].pattern.overlaps(r.pattern) {
			return true
		}
	}
	return false
}
