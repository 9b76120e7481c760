package secret

import "github.com/trstctl/trstctl/fsm"

// Attributes describe a version; they stand in clear on disk.
type Attributes struct {
	Labels      map[string]string `cbor:"1,keyasint,omitempty"`
	ContentType string            `cbor:"2,keyasint,omitempty"`
	Expires     fsm.Time          `cbor:"3,keyasint,omitempty"` // 0: never
}

// VersionWritten records the next version of the secret at Path, however it came about.
type VersionWritten struct {
	Path       string     `cbor:"1,keyasint"`
	Version    uint64     `cbor:"2,keyasint"`
	Value      fsm.Sealed `cbor:"3,keyasint"`
	Size       uint32     `cbor:"4,keyasint"` // of the value, bytes
	Attributes Attributes `cbor:"5,keyasint"`
}

// Deleted hides the secret at Path; its history stays.
type Deleted struct {
	Path string `cbor:"1,keyasint"`
}

// Undeleted shows it again.
type Undeleted struct {
	Path string `cbor:"1,keyasint"`
}

// VersionPurged destroys the value of one version, or of all when Version is 0.
type VersionPurged struct {
	Path    string `cbor:"1,keyasint"`
	Version uint64 `cbor:"2,keyasint"`
}

// EventType and EventStream implement fsm.Event.
func (VersionWritten) EventType() string     { return "secret.version.written" }
func (e VersionWritten) EventStream() string { return stream(e.Path) }
func (Deleted) EventType() string            { return "secret.value.deleted" }
func (e Deleted) EventStream() string        { return stream(e.Path) }
func (Undeleted) EventType() string          { return "secret.value.undeleted" }
func (e Undeleted) EventStream() string      { return stream(e.Path) }
func (VersionPurged) EventType() string      { return "secret.version.purged" }
func (e VersionPurged) EventStream() string  { return stream(e.Path) }

func stream(path string) string { return "secret/" + path }
