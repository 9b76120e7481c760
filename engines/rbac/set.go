package rbac

import "strings"

// compiled is a rule ready to match.
type compiled struct {
	rule    Rule
	pattern pattern
}

// named is a policy ready to decide.
type named struct {
	name  string
	rules []compiled
}

func compile(name string, rules []Rule) *named {
	n := &named{name: name, rules: make([]compiled, len(rules))}
	for i, r := range rules {
		n.rules[i] = compiled{r, patternOf(r.Path)}
	}
	return n
}

// Set is what some policies of one tenant allow together. The zero value allows nothing.
type Set struct {
	policies []*named
	confined bool // not the root tenant's: nothing of the cluster's own is within reach
}

// Decision says whether something is allowed, and by which rule.
type Decision struct {
	Allowed bool
	Found   bool // a rule decided; Policy and Rule name it
	Policy  string
	Rule    Rule
	Reason  string
}

// Check reports whether every capability in want is allowed on path. A rule that denies wins over any that grants.
func (s Set) Check(path string, want Capability) bool {
	if s.confined && isReserved(path) || want == 0 || want&Deny != 0 {
		return false
	}
	var have Capability
	for _, p := range s.policies {
		for i := range p.rules {
			r := &p.rules[i]
			if !r.pattern.matches(path) {
				continue
			}
			if r.rule.Capabilities&Deny != 0 {
				return false
			}
			have |= r.rule.Capabilities
		}
	}
	return have&want == want
}

// Explain is Check for one capability, with the reason.
func (s Set) Explain(path string, want Capability) Decision {
	d := Decision{Reason: "no rule grants " + want.String() + " on " + path}
	if s.confined && isReserved(path) {
		return Decision{Reason: "sys, tenants and audit/verify belong to the root tenant"}
	}
	for _, p := range s.policies {
		for i := range p.rules {
			r := &p.rules[i]
			if !r.pattern.matches(path) {
				continue
			}
			if r.rule.Capabilities&Deny != 0 {
				return Decision{Found: true, Policy: p.name, Rule: r.rule, Reason: "a rule denies " + r.rule.Path}
			}
			if !d.Allowed && r.rule.Capabilities&want == want && want != 0 {
				d = Decision{Allowed: true, Found: true, Policy: p.name, Rule: r.rule, Reason: "a rule grants " + want.String() + " on " + r.rule.Path}
			}
		}
	}
	return d
}

// each calls f with every rule that denies, or with every one that grants, until it returns true.
func (s Set) each(deny bool, f func(*compiled) bool) bool {
	for _, p := range s.policies {
		for i := range p.rules {
			if r := &p.rules[i]; (r.rule.Capabilities&Deny != 0) == deny && f(r) {
				return true
			}
		}
	}
	return false
}

// Overlaps reports whether something that begins with the text prefix may be allowed. It may say yes where nothing is, never
// no where something is.
func (s Set) Overlaps(prefix string, want Capability) bool {
	if all, whole := beneath(prefix); whole && s.each(true, func(d *compiled) bool { return d.pattern.covers(all) }) {
		return false
	}
	return s.each(false, func(r *compiled) bool {
		if r.rule.Capabilities&want == 0 || !r.pattern.reaches(prefix) {
			return false
		}
		hidden := s.each(true, func(d *compiled) bool { return d.pattern.covers(r.pattern) })
		return !hidden
	})
}

// beneath returns what matches every path that begins with prefix, if that ends a segment.
func beneath(prefix string) (p pattern, whole bool) {
	if !strings.HasSuffix(prefix, "/") {
		return nil, false
	}
	return patternOf(prefix + "*"), true
}

// deniesMore reports whether s may deny something that o does not.
func (s Set) deniesMore(o Set) bool {
	return s.each(true, func(d *compiled) bool {
		return !o.each(true, func(own *compiled) bool { return own.pattern.covers(d.pattern) })
	})
}
