package rbac

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
	"unique"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Limits of a policy.
const (
	maxRules = 256
	maxPath  = 1100     // bytes: a secret's path behind its prefix
	maxBytes = 64 << 10 // of all paths together, and of a policy in YAML
)

// Rule grants capabilities on the paths that Path matches, or denies them. A segment "+" of Path stands for any one segment, a last segment "*"
// for one or more; everything else is literal. "secrets/team-a/*" does not match "secrets/team-a".
type Rule struct {
	Path         string     `cbor:"1,keyasint" json:"path"`
	Capabilities Capability `cbor:"2,keyasint" json:"capabilities"`
}

// check refuses a rule that cannot match or that says nothing.
func (r Rule) check() error {
	switch {
	case r.Path == "" || len(r.Path) > maxPath || !utf8.ValidString(r.Path):
		return fault.Bad("path", "a rule's path is UTF-8 of 1 to %d bytes", maxPath)
	case r.Capabilities == 0 || r.Capabilities&^(All|Deny) != 0:
		return fault.Bad("capabilities", "the rule for %.80q names no capability", r.Path)
	case r.Capabilities&Deny != 0 && r.Capabilities != Deny:
		return fault.Bad("capabilities", "the rule for %.80q denies and grants: deny stands alone", r.Path)
	case strings.ContainsFunc(r.Path, unicode.IsControl):
		return fault.Bad("path", "a rule's path has no control characters")
	}
	segments := strings.Split(r.Path, "/")
	for i, s := range segments {
		if s == "" || s == "." || s == ".." {
			return fault.Bad("path", "the rule's path %.80q has an empty, '.' or '..' segment", r.Path)
		}
		if s == "*" && i != len(segments)-1 {
			return fault.Bad("path", "in %.80q '*' is not the last segment: use '+' for one segment", r.Path)
		}
	}
	return nil
}

func checkRules(rules []Rule) error {
	if len(rules) > maxRules {
		return fault.Bad("rules", "a policy has at most %d rules", maxRules)
	}
	size := 0
	for i, r := range rules {
		if err := r.check(); err != nil {
			return at(i, err)
		}
		size += len(r.Path)
	}
	if size > maxBytes {
		return fault.New(fault.TooLarge, "the paths of a policy take at most %d bytes together, not %d", maxBytes, size)
	}
	return nil
}

// at says which rule of a policy is the bad one.
func at(i int, err error) error {
	bad, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	named := *bad
	named.Field = fmt.Sprintf("rules[%d].%s", i, bad.Field)
	return &named
}

// checkInside refuses rules of a tenant other than root that speak of the cluster's own paths: they would have no effect, and
// whoever reads them would think that they have.
func checkInside(rules []Rule) error {
	for i, r := range rules {
		if namesReserved(r.Path) {
			return at(i, fault.Bad("path", "the rule's path %.80q is not a tenant's: sys, tenants and audit/verify belong to the root tenant", r.Path))
		}
	}
	return nil
}

// pattern is a rule's path, or a path, in segments. They are interned, so that it costs little to compare many.
type pattern []segment

type segment = unique.Handle[string]

// The segments that stand for any one, and at the end for one or more.
var anyOne, anyRest = unique.Make("+"), unique.Make("*")

func patternOf(path string) pattern {
	p := make(pattern, 0, strings.Count(path, "/")+1)
	for s := range strings.SplitSeq(path, "/") {
		p = append(p, unique.Make(s))
	}
	return p
}

// matches reports whether p matches path, without taking path apart.
func (p pattern) matches(path string) bool {
	for i, s := range p {
		if s == anyRest && i == len(p)-1 {
			return path != ""
		}
		segment, rest, more := strings.Cut(path, "/")
		if s != anyOne && s.Value() != segment || segment == "" || more == (i == len(p)-1) {
			return false
		}
		path = rest
	}
	return true
}

// covers reports whether p matches everything that q matches.
func (p pattern) covers(q pattern) bool {
	for i, s := range p {
		switch {
		case i >= len(q):
			return false
		case s == anyRest && i == len(p)-1:
			return true
		case q[i] == anyRest && i == len(q)-1, s != anyOne && s != q[i]:
			return false
		}
	}
	return len(p) == len(q)
}

// overlaps reports whether some path matches both.
func (p pattern) overlaps(q pattern) bool {
	for i := range min(len(p), len(q)) {
		if p[i] == anyRest && i == len(p)-1 || q[i] == anyRest && i == len(q)-1 {
			return true
		}
		if p[i] != q[i] && p[i] != anyOne && q[i] != anyOne {
			return false
		}
	}
	return len(p) == len(q)
}

// reaches reports whether p matches some path that begins with the text prefix.
func (p pattern) reaches(prefix string) bool {
	segments := strings.Split(prefix, "/")
	for i, s := range p {
		last := i == len(segments)-1
		switch {
		case s == anyRest && i == len(p)-1:
			return true
		case last:
			return s == anyOne || strings.HasPrefix(s.Value(), segments[i])
		case s != anyOne && s.Value() != segments[i]:
			return false
		}
	}
	return false
}

// reserved are the paths of the cluster itself, which no policy of another tenant than root reaches: the operators' own, and
// the verification of the chain, which reads the records of all tenants.
var (
	operators = []pattern{patternOf("sys"), patternOf("sys/*"), patternOf("tenants"), patternOf("tenants/*")}
	reserved  = append(slices.Clip(operators), patternOf(verify))
)

const verify = "audit/verify"

func isReserved(path string) bool {
	return slices.ContainsFunc(reserved, func(p pattern) bool { return p.matches(path) })
}

func touchesReserved(p pattern) bool { return slices.ContainsFunc(reserved, p.overlaps) }

// namesReserved reports whether a rule speaks of the cluster's own paths. "*" speaks of everything that a tenant has.
func namesReserved(path string) bool {
	return path == verify || path != "*" && slices.ContainsFunc(operators, patternOf(path).overlaps)
}
