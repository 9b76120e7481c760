package cluster

import (
	"encoding/hex"

	"github.com/trstctl/trstctl/fsm"
)

// Founded opens the history of a cluster. The CA's private key and the gossip key are sealed under the root tenant's KEK.
type Founded struct {
	Cluster   fsm.UID    `cbor:"1,keyasint"`
	CA        []byte     `cbor:"2,keyasint"` // certificate, DER
	CAKey     fsm.Sealed `cbor:"3,keyasint"` // PKCS #8
	GossipKey fsm.Sealed `cbor:"4,keyasint"` // 32 bytes
}

// Announced says under which addresses, key and version a member is known. Each member's changes are announced by the leader.
type Announced struct {
	Member Member `cbor:"1,keyasint"`
}

// TokenIssued admits one node, once, for 15 minutes. Only the token's hash is kept.
type TokenIssued struct {
	Hash    [32]byte `cbor:"1,keyasint"`
	Node    string   `cbor:"2,keyasint"`
	Expires fsm.Time `cbor:"3,keyasint"`
}

// Granted spends a join token for one key. It is committed before a certificate for that key is signed.
type Granted struct {
	Hash   [32]byte `cbor:"1,keyasint"`
	Member Member   `cbor:"2,keyasint"`
}

// Removed ends a member for ever: its id is refused from here on.
type Removed struct {
	Node string `cbor:"1,keyasint"`
}

// VersionRaised switches formats and behaviour on, at this index, on every node.
type VersionRaised struct {
	Version uint32 `cbor:"1,keyasint"`
}

// MembersReplaced says who the members are when an epoch begins. Everybody else is removed for ever, and no join token that was made before admits
// anyone. Proof is the CA's signature over the epoch.
type MembersReplaced struct {
	Members []Member `cbor:"1,keyasint"`
	Proof   []byte   `cbor:"2,keyasint"`
}

// EventType and EventStream implement fsm.Event.
func (Founded) EventType() string         { return "cluster.cluster.founded" }
func (Founded) EventStream() string       { return "cluster" }
func (Announced) EventType() string       { return "cluster.member.announced" }
func (e Announced) EventStream() string   { return memberStream(e.Member.ID) }
func (TokenIssued) EventType() string     { return "cluster.join_token.issued" }
func (e TokenIssued) EventStream() string { return joinStream(e.Hash) }
func (Granted) EventType() string         { return "cluster.join.granted" }
func (e Granted) EventStream() string     { return memberStream(e.Member.ID) } // two tokens for one id: the second grant misses its guard
func (Removed) EventType() string         { return "cluster.member.removed" }
func (e Removed) EventStream() string     { return memberStream(e.Node) }
func (VersionRaised) EventType() string   { return "cluster.version.raised" }
func (VersionRaised) EventStream() string { return "cluster/version" }

func (MembersReplaced) EventType() string   { return "cluster.members.replaced" }
func (MembersReplaced) EventStream() string { return "cluster/members" }
func (MembersReplaced) Since() uint32       { return 2 }

func memberStream(id string) string   { return "member/" + id }
func joinStream(hash [32]byte) string { return "join-token/" + hex.EncodeToString(hash[:8]) }
