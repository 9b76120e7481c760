package cluster

import (
	"github.com/trstctl/trstctl/fsm"
)

// Member is a node as the state knows it.
type Member struct {
	ID        string   `cbor:"1,keyasint"`
	Cluster   string   `cbor:"2,keyasint"` // host:port of the cluster port
	API       string   `cbor:"3,keyasint"` // host:port
	Gossip    string   `cbor:"4,keyasint"` // host:port, empty when it does not gossip
	PublicKey [32]byte `cbor:"5,keyasint"` // SHA-256 of its SubjectPublicKeyInfo: pinned for ever
	Version   string   `cbor:"6,keyasint"` // of its binary, for people
	Readable  uint32   `cbor:"7,keyasint"` // newest state that it reads
}

// joinRow is an unspent or spent join token.
type joinRow struct {
	Node    string   `cbor:"1,keyasint"`
	Expires fsm.Time `cbor:"2,keyasint"`
	Spent   bool     `cbor:"3,keyasint"`
	Key     [32]byte `cbor:"4,keyasint"` // to which the grant went
}

type foundedRow struct {
	Founded Founded `cbor:"1,keyasint"`
	Version uint32  `cbor:"2,keyasint"`
}

var (
	founded = fsm.NewTable[foundedRow]("cluster.founded")   // key: none
	members = fsm.NewTable[Member]("cluster.member")        // key: id
	removed = fsm.NewTable[fsm.Time]("cluster.removed")     // key: id
	joins   = fsm.NewTable[joinRow]("cluster.join_token")   // key: hash
	proofs  = fsm.NewTable[[]byte]("cluster.epoch")         // key: none -> the CA's signature over the present epoch
	dues    = fsm.NewTable[[32]byte]("cluster.join_expiry") // key: expiry, hash
)

// Register registers the cluster's own events.
func Register(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e Founded) error {
		return founded.Put(tx, fsm.K(), foundedRow{Founded: e, Version: tx.Version()})
	})
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e Announced) error { return members.Put(tx, fsm.K(e.Member.ID), e.Member) })
	registerGossip(r)
	fsm.On(r, applyTokenIssued)
	fsm.On(r, applyGranted)
	fsm.On(r, applyReplaced)
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e Removed) error {
		if err := members.Delete(tx, fsm.K(e.Node)); err != nil {
			return err
		}
		return removed.Put(tx, fsm.K(e.Node), m.At)
	})
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e VersionRaised) error {
		if e.Version > Version {
			return tooOld(e.Version)
		}
		tx.SetVersion(e.Version)
		row, found, err := founded.Get(tx, fsm.K())
		if err != nil || !found { // a founding begins with it
			return err
		}
		row.Version = e.Version
		return founded.Put(tx, fsm.K(), row)
	})
}

// applyTokenIssued keeps the token and drops the rows of a few that expired a day ago.
func applyTokenIssued(tx *fsm.Tx, m fsm.Meta, e TokenIssued) error {
	var old []fsm.Key
	err := dues.Scan(tx, fsm.Span{}, func(k fsm.Key, hash [32]byte) (bool, error) {
		row, _, err := joins.Get(tx, fsm.K(hash[:]))
		if err != nil || m.At.Sub(row.Expires) < tokenMemory {
			return false, err
		}
		old = append(old, append(fsm.Key(nil), k...), fsm.K(hash[:]))
		return len(old) < 8, nil
	})
	for i := 0; i < len(old) && err == nil; i += 2 {
		if err = dues.Delete(tx, old[i]); err == nil {
			err = joins.Delete(tx, old[i+1])
		}
	}
	if err == nil {
		err = dues.Put(tx, fsm.K(e.Expires, e.Hash[:]), e.Hash)
	}
	if err != nil {
		return err
	}
	return joins.Put(tx, fsm.K(e.Hash[:]), joinRow{Node: e.Node, Expires: e.Expires})
}

func applyGranted(tx *fsm.Tx, _ fsm.Meta, e Granted) error {
	row, _, err := joins.Get(tx, fsm.K(e.Hash[:]))
	if err != nil {
		return err
	}
	row.Spent, row.Key = true, e.Member.PublicKey
	if err := joins.Put(tx, fsm.K(e.Hash[:]), row); err != nil {
		return err
	}
	return members.Put(tx, fsm.K(e.Member.ID), e.Member)
}

func applyReplaced(tx *fsm.Tx, m fsm.Meta, e MembersReplaced) error {
	old, err := Members(tx)
	if err != nil {
		return err
	}
	for _, o := range old {
		if err := removed.Put(tx, fsm.K(o.ID), m.At); err != nil {
			return err
		}
		if err := members.Delete(tx, fsm.K(o.ID)); err != nil {
			return err
		}
	}
	for _, n := range e.Members {
		if err := removed.Delete(tx, fsm.K(n.ID)); err != nil {
			return err
		}
		if err := members.Put(tx, fsm.K(n.ID), n); err != nil {
			return err
		}
	}
	if err := empty(tx, joins); err != nil {
		return err
	}
	if err := empty(tx, dues); err != nil {
		return err
	}
	return proofs.Put(tx, fsm.K(), e.Proof)
}

// empty deletes every row of a small table.
func empty[T any](tx *fsm.Tx, t fsm.Table[T]) error {
	var all []fsm.Key
	err := t.Scan(tx, fsm.Span{}, func(k fsm.Key, _ T) (bool, error) {
		all = append(all, append(fsm.Key(nil), k...))
		return true, nil
	})
	for i := 0; i < len(all) && err == nil; i++ {
		err = t.Delete(tx, all[i])
	}
	return err
}

// Members returns all members, granted ones included, by id.
func Members(r fsm.Reader) ([]Member, error) {
	var out []Member
	err := members.Scan(r, fsm.Span{}, func(_ fsm.Key, m Member) (bool, error) {
		out = append(out, m)
		return true, nil
	})
	return out, err
}

func member(r fsm.Reader, id string) (Member, bool, error) { return members.Get(r, fsm.K(id)) }

func wasRemoved(r fsm.Reader, id string) (bool, error) {
	_, found, err := removed.Get(r, fsm.K(id))
	return found, err
}

// genesis returns the event that opened the cluster's history, not found before a node has caught up with it.
func genesis(r fsm.Reader) (foundedRow, bool, error) { return founded.Get(r, fsm.K()) }
