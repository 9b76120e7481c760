package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"iter"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Anchor is the newest head of a node that was anchored, and when.
type Anchor struct {
	Head Head     `cbor:"1,keyasint"`
	At   fsm.Time `cbor:"2,keyasint"`
}

var (
	anchors = fsm.NewTable[Anchor]("audit.anchor") // key: node
	keys    = fsm.NewTable[KeyMade]("audit.key")   // key: version
)

// Register makes the events of this feature known.
func Register(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e Anchored) error {
		for _, h := range e.Heads {
			if err := anchors.Put(tx, fsm.K(h.Node), Anchor{h, m.At}); err != nil {
				return err
			}
		}
		return nil
	})
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e KeyMade) error { return keys.Put(tx, fsm.K(uint64(e.Version)), e) })
}

// Newest returns the newest anchor of each node that ever had one.
func Newest(r fsm.Reader) (map[string]Anchor, error) {
	out := map[string]Anchor{}
	err := anchors.Scan(r, fsm.Span{}, func(_ fsm.Key, a Anchor) (bool, error) {
		out[a.Head.Node] = a
		return true, nil
	})
	return out, err
}

// Anchors walks the event log and returns the heads of one node's journals in its order. A cluster that was restored from a backup may have a new
// node under an old one's id: of what was anchored before, only the heads of the journal that the node has now, own, are its.
func Anchors(r fsm.Reader, node string, own fsm.UID) iter.Seq2[Head, error] {
	return func(yield func(Head, error) bool) {
		restored, err := lastRestored(r)
		if err == nil {
			err = fsm.History(r, 0, false, func(rec fsm.Record) (bool, error) {
				for _, e := range rec.Events {
					heads, err := HeadsOf(e)
					if err != nil {
						return false, err
					}
					for _, h := range heads {
						if h.Node == node && (rec.Seq > restored || h.Journal == own) && !yield(h, nil) {
							return false, errStop
						}
					}
				}
				return true, nil
			})
		}
		if err != nil && !errors.Is(err, errStop) {
			yield(Head{}, err)
		}
	}
}

// lastRestored returns the sequence of the record that began this history of the cluster, 0 in the first.
func lastRestored(r fsm.Reader) (seq uint64, err error) {
	if fsm.Epoch(r) == fsm.FirstEpoch {
		return 0, nil
	}
	err = fsm.History(r, 0, true, func(rec fsm.Record) (bool, error) {
		for _, e := range rec.Events {
			if Restores(e) {
				seq = rec.Seq
			}
		}
		return seq == 0, nil
	})
	return seq, err
}

// Restores reports whether an event begins another history of the cluster.
func Restores(e fsm.PastEvent) bool {
	return e.Type == (fsm.Restored{}).EventType() && e.Tenant == fsm.RootTenant
}

var errStop = errors.New("enough")

// HeadsOf returns the heads that an event anchors; most anchor none.
func HeadsOf(e fsm.PastEvent) ([]Head, error) {
	if e.Type != (Anchored{}).EventType() || e.Tenant != fsm.RootTenant {
		return nil, nil
	}
	var a Anchored
	if err := fsm.Decode(e.Data, &a); err != nil {
		return nil, fault.New(fault.Corrupt, "an anchor in the event log cannot be read").Because(err)
	}
	return a.Heads, nil
}

// Key is the public half of what signs exports.
type Key struct {
	Version uint32
	Public  []byte // Ed25519
}

// Fingerprint is what a reader compares: SHA-256 of the public key.
func (k Key) Fingerprint() string { return Fingerprint(k.Public) }

// Fingerprint names a public key.
func Fingerprint(public []byte) string {
	sum := sha256.Sum256(public)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// NewestKey returns the key that signs now; found is false before the leader has made one.
func NewestKey(r fsm.Reader) (k Key, found bool, err error) {
	row, found, err := newestKey(r)
	return Key{row.Version, row.Public}, found, err
}

func newestKey(r fsm.Reader) (row KeyMade, found bool, err error) {
	err = keys.Scan(r, fsm.Span{Reverse: true}, func(_ fsm.Key, k KeyMade) (bool, error) {
		row, found = k, true
		return false, nil
	})
	return row, found, err
}
