package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/trstctl/trstctl/engines/seal"
)

// bench is one run of the program.
type bench struct {
	opt   options
	rows  []Row
	fsync time.Duration // median of the latest measurement of the disk

	fileReady float64 // ms from the start of a node with the file seal to ready, in the median
	readAlone float64 // ms of a read by one client, in the median
	writeGap  float64 // ms of the longest gap in writes through a kill of the leader, in the median
}

// part measures one thing on a cluster and adds rows.
type part struct {
	name  string
	harsh bool // it kills or restarts nodes, or rotates keys
	run   func(context.Context, *bench, *cluster) error
}

// stage is what is measured on one fresh cluster: what fills it comes apart from what is measured empty.
type stage struct {
	store string
	seal  string
	parts []part
}

// Kinds of seals, as trstctl dev names them.
const (
	sealFile = "file"
	pkcs11   = "pkcs11"
	shamir   = "shamir"
)

var (
	small  = []part{{"disk", false, disk}, {"writes", false, writes}, {"reads", false, reads}, {"failover", true, failover}, {"transfer", false, transfer}, {"transit", true, transit}, {"certificates", false, certificates}, {"leases", false, leases}, {"unseal", true, unseal}}
	large  = []part{{"disk", false, disk}, {"memory", false, measureMemory}, {"snapshot", false, snapshot}, {"restart", true, restart}, {"rotate", true, rotate}}
	brief  = []part{{"disk", false, disk}, {"writes", false, someWrites}}
	keys   = []part{{"disk", false, disk}, {"kmip", false, kmip}}
	sealed = []part{{"unseal", true, unseal}}
)

func (o *options) stages() []stage {
	if s := o.logStore; s != "" {
		return []stage{{s, sealFile, small}, {s, pkcs11, sealed}, {s, shamir, sealed}, {s, sealFile, keys}, {s, sealFile, large}}
	}
	return []stage{{"bolt", sealFile, small}, {"bolt", pkcs11, sealed}, {"bolt", shamir, sealed}, {"wal", sealFile, brief}, {"bolt", sealFile, keys}, {"bolt", sealFile, large}}
}

// chosen returns the parts that were asked for, nil when that is the disk alone though something else was.
func (o *options) chosen(all []part) (parts []part) {
	for _, p := range all {
		if o.wants(p.name) {
			parts = append(parts, p)
		}
	}
	if len(parts) == 1 && parts[0].name == "disk" && len(o.only) > 0 && (len(o.only) > 1 || o.only[0] != "disk") {
		return nil
	}
	return parts
}

func (b *bench) run(ctx context.Context) error {
	if b.opt.env != "" {
		return b.onRunning(ctx)
	}
	dir, err := os.MkdirTemp("", "trb-") // short: a unix socket's path has 107 bytes
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "trstctl")
	say("building trstctl")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/trstctl/trstctl/cmd/trstctl").CombinedOutput(); err != nil {
		return fmt.Errorf("build trstctl: %w\n%s", err, out)
	}
	return b.stages(ctx, dir, binary)
}

func (b *bench) stages(ctx context.Context, dir, binary string) (err error) {
	for i, s := range b.opt.stages() {
		if parts := b.opt.chosen(s.parts); len(parts) > 0 && ctx.Err() == nil {
			err = errors.Join(err, b.onFresh(ctx, filepath.Join(dir, fmt.Sprint(i)), binary, s, parts))
		}
	}
	return err
}

// onFresh starts a cluster, measures it, and takes it away.
func (b *bench) onFresh(ctx context.Context, dir, binary string, s stage, parts []part) (err error) {
	if _, err := seal.SoftHSMModule(); s.seal == pkcs11 && err != nil {
		say("the pkcs11 seal is left out: %v", err)
		return nil
	}
	say("starting %d nodes on %s, seal %s", b.opt.nodes, s.store, s.seal)
	c, err := startCluster(ctx, dir, binary, s, b.opt.nodes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.end(), os.RemoveAll(dir)) }()
	return b.parts(ctx, c, parts)
}

// onRunning measures a cluster that others started, beneath a prefix of its own, and purges what it wrote.
func (b *bench) onRunning(ctx context.Context) (err error) {
	c, err := openCluster(ctx, b.opt.env)
	if err != nil {
		return err
	}
	parts := slices.Concat(small, keys[1:], large[1:])
	defer func() { err = errors.Join(err, c.purge(context.WithoutCancel(ctx))) }()
	var gentle []part
	for _, p := range b.opt.chosen(parts) {
		if p.harsh && !b.opt.destructive {
			say("%s is left out: it kills nodes or rotates keys, and --destructive was not given", p.name)
			continue
		}
		gentle = append(gentle, p)
	}
	return b.parts(ctx, c, gentle)
}

// parts goes on after a part that failed: what the others show may say why.
func (b *bench) parts(ctx context.Context, c *cluster, parts []part) (err error) {
	for _, p := range parts {
		if ctx.Err() != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		if failed := p.run(ctx, b, c); failed != nil {
			failed = fmt.Errorf("%s on %s: %w", p.name, c.store, failed)
			say("FAILED: %v", failed)
			err = errors.Join(err, failed)
		}
	}
	return err
}

// add keeps a row and shows it to who waits.
func (b *bench) add(r Row) {
	b.rows = append(b.rows, r)
	say("%s", r.line())
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// profiled writes a profile of the bench itself, if path is not empty.
func profiled(path string, run func() error) error {
	if path == "" {
		return run()
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	err = run()
	pprof.StopCPUProfile()
	return errors.Join(err, f.Close())
}
