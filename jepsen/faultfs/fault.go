package faultfs

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Faults is what a disk does wrong, until it is set to something else.
type Faults struct {
	// FailSync: fsync and fdatasync answer EIO.
	FailSync bool `json:"fail_sync,omitempty"`
	// SlowSync is what each fsync takes in addition. The kernel lets writes to the same file, and lookups in the same directory, wait as long.
	SlowSync time.Duration `json:"slow_sync_ns,omitempty"`
	// HangSync: an fsync does not return until this ends, or its process is killed.
	HangSync bool `json:"hang_sync,omitempty"`
	// Full: what makes a file longer, fills a hole in one or makes a name answers ENOSPC, and no space is free.
	Full bool `json:"full,omitempty"`
	// FailWrite, FailRead: EIO. What the kernel had cached when this was set is read anew.
	FailWrite bool `json:"fail_write,omitempty"`
	FailRead  bool `json:"fail_read,omitempty"`
	// Match restricts all of this to paths, from the top of the file system, with this in them.
	Match string `json:"match,omitempty"`
}

// condition holds the faults of one volume.
type condition struct{ now atomic.Pointer[moment] }

type moment struct {
	Faults
	off  bool // the power is gone
	over chan struct{}
}

func (c *condition) set(f Faults, off bool) {
	if was := c.now.Swap(&moment{f, off, make(chan struct{})}); was != nil {
		close(was.over)
	}
}

// at gives the faults for a path, which is worked out only when there are any.
func (c *condition) at(path func() string) Faults {
	if m := c.now.Load(); m.hits(path) {
		return m.Faults
	}
	return Faults{}
}

func (m *moment) hits(path func() string) bool {
	return m.Faults != Faults{} && (m.Match == "" || strings.Contains(path(), m.Match))
}

// glance is how often a sync that waits looks whether its process was killed.
const glance = 20 * time.Millisecond

// sync waits as long as a sync has to, and tells how it ends.
func (c *condition) sync(path func() string, pid uint32) syscall.Errno {
	for start := time.Now(); ; {
		m := c.now.Load()
		if m.off {
			return syscall.ENODEV
		}
		left := m.SlowSync - time.Since(start)
		switch {
		case !m.hits(path):
			return 0
		case m.HangSync:
			left = glance
		case left > 0:
		case m.FailSync:
			return syscall.EIO
		default:
			return 0
		}
		select {
		case <-m.over:
		case <-time.After(min(left, glance)):
		}
		if killed(pid) {
			return syscall.EINTR
		}
	}
}

// killed reports whether SIGKILL waits for a thread. The kernel does not say: it interrupts a request for any signal, once, and then lets a
// killed thread wait for its answer for ever.
func killed(pid uint32) bool {
	if pid == 0 {
		return false // not of this PID namespace
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(int(pid)) + "/status")
	if err != nil {
		return os.IsNotExist(err)
	}
	_, rest, _ := strings.Cut(string(b), "\nSigPnd:\t")
	field, _, _ := strings.Cut(rest, "\n")
	pending, err := strconv.ParseUint(field, 16, 64)
	return err == nil && pending&(1<<(syscall.SIGKILL-1)) != 0
}
