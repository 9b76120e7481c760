package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of /proc/PID/stat: USER_HZ, which is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// procStat is what /proc/PID/stat says. Field numbers are those of proc(5).
type procStat struct {
	cpu     time.Duration // user and system
	started time.Duration // since boot
}

func readStat(pid int) (s procStat, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return s, err
	}
	return parseStat(string(b))
}

func parseStat(text string) (s procStat, err error) {
	f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // a command's name may hold anything
	const first = 3                                                // the number of f[0]
	if len(f) <= 22-first {
		return s, fmt.Errorf("/proc/PID/stat is not understood: %q", text)
	}
	ticks := func(field int) time.Duration {
		n, e := strconv.ParseInt(f[field-first], 10, 64)
		err = errors.Join(err, e)
		return time.Duration(n) * tick
	}
	s = procStat{cpu: ticks(14) + ticks(15), started: ticks(22)}
	return s, err
}

// sinceBoot is the present on two clocks: ours, and that of procStat.started.
func sinceBoot() (now time.Time, up time.Duration, err error) {
	b, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return now, 0, err
	}
	now = time.Now()
	first, _, _ := strings.Cut(string(b), " ")
	up, err = time.ParseDuration(first + "s")
	return now, up, err
}

// cpu is the processor time that all processes have used so far.
func cpu(pids []int) (total time.Duration, err error) {
	for _, pid := range pids {
		s, err := readStat(pid)
		if err != nil {
			return 0, err
		}
		total += s.cpu
	}
	return total, nil
}

// machineCPU is what all processors have done so far, for whomever, interrupts and other guests (steal) included.
func machineCPU() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseMachine(string(b))
}

func parseMachine(text string) (busy time.Duration, err error) {
	line, _, _ := strings.Cut(text, "\n")
	f := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal …
	if len(f) < 9 || f[0] != "cpu" {
		return 0, fmt.Errorf("/proc/stat is not understood: %q", line)
	}
	for _, i := range []int{1, 2, 3, 6, 7, 8} {
		n, e := strconv.ParseInt(f[i], 10, 64)
		busy, err = busy+time.Duration(n)*tick, errors.Join(err, e)
	}
	return busy, err
}

// usage is processor time.
type usage struct{ nodes, own, machine time.Duration }

func (c *cluster) usage() (u usage, err error) {
	if u.nodes, err = cpu(c.pids()); err != nil {
		return u, err
	}
	u.machine, err = machineCPU()
	u.own = ownCPU()
	return u, err
}

func (u usage) since(old usage) usage {
	return usage{u.nodes - old.nodes, u.own - old.own, u.machine - old.machine}
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // cannot fail with these arguments
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory is in MiB.
type memory struct{ rss, peak, pss float64 }

// readMemory reads a process's figures. Pss stays 0 where the kernel does not show it.
func readMemory(pid int) (m memory, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m, err
	}
	m.rss, m.peak = field(string(b), "VmRSS:"), field(string(b), "VmHWM:")
	if b, err = os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid)); err == nil {
		m.pss = field(string(b), "Pss:")
	}
	return m, nil
}

// memory reads that of every node.
func (c *cluster) memory() (all []memory, err error) {
	for _, n := range c.nodes {
		m, err := readMemory(n.PID)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

// field returns the kB of a line such as "VmRSS:  1234 kB" in MiB.
func field(text, name string) float64 {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == name {
			kb, _ := strconv.ParseFloat(f[1], 64) // the kernel writes digits
			return kb / 1024
		}
	}
	return 0
}

// diskUse is the space in MiB that the files beneath dir take. Files come and go under a running node.
func diskUse(dir string) (mib float64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		var s syscall.Stat_t
		if err := syscall.Lstat(path, &s); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		mib += float64(s.Blocks) * 512 / (1 << 20)
		return nil
	})
	return mib, err
}
