package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/engines/backup"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Snapshot describes a file that holds a backup. What needs a seal to be known is absent before it was opened with one.
type Snapshot struct {
	Cluster string    `json:"cluster"`
	Node    string    `json:"node"` // that wrote it
	Version uint32    `json:"cluster_version"`
	Index   string    `json:"index"` // <epoch>.<index>
	Term    uint64    `json:"term"`
	At      time.Time `json:"at"`    // of the last record
	Taken   time.Time `json:"taken"` // by the clock of that node
	Records uint64    `json:"records"`
	Head    string    `json:"head"`
	Digest  string    `json:"digest"`
	Seals   []string  `json:"seals"` // any one of which opens it
	Bytes   int64     `json:"bytes"`

	Verified bool    `json:"verified"`         // opened, and everything in it is what it should be
	Values   *uint64 `json:"values,omitempty"` // sealed values that it holds
}

// CheckSnapshot reads a file to its end without a key. It fails unless the file is complete.
func CheckSnapshot(path string) (s Snapshot, err error) {
	return readSnapshot(path, func(f *backup.File) error { return f.Check() })
}

// InspectSnapshot also opens the file with the configuration's seals and verifies everything: content, digest, event log, sealed values. It fills
// tables in a scratch directory for that, below the system's for temporary files.
func InspectSnapshot(ctx context.Context, path string, with Openers) (s Snapshot, err error) {
	seals, err := with.seals()
	if err != nil {
		return s, err
	}
	defer closeSeals(seals)
	scratch, err := os.MkdirTemp("", "trstctl-inspect-")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	var values uint64
	s, err = readSnapshot(path, func(f *backup.File) error {
		loaded, err := loadSnapshot(ctx, f, scratch, seals, with.Shares)
		if err != nil {
			return err
		}
		values = loaded.Verified.Payloads
		return loaded.Store.Close()
	})
	if err == nil {
		s.Verified, s.Values = true, &values
	}
	return s, err
}

// loadSnapshot opens a backup and fills the tables in dir. The store is the caller's.
func loadSnapshot(ctx context.Context, f *backup.File, dir string, seals []seal.Seal, shares [][]byte) (*backup.Loaded, error) {
	if err := readable(f.Header()); err != nil {
		return nil, err
	}
	if len(shares) > 0 {
		held, err := openHeld(f.Header().Keys.Held, shares)
		if err != nil {
			return nil, err
		}
		defer held.Close()
		seals = append(slices.Clone(seals), held)
	}
	content, err := f.Open(ctx, seals...)
	if err != nil {
		return nil, err
	}
	return f.Load(ctx, dir, registry(), content)
}

// readable refuses what a later release has written.
func readable(h backup.Header) error {
	if h.Version > cluster.Version {
		return fault.New(fault.Invalid, "the backup is of a cluster at version %d, this binary reads up to %d: use a newer one", h.Version, cluster.Version)
	}
	return nil
}

// readSnapshot describes a file, and has read take it from its header to its end.
func readSnapshot(path string, read func(*backup.File) error) (s Snapshot, err error) {
	in, err := os.Open(path)
	if err != nil {
		return s, fmt.Errorf("open the backup: %w", err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	info, err := in.Stat()
	if err != nil {
		return s, fmt.Errorf("open the backup: %w", err)
	}
	f, err := backup.Read(in)
	if err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	if s, err = describe(f.Header()); err == nil {
		err = read(f)
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	s.Bytes = info.Size()
	return s, nil
}

func describe(h backup.Header) (Snapshot, error) {
	seals, err := h.Keys.Seals()
	return Snapshot{Cluster: h.Cluster.String(), Node: h.Node, Version: h.Version, Index: fmt.Sprintf("%d.%d", h.Epoch, h.Index), Term: h.Term,
		At: h.At.Std(), Taken: h.Taken.Std(), Records: h.Records, Head: fmt.Sprintf("%x", h.Head), Digest: fmt.Sprintf("%x", h.Digest), Seals: seals}, err
}
