package server

import (
	"errors"
	"fmt"
	"os"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/engines/backup"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
)

// aside is the data directory of a node that a restore replaces, kept beside the new one. A crash leaves the node where it was, or aside, and a
// repetition goes on from either.
type aside struct{ dir, kept string }

// setAside moves the configuration's node out of the way of a backup of the same cluster, and has the new epoch come after both. There is nothing
// to move when the directory is empty.
func setAside(path string, how *Rebirth) (*aside, error) {
	a := asideOf(how.Config.Data)
	there, moved := isNode(a.dir), isNode(a.kept)
	switch {
	case there && moved:
		return nil, fault.New(fault.Conflict, "%s is left from an earlier restore: remove it when it is no longer needed", a.kept)
	case !there && !moved:
		return nil, nil
	}
	from := a.dir
	if moved {
		from = a.kept
	}
	s, err := StandingOf(from)
	if err != nil {
		return nil, err
	}
	if err := a.fits(path, s, how); err != nil || moved {
		return a, err
	}
	if err := a.move(); err != nil {
		return nil, err
	}
	how.tell("the node that was there is kept in %s", a.kept)
	return a, nil
}

func asideOf(dir string) *aside { return &aside{dir, dir + ".before-restore"} }

// move holds the node's lock, so that it does not start meanwhile.
func (a *aside) move() error {
	lock, err := cluster.Lock(a.dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := os.Rename(a.dir, a.kept); err != nil {
		return fmt.Errorf("set the node's data directory aside: %w", err)
	}
	chaos.Point(chaos.RestoreAside)
	return nil
}

// unended refuses a start in the middle of a restore by force: the node would look like a new one.
func (a *aside) unended() error {
	if isNode(a.dir) || !isNode(a.kept) {
		return nil
	}
	return fault.New(fault.Conflict, "data: a restore by force did not end: run it again, or move %s back to %s", a.kept, a.dir)
}

func isNode(dir string) bool { return marked(dir, "node.json") && !marked(dir, restoring) }

// fits refuses a backup of another cluster, and names the epoch.
func (a *aside) fits(path string, s cluster.Standing, how *Rebirth) error {
	_, err := readSnapshot(path, func(f *backup.File) error {
		h := f.Header()
		switch {
		case h.Cluster.String() != s.Cluster:
			return fault.New(fault.Conflict, "it is of cluster %s, and %s is of cluster %s: restore it into an empty directory, without --force", h.Cluster, a.dir, s.Cluster)
		case s.Node != how.Config.Node:
			return fault.New(fault.Invalid, "node: the data directory is that of node %q, the configuration says %q", s.Node, how.Config.Node)
		case how.Epoch != 0 && how.Epoch <= max(h.Epoch, s.Epoch):
			return fault.Bad("epoch", "the cluster has lived in epoch %d: name a higher one", max(h.Epoch, s.Epoch))
		}
		if how.Epoch == 0 {
			how.Epoch = max(h.Epoch, s.Epoch) + 1
		}
		return nil
	})
	return err
}

// back undoes it after a restore that failed, which has left nothing of worth.
func (a *aside) back() error {
	if a == nil || isNode(a.dir) || !isNode(a.kept) {
		return nil
	}
	return errors.Join(os.RemoveAll(a.dir), os.Rename(a.kept, a.dir))
}
