package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/fsm/durable"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/server"
)

func (a *app) operatorSnapshot() *cobra.Command {
	return group("snapshot", "Back a cluster up and restore it", a.snapshotSave(), a.snapshotInspect(), a.snapshotRestore())
}

func (a *app) snapshotSave() *cobra.Command {
	return &cobra.Command{Use: "save FILE", Short: "Write a backup of the whole cluster to a new file", Args: cobra.ExactArgs(1),
		Long: "Write a backup of the whole cluster to a new file. It holds everything that was acknowledged before, is encrypted, and opens with any seal that the\n" +
			"cluster has now. Until it is complete and checked it is FILE.partial.",
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			ctx := c.Context()
			if c.Flags().Changed("timeout") {
				bounded, cancel := a.call(ctx)
				defer cancel()
				ctx = bounded
			}
			s, err := a.saveSnapshot(ctx, client, args[0])
			if err != nil {
				return err
			}
			return a.showSnapshot(args[0], s)
		}}
}

// saveSnapshot leaves nothing under the final name but a complete file that is on the disk.
func (a *app) saveSnapshot(ctx context.Context, client *sdk.Client, path string) (s server.Snapshot, err error) {
	if err := absent(path); err != nil {
		return s, err
	}
	part := path + ".partial"
	f, err := claim(part)
	if err != nil {
		return s, err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	meter := &progress{to: f, err: a.err, live: terminal(a.err), start: time.Now(), said: time.Now()}
	if _, err = client.Snapshot(ctx, meter); err != nil {
		return s, err
	}
	meter.end()
	if err := f.Sync(); err != nil {
		return s, fmt.Errorf("write the backup: %w", err)
	}
	if s, err = server.CheckSnapshot(part); err != nil {
		return s, err
	}
	if err := errors.Join(absent(path), os.Rename(part, path)); err != nil {
		return s, err
	}
	return s, durable.SyncDir(filepath.Dir(path))
}

func absent(path string) error {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return fault.New(fault.Conflict, "%s exists: a backup is never written over, choose another name", path)
	case errors.Is(err, os.ErrNotExist):
		return nil
	}
	return err
}

// claim opens the file that a save writes to. What a save that was killed has left there is overwritten; another that is at it keeps it.
func claim(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fault.New(fault.Conflict, "another save is writing %s", path), f.Close())
	}
	return f, errors.Join(f.Chmod(0o600), f.Truncate(0))
}

// progress says every second how much has come, in one line on a terminal.
type progress struct {
	to    io.Writer
	err   io.Writer
	live  bool
	start time.Time
	said  time.Time
	n     int64
}

func (p *progress) Write(b []byte) (int, error) {
	n, err := p.to.Write(b)
	p.n += int64(n)
	if time.Since(p.said) >= time.Second {
		p.said = time.Now()
		p.say()
	}
	return n, err
}

func (p *progress) say() {
	begin, end := "", "\n"
	if p.live {
		begin, end = "\r", ""
	}
	fmt.Fprintf(p.err, "%s%d MiB in %s%s", begin, p.n>>20, time.Since(p.start).Round(time.Second), end)
}

func (p *progress) end() {
	if p.live {
		p.say()
		fmt.Fprintln(p.err)
	}
}

func (a *app) snapshotInspect() *cobra.Command {
	var config string
	c := &cobra.Command{Use: "inspect FILE", Short: "Show what a backup says of itself; with -c also open and verify it", Args: cobra.ExactArgs(1)}
	c.Long = "Show what a backup says of itself. Without a key that is not proved, only that the file is complete. With a node's configuration it is opened with the\n" +
		"seals named there, and everything in it is verified, in a scratch directory below $TMPDIR that needs as much room as the tables."
	c.Flags().StringVarP(&config, "config", "c", "", "a node's configuration file, for its seals")
	quorum := a.quorumFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		shares, err := quorum()
		if err != nil {
			return err
		}
		s, err := inspectSnapshot(c.Context(), args[0], config, bytesOf(shares))
		if err != nil {
			return err
		}
		return a.showSnapshot(args[0], s)
	}
	return c
}

func inspectSnapshot(ctx context.Context, path, config string, shares [][]byte) (server.Snapshot, error) {
	defer func() {
		for _, s := range shares {
			clear(s)
		}
	}()
	if config == "" && len(shares) > 0 {
		return server.Snapshot{}, usagef("shares go with -c CONFIG, which may name a seal of kind shamir alone")
	}
	if config == "" {
		return server.CheckSnapshot(path)
	}
	cfg, err := server.LoadConfig(config)
	if err != nil {
		return server.Snapshot{}, usagef("%v", err)
	}
	return server.InspectSnapshot(ctx, path, server.Openers{Config: cfg, Shares: shares})
}

func (a *app) showSnapshot(path string, s server.Snapshot) error {
	full := struct {
		File string `json:"file"`
		server.Snapshot
	}{path, s}
	values, proved := "-", "complete; open it with -c CONFIG to verify what it holds"
	if s.Values != nil {
		values = number(*s.Values)
	}
	if s.Verified {
		proved = "opened and verified"
	}
	return a.show(view{json: full, rows: fields("file", path, "bytes", fmt.Sprint(s.Bytes), "checked", proved, "cluster", s.Cluster, "node", s.Node, "version", fmt.Sprint(s.Version),
		"index", s.Index, "taken", stamp(s.Taken), "last record", stamp(s.At), "records", number(s.Records), "values", values, "head", s.Head, "digest", s.Digest,
		"opens with", strings.Join(s.Seals, ", "))})
}
