package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// partNames are what --only takes.
var partNames = []string{"disk", "writes", "reads", "failover", "transfer", "transit", "certificates", "leases", "unseal", "kmip", "memory", "snapshot", "restart", "rotate"}

type options struct {
	env         string // file of a running cluster; empty: a fresh one
	output      string // table or json
	logStore    string // empty: bolt for everything, wal for some writes
	cpuProfile  string
	only        []string // parts; empty: all
	quick       bool
	destructive bool
	nodes       int
	rounds      int           // of failover, transfer and unseal
	secrets     int           // for memory, restart and rotate
	objects     int           // of KMIP, for kmip
	period      time.Duration // of each load
}

func parse(args []string, errs io.Writer) (o options, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(errs)
	f.StringVar(&o.env, "env", "", "measure the running cluster of this environment file (DIR/env) instead of a fresh one")
	f.StringVar(&o.output, "o", "table", "table or json")
	f.StringVar(&o.logStore, "log-store", "", "Raft log of fresh clusters: bolt or wal (everything on bolt, and some writes on wal)")
	only := f.String("only", "", "comma-separated parts: "+strings.Join(partNames, ", "))
	f.BoolVar(&o.quick, "quick", false, "1 s instead of 5 for each load, 2 rounds, 10,000 secrets, 10,000 objects")
	f.BoolVar(&o.destructive, "destructive", false, "with --env: also kill and restart its nodes, and rotate its keys")
	f.IntVar(&o.nodes, "nodes", 3, "of a fresh cluster")
	f.IntVar(&o.rounds, "rounds", 0, "of failover, transfer and unseal (5)")
	f.IntVar(&o.secrets, "secrets", 0, "for memory, restart and rotate (100,000)")
	f.IntVar(&o.objects, "objects", 0, "of KMIP, for kmip (100,000)")
	f.DurationVar(&o.period, "period", 0, "of each load (5s)")
	f.StringVar(&o.cpuProfile, "cpuprofile", "", "write a profile of the bench itself to this file")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	o.complete()
	if err := o.check(f.Args()); err != nil {
		fmt.Fprintln(errs, "bench:", err)
		return o, err
	}
	return o, nil
}

func (o *options) complete() {
	full := options{rounds: 5, secrets: 100000, objects: 100000, period: 5 * time.Second}
	if o.quick {
		full = options{rounds: 2, secrets: 10000, objects: 10000, period: time.Second}
	}
	if o.rounds == 0 {
		o.rounds = full.rounds
	}
	if o.secrets == 0 {
		o.secrets = full.secrets
	}
	if o.objects == 0 {
		o.objects = full.objects
	}
	if o.period == 0 {
		o.period = full.period
	}
}

func (o *options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%q is no flag", rest[0])
	case o.output != "table" && o.output != "json":
		return fmt.Errorf("-o %s: table or json", o.output)
	case o.logStore != "" && o.logStore != "bolt" && o.logStore != "wal":
		return fmt.Errorf("--log-store %s: bolt or wal", o.logStore)
	case o.rounds < 0 || o.secrets < 0 || o.objects < 0 || o.period < 0 || o.nodes < 1:
		return fmt.Errorf("numbers and times are positive")
	}
	for _, name := range o.only {
		if !slices.Contains(partNames, name) {
			return fmt.Errorf("--only %s: the parts are %s", name, strings.Join(partNames, ", "))
		}
	}
	return nil
}

// wants reports whether a part was asked for. The disk is always measured: the others stand beside it.
func (o *options) wants(name string) bool {
	return name == "disk" || len(o.only) == 0 || slices.Contains(o.only, name)
}
