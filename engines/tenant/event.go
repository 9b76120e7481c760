package tenant

import "github.com/trstctl/trstctl/fsm"

// Created records a new tenant. It stands in the tenant's own space.
type Created struct {
	Name string `cbor:"1,keyasint"`
}

// EventType and EventStream implement fsm.Event, here and below.
func (Created) EventType() string   { return "tenant.tenant.created" }
func (Created) EventStream() string { return stream }

// Deleted records the end of a tenant. It stands in the tenant's own space.
type Deleted struct{}

func (Deleted) EventType() string   { return "tenant.tenant.deleted" }
func (Deleted) EventStream() string { return stream }

// NameTaken records which tenant has a name from now on. It stands in the root tenant's space.
type NameTaken struct {
	Name   string  `cbor:"1,keyasint"`
	Tenant fsm.UID `cbor:"2,keyasint"`
}

func (NameTaken) EventType() string     { return "tenant.name.taken" }
func (e NameTaken) EventStream() string { return nameStream(e.Name) }

// NameFreed records that a name may be used again. It stands in the root tenant's space.
type NameFreed struct {
	Name string `cbor:"1,keyasint"`
}

func (NameFreed) EventType() string     { return "tenant.name.freed" }
func (e NameFreed) EventStream() string { return nameStream(e.Name) }

const stream = "tenant"

func nameStream(name string) string { return "tenant-name/" + name }
