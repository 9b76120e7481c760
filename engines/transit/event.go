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
}

// VersionAdded records the next version of a key: from now on its latest.
type VersionAdded struct {
	Name     string     `cbor:"1,keyasint"`
	UID      fsm.UID    `cbor:"2,keyasint"`
	Version  uint64     `cbor:"3,keyasint"`
	Material fsm.Sealed `cbor:"4,keyasint"`
	Public   []byte     `cbor:"5,keyasint,omitempty"` // SubjectPublicKeyInfo, or the encapsulation key
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

// EventType and EventStream implement fsm.Event.
func (KeyCreated) EventType() string       { return "transit.key.created" }
func (e KeyCreated) EventStream() string   { return stream(e.Name) }
func (VersionAdded) EventType() string     { return "transit.version.added" }
func (e VersionAdded) EventStream() string { return stream(e.Name) }
func (Configured) EventType() string       { return "transit.key.configured" }
func (e Configured) EventStream() string   { return stream(e.Name) }
func (Trimmed) EventType() string          { return "transit.key.trimmed" }
func (e Trimmed) EventStream() string      { return stream(e.Name) }
func (Deleted) EventType() string          { return "transit.key.deleted" }
func (e Deleted) EventStream() string      { return stream(e.Name) }
func (Reserved) EventType() string         { return "transit.messages.reserved" }
func (e Reserved) EventStream() string     { return stream(e.Name) }

func stream(name string) string { return "transit/" + name }
