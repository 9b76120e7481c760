package secret

import (
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/mutant"
)

// head is what a list needs of a secret. It outlives every purge, so that versions never restart.
type head struct {
	Version    uint64     `cbor:"1,keyasint"` // last number given
	Live       uint64     `cbor:"2,keyasint"` // versions whose value is not purged
	Deleted    bool       `cbor:"3,keyasint,omitempty"`
	Purged     bool       `cbor:"4,keyasint,omitempty"` // the last version is
	At         fsm.Time   `cbor:"5,keyasint"`
	Attributes Attributes `cbor:"6,keyasint"`           // of the last version
	Hidden     uint64     `cbor:"7,keyasint,omitempty"` // versions up to this one were deleted before a later one was written
	Epoch      uint32     `cbor:"8,keyasint,omitempty"` // of the history that the last number was given in; 0 stands for the first
}

// jump is how far the numbers of versions leap for each epoch that begins. In the history that was given up, a path may have got more versions
// than this one knows of: at 500 writes a second to one path, the most that it bears, more than three weeks of them fit.
const jump = 1_000_000_000

// next is the number of the next version: never one that any other history of the cluster has given for this path.
func (h head) next(epoch uint32) uint64 {
	return h.Version + uint64(epoch-max(h.Epoch, fsm.FirstEpoch))*jump + 1
}

// noted is the form in which a row keeps an epoch: the first takes no space, and rows of it stay as they were.
func noted(epoch uint32) uint32 {
	if epoch == fsm.FirstEpoch {
		return 0
	}
	return epoch
}

// hides reports whether a deletion hides a version: until an undelete, also when a new version was written since, for which the right to
// write is enough.
func (h head) hides(number uint64) bool { return h.Deleted || number <= h.Hidden }

// shown reports whether the secret has a latest value to read.
func (h head) shown(now fsm.Time) bool {
	return h.Version > 0 && !h.Deleted && !h.Purged && !expired(h.Attributes, now)
}

func expired(a Attributes, now fsm.Time) bool { return a.Expires != 0 && now >= a.Expires }

type version struct {
	Value      fsm.Sealed `cbor:"1,keyasint"`
	Size       uint32     `cbor:"2,keyasint"`
	Purged     bool       `cbor:"3,keyasint,omitempty"`
	At         fsm.Time   `cbor:"4,keyasint"`
	By         string     `cbor:"5,keyasint"`
	Attributes Attributes `cbor:"6,keyasint"`
}

// Versions of a path are 1..n, each written exactly once, with a jump at each restore of the cluster.
var (
	heads    = fsm.NewTable[head]("secret.head")       // key: tenant, path
	versions = fsm.NewTable[version]("secret.version") // key: tenant, path, version
)

// Register registers the events of secrets.
func Register(r *fsm.Registry) {
	fsm.On(r, applyWritten)
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e Deleted) error {
		return change(tx, m.Tenant, e.Path, func(h *head) { h.Deleted = true })
	})
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e Undeleted) error {
		return change(tx, m.Tenant, e.Path, func(h *head) { h.Deleted, h.Hidden = false, 0 })
	})
	fsm.On(r, applyPurged)
}

func change(tx *fsm.Tx, tenant fsm.UID, path string, f func(*head)) error {
	h, _, err := heads.Get(tx, fsm.K(tenant, path))
	if err != nil {
		return err
	}
	f(&h)
	return heads.Put(tx, fsm.K(tenant, path), h)
}

func applyWritten(tx *fsm.Tx, m fsm.Meta, e VersionWritten) error {
	row := version{Value: e.Value, Size: e.Size, At: m.At, By: m.Actor.Identity, Attributes: e.Attributes}
	if err := versions.Put(tx, fsm.K(m.Tenant, e.Path, e.Version), row); err != nil {
		return err
	}
	if e.Version == 1 { // nothing is there to be read, not even by looking for it
		return heads.Put(tx, fsm.K(m.Tenant, e.Path), head{Version: 1, Live: 1, At: m.At, Attributes: e.Attributes})
	}
	return change(tx, m.Tenant, e.Path, func(h *head) {
		hidden := h.Hidden
		if h.Deleted {
			hidden = h.Version
		}
		*h = head{Version: e.Version, Live: h.Live + 1, At: m.At, Attributes: e.Attributes, Hidden: hidden, Epoch: noted(fsm.Epoch(tx))}
	})
}

func applyPurged(tx *fsm.Tx, m fsm.Meta, e VersionPurged) error {
	span := fsm.Span{Prefix: fsm.K(m.Tenant, e.Path)}
	if e.Version > 0 {
		span.Prefix = fsm.K(m.Tenant, e.Path, e.Version)
	}
	type row struct {
		key fsm.Key
		version
	}
	var ended []row
	err := versions.Scan(tx, span, func(k fsm.Key, v version) (bool, error) {
		if !v.Purged {
			ended = append(ended, row{append(fsm.Key(nil), k...), v})
		}
		return true, nil
	})
	for i := 0; i < len(ended) && err == nil; i++ {
		v := ended[i].version
		if err = tx.Destroy(v.Value); err == nil {
			err = versions.Put(tx, ended[i].key, version{Purged: true, Size: v.Size, At: v.At, By: v.By})
		}
	}
	if err != nil {
		return err
	}
	if mutant.VersionsRestartAfterPurge && e.Version == 0 {
		return heads.Delete(tx, fsm.K(m.Tenant, e.Path))
	}
	return change(tx, m.Tenant, e.Path, func(h *head) {
		h.Live -= uint64(len(ended))
		if e.Version == 0 || e.Version == h.Version {
			h.Purged, h.Attributes = true, Attributes{}
		}
	})
}
