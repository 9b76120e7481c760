package audit

import "github.com/trstctl/trstctl/fsm"

// since is the version of the cluster that these events came with.
const since = 2

// Head is the end of a node's journal of reads, as far as its disk surely has it. Journal is the journal's own name: a node that lost its
// files begins another.
type Head struct {
	Node    string   `cbor:"1,keyasint"`
	Journal fsm.UID  `cbor:"2,keyasint"`
	Seq     uint64   `cbor:"3,keyasint"`
	Hash    [32]byte `cbor:"4,keyasint"`
}

// Anchored records the heads that moved since the entry of this kind before. It stands in the root tenant's space.
type Anchored struct {
	Heads []Head `cbor:"1,keyasint"`
}

// EventType, EventStream and Since implement fsm.Newer, here and below.
func (Anchored) EventType() string   { return "audit.journal.anchored" }
func (Anchored) EventStream() string { return "audit/journals" }
func (Anchored) Since() uint32       { return since }

// KeyMade records a key that signs exports. Private is an Ed25519 seed. It stands in the root tenant's space.
type KeyMade struct {
	Version uint32     `cbor:"1,keyasint"`
	Public  []byte     `cbor:"2,keyasint"`
	Private fsm.Sealed `cbor:"3,keyasint"`
}

func (KeyMade) EventType() string   { return "audit.key.made" }
func (KeyMade) EventStream() string { return keyStream }
func (KeyMade) Since() uint32       { return since }

const keyStream = "audit/key"
