package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// RebuildDir makes the tables of a stopped node anew from their event log, whose chain is verified first, and puts them in place; the
// old ones stay beside them as tables.before-rebuild. It needs no keys. A crash leaves the old tables, the new ones, or none, and a start
// without tables fills them from snapshot and Raft log.
func RebuildDir(ctx context.Context, dir string) (lines []string, err error) {
	tables, fresh, kept := filepath.Join(dir, "tables"), filepath.Join(dir, "tables.rebuilt"), filepath.Join(dir, "tables.before-rebuild")
	if _, err := os.Stat(tables); err != nil {
		return nil, fmt.Errorf("%s is not a node's data directory: %w", dir, err)
	}
	if _, err := os.Stat(kept); err == nil {
		return nil, fault.New(fault.Conflict, "%s is left from an earlier rebuild: remove it when it is no longer needed", kept)
	}
	lock, err := cluster.Lock(dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if err := os.RemoveAll(fresh); err != nil {
		return nil, fmt.Errorf("remove an unfinished rebuild: %w", err)
	}
	if lines, err = rebuildInto(ctx, tables, fresh); err != nil {
		return lines, errors.Join(err, os.RemoveAll(fresh))
	}
	if err := errors.Join(os.Rename(tables, kept), os.Rename(fresh, tables)); err != nil {
		return lines, fmt.Errorf("put the rebuilt tables in place: %w", err)
	}
	return append(lines, "the rebuilt tables are in place; the old ones are in "+kept), nil
}

func rebuildInto(ctx context.Context, from, to string) (lines []string, err error) {
	old, err := fsm.Open(from, registry(), fsm.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	v, err := old.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	found, err := fsm.VerifyChain(ctx, v)
	if err != nil {
		return nil, err
	}
	lines = append(lines, "event log: "+found.String())
	made, err := fsm.Open(to, registry(), fsm.Options{})
	if err != nil {
		return lines, err
	}
	defer func() { err = errors.Join(err, made.Close()) }()
	if err := fsm.Rebuild(ctx, v, made); err != nil {
		return lines, err
	}
	line, err := compareTables(ctx, v, made)
	return append(lines, line), err
}

func compareTables(ctx context.Context, before *fsm.View, made *fsm.Store) (string, error) {
	after, err := made.View()
	if err != nil {
		return "", err
	}
	defer after.Close()
	was, err := fsm.Digest(ctx, before)
	if err != nil {
		return "", err
	}
	is, err := fsm.Digest(ctx, after)
	if err != nil {
		return "", err
	}
	if was == is {
		return fmt.Sprintf("tables: what was rebuilt equals what was there, digest %x", is[:8]), nil
	}
	return fmt.Sprintf("tables: they had digest %x, the event log says %x: compare it with the other nodes' (trstctl operator digest)", was[:8], is[:8]), nil
}
