// Package dev runs a local cluster for development, tests and demonstrations: one child process per node, all of them below one
// directory, none of them restarted unless asked.
//
// Invariants: nodes.json exists before the first child does; the root token is in init.json before anything else happens, and that file
// goes when env holds the token; children die with this process, however it dies. A crash at any point is mended by the next start.
package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/trstctl/trstctl/sdk"
)

const (
	patience = 90 * time.Second // for each step of a start
	interval = 50 * time.Millisecond
	grace    = 15 * time.Second // for a node to stop
)

// Options say what to run.
type Options struct {
	Dir        string                                                                    // everything is beneath it
	Nodes      int                                                                       // 0: as many as there are, or 3
	BasePort   int                                                                       // of a new cluster; 0: ports that are free
	LogStore   string                                                                    // of a new cluster: bolt or wal
	Executable string                                                                    // trstctl
	Seal       string                                                                    // of a new cluster: file (the default), pkcs11 or shamir
	Keygen     func(string) error                                                        // makes a key file
	HSM        func(ctx context.Context, executable, dir string) (map[string]any, error) // makes a token there, and the seal of a configuration
	Out, Err   io.Writer                                                                 // what to do next; progress
}

// Executable returns the path of the running program as it was called: behind a link, its name may matter.
func Executable() (string, error) {
	path, err := exec.LookPath(os.Args[0])
	if err != nil {
		return os.Executable()
	}
	return filepath.Abs(path)
}

// searchPath is the directory of the executable unless a shell finds trstctl anyway.
func (o Options) searchPath() string {
	if found, err := exec.LookPath("trstctl"); err == nil && found != "" {
		return ""
	}
	return filepath.Dir(o.Executable)
}

// cluster is a running development cluster.
type cluster struct {
	opt     Options
	spawner *spawner

	mu       sync.Mutex // guards what follows
	nodes    []Node
	children map[string]*child // by node, ended ones too
	stopping bool

	waiting bool // for people with shares; run's own
}

// Run runs the cluster until ctx ends and then stops it, gracefully.
func Run(ctx context.Context, o Options) (err error) {
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return fmt.Errorf("find %s: %w", o.Dir, err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("create %s: %w", o.Dir, err)
	}
	if info, err := os.Stat(o.Dir); err != nil || info.Mode().Perm()&0o022 != 0 {
		return errors.Join(err, fmt.Errorf("others may write in %s: run chmod 700 %s, or choose another directory", o.Dir, quoted(o.Dir)))
	}
	syscall.Umask(0o077) // sockets, logs and tokens are nobody else's
	unlock, err := lock(filepath.Join(o.Dir, "dev.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	nodes, err := o.lay(ctx)
	if err != nil {
		return err
	}
	if err := awaitPorts(ctx, nodes, grace); err != nil {
		return err
	}
	d := &cluster{opt: o, spawner: newSpawner(), nodes: nodes, children: map[string]*child{}}
	defer close(d.spawner.requests)
	defer func() { err = errors.Join(err, d.stopAll()) }()
	return d.run(ctx)
}

func (d *cluster) run(ctx context.Context) error {
	control, err := d.listen()
	if err != nil {
		return err
	}
	defer control.Close()
	e, err := d.assemble(ctx)
	if err != nil {
		if ctx.Err() != nil { // stopped by the user: nothing is wrong
			return nil
		}
		return err
	}
	d.greet(e)
	<-ctx.Done()
	return nil
}

// assemble brings up what exists, founds or joins what does not, and publishes the credentials.
func (d *cluster) assemble(ctx context.Context) (Env, error) {
	if err := d.startJoined(ctx); err != nil {
		return Env{}, err
	}
	if d.waiting = d.waitsForPeople(ctx); d.waiting {
		e, err := d.credentials()
		if err != nil {
			return e, err
		}
		return e, d.publish(e)
	}
	e, err := d.found(ctx)
	if err != nil {
		return e, err
	}
	c, err := e.client()
	if err != nil {
		return e, err
	}
	for _, n := range d.nodes[1:] {
		if !d.started(n.ID) {
			if err := d.join(ctx, c, n); err != nil {
				return e, err
			}
		}
	}
	if err := d.awaitVoters(ctx, c); err != nil {
		return e, err
	}
	return e, d.publish(e)
}

// startJoined starts the first node and all that have data, and waits until they answer.
func (d *cluster) startJoined(ctx context.Context) error {
	joined := map[string]bool{}
	for i, n := range d.nodes {
		if joined[n.ID] = n.joined(); !joined[n.ID] && i > 0 {
			continue
		}
		if err := d.start(n.ID, ""); err != nil {
			return err
		}
	}
	for _, n := range d.nodes {
		if !d.started(n.ID) {
			continue
		}
		if err := d.await(ctx, n.ID, func(s sdk.LocalStatus) bool { return s.Initialised || !joined[n.ID] }); err != nil {
			return err
		}
	}
	return nil
}

// start runs a node that does not run and notes its pid in nodes.json.
func (d *cluster) start(id, joinFile string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, err := d.startable(id)
	if err != nil {
		return err
	}
	c, err := d.startChild(d.nodes[i], joinFile)
	if err != nil {
		return err
	}
	d.children[id], d.nodes[i].PID = c, c.pid()
	go d.report(c)
	d.say("started %s (pid %d)", id, c.pid())
	return writeNodes(d.opt.Dir, d.nodes)
}

// report says when a child ends that nobody stopped.
func (d *cluster) report(c *child) {
	<-c.ended
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.stopping {
		d.say("%s (pid %d) ended: %s; to start it again: trstctl dev restart %s --dir %s", c.node.ID, c.pid(), c.cmd.ProcessState, c.node.ID, quoted(d.opt.Dir))
	}
}

func (d *cluster) started(id string) bool { return d.child(id) != nil }

func (d *cluster) child(id string) *child {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.children[id]
}

// await waits until a node's socket answers and its status is as wanted, or the node ends.
func (d *cluster) await(ctx context.Context, id string, wanted func(sdk.LocalStatus) bool) error {
	c := d.child(id)
	local, err := sdk.NewLocal(c.node.socket())
	if err != nil {
		return err
	}
	return d.poll(ctx, id, func(ctx context.Context) error {
		s, err := local.Status(ctx)
		if err == nil && !wanted(s) {
			err = errors.New("it is " + s.State)
		}
		return err
	})
}

// poll repeats a question until it is answered with nil, a child that is needed (id, or any with "") has ended, or patience has.
func (d *cluster) poll(ctx context.Context, id string, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if ended := d.ended(id); ended != nil {
			return ended.exited()
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return fmt.Errorf("the cluster did not come up (the logs are %s/*.log): %w", d.opt.Dir, err)
		}
	}
}

// ended returns the child with this id, or any with "", if it has ended.
func (d *cluster) ended(id string) *child {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.children {
		if (id == "" || c.node.ID == id) && !c.running() {
			return c
		}
	}
	return nil
}

func (d *cluster) say(format string, args ...any) { fmt.Fprintf(d.opt.Err, format+"\n", args...) }

func (d *cluster) greet(e Env) {
	if d.waiting {
		d.say("the nodes run, and serve once they are open; stop them with ^C")
		return
	}
	fmt.Fprintf(d.opt.Out, `%d nodes are ready: %s. In another shell:

    . %s
    trstctl status
    printf s3cret | trstctl secret put db/password -
    trstctl secret get db/password

%sStop them with ^C. What you kill stays dead until: trstctl dev restart ID --dir %s
`, len(e.Addresses), e.Addresses, quoted(EnvFile(d.opt.Dir)), d.keyPorts(), quoted(d.opt.Dir))
}

// keyPorts says where the nodes speak KMIP, and where they publish what their CAs say; nothing where none of them does.
func (d *cluster) keyPorts() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var kmip, pki []string
	for _, n := range d.nodes {
		if n.KMIP != "" {
			kmip = append(kmip, n.KMIP)
		}
		if n.PKI != "" {
			pki = append(pki, "http://"+n.PKI)
		}
	}
	out := ""
	if len(kmip) > 0 {
		out = fmt.Sprintf("KMIP is spoken at %s to clients that trstctl kmip client create makes.\n", strings.Join(kmip, ", "))
	}
	if len(pki) > 0 {
		out += fmt.Sprintf("CRLs and OCSP answers of trstctl pki issuers are at %s: one of these is an issuer's --url.\n", strings.Join(pki, ", "))
	}
	return out
}

// lock keeps a second run off the same directory; the kernel gives it up when this process ends.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another trstctl dev runs in %s", filepath.Dir(path)), f.Close())
	}
	return func() { _ = f.Close() }, nil
}
