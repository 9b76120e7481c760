package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// A group is a control group of one node's process, by which it is frozen or given little memory. Both versions of the kernel's interface
// are served: 1 has a hierarchy for each controller, 2 has one for all.
type group struct{ freezer, memory string }

const groups = "/sys/fs/cgroup"

func unified() bool {
	_, err := os.Stat(filepath.Join(groups, "cgroup.controllers"))
	return err == nil
}

// newGroup makes the group of a node. Its name begins with the place's.
func newGroup(place, node string) (*group, error) {
	name := place + "-" + node
	g := &group{filepath.Join(groups, "freezer", name), filepath.Join(groups, "memory", name)}
	if unified() {
		g.freezer = filepath.Join(groups, name)
		g.memory = g.freezer
	}
	if err := errors.Join(makeGroup(g.freezer), makeGroup(g.memory)); err != nil {
		return nil, fmt.Errorf("make a control group: %w", err)
	}
	return g, nil
}

func makeGroup(path string) error {
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// add moves a process into the group.
func (g *group) add(pid int) error {
	return errors.Join(write(g.freezer, "cgroup.procs", strconv.Itoa(pid)), write(g.memory, "cgroup.procs", strconv.Itoa(pid)))
}

func (g *group) freeze(on bool) error {
	if g.freezer == g.memory {
		return write(g.freezer, "cgroup.freeze", map[bool]string{true: "1", false: "0"}[on])
	}
	return write(g.freezer, "freezer.state", map[bool]string{true: "FROZEN", false: "THAWED"}[on])
}

// limit bounds the memory of the group in bytes; -1: not at all.
func (g *group) limit(n int64) error {
	if g.freezer != g.memory {
		return write(g.memory, "memory.limit_in_bytes", strconv.FormatInt(n, 10))
	}
	if n < 0 {
		return write(g.memory, "memory.max", "max")
	}
	return write(g.memory, "memory.max", strconv.FormatInt(n, 10))
}

func write(dir, file, text string) error {
	return os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600)
}

// removeGroups thaws and removes all groups of a place. A killed process takes a moment to leave its group.
func removeGroups(place string) (err error) {
	var all []string
	for _, pattern := range []string{"", "freezer", "memory"} {
		found, bad := filepath.Glob(filepath.Join(groups, pattern, place+"-*"))
		all, err = append(all, found...), errors.Join(err, bad)
	}
	for _, path := range all {
		(&group{path, path}).thaw()
		err = errors.Join(err, removeGroup(path))
	}
	return err
}

// thaw tries both ways: one of the files is not there.
func (g *group) thaw() {
	_ = write(g.freezer, "freezer.state", "THAWED")
	_ = write(g.freezer, "cgroup.freeze", "0")
}

func removeGroup(path string) (err error) {
	for range 100 {
		if err = os.Remove(path); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		time.Sleep(20 * time.Millisecond) // until its processes have gone; nothing tells
	}
	return err
}
