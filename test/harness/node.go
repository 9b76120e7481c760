package harness

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
)

// Node is one process. Its own connections come from Address, so that the other nodes' proxies can tell whose they are.
type Node struct {
	c       *Cluster
	ID      string
	Data    string // directory
	Address string // 127.0.0.x
	API     string // host:port
	Cluster string // host:port of its cluster port
	KMIP    string // host:port where it speaks TTLV; empty: it does not
	HTTPS   string // host:port where it takes KMIP in HTTPS
	PKI     string // host:port where it publishes CRLs and OCSP answers
	Proxy   *Proxy // through which the others reach that port
	Binary  string // that the next Start runs; empty: the cluster's

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
}

// Config returns the path of the node's configuration.
func (n *Node) Config() string { return n.config() }

func (n *Node) config() string  { return filepath.Join(n.c.Dir, n.ID+".yaml") }
func (n *Node) logPath() string { return filepath.Join(n.c.Dir, n.ID+".log") }

func (n *Node) configure() {
	store := n.c.opt.LogStore
	if store == "" {
		store = "bolt"
	}
	text := fmt.Sprintf("node: %s\ndata: %s\napi: {listen: %q}\ncluster: {listen: %q, advertise: %q}\nseal: {file: %s}\nraft: {log_store: %s}\n"+
		"secrets: {enable_api: true}\ntransit: {enable_api: true}\ndynamic: {enable_api: true}\npki: {enable_api: true, listen: %q%s}\ndisk: {reserve_mib: %d, ballast_mib: 0}\n", n.ID, n.Data, n.API, n.Cluster, n.Proxy.Address(),
		n.c.KEK(), store, n.PKI, n.c.opt.PKI, n.c.opt.Reserve)
	if n.c.opt.Gossip {
		text += fmt.Sprintf("gossip: {enabled: true, listen: %q}\n", n.Address+":"+FreePort(n.c.T))
	}
	if n.KMIP != "" {
		text += fmt.Sprintf("kmip: {enable_api: true, listen: %q, https: %q}\n", n.KMIP, n.HTTPS)
	}
	text += n.c.opt.Config
	require.NoError(n.c.T, os.WriteFile(n.config(), []byte(text), 0o600))
}

// Start starts the process; env is added to its environment.
func (n *Node) Start(env ...string) {
	log, err := os.OpenFile(n.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(n.c.T, err)
	defer log.Close()
	cmd := exec.Command(cmp.Or(n.Binary, n.c.binary), "server", "-c", n.config())
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, append(os.Environ(), env...)
	require.NoError(n.c.T, cmd.Start())
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(done)
	}()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cmd, n.done = cmd, done
}

// Running reports whether the process is alive.
func (n *Node) Running() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
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

// PID returns the process id.
func (n *Node) PID() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cmd.Process.Pid
}

// Kill ends the process as a power cut would, and waits for it.
func (n *Node) Kill() { n.signal(syscall.SIGKILL, true) }

// Stop asks the process to end and waits for it.
func (n *Node) Stop() { n.signal(syscall.SIGTERM, true) }

// Pause stops the process's time; Resume lets it go on.
func (n *Node) Pause()  { n.signal(syscall.SIGSTOP, false) }
func (n *Node) Resume() { n.signal(syscall.SIGCONT, false) }

func (n *Node) signal(s syscall.Signal, wait bool) {
	if !n.Running() {
		return
	}
	if err := n.cmd.Process.Signal(s); err != nil || !wait {
		return // it has just ended
	}
	select {
	case <-n.done:
	case <-time.After(30 * time.Second):
		n.c.T.Errorf("%s does not end", n.ID)
	}
}

// Ended waits until the process has ended by itself.
func (n *Node) Ended() {
	n.c.Eventually(n.ID+" to end", func(context.Context) error {
		if n.Running() {
			return fmt.Errorf("it runs")
		}
		return nil
	})
}

// Log returns what the process has written.
func (n *Node) Log() string {
	b, err := os.ReadFile(n.logPath())
	require.NoError(n.c.T, err)
	return string(b)
}

// Isolate cuts the node off from the others, in both directions; Heal joins it again.
func (n *Node) Isolate() { n.cut(true) }
func (n *Node) Heal()    { n.cut(false) }

func (n *Node) cut(on bool) {
	for _, other := range n.c.Nodes {
		if other != n {
			n.Proxy.Cut(other.Address, on)
			other.Proxy.Cut(n.Address, on)
		}
	}
}
