package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// devProcess is `trstctl dev`, which ends its nodes when it is told to end, and takes them with it however it ends.
type devProcess struct {
	binary string
	args   []string

	cmd     *exec.Cmd
	greeted chan struct{} // closed when it says that all nodes are ready
	ended   chan struct{}
	errs    bytes.Buffer // what it said; to be read once it has ended
}

func newDev(binary string, args []string) *devProcess { return &devProcess{binary: binary, args: args} }

// start runs it. A terminal's ^C does not reach it: it is ended by stop. Should the bench die, it gets SIGTERM from the kernel, at the
// end of the thread that started it, so that thread stays with it.
func (d *devProcess) start() error {
	d.greeted, d.ended = make(chan struct{}), make(chan struct{})
	d.errs.Reset()
	d.cmd = exec.Command(d.binary, d.args...)
	d.cmd.Env = environment(os.Environ())
	d.cmd.Stdout, d.cmd.Stderr = &firstWrite{done: d.greeted}, &d.errs
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		defer close(d.ended)
		err := d.cmd.Start()
		started <- err
		if err == nil {
			_ = d.cmd.Wait() // how it ended is in ProcessState
		}
	}()
	return <-started
}

// ready waits for its greeting.
func (d *devProcess) ready(ctx context.Context) error {
	select {
	case <-d.greeted:
		return nil
	case <-d.ended:
		return fmt.Errorf("trstctl dev ended: %s\n%s", d.cmd.ProcessState, d.errs.String())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stop lets it stop the nodes gracefully.
func (d *devProcess) stop() error {
	select {
	case <-d.ended:
		return nil
	default:
	}
	_ = d.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has just ended
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-d.ended:
	case <-t.C:
		_ = d.cmd.Process.Kill()
		<-d.ended
		return errors.New("trstctl dev did not stop and was killed")
	}
	if !d.cmd.ProcessState.Success() {
		return fmt.Errorf("trstctl dev ended: %s\n%s", d.cmd.ProcessState, d.errs.String())
	}
	return nil
}

// environment drops the user's own variables for a cluster.
func environment(env []string) (out []string) {
	for _, e := range env {
		if !strings.HasPrefix(e, "TRSTCTL_") {
			out = append(out, e)
		}
	}
	return out
}

// firstWrite discards what is written and tells of the first time.
type firstWrite struct {
	once sync.Once
	done chan struct{}
}

func (f *firstWrite) Write(b []byte) (int, error) {
	f.once.Do(func() { close(f.done) })
	return len(b), nil
}
