package managedkey

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/trstctl/trstctl/fsm"
)

// ObjectMade records a new object. Its material, when it has any, is sealed for its id and stands beside it.
type ObjectMade struct {
	Object   Object     `cbor:"1,keyasint"`
	Material fsm.Sealed `cbor:"2,keyasint"`
}

// ObjectChanged records an object as it is from now on.
type ObjectChanged struct {
	Object Object `cbor:"1,keyasint"`
}

// ObjectDestroyed destroys the material of an object, which is as it says from now on.
type ObjectDestroyed struct {
	Object Object `cbor:"1,keyasint"`
}

// UsageTaken takes from the usage limits of an object.
type UsageTaken struct {
	ID     string   `cbor:"1,keyasint"`
	Amount int64    `cbor:"2,keyasint"`
	At     fsm.Time `cbor:"3,keyasint"` // from now on its last change date
}

// NameTaken gives a name to an object: one that nobody had, or that of an object which it comes in the place of.
type NameTaken struct {
	Name Name   `cbor:"1,keyasint"`
	ID   string `cbor:"2,keyasint"`
}

// NameFreed lets a name be taken again.
type NameFreed struct {
	Name Name `cbor:"1,keyasint"`
}

// GroupServed records which member of a group was given last as its default, so that the next one follows.
type GroupServed struct {
	Group  string `cbor:"1,keyasint"`
	Number uint64 `cbor:"2,keyasint"` // of the object
}

// EventType, EventStream and Since implement fsm.Newer.
func (ObjectMade) EventType() string          { return "managedkey.object.made" }
func (e ObjectMade) EventStream() string      { return stream(e.Object.ID) }
func (ObjectMade) Since() uint32              { return since }
func (ObjectChanged) EventType() string       { return "managedkey.object.changed" }
func (e ObjectChanged) EventStream() string   { return stream(e.Object.ID) }
func (ObjectChanged) Since() uint32           { return since }
func (ObjectDestroyed) EventType() string     { return "managedkey.object.destroyed" }
func (e ObjectDestroyed) EventStream() string { return stream(e.Object.ID) }
func (ObjectDestroyed) Since() uint32         { return since }
func (UsageTaken) EventType() string          { return "managedkey.usage.taken" }
func (e UsageTaken) EventStream() string      { return stream(e.ID) }
func (UsageTaken) Since() uint32              { return since }
func (NameTaken) EventType() string           { return "managedkey.name.taken" }
func (e NameTaken) EventStream() string       { return nameStream(e.Name) }
func (NameTaken) Since() uint32               { return since }
func (NameFreed) EventType() string           { return "managedkey.name.freed" }
func (e NameFreed) EventStream() string       { return nameStream(e.Name) }
func (NameFreed) Since() uint32               { return since }
func (GroupServed) EventType() string         { return "managedkey.group.served" }
func (e GroupServed) EventStream() string     { return groupStream(e.Group) }
func (GroupServed) Since() uint32             { return since }

// since is the version of the cluster that managed objects came with.
const since = 4

func stream(id string) string { return "managedkey/object/" + id }

// The streams of names and groups carry hashes: a client's text may be long, and streams stand in records.
func nameStream(n Name) string {
	return "managedkey/name/" + hashed("name", strconv.FormatUint(uint64(n.Type), 10), n.Value)
}

func groupStream(group string) string { return "managedkey/group/" + hashed("group", group) }

// hashed is SHA-256 over parts, each behind its length, cut to 128 bits: enough that nobody finds two texts that share a stream.
func hashed(parts ...string) string { return hex.EncodeToString(hash(parts...)) }

func hash(parts ...string) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(strconv.Itoa(len(p)) + ":" + p))
	}
	return h.Sum(nil)[:16]
}
