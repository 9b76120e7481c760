package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/engines/auth"
	"github.com/trstctl/trstctl/engines/backup"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
)

// restoring is a file in a data directory whose restore has not ended: what stands beside it was never a node's. A server does not start on it,
// and the next restore removes it.
const restoring = "RESTORE-INCOMPLETE"

// Rebirth says how a cluster begins an epoch.
type Rebirth struct {
	Openers
	Epoch   uint32        // 0: the one after the state's
	RootTTL time.Duration // of the new root token; 0: 768 hours
	Version string        // of the binary
	Force   bool          // of a restore: the node that is there is kept aside, and the new epoch comes after its own
	Told    func(string)  // what is being done, for a person who waits; nil: nobody does
}

func (r Rebirth) tell(format string, args ...any) {
	if r.Told != nil {
		r.Told(fmt.Sprintf(format, args...))
	}
}

// Reborn is a cluster of one in a new epoch. The caller zeroes the token.
type Reborn struct {
	Cluster   string   `json:"cluster"`
	Node      string   `json:"node"`
	Epoch     uint32   `json:"epoch"`
	From      string   `json:"from"`   // <epoch>.<index> that it goes on from
	Digest    string   `json:"digest"` // of the state there
	Records   uint64   `json:"records"`
	Removed   []string `json:"removed"` // members that were left out, for ever
	CA        []byte   `json:"-"`       // certificate, PEM
	RootToken []byte   `json:"-"`
}

// RestoreSnapshot makes the configuration's node, whose data directory is empty, the only node of the cluster that a backup is of. Every token
// that was issued before is dead; the new root token is in the answer and nowhere else. A crash leaves a directory that is empty to a restore, or
// a node. With Force the directory may hold the node already: its cluster's other nodes, which live in an older epoch then, end themselves when they
// meet it.
func RestoreSnapshot(ctx context.Context, path string, how Rebirth) (out Reborn, err error) {
	cfg := how.Config
	seals, err := how.seals()
	if err != nil {
		return out, err
	}
	defer closeSeals(seals)
	var kept *aside
	if how.Force {
		if kept, err = setAside(path, &how); err != nil {
			return out, err
		}
	}
	if err := private(cfg.Data); err != nil {
		return out, err
	}
	lock, err := cluster.Lock(cfg.Data)
	if err != nil {
		return out, err
	}
	defer lock.Close()
	defer func() { // not before the lock: somebody else may be at work there
		if err != nil {
			err = errors.Join(err, kept.back())
		}
	}()
	if err := clearRestore(cfg.Data); err != nil {
		return out, err
	}
	if err := emptyDirectory(cfg.Data); err != nil {
		return out, err
	}
	if err := mark(cfg.Data, "", restoring); err != nil {
		return out, err
	}
	chaos.Point(chaos.RestoreMarked)
	_, err = readSnapshot(path, func(f *backup.File) error {
		out, err = restoreInto(ctx, f, seals, how)
		return err
	})
	if err == nil {
		chaos.Point(chaos.RestoreCommitted)
		err = mark(cfg.Data, restoring, "")
	}
	if err != nil {
		clear(out.RootToken)
		return Reborn{}, errors.Join(err, clearRestore(cfg.Data))
	}
	return out, nil
}

// clearRestore removes what a restore that did not end has left. The mark goes last, in a power cut too.
func clearRestore(dir string) error {
	if !marked(dir, restoring) {
		return nil
	}
	if err := wipe(dir); err != nil {
		return fmt.Errorf("remove an incomplete restore: %w", err)
	}
	return mark(dir, restoring, "")
}

// emptyDirectory refuses a directory that holds anything but what a node that never was one leaves.
func emptyDirectory(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look at the data directory: %w", err)
	}
	for _, e := range entries {
		if !slices.Contains([]string{"lock", "trstctl.sock", "lost+found", "seals"}, e.Name()) {
			return fault.New(fault.Conflict, "data: %s is not empty, it holds %q: a restore makes a new node, give it a directory of its own, or --force, which keeps that one aside", dir, e.Name())
		}
	}
	return nil
}

func restoreInto(ctx context.Context, f *backup.File, seals []seal.Seal, how Rebirth) (out Reborn, err error) {
	h, cfg := f.Header(), how.Config
	how.tell("reading the backup of cluster %s at index %d.%d", h.Cluster, h.Epoch, h.Index)
	loaded, err := loadSnapshot(ctx, f, filepath.Join(cfg.Data, "tables"), seals, how.Shares)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, loaded.Store.Close()) }()
	chaos.Point(chaos.RestoreLoaded)
	how.tell("verified: %s", loaded.Verified)
	v, err := loaded.Store.View()
	if err != nil {
		return out, err
	}
	defer v.Close()
	keys, err := how.open(ctx, v, h.Cluster, seals)
	if err != nil {
		return out, err
	}
	defer keys.Close()
	if how.Force { // a history is given up
		if err := how.agreed(v); err != nil {
			return out, err
		}
	}
	alone, err := cluster.NewAlone(cfg.Data, cfg.Node, cfg.self(how.Version), v, keys)
	if err != nil {
		return out, err
	}
	e, err := v.Restore(how.Epoch, cfg.Node, "restore", h.Taken)
	if err != nil {
		return out, err
	}
	if out, err = beginEpoch(loaded.Store, v, alone, e, how.RootTTL); err != nil {
		return out, err
	}
	chaos.Point(chaos.RestoreBegun)
	out.Digest = fmt.Sprintf("%x", h.Digest)
	if err := alone.Settle(cfg.Raft.LogStore, loaded.Store); err != nil {
		return out, err
	}
	chaos.Point(chaos.RestoreSettled)
	return out, alone.Commit()
}

// beginEpoch appends the one entry with which a cluster goes on: who its members are, that every token of before is dead, and a new root token.
func beginEpoch(s *fsm.Store, v *fsm.View, alone *cluster.Alone, begin fsm.Restored, ttl time.Duration) (out Reborn, err error) {
	e := &fsm.Entry{Tenant: fsm.RootTenant, Actor: fsm.Actor{Identity: "operator:" + begin.How}}
	rand.Read(e.ID[:])
	members, err := alone.Events(v, begin.Epoch)
	if err != nil {
		return out, err
	}
	if ttl == 0 {
		ttl = defaultRootTTL
	}
	root, token, err := auth.New(nil, nil, nil).Found(ttl)
	if err != nil {
		return out, err
	}
	e.Add(begin)
	e.Add(members...)
	e.Add(auth.Ended{})
	e.Add(root...)
	if _, err := s.Append(v.Term()+1, fsm.At(chaos.Now()), e); err != nil {
		token.Zero()
		return out, fmt.Errorf("begin epoch %d: %w", begin.Epoch, err)
	}
	id := alone.Identity()
	return Reborn{Cluster: id.Cluster.String(), Node: id.Node, Epoch: begin.Epoch, From: fmt.Sprintf("%d.%d", begin.From, begin.Index), Records: begin.Seq,
		Removed: alone.Removed(), CA: id.CA(), RootToken: token}, nil
}

// self is how the configuration's node is reached.
func (c *Config) self(version string) cluster.Self {
	s := cluster.Self{Cluster: c.Cluster.Advertise, API: c.API.Advertise, Version: version}
	if c.Gossip.Enabled {
		s.Gossip = c.Gossip.Advertise
	}
	return s
}
