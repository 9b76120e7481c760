package rbac

// Written records what a policy says from here on.
type Written struct {
	Name  string `cbor:"1,keyasint"`
	Rules []Rule `cbor:"2,keyasint"`
}

// Deleted ends a policy: tokens that name it lose what it granted.
type Deleted struct {
	Name string `cbor:"1,keyasint"`
}

// EventType and EventStream implement fsm.Event.
func (Written) EventType() string     { return "rbac.policy.written" }
func (e Written) EventStream() string { return stream(e.Name) }
func (Deleted) EventType() string     { return "rbac.policy.deleted" }
func (e Deleted) EventStream() string { return stream(e.Name) }

func stream(name string) string { return "policy/" + name }
