package cluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/cluster/logstore"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Standing is how far the data directory of a node that does not run is: what decides which of several goes on when the majority is lost.
type Standing struct {
	Node     string    `json:"node"`
	Cluster  string    `json:"cluster"`
	Epoch    uint32    `json:"epoch"`
	Term     uint64    `json:"term"`        // of the last entry of the log, or of the state when that is further
	Index    uint64    `json:"index"`       // of the same
	Applied  uint64    `json:"applied"`     // up to which the tables hold the log; what follows may not have been acknowledged
	Last     time.Time `json:"last_record"` // moment of the last record in the tables
	Heard    uint64    `json:"heard_term"`  // latest term that the node has heard of
	Members  []string  `json:"members"`
	LogStore string    `json:"log_store"`
}

// Offline is a data directory with its tables and its log open.
type Offline struct {
	ID    *Identity
	Store *fsm.Store
	dir   string
	kind  string
	logs  *logstore.Store
	snaps raft.SnapshotStore
}

// OpenOffline opens the directory of a node that does not run; the caller has locked it.
func OpenOffline(dir string, reg *fsm.Registry) (_ *Offline, err error) {
	o := &Offline{dir: dir}
	if o.ID, err = LoadIdentity(dir); err != nil {
		return nil, err
	}
	raftDir := filepath.Join(dir, "raft")
	if o.kind, err = logstore.Kind(raftDir); err != nil {
		return nil, err
	}
	if o.snaps, err = openSnapshots(dir, quiet()); err != nil {
		return nil, err
	}
	if o.logs, err = logstore.Open(o.kind, raftDir, logstore.Options{}); err != nil {
		return nil, err
	}
	if o.Store, err = fsm.Open(filepath.Join(dir, "tables"), reg, fsm.Options{}); err != nil {
		return nil, errors.Join(err, o.logs.Close())
	}
	return o, nil
}

// Close closes both.
func (o *Offline) Close() error { return errors.Join(o.Store.Close(), o.logs.Close()) }

// Standing describes the directory.
func (o *Offline) Standing() (s Standing, err error) {
	v, err := o.Store.View()
	if err != nil {
		return s, err
	}
	defer v.Close()
	s = Standing{Node: o.ID.Node, Cluster: o.ID.Cluster.String(), Epoch: max(fsm.Epoch(v), o.ID.epoch), Term: v.Term(), Index: v.Index(), Applied: v.Index(),
		Last: v.Now().Std(), LogStore: o.kind, Members: []string{}}
	all, err := Members(v)
	if err != nil {
		return s, err
	}
	for _, m := range all {
		s.Members = append(s.Members, m.ID)
	}
	slices.Sort(s.Members)
	if s.Heard, err = termOf(o.logs); err != nil {
		return s, err
	}
	last, err := o.logs.LastIndex()
	if err != nil || last <= s.Index {
		return s, err
	}
	var l raft.Log
	err = o.logs.GetLog(last, &l)
	s.Index, s.Term = l.Index, l.Term
	return s, err
}

// Replay applies what the snapshot and the log hold beyond the tables, all of it: of what was not acknowledged nobody knows whether it was, so
// it is kept. again says that a recovery was cut off here, whose own entry may stand beyond the log.
func (o *Offline) Replay(ctx context.Context, again bool) error {
	base, err := o.fromSnapshot()
	if err != nil {
		return err
	}
	first, last, err := boundsOf(o.logs)
	if err != nil {
		return err
	}
	applied := o.Store.Applied()
	if err := contiguous(applied, base, first, last); err != nil && !(again && applied > max(last, base)) {
		return err
	}
	var batch []*raft.Log
	for i := applied + 1; i <= last; i++ {
		l := new(raft.Log)
		if err := errors.Join(context.Cause(ctx), o.logs.GetLog(i, l)); err != nil {
			return err
		}
		if batch = append(batch, l); len(batch) == 64 || i == last {
			if err := o.apply(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return o.Store.Sync()
}

// Refill fills tables that are behind the latest snapshot from it, as a start does.
func (o *Offline) Refill() error {
	_, err := o.fromSnapshot()
	return err
}

func (o *Offline) fromSnapshot() (base uint64, err error) {
	list, err := o.snaps.List()
	if err != nil {
		return 0, fmt.Errorf("list snapshots: %w", err)
	}
	if len(list) == 0 {
		return 0, nil
	}
	return list[0].Index, catchUp(o.Store, o.snaps, list[0])
}

func (o *Offline) apply(batch []*raft.Log) error {
	for _, answer := range o.Store.FSM().ApplyBatch(batch) {
		if err, stopped := answer.(error); stopped {
			return fault.New(fault.Corrupt, "the log of %s cannot be applied: recover another data directory, or the snapshot of a backup", o.dir).Because(err)
		}
	}
	return nil
}

// Settle makes the present state the one from which Raft starts, with alone as the only member.
func (o *Offline) Settle(a *Alone) error { return a.settle(o.logs, o.Store) }
