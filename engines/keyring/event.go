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

// What follows is of version 2 of the cluster.

// SealRecorded says that a seal wraps the root keys, or that it does so with another key from here on. MAC, under the root KEK of version
// Root, is over the rest: nobody who edits a disk or a backup adds a public key.
type SealRecorded struct {
	Name      string   `cbor:"1,keyasint"`
	Kind      string   `cbor:"2,keyasint"`
	Public    []byte   `cbor:"3,keyasint,omitempty"` // of a seal that people hold: new root keys are wrapped for it without them
	Shares    uint32   `cbor:"4,keyasint,omitempty"`
	Threshold uint32   `cbor:"5,keyasint,omitempty"`
	Root      uint32   `cbor:"6,keyasint"`
	MAC       [32]byte `cbor:"7,keyasint"`
}

// SealRemoved ends a seal: what it wrapped is destroyed.
type SealRemoved struct {
	Name string `cbor:"1,keyasint"`
}

// RootWrapped brings what a seal made of a root KEK that others hold already, in the place of what it made before.
type RootWrapped struct {
	Version uint32 `cbor:"1,keyasint"`
	Wrap    Wrap   `cbor:"2,keyasint"`
}

// RootBridged brings a root KEK under the version before it: nodes that have that one need no seal for it. It is destroyed with the
// version before.
type RootBridged struct {
	Version uint32     `cbor:"1,keyasint"`
	Key     fsm.Sealed `cbor:"2,keyasint"`
}

// RootRetired ends a root KEK that wraps nothing more but its canary and the bridge to the next one. Both go with it.
type RootRetired struct {
	Version uint32 `cbor:"1,keyasint"`
}

// TenantKEKRotated brings the next version of a tenant's KEK. Root is the newest root KEK at that time.
type TenantKEKRotated struct {
	Version uint32     `cbor:"1,keyasint"`
	Key     fsm.Sealed `cbor:"2,keyasint"`
	Root    uint32     `cbor:"3,keyasint"`
}

// TenantKEKRetired ends a version of a tenant's KEK that wraps nothing more.
type TenantKEKRetired struct {
	Version uint32 `cbor:"1,keyasint"`
}

// Rewrapped says that values were wrapped anew; the entry that holds it brings the wraps.
type Rewrapped struct {
	From   uint32 `cbor:"1,keyasint"`
	To     uint32 `cbor:"2,keyasint"`
	Values uint32 `cbor:"3,keyasint"`
}

// RotationBegan opens a rotation of the root KEK (stream of the root tenant) or of a tenant's. With Tenants every tenant's KEK is made
// anew too: for a seal that was removed or has leaked.
type RotationBegan struct {
	From    uint32 `cbor:"1,keyasint"`
	To      uint32 `cbor:"2,keyasint"`
	Values  uint64 `cbor:"3,keyasint"` // that were to be wrapped anew then
	Tenants bool   `cbor:"4,keyasint,omitempty"`
	Root    bool   `cbor:"5,keyasint,omitempty"`
}

// RotationEnded closes it: nothing is left under an older version.
type RotationEnded struct {
	To   uint32 `cbor:"1,keyasint"`
	Root bool   `cbor:"2,keyasint,omitempty"`
}

const since = 2

const sealsStream = "keyring/seals"

// EventType and EventStream implement fsm.Event.
func (SealRecorded) EventType() string       { return "keyring.seal.recorded" }
func (SealRecorded) EventStream() string     { return sealsStream }
func (SealRemoved) EventType() string        { return "keyring.seal.removed" }
func (SealRemoved) EventStream() string      { return sealsStream }
func (RootWrapped) EventType() string        { return "keyring.root_kek.wrapped" }
func (RootWrapped) EventStream() string      { return rootStream }
func (RootBridged) EventType() string        { return "keyring.root_kek.bridged" }
func (RootBridged) EventStream() string      { return rootStream }
func (RootRetired) EventType() string        { return "keyring.root_kek.retired" }
func (RootRetired) EventStream() string      { return rootStream }
func (TenantKEKRotated) EventType() string   { return "keyring.tenant_kek.rotated" }
func (TenantKEKRotated) EventStream() string { return tenantStream }
func (TenantKEKRetired) EventType() string   { return "keyring.tenant_kek.retired" }
func (TenantKEKRetired) EventStream() string { return tenantStream }
func (Rewrapped) EventType() string          { return "keyring.values.rewrapped" }
func (Rewrapped) EventStream() string        { return "keyring/rewrap" }
func (RotationBegan) EventType() string      { return "keyring.rotation.began" }
func (e RotationBegan) EventStream() string  { return rotationStream(e.Root) }
func (RotationEnded) EventType() string      { return "keyring.rotation.ended" }
func (e RotationEnded) EventStream() string  { return rotationStream(e.Root) }

// Since implements fsm.Newer.
func (SealRecorded) Since() uint32     { return since }
func (SealRemoved) Since() uint32      { return since }
func (RootWrapped) Since() uint32      { return since }
func (RootBridged) Since() uint32      { return since }
func (RootRetired) Since() uint32      { return since }
func (TenantKEKRotated) Since() uint32 { return since }
func (TenantKEKRetired) Since() uint32 { return since }
func (Rewrapped) Since() uint32        { return since }
func (RotationBegan) Since() uint32    { return since }
func (RotationEnded) Since() uint32    { return since }

// rotationStream is rootStream or tenantStream: the root tenant has both.
func rotationStream(root bool) string {
	if root {
		return rootStream
	}
	return tenantStream
}
