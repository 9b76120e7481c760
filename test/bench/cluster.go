package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/trstctl/trstctl/cmd/trstctl/dev"
	"github.com/trstctl/trstctl/sdk"
)

const patience = time.Minute // for anything that a cluster should do by itself

// cluster is three nodes or so, ours or somebody else's.
type cluster struct {
	dir    string // of trstctl dev
	store  string // log store
	seal   string // kind, of one that is ours
	prefix string // of every path written
	nodes  []dev.Node
	env    dev.Env
	ca     []byte
	admin  *sdk.Client // asks all nodes
	dev    *devProcess // nil: not ours
	loaded int         // secrets that load put there

	imported float64 // a second, by load
}

// startCluster makes a cluster in dir and returns when all nodes are ready.
func startCluster(ctx context.Context, dir, binary string, s stage, nodes int) (*cluster, error) {
	args := []string{"dev", "--nodes", fmt.Sprint(nodes), "--base-port", "0", "--dir", dir, "--log-store", s.store, "--seal", s.seal}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, store: s.store, seal: s.seal, dev: newDev(binary, args)}
	if err := c.dev.start(); err != nil {
		return nil, err
	}
	err := c.dev.ready(ctx)
	if err == nil {
		err = c.open(dev.EnvFile(dir))
	}
	if err != nil {
		return nil, errors.Join(err, c.end())
	}
	return c, nil
}

// openCluster finds a running cluster by its environment file, beside which nodes.json may stand.
func openCluster(ctx context.Context, env string) (*cluster, error) {
	c := &cluster{dir: filepath.Dir(env)}
	if err := c.open(env); err != nil {
		return nil, err
	}
	s, err := c.admin.Status(ctx)
	c.store = s.LogStore
	return c, err
}

func (c *cluster) open(env string) (err error) {
	if c.env, err = dev.ReadEnv(env); err != nil {
		return fmt.Errorf("read the environment file: %w", err)
	}
	if c.ca, err = os.ReadFile(c.env.CACert); err != nil {
		return fmt.Errorf("read the CA certificate: %w", err)
	}
	if c.admin, err = c.client(c.env.Addresses...); err != nil {
		return err
	}
	c.prefix = "bench/" + strings.ToLower(rand.Text()[:10])
	return c.readNodes()
}

// readNodes takes ids, directories and pids from nodes.json; a cluster that trstctl dev does not run has none of them.
func (c *cluster) readNodes() error {
	b, err := os.ReadFile(filepath.Join(c.dir, "nodes.json"))
	if errors.Is(err, os.ErrNotExist) && c.dev == nil {
		for _, a := range c.env.Addresses {
			c.nodes = append(c.nodes, dev.Node{ID: a, API: a})
		}
		return nil
	}
	if err != nil {
		return err
	}
	var nodes []dev.Node
	if err := json.Unmarshal(b, &nodes); err != nil {
		return fmt.Errorf("read nodes.json: %w", err)
	}
	c.nodes = nodes
	return nil
}

// client has connections of its own and asks addresses in this order.
func (c *cluster) client(addresses ...string) (*sdk.Client, error) {
	return c.clientIn("", addresses...)
}

// pids of the nodes that run here.
func (c *cluster) pids() (pids []int) {
	for _, n := range c.nodes {
		if n.PID > 0 {
			pids = append(pids, n.PID)
		}
	}
	return pids
}

// leader returns the place in nodes of the one that leads, when one does.
func (c *cluster) leader(ctx context.Context) (leader int, err error) {
	leader = -1
	err = eventually(ctx, "a leader", func(ctx context.Context) error {
		leader = slices.IndexFunc(c.nodes, func(n dev.Node) bool {
			one, err := c.admin.Node(n.API)
			return err == nil && one.Leads(ctx) == nil
		})
		if leader < 0 {
			return errors.New("no node leads")
		}
		return nil
	})
	return leader, err
}

// kill ends a node as a power cut would.
func (c *cluster) kill(i int) error {
	if c.nodes[i].PID <= 0 {
		return fmt.Errorf("the pid of %s is not known", c.nodes[i].ID)
	}
	return syscall.Kill(c.nodes[i].PID, syscall.SIGKILL)
}

// stop ends a node in order and returns when it is gone.
func (c *cluster) stop(ctx context.Context, i int) error {
	n := c.nodes[i]
	if n.PID <= 0 {
		return fmt.Errorf("the pid of %s is not known", n.ID)
	}
	if err := syscall.Kill(n.PID, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", n.ID, err)
	}
	return eventually(ctx, n.ID+" to stop", func(context.Context) error {
		err := syscall.Kill(n.PID, 0)
		if errors.Is(err, syscall.ESRCH) {
			return nil
		}
		return errors.Join(errors.New("its process is there still"), err)
	})
}

// revive starts a dead node again and waits until it has caught up with the leader.
func (c *cluster) revive(ctx context.Context, i int) (err error) {
	if err := errors.Join(c.start(ctx, c.nodes[i].ID), c.readNodes()); err != nil {
		return err
	}
	s, err := c.admin.Status(ctx)
	if err != nil {
		return err
	}
	one, err := c.admin.Node(c.nodes[i].API)
	if err != nil {
		return err
	}
	return eventually(ctx, c.nodes[i].ID+" to catch up", func(ctx context.Context) error {
		now, err := one.Status(ctx)
		if err == nil && now.AppliedIndex < s.AppliedIndex {
			return fmt.Errorf("it has applied %d of %d", now.AppliedIndex, s.AppliedIndex)
		}
		return errors.Join(err, one.Ready(ctx))
	})
}

// start starts a dead node and returns when its socket answers. The one that runs it may not have seen yet that it is dead.
func (c *cluster) start(ctx context.Context, id string) error {
	return eventually(ctx, id+" to start", func(ctx context.Context) error {
		_, err := dev.Restart(ctx, c.dir, id)
		return err
	})
}

// purge destroys what was written beneath prefix; the names remain as those of purged secrets. A page may be empty and not the last.
func (c *cluster) purge(ctx context.Context) error {
	client, n := c.admin.Reading(sdk.Read{At: sdk.Linearizable}), 0
	slice := sdk.Slice{Limit: 1000}
	for {
		p, err := client.List(ctx, sdk.ListOptions{Prefix: c.prefix + "/", Slice: slice})
		if err == nil {
			err = parallel(64, len(p.Items), func(i int) error {
				_, err := client.PurgeAll(ctx, p.Items[i].Path)
				return err
			})
		}
		if err != nil {
			return fmt.Errorf("purge what the bench wrote beneath %s: %w", c.prefix, err)
		}
		n += len(p.Items)
		if slice.Cursor = p.NextCursor; slice.Cursor == "" {
			say("purged %d secrets beneath %s; their names and the events that wrote them remain", n, c.prefix)
			return nil
		}
	}
}

// end stops a cluster that is ours.
func (c *cluster) end() error {
	if c.dev == nil {
		return nil
	}
	return c.dev.stop()
}
