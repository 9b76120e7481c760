package rbac

import (
	"cmp"
	"regexp"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Root is the policy of the root tenant that allows everything. It is not stored and cannot be written.
const Root = "root"

const maxPolicies = 1024

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// ValidName checks a policy's name: nothing is normalised, so nothing can be normalised into another name.
func ValidName(name string) error {
	if !nameForm.MatchString(name) {
		return fault.Bad("name", "a policy's name is 1 to 64 characters of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit")
	}
	if name == Root {
		return fault.New(fault.Denied, "the policy root is built in and cannot be changed")
	}
	return nil
}

// decideWrite lets a policy stand if its writer may grant what it grants and take back what it no longer denies.
func decideWrite(rules, old, own Set, name string, exists bool, held uint64) error {
	switch {
	case !exists && held >= maxPolicies:
		return fault.New(fault.Limit, "the tenant has %d policies, the most it may", held)
	case own.Check("policies/"+name, Sudo):
		return nil
	}
	if err := cmp.Or(rules.bounded(), own.bounded()); err != nil {
		return err
	}
	switch {
	case !rules.Within(own):
		return fault.New(fault.Denied, "the policy grants more than the token that writes it may do, and it has no sudo here")
	case old.deniesMore(rules):
		return fault.New(fault.Denied, "the policy would no longer deny what it denies now: that needs sudo on policies/%s", name)
	}
	return nil
}

func decideDelete(old, own Set, name string) error {
	if old.deniesMore(Set{}) && !own.Check("policies/"+name, Sudo) {
		return fault.New(fault.Denied, "the policy denies something: to delete it needs sudo on policies/%s", name)
	}
	return nil
}

func rootSet() *named { return compile(Root, []Rule{{"*", All}}) }

// admin is the policy that a new tenant starts with.
func admin() []Rule {
	var rules []Rule
	for _, p := range []string{"secrets/*", "transit/*", "kmip/*", "dynamic/*", "pki/*", "leases", "leases/*", "outbox", "tokens", "tokens/*", "policies", "policies/*", "audit/*"} {
		rules = append(rules, Rule{p, All})
	}
	return append(rules, Rule{"secrets", List})
}

func confined(tenant fsm.UID) bool { return tenant != fsm.RootTenant }
