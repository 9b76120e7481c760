package tenant

import (
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

const maxName = 63

// checkName accepts [a-z0-9][a-z0-9-]{0,62} and nothing that could be folded or normalised into it.
func checkName(name string) error {
	ok := len(name) >= 1 && len(name) <= maxName && name[0] != '-'
	for i := 0; ok && i < len(name); i++ {
		c := name[i]
		ok = 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-'
	}
	if !ok {
		return fault.Bad("name", "a tenant's name has 1 to %d lower-case letters, digits and hyphens and does not begin with a hyphen", maxName)
	}
	return nil
}

// decideCreate refuses a name that is in use.
func decideCreate(name string, taken bool) error {
	if taken {
		return fault.New(fault.Conflict, "tenant %q exists", name)
	}
	return nil
}

// decideDelete refuses what does not exist and the tenant that operates the cluster.
func decideDelete(name string, t Tenant, found bool) error {
	switch {
	case !found:
		return fault.New(fault.NotFound, "no tenant is named %.63q", name)
	case t.UID == fsm.RootTenant:
		return fault.New(fault.Denied, "the root tenant operates the cluster and cannot be deleted")
	}
	return nil
}
