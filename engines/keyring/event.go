package keyring

import (
	"github.com/trstctl/trstctl/fsm"
)

// Wrap is a root KEK as one seal keeps it. The wrapped bytes stand beside the event and the row, so that neither shows them and
// they can be destroyed.
type Wrap struct {
	Seal string     `cbor:"1,keyasint"` // the seal's name
	Key  fsm.Sealed `cbor:"2,keyasint"` // fsm.WrapFormat, then what its Wrap returned for: root KEK ‖ SHA-256(cluster, seal, version)
}

// RootAdded brings a version of the root KEK, wrapped by every configured seal. MAC, under the version before, shows that
// whoever added it had that one and meant this key; the first version has none.
type RootAdded struct {
	Version uint32     `cbor:"1,keyasint"`
	Wraps   []Wrap     `cbor:"2,keyasint"`
	Canary  fsm.Sealed `cbor:"3,keyasint"` // a known text under this version
	MAC     []byte     `cbor:"4,keyasint"`
}

// TenantKEKAdded brings a version of a tenant's KEK, sealed under the root KEK.
type TenantKEKAdded struct {
	Version uint32     `cbor:"1,keyasint"`
	Key     fsm.Sealed `cbor:"2,keyasint"`
}

// MACKeyMade brings the key under which a tenant's receipts are hashed, sealed under the tenant's KEK. It outlives rotations.
type MACKeyMade struct {
	Key fsm.Sealed `cbor:"1,keyasint"`
}

// TenantKeysDestroyed ends all keys of a tenant: nothing that was sealed under them can be read again.
type TenantKeysDestroyed struct{}

const (
	rootStream   = "keyring/root"
	tenantStream = "keyring/tenant"
)

// EventType and EventStream implement fsm.Event.
func (RootAdded) EventType() string             { return "keyring.root_kek.added" }
func (RootAdded) EventStream() string           { return rootStream }
func (TenantKEKAdded) EventType() string        { return "keyring.tenant_kek.added" }
func (TenantKEKAdded) EventStream() string      { return tenantStream }
func (MACKeyMade) EventType() string            { return "keyring.mac_key.made" }
func (MACKeyMade) EventStream() string          { return tenantStream }
func (TenantKeysDestroyed) EventType() string   { return "keyring.tenant_keys.destroyed" }
func (TenantKeysDestroyed) EventStream() string { return tenantStream }
