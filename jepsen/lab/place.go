package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Place is the directory in which a run keeps what it does not hand over: data, sockets, keys. It is locked while its process lives, so that a later
// run knows what was left behind.
type Place struct {
	Dir  string // short: a unix socket's path has 107 bytes
	lock *os.File
}

const placePrefix = "tj-"

// NewPlace makes one, after it has swept away what killed runs have left.
func NewPlace() (*Place, error) {
	if err := Sweep(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", placePrefix)
	if err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return &Place{dir, lock}, nil
}

// Close removes the place.
func (p *Place) Close() error {
	return errors.Join(removeGroups(filepath.Base(p.Dir)), os.RemoveAll(p.Dir), p.lock.Close())
}

// started notes a process, so that a later run ends it when this one cannot.
func (p *Place) started(pid int) error {
	f, err := os.OpenFile(filepath.Join(p.Dir, "pids"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, pid)
	return errors.Join(err, f.Close())
}

// mark is in the environment of every process of a place: a process id alone may be somebody else's by now.
func (p *Place) mark() string { return "TRSTCTL_JEPSEN_PLACE=" + p.Dir }

// Sweep removes what runs that were killed have left: processes, frozen groups, files. Runs that live are not touched.
func Sweep() error {
	all, err := filepath.Glob(filepath.Join(os.TempDir(), placePrefix+"*", "lock"))
	if err != nil {
		return err
	}
	for _, lock := range all {
		err = errors.Join(err, sweep(filepath.Dir(lock)))
	}
	return err
}

func sweep(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0o600)
	if err != nil {
		return nil // somebody else's, or just gone
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil // its run lives
	}
	pids, _ := os.ReadFile(filepath.Join(dir, "pids")) // none was started
	for _, line := range strings.Fields(string(pids)) {
		endLeftover(line, dir)
	}
	return errors.Join(removeGroups(filepath.Base(dir)), os.RemoveAll(dir))
}

// endLeftover ends a process if it is the place's.
func endLeftover(pid, dir string) {
	env, err := os.ReadFile("/proc/" + pid + "/environ")
	n, bad := strconv.Atoi(pid)
	if err != nil || bad != nil || !strings.Contains("\x00"+string(env), "\x00TRSTCTL_JEPSEN_PLACE="+dir+"\x00") {
		return
	}
	_ = syscall.Kill(n, syscall.SIGCONT) // it may have ended meanwhile
	_ = syscall.Kill(n, syscall.SIGKILL)
}
