package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/trstctl/trstctl/jepsen/control"
	"github.com/trstctl/trstctl/jepsen/faultfs"
	"github.com/trstctl/trstctl/jepsen/network"
	"github.com/trstctl/trstctl/sdk"
)

// Node is one process and what it lives on.
type Node struct {
	lab  *Lab
	ID   string
	Host network.Host
	Data string      // its data directory
	FS   *faultfs.FS // on which that is; nil on a plain or small disk
	disk string      // mount point of a small disk; empty for none
	from string      // what FS serves
	grp  *group      // nil where control groups are not allowed

	joinToken sdk.Secret

	asking sync.Once // makes client, when the cluster has a CA
	client *sdk.Client

	mu    sync.Mutex // guards the rest
	older bool       // the next start runs the older binary
	env   []string   // of the next start, once
	cmd   *exec.Cmd
	done  chan struct{}
}

// add lays out one more node, which its caller starts.
func (l *Lab) add() (*Node, error) {
	l.mu.Lock()
	l.added++
	id := fmt.Sprintf("n%d", l.added)
	l.mu.Unlock()
	host, err := l.Net.Add(id)
	if err != nil {
		return nil, fmt.Errorf("a host for %s: %w", id, err)
	}
	n := &Node{lab: l, ID: id, Host: host}
	if err := errors.Join(n.makeDisk(), n.configure(), makeDir(l.opt.Logs)); err != nil {
		return nil, errors.Join(err, n.close())
	}
	if CanSandbox() {
		n.grp, _ = newGroup(filepath.Base(l.place.Dir), id) // Supports says so where there are none
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nodes = append(l.nodes[:len(l.nodes):len(l.nodes)], n)
	l.ever[id] = n
	return n, nil
}

func (n *Node) path(suffix string) string { return filepath.Join(n.lab.place.Dir, n.ID+suffix) }

// Log is the file that the node's log is in.
func (n *Node) Log() string { return filepath.Join(n.lab.opt.Logs, n.ID+".log") }

func (n *Node) configure() error {
	o := n.lab.opt
	text := fmt.Sprintf("node: %s\ndata: %s\napi: {listen: %q, advertise: %q}\ncluster: {listen: %q, advertise: %q}\n%s"+
		"raft: {log_store: %s, snapshot_mib: %d, trailing_mib: %d}\nsecrets: {enable_api: true}\ntransit: {enable_api: true}\ndynamic: {enable_api: true}\nkmip: {enable_api: true, listen: %q}\ndisk: {reserve_mib: %d, ballast_mib: 0}\n",
		n.ID, n.Data, n.Host.Listen(network.API), n.Host.Advertise(network.API), n.Host.Listen(network.Raft), n.Host.Advertise(network.Raft),
		n.lab.seals, cmp.Or(o.Store, "bolt"), o.Snapshot, o.Trailing, n.Host.Listen(network.KMIP), reserveMiB)
	if n.lab.Net.Kind() == "namespaces" {
		text += fmt.Sprintf("gossip: {enabled: true, listen: %q}\n", n.Host.Listen(network.Gossip))
	}
	return os.WriteFile(n.path(".yaml"), []byte(text), 0o600)
}

// Socket is where the harness speaks to the chaos hooks of the process.
func (n *Node) socket() string { return n.path(".chaos") }

// Control speaks to the hooks of the process.
func (n *Node) Control() (*control.Client, error) { return control.Dial(n.socket()) }

// Local speaks to the node as the operator of its machine.
func (n *Node) Local() (*sdk.Local, error) {
	return sdk.NewLocal(filepath.Join(n.Data, "trstctl.sock"))
}

// Start starts the process. It does nothing to one that runs.
func (n *Node) Start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.runs() {
		return nil
	}
	log, err := os.OpenFile(n.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	binary := n.lab.opt.Binary
	if n.older {
		binary = n.lab.opt.Older
	}
	cmd := exec.Command(binary, "server", "-c", n.path(".yaml"))
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, n.environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.Host.Start(cmd); err != nil {
		return fmt.Errorf("start %s: %w", n.ID, err)
	}
	n.env = nil
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(done)
	}()
	n.cmd, n.done = cmd, done
	return errors.Join(n.lab.place.started(cmd.Process.Pid), n.join(cmd.Process.Pid))
}

// join puts the process into its group.
func (n *Node) join(pid int) error {
	if n.grp == nil {
		return nil
	}
	if err := n.grp.add(pid); err != nil && syscall.Kill(pid, 0) == nil {
		return fmt.Errorf("put %s into its group: %w", n.ID, err)
	}
	return nil // or it has ended at once
}

func (n *Node) environment() []string {
	env := append(os.Environ(), n.lab.opt.Env...)
	env = append(env, n.lab.place.mark(), "TRSTCTL_CHAOS_SOCKET="+n.socket())
	if n.joinToken != nil {
		env = append(env, "TRSTCTL_JOIN_TOKEN="+string(n.joinToken))
	}
	if by := n.lab.skew(); by != 0 {
		env = append(env, control.ClockVariable(by))
	}
	return append(env, n.env...)
}

// Next adds to the environment of the next start alone.
func (n *Node) Next(env ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.env = append(n.env, env...)
}

// Older has the following starts run the older binary, or not.
func (n *Node) Older(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.older = on
}

// Running reports whether the process lives.
func (n *Node) Running() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.runs()
}

func (n *Node) runs() bool {
	if n.cmd == nil {
		return false
	}
	select {
	case <-n.done:
		return false
	default:
		return true
	}
}

// PID is the process's; 0 when none runs.
func (n *Node) PID() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.runs() {
		return 0
	}
	return n.cmd.Process.Pid
}

// Kill ends the process as a power cut would, and waits for its end.
func (n *Node) Kill() error { return n.end(syscall.SIGKILL) }

// Stop asks the process to end, and waits.
func (n *Node) Stop() error { return n.end(syscall.SIGTERM) }

// Pause stops the process's time; Resume lets it go on.
func (n *Node) Pause() error  { return n.signal(syscall.SIGSTOP) }
func (n *Node) Resume() error { return n.signal(syscall.SIGCONT) }

func (n *Node) signal(s syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.runs() {
		return nil
	}
	if err := n.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

func (n *Node) end(s syscall.Signal) error {
	if err := errors.Join(n.signal(s), n.signal(syscall.SIGCONT)); err != nil {
		return err
	}
	return n.Ended(30 * time.Second)
}

// Ended waits for the end of the process.
func (n *Node) Ended(within time.Duration) error {
	n.mu.Lock()
	done := n.done
	n.mu.Unlock()
	if done == nil {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-time.After(within):
		return fmt.Errorf("%s does not end", n.ID)
	}
}

// Freeze stops the process as the kernel's freezer does; no signal of it is seen. Thaw lets it go on.
func (n *Node) Freeze() error { return n.grouped(func(g *group) error { return g.freeze(true) }) }
func (n *Node) Thaw() error   { return n.grouped(func(g *group) error { return g.freeze(false) }) }

// Limit bounds the process's memory in bytes; -1: not at all.
func (n *Node) Limit(bytes int64) error {
	return n.grouped(func(g *group) error { return g.limit(bytes) })
}

// ErrNoGroups is for what needs control groups.
var ErrNoGroups = errors.New("control groups cannot be made here: this takes root")

func (n *Node) grouped(do func(*group) error) error {
	if n.grp == nil {
		return ErrNoGroups
	}
	return do(n.grp)
}

// close ends the process and takes down what it lived on.
func (n *Node) close() error {
	err := error(nil)
	if n.grp != nil {
		err = n.grp.freeze(false)
	}
	return errors.Join(err, n.Kill(), n.closeDisk())
}

// Status asks the node.
func (n *Node) Status(ctx context.Context) (sdk.Status, error) { return n.Client().Status(ctx) }
