package rbac

import (
	"strings"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Capability is a set of things that a rule lets its holder do.
type Capability uint8

// The capabilities. Deny takes all of them away, whatever other rules say.
const (
	Read Capability = 1 << iota
	Write
	Delete
	List
	Sudo
	Deny
)

// All is every capability that grants something.
const All = Read | Write | Delete | List | Sudo

var capabilityNames = [...]string{"read", "write", "delete", "list", "sudo", "deny"}

// ParseCapability reads the name of one capability.
func ParseCapability(name string) (Capability, error) {
	for i, n := range capabilityNames {
		if n == name {
			return 1 << i, nil
		}
	}
	return 0, fault.Bad("capabilities", "%.40q is not a capability: they are %s", name, strings.Join(capabilityNames[:], ", "))
}

// Names returns the names of the capabilities in c.
func (c Capability) Names() []string {
	var out []string
	for i, n := range capabilityNames {
		if c&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}

// String joins the names with commas.
func (c Capability) String() string { return strings.Join(c.Names(), ",") }
