package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/cluster/logstore"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/server/journal"
)

// VerifyDir checks the data directory of a node that does not run, or a copy of one: every entry of the Raft log, every block of the tables, every
// hash of the event log and the digest of every sealed value. It returns a line for each part, and the first damage.
// It needs no keys. Opening the tables may tidy their write-ahead log, as a start does.
func VerifyDir(ctx context.Context, dir string) (lines []string, err error) {
	if _, err := os.Stat(filepath.Join(dir, "tables")); err != nil {
		return nil, fmt.Errorf("%s is not a node's data directory: %w", dir, err)
	}
	lock, err := cluster.Lock(dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	line, err := verifyLog(ctx, filepath.Join(dir, "raft"))
	if err != nil {
		return lines, err
	}
	lines = append(lines, line)
	line, err = verifyTables(ctx, filepath.Join(dir, "tables"))
	if err != nil {
		return lines, err
	}
	lines = append(lines, line)
	found, err := verifyJournals(ctx, dir)
	return append(lines, found...), err
}

// verifyJournals holds the journals against what this node's tables have anchored.
func verifyJournals(ctx context.Context, dir string) (lines []string, err error) {
	id, err := cluster.LoadIdentity(dir)
	if err != nil {
		return nil, err
	}
	s, err := fsm.Open(filepath.Join(dir, "tables"), registry(), fsm.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	v, err := s.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	name, err := journal.Name(filepath.Join(dir, "journal"))
	if err != nil {
		return nil, err
	}
	reads, err := journal.VerifyDir(ctx, filepath.Join(dir, "journal"), anchorsOf(v, id.Node, name))
	if err != nil {
		return nil, err
	}
	lines = append(lines, "journal of reads: "+reads.String())
	refused, err := journal.VerifyDir(ctx, filepath.Join(dir, "journal", "refused"), func(func(journal.Head, error) bool) {})
	if err != nil {
		return lines, err
	}
	return append(lines, "journal of refusals: "+refused.String()), nil
}

func verifyLog(ctx context.Context, dir string) (line string, err error) {
	kind, err := logstore.Kind(dir)
	if err != nil {
		return "", err
	}
	logs, err := logstore.Open(kind, dir, logstore.Options{})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, logs.Close()) }()
	first, err := logs.FirstIndex()
	if err != nil {
		return "", err
	}
	last, err := logs.LastIndex()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("raft log (%s): entries %d to %d are intact", kind, first, last), logs.Check(ctx, first)
}

func verifyTables(ctx context.Context, dir string) (line string, err error) {
	if err := fsm.CheckFiles(ctx, dir); err != nil {
		return "", err
	}
	s, err := fsm.Open(dir, registry(), fsm.Options{})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	v, err := s.View()
	if err != nil {
		return "", err
	}
	defer v.Close()
	found, err := fsm.VerifyChain(ctx, v)
	if err != nil {
		return "", err
	}
	digest, err := fsm.Digest(ctx, v)
	return fmt.Sprintf("event log and tables: %s, digest %x", found, digest[:8]), err
}
