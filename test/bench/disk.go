package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

const (
	block    = 4 << 10
	diskFile = 32 << 20 // written beforehand: the log stores, too, write where blocks are allocated already
	tmpfs    = 0x01021994
)

// disk measures 4 KiB writes with fdatasync, one after the other, beside the nodes' data.
func disk(ctx context.Context, b *bench, c *cluster) error {
	where := c.dir
	took, err := syncs(ctx, where, b.opt.period*2/5)
	if err != nil {
		return fmt.Errorf("measure the disk: %w", err)
	}
	slices.Sort(took)
	var total time.Duration
	for _, d := range took {
		total += d
	}
	b.fsync = percentile(took, 50)
	r := Row{What: "disk: 4 KiB write + fdatasync", LogStore: c.store, PerSecond: perSecond(len(took), total)}.times(took)
	if inMemory(where) {
		r.Note = where + " is in memory (tmpfs): no figure here says anything about a disk; set TMPDIR"
	}
	b.add(r)
	return nil
}

func syncs(ctx context.Context, dir string, period time.Duration) (took []time.Duration, err error) {
	f, err := os.CreateTemp(dir, "disk-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	data := make([]byte, diskFile)
	rand.Read(data)
	if _, err := f.Write(data); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	took = make([]time.Duration, 0, 1<<17)
	for begin, at := time.Now(), int64(0); time.Since(begin) < period && ctx.Err() == nil; at = (at + block) % diskFile {
		start := time.Now()
		if _, err := f.WriteAt(data[at:at+block], at); err != nil {
			return nil, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start))
	}
	return took, ctx.Err()
}

func inMemory(dir string) bool {
	var s syscall.Statfs_t
	return syscall.Statfs(dir, &s) == nil && s.Type == tmpfs
}
