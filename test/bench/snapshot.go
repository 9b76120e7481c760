package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// snapshot saves a backup of many secrets through a node, beside a plain write of as many bytes to the same disk, and restores it into an empty
// directory.
func snapshot(ctx context.Context, b *bench, c *cluster) error {
	if c.dev == nil {
		say("snapshots are left out: the cluster is not the bench's own")
		return nil
	}
	if err := b.load(ctx, c); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(c.dir, "snapshot-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "backup")
	size, err := b.saved(ctx, c, file)
	if err != nil {
		return err
	}
	if err := b.plainWrite(c, filepath.Join(dir, "plain"), size); err != nil {
		return err
	}
	return b.restored(ctx, c, dir, file, size)
}

// rate is a row about bytes in a time.
func (b *bench) rate(c *cluster, what string, size int64, took time.Duration, note string) {
	b.add(Row{What: what, LogStore: c.store, Value: new(ms(took)), Unit: "ms", Note: fmt.Sprintf("%.1f MiB, %.0f MiB/s%s", mib(size), mib(size)/took.Seconds(), note)})
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

func (b *bench) saved(ctx context.Context, c *cluster, path string) (n int64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	n, err = c.admin.Snapshot(ctx, f)
	err = errors.Join(err, f.Sync())
	took := time.Since(start)
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, fmt.Errorf("save a snapshot: %w", err)
	}
	b.rate(c, "snapshot saved, "+grouped(float64(c.loaded))+" secrets", n, took, "; read twice, sealed, sent by TLS, fsynced")
	return n, nil
}

// plainWrite writes as many bytes as fast as the disk takes them.
func (b *bench) plainWrite(c *cluster, path string, size int64) (err error) {
	data := make([]byte, 1<<20)
	rand.Read(data)
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	start := time.Now()
	for left := size; left > 0 && err == nil; left -= int64(len(data)) {
		_, err = f.Write(data[:min(left, int64(len(data)))])
	}
	err = errors.Join(err, f.Sync())
	took := time.Since(start)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write plainly: %w", err)
	}
	b.rate(c, "plain write of as many bytes + fsync", size, took, "")
	return nil
}

func (b *bench) restored(ctx context.Context, c *cluster, dir, file string, size int64) error {
	config := filepath.Join(dir, "r1.yaml")
	text := fmt.Sprintf("node: r1\ndata: %s\nseal: {file: %s}\n", filepath.Join(dir, "r1"), filepath.Join(c.dir, "kek"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, c.dev.binary, "operator", "snapshot", "restore", file, "-c", config, "-o", "json")
	cmd.Env = environment(os.Environ())
	start := time.Now()
	_, err := cmd.Output() // it holds a root token
	took := time.Since(start)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("restore a snapshot: %w: %s", err, exit.Stderr)
	}
	if err != nil {
		return err
	}
	b.rate(c, "snapshot restored, "+grouped(float64(c.loaded))+" secrets", size, took, "; opened, digest and chain verified, Raft's snapshot written")
	return nil
}
