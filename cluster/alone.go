package cluster

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/cluster/logstore"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Alone makes a data directory the only node of its cluster, in a new epoch. It is for a node that does not run: after a restore into an empty
// directory, or when the majority is lost for good. Members that are left out are removed for ever, as everybody who was removed is.
//
// The order is: Events are applied to the tables, Settle writes them as the snapshot from which Raft starts, Commit gives a new directory its
// identity. Each step is on the disk when it returns; until the last one a mark of the caller's says that the directory is not a node's.
type Alone struct {
	id     *Identity
	ca     issuer
	self   Self
	fresh  bool // the identity was made here
	former []Member
}

// NewAlone makes the identity of a node in an empty directory, whose tables v already holds the cluster: a key of its own, and certificates by the
// cluster's CA, whose key is opened from v. The id may be that of a member, whose key is worth nothing from then on; not that of one that was
// removed before.
func NewAlone(dir, node string, self Self, v *fsm.View, keys Keys) (*Alone, error) {
	if err := ValidNode(node); err != nil {
		return nil, err
	}
	row, ca, caKey, err := authority(v, keys)
	if err != nil {
		return nil, err
	}
	if gone, err := wasRemoved(v, node); err != nil || gone {
		return nil, fault.New(fault.Conflict, "node: %q was removed from the cluster before the snapshot was taken: its id is never used again, choose another", node).Because(err)
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	id, err := newIdentity(dir, row.Founded.Cluster, node, key, ca)
	if err != nil {
		return nil, err
	}
	former, err := Members(v)
	return &Alone{id: id, ca: issuer{row.Founded.Cluster, ca, caKey}, self: self, fresh: true, former: former}, err
}

// LoadAlone takes the node that dir is. Its key and certificates stay.
func LoadAlone(dir string, self Self, v *fsm.View, keys Keys) (*Alone, error) {
	id, err := LoadIdentity(dir)
	if err != nil {
		return nil, err
	}
	row, ca, caKey, err := authority(v, keys)
	if err != nil {
		return nil, err
	}
	if row.Founded.Cluster != id.Cluster {
		return nil, fault.New(fault.Corrupt, "the tables in %s are of another cluster than its node", dir)
	}
	former, err := Members(v)
	return &Alone{id: id, ca: issuer{id.Cluster, ca, caKey}, self: self, former: former}, err
}

// authority opens the cluster's CA.
func authority(v *fsm.View, keys Keys) (row foundedRow, ca *x509.Certificate, key *ecdsa.PrivateKey, err error) {
	row, found, err := genesis(v)
	if err == nil && !found {
		err = fault.New(fault.Invalid, "the state holds no cluster: its founding is not in it")
	}
	if err != nil {
		return row, nil, nil, err
	}
	if ca, err = x509.ParseCertificate(row.Founded.CA); err != nil {
		return row, nil, nil, fault.New(fault.Corrupt, "the cluster's CA certificate cannot be read").Because(err)
	}
	key, err = caKeyOf(v, keys, row)
	return row, ca, key, err
}

// Identity returns who the node is.
func (a *Alone) Identity() *Identity { return a.id }

// Events returns the cluster's own part of the entry that begins an epoch.
func (a *Alone) Events(v *fsm.View, epoch uint32) ([]fsm.Event, error) {
	row, _, err := genesis(v)
	if err != nil {
		return nil, err
	}
	proof, err := a.ca.proveEpoch(epoch)
	if err != nil {
		return nil, err
	}
	events := []fsm.Event{MembersReplaced{Members: []Member{a.self.member(a.id.Node, a.id.publicKey())}, Proof: proof}}
	if row.Version < Version {
		events = append(events, VersionRaised{Version: Version})
	}
	return events, nil
}

// Removed returns the ids of the members that are left out.
func (a *Alone) Removed() []string {
	var out []string
	for _, m := range a.former {
		if m.ID != a.id.Node {
			out = append(out, m.ID)
		}
	}
	slices.Sort(out)
	return out
}

// Settle makes the store's present state the snapshot from which Raft starts in a new directory, with this node as the only member.
func (a *Alone) Settle(kind string, store *fsm.Store) (err error) {
	logs, err := logstore.Open(kind, filepath.Join(a.id.dir, "raft"), logstore.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logs.Close()) }()
	return a.settle(logs, store)
}

// settle writes the snapshot first: the log behind it is not needed once that is on the disk.
func (a *Alone) settle(logs *logstore.Store, store *fsm.Store) error {
	v, err := store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	if err := a.snapshot(v); err != nil {
		return fmt.Errorf("write Raft's snapshot: %w", err)
	}
	return restart(logs, v.Term())
}

// keyCurrentTerm is where Raft keeps the term that it is in.
var keyCurrentTerm = []byte("CurrentTerm")

// restart empties the log and brings Raft to the term of the snapshot: entries of a lower one must not follow it.
func restart(logs *logstore.Store, term uint64) error {
	first, last, err := boundsOf(logs)
	if err != nil {
		return err
	}
	if last > 0 {
		if err := logs.DeleteRange(first, last); err != nil {
			return fmt.Errorf("empty the Raft log: %w", err)
		}
	}
	now, err := termOf(logs)
	if err == nil && now < term {
		err = logs.SetUint64(keyCurrentTerm, term)
	}
	return err
}

// termOf is the term that Raft was last in, 0 in a new log.
func termOf(logs *logstore.Store) (uint64, error) {
	term, err := logs.GetUint64(keyCurrentTerm)
	if err != nil && err.Error() == "not found" { // what Raft itself looks for
		return 0, nil
	}
	return term, err
}

func (a *Alone) snapshot(v *fsm.View) error {
	snaps, err := openSnapshots(a.id.dir, quiet())
	if err != nil {
		return err
	}
	servers := []raft.Server{{ID: raft.ServerID(a.id.Node), Address: raftAddress(a.id.Node, a.self.Cluster)}}
	_, encoder := raft.NewInmemTransport("")
	sink, err := snaps.Create(raft.SnapshotVersionMax, v.Index(), v.Term(), raft.Configuration{Servers: servers}, v.Index(), encoder)
	if err != nil {
		return err
	}
	if err := v.Export(sink); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Commit gives the directory its certificates and, last, its identity.
func (a *Alone) Commit() error {
	if !a.fresh {
		return nil
	}
	now, pub := chaos.Now(), &a.id.key.PublicKey
	node, err := a.ca.node(a.id.Node, pub, now)
	if err != nil {
		return err
	}
	api, err := a.ca.api(a.id.Node, hostOf(a.self.API), pub, now)
	if err != nil {
		return err
	}
	return a.id.keep(node.Raw, api.Raw, a.id.commit)
}

// proveEpoch signs that the cluster is in an epoch, with the CA's key: a node of an earlier one believes nobody's word.
func (i issuer) proveEpoch(epoch uint32) ([]byte, error) {
	sig, err := ecdsa.SignASN1(rand.Reader, i.key, epochDigest(i.cluster, epoch))
	if err != nil {
		return nil, fmt.Errorf("sign the epoch: %w", err)
	}
	return sig, nil
}

func epochDigest(cluster fsm.UID, epoch uint32) []byte {
	b := append([]byte("trstctl epoch v1"), cluster[:]...)
	sum := sha256.Sum256(binary.BigEndian.AppendUint32(b, epoch))
	return sum[:]
}

// ProveKeys opens the CA's key as a state holds it: whoever can do that with a backup can bring the cluster back from it.
func ProveKeys(v *fsm.View, keys Keys) error {
	_, _, _, err := authority(v, keys)
	return err
}
