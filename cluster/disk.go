package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/trstctl/trstctl/fsm/fault"
)

// disk watches the space and the pulse of the data directory, also where parts of it lie on file systems of their own.
type disk struct {
	dir     string
	reserve int64 // bytes: below it on one of them writes are refused
	ballast int64 // bytes: a file on each that is given back when a start needs the space
	log     *slog.Logger
	free    atomic.Int64 // of the one with the least
	was     atomic.Bool  // low at the last look
}

const (
	look       = 500 * time.Millisecond
	stallLooks = 20 // at the same write before the disk counts as stalled: ten seconds of this process's own time, not of a pause
)

func newDisk(dir string, reserve, ballast int64, log *slog.Logger) (*disk, error) {
	d := &disk{dir: dir, reserve: reserve, ballast: ballast, log: log}
	volumes, err := d.volumes()
	if err != nil {
		return nil, err
	}
	for _, v := range volumes {
		if v.free >= ballast/2 {
			continue
		}
		if err := os.Remove(v.ballastFile()); err == nil {
			log.Warn("ballast given back: the disk is full", "dir", v.dir)
		}
	}
	return d, d.look()
}

// volume is a file system below the data directory.
type volume struct {
	dir  string
	free int64
}

func (v volume) ballastFile() string { return filepath.Join(v.dir, "ballast") }

// volumes returns the file systems on which the node writes.
func (d *disk) volumes() (out []volume, err error) {
	seen := map[uint64]bool{}
	for _, part := range []string{"", "raft", "tables", "snapshots"} {
		dir := filepath.Join(d.dir, part)
		info, err := os.Stat(dir)
		if errors.Is(err, os.ErrNotExist) && part != "" {
			continue // not made yet
		}
		if err != nil {
			return nil, fmt.Errorf("look at the disk of %s: %w", dir, err)
		}
		at, ok := info.Sys().(*syscall.Stat_t)
		if !ok || seen[at.Dev] {
			continue
		}
		seen[at.Dev] = true
		var s syscall.Statfs_t
		if err := syscall.Statfs(dir, &s); err != nil {
			return nil, fmt.Errorf("look at the disk of %s: %w", dir, err)
		}
		out = append(out, volume{dir, int64(s.Bavail) * s.Bsize})
	}
	return out, nil
}

func (d *disk) look() error {
	volumes, err := d.volumes()
	if err != nil {
		return err
	}
	least := slices.MinFunc(volumes, func(a, b volume) int { return cmp.Compare(a.free, b.free) })
	d.free.Store(least.free)
	if low := d.low(); low != d.was.Swap(low) {
		if low {
			d.log.Warn("the disk's reserve is reached: writes that take space are refused while this node leads or a majority is in the same state",
				"dir", least.dir, "free", least.free, "reserve", d.reserve)
		} else {
			d.log.Info("the disk has space again", "dir", least.dir, "free", least.free)
		}
	}
	return nil
}

// low reports whether the reserve is reached.
func (d *disk) low() bool { return d.free.Load() < d.reserve }

// run keeps the figures true and lays the ballast again when there is room.
func (d *disk) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := d.look(); err != nil {
			return err
		}
		if err := d.layBallast(); err != nil {
			d.log.Warn("ballast not laid", "err", err)
		}
		pause(ctx, look)
	}
	return nil
}

func (d *disk) layBallast() error {
	if d.ballast == 0 {
		return nil
	}
	volumes, err := d.volumes()
	for _, v := range volumes {
		if v.free >= d.reserve+2*d.ballast {
			err = errors.Join(err, lay(v.ballastFile(), d.ballast))
		}
	}
	return err
}

// lay makes a ballast file where there is none; one that could not be filled would give back nothing.
func lay(path string, bytes int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err = errors.Join(syscall.Fallocate(int(f.Fd()), 0, 0, bytes), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// watchLog ends the node when a write to the Raft log has failed, since a failed fsync is never tried again, or when one has been stuck
// for ten seconds: a leader whose disk stalls would lead for ever, as its heartbeats need no disk.
func (n *Node) watchLog(ctx context.Context) error {
	t := time.NewTicker(look)
	defer t.Stop()
	for seen, times := uint64(0), 0; ; {
		select {
		case <-n.logs.failed:
			return fmt.Errorf("the Raft log in %s: %w", n.cfg.Dir, n.logs.err)
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
		now := n.logs.writing()
		if times++; now == 0 || now != seen {
			times = 0
		}
		if seen = now; times >= stallLooks {
			return fmt.Errorf("the disk of %s has not finished a write for %s: the node ends so that another can lead", n.cfg.Dir, stallLooks*look)
		}
	}
}

// Writable refuses writes that take space when this node's or a majority's reserve is reached. Deletes, revocations and operators'
// calls do not ask.
func (n *Node) Writable() error {
	if n.disk.low() || n.tight.Load() {
		return fault.New(fault.NoSpace, "the disk's reserve is reached: writes are refused until there is space, deletes are not").After(10 * time.Second)
	}
	return nil
}

// watchSpace is the leader's worker that asks the voters for their space.
func (n *Node) watchSpace(ctx context.Context) error {
	defer n.tight.Store(false)
	for ctx.Err() == nil {
		voters, self := n.voters()
		low := 0
		for _, id := range voters {
			if s, err := n.ask(ctx, id); err == nil && s.LowSpace {
				low++
			}
		}
		n.tight.Store(low*2 > len(voters)+self)
		pause(ctx, 2*time.Second)
	}
	return nil
}
