package transit

import "github.com/trstctl/trstctl/fsm"

// Settings are what may be changed of a key.
type Settings struct {
	MinDecrypt  uint64 `cbor:"1,keyasint,omitempty"` // versions below it decrypt and verify nothing
	MinEncrypt  uint64 `cbor:"2,keyasint,omitempty"` // versions below it encrypt and sign nothing; 0: only the latest does, unless one is asked for
	Exportable  bool   `cbor:"3,keyasint,omitempty"`
	Deletable   bool   `cbor:"4,keyasint,omitempty"`
	RotateEvery int64  `cbor:"5,keyasint,omitempty"` // seconds; 0: never by itself
	Rotatable   bool   `cbor:"6,keyasint,omitempty"` // an imported key may get versions that are made here
}

// KeyCreated records a new key. Its UID is drawn, and never given again: a ciphertext names the key by it, so that none opens under another key that
// gets the same name later.
type KeyCreated struct {
	Name       string   `cbor:"1,keyasint"`
	UID        fsm.UID  `cbor:"2,keyasint"`
	Algorithm  string   `cbor:"3,keyasint"`
	Derived    bool     `cbor:"4,keyasint,omitempty"` // each use takes a context, from which its working key is made
	Convergent bool     `cbor:"5,keyasint,omitempty"` // the same plaintext gives the same ciphertext
	Imported   bool     `cbor:"6,keyasint,omitempty"`
	Settings   Settings `cbor:"7,keyasint"`
	Origin     fsm.UID  `cbor:"8,keyasint"`           // tenant in which it was first made: what its ciphertexts bind
	Given      uint64   `cbor:"9,keyasint,omitempty"` // the highest number that any version had before: of a key that was restored
}

// KeyRestored records that a key was created from a backup. Its stream is the key's UID's, so that a key comes back under one name alone.
type KeyRestored struct {
	UID  fsm.UID `cbor:"1,keyasint"`
	Name string  `cbor:"2,keyasint"`
}

// VersionAdded records the next version of a key: from now on its latest.
type VersionAdded struct {
	Name     string     `cbor:"1,keyasint"`
	UID      fsm.UID    `cbor:"2,keyasint"`
	Version  uint64     `cbor:"3,keyasint"`
	Material fsm.Sealed `cbor:"4,keyasint"`
	Public   []byte     `cbor:"5,keyasint,omitempty"` // SubjectPublicKeyInfo
	Reserved uint64     `cbor:"6,keyasint,omitempty"` // messages that it may have encrypted already: of a version that was restored
}

// Configured records all settings of a key as they are from now on.
type Configured struct {
	Name     string   `cbor:"1,keyasint"`
	Settings Settings `cbor:"2,keyasint"`
}

// Trimmed destroys the versions of a key below one.
type Trimmed struct {
	Name  string `cbor:"1,keyasint"`
	Below uint64 `cbor:"2,keyasint"`
}

// Deleted destroys a key with all its versions.
type Deleted struct {
	Name string `cbor:"1,keyasint"`
}

// Reserved lets a node encrypt so many more messages under a version whose nonces are drawn.
type Reserved struct {
	Name     string `cbor:"1,keyasint"`
	Version  uint64 `cbor:"2,keyasint"`
	Messages uint64 `cbor:"3,keyasint"`
}

// EventType, EventStream and Since implement fsm.Newer.
func (KeyCreated) EventType() string       { return "transit.key.created" }
func (e KeyCreated) EventStream() string   { return stream(e.Name) }
func (KeyCreated) Since() uint32           { return since }
func (KeyRestored) EventType() string      { return "transit.key.restored" }
func (e KeyRestored) EventStream() string  { return uidStream(e.UID) }
func (KeyRestored) Since() uint32          { return since }
func (VersionAdded) EventType() string     { return "transit.version.added" }
func (e VersionAdded) EventStream() string { return stream(e.Name) }
func (VersionAdded) Since() uint32         { return since }
func (Configured) EventType() string       { return "transit.key.configured" }
func (e Configured) EventStream() string   { return stream(e.Name) }
func (Configured) Since() uint32           { return since }
func (Trimmed) EventType() string          { return "transit.key.trimmed" }
func (e Trimmed) EventStream() string      { return stream(e.Name) }
func (Trimmed) Since() uint32              { return since }
func (Deleted) EventType() string          { return "transit.key.deleted" }
func (e Deleted) EventStream() string      { return stream(e.Name) }
func (Deleted) Since() uint32              { return since }
func (Reserved) EventType() string         { return "transit.messages.reserved" }
func (e Reserved) EventStream() string     { return stream(e.Name) }
func (Reserved) Since() uint32             { return since }

// since is the version of the cluster that transit came with.
const since = 3

func stream(name string) string { return "transit/" + name }

// uidStream cannot be that of a key: no name has a slash.
func uidStream(uid fsm.UID) string { return "transit/uid/" + uid.String() }
