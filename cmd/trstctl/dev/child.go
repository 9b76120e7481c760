package dev

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/mutant"
)

// spawner starts processes from one thread that lives as long as this process: the kernel sends the death signal of a child when the
// thread that started it ends.
type spawner struct{ requests chan func() }

func newSpawner() *spawner {
	s := &spawner{make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked
		for start := range s.requests {
			start()
		}
		select {}
	}()
	return s
}

func (s *spawner) start(c *exec.Cmd) error {
	done := make(chan error)
	s.requests <- func() { done <- c.Start() }
	return <-done
}

// child is one running node.
type child struct {
	node  Node
	cmd   *exec.Cmd
	ended chan struct{} // closed once err and the process's state are known
	err   error
}

// start runs a node. joinFile, if not empty, holds a join token.
func (d *cluster) startChild(n Node, joinFile string) (*child, error) {
	log, err := os.OpenFile(n.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", n.ID, err)
	}
	defer log.Close()
	cmd := exec.Command(d.opt.Executable, "server", "-c", n.config())
	if joinFile != "" {
		cmd.Args = append(cmd.Args, "--join", joinFile)
	}
	cmd.Env = append(childEnv(os.Environ()), chaos.Child(n.Dir+".chaos")...)
	cmd.Stdout, cmd.Stderr = log, log
	// A process group of its own keeps the terminal's ^C away: children are stopped in order, by us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := d.spawner.start(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", n.ID, err)
	}
	c := &child{node: n, cmd: cmd, ended: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// childEnv drops our variables: the developer's own TRSTCTL_TENANT or TRSTCTL_API_LISTEN is not meant for the nodes.
func childEnv(env []string) (out []string) {
	for _, e := range env {
		if !strings.HasPrefix(e, "TRSTCTL_") || mutant.Chosen != "" && strings.HasPrefix(e, mutant.Variable+"=") {
			out = append(out, e)
		}
	}
	return out
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) running() bool {
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// exited describes the end of a child that should run, with the last lines of its log.
func (c *child) exited() error {
	return fmt.Errorf("%s (pid %d) ended: %s; the end of %s:\n%s", c.node.ID, c.pid(), c.cmd.ProcessState, c.node.log(), tail(c.node.log(), 2048))
}

// stop asks for a graceful end and insists after grace.
func (c *child) stop(ctx context.Context, grace time.Duration) {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has ended, which is what is wanted
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-c.ended:
		return
	case <-t.C:
	case <-ctx.Done():
	}
	_ = c.cmd.Process.Kill()
	<-c.ended
}

// tail returns up to n bytes from the end of a file, from the start of a line where possible.
func tail(path string, n int64) string {
	f, err := os.Open(path)
	if err != nil {
		return "(it cannot be read: " + err.Error() + ")"
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "(it cannot be read: " + err.Error() + ")"
	}
	b := make([]byte, min(n, info.Size()))
	if _, err := f.ReadAt(b, info.Size()-int64(len(b))); err != nil {
		return "(it cannot be read: " + err.Error() + ")"
	}
	s := string(b)
	if i := strings.IndexByte(s, '\n'); int64(len(b)) == n && i >= 0 {
		s = s[i+1:]
	}
	return strings.TrimRight(s, "\n")
}
