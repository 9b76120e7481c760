package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/fsm/mutant"
	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/jepsen/scenario"
)

// hunts says where each mutant is looked for first: the scenarios whose faults expose it. Whoever is not here is looked for in all of wide.
var hunts = map[string][]stop{
	"ack-before-fsync":                    {power},
	"read-index-verify-leader":            {simulation},
	"lease-reads":                         {pauses},
	"clock-in-apply":                      {{"clocks", "bolt", 30 * time.Second}},
	"forwarder-retries":                   {pauses, kills},
	"receipts-lost-in-snapshots":          {{"snapshots", "bolt", time.Minute}, {"members", "bolt", 40 * time.Second}},
	"revocation-not-checked-on-followers": {calm},
	"guard-not-checked":                   {calm},
	"skipped-directory-fsync":             {power, {"snapshots", "bolt", time.Minute}},
	"digest-blind":                        {damage},
	"stale-token-cache":                   {calm},
	"refusal-from-deposed-leader":         {{"pauses", "bolt", 80 * time.Second}},
	"last-contact-freshness":              {pauses, {"disks", "bolt", 40 * time.Second}},
	"queued-entry-survives-term":          {partitions},
	"session-reads-do-not-wait":           {calm, {"links", "bolt", 30 * time.Second}},
	"lost-leadership-taken-for-not-done":  {partitions, pauses},
	"read-joins-running-round":            {calm, {"links", "bolt", 30 * time.Second}},
	"acknowledgements-forgotten":          {damage},
	"receipts-not-bound-to-request":       {calm},
	"versions-restart-after-purge":        {calm},
	"kmip-reads-do-not-wait":              {calm},
	"outbox-acknowledged-before-delivery": {calm},
	"account-before-intent":               {calm, kills},
}

var (
	calm       = stop{"calm", "bolt", 15 * time.Second}
	pauses     = stop{"pauses", "bolt", 40 * time.Second}
	partitions = stop{"partitions", "bolt", 40 * time.Second}
	kills      = stop{"kills", "bolt", 40 * time.Second}
	power      = stop{"power", "bolt", 40 * time.Second}
	damage     = stop{"damage", "bolt", 40 * time.Second}
)

// simulation stands for jepsen/sim: three nodes in simulated time, some thousand seeds of it with answers that come late more often than any other harm. What
// takes the right messages within the same milliseconds is found there alone, within reason.
var simulation = stop{"simulation", "memory", 8 * time.Minute}

const simulatedSeeds = 2000

// wide is tried when a mutant's own scenarios have not caught it.
var wide = []stop{pauses, partitions, power, {"snapshots", "bolt", time.Minute}, kills}

// caught is a mutant's end.
type caught struct {
	Mutant   string        `json:"mutant"`
	Scenario string        `json:"scenario,omitempty"` // empty: it has survived
	Seed     uint64        `json:"seed,omitempty"`
	Checkers []string      `json:"checkers,omitempty"`
	Runs     int           `json:"runs"`
	After    time.Duration `json:"after"`
}

func (a *app) mutantsCommand() *cobra.Command {
	var only []string
	var seed uint64
	var tries int
	c := &cobra.Command{Use: "mutants", Short: "Show that every deliberately broken build is caught", Args: cobra.NoArgs,
		Long: "Run scenarios on builds of trstctl that are broken on purpose, one at a time, until something is violated. Exit code 1 when a mutant survives."}
	f := c.Flags()
	f.StringSliceVar(&only, "only", nil, "names of mutants")
	f.Uint64Var(&seed, "seed", 1, "of the first run of each")
	f.IntVar(&tries, "tries", 3, "times that a mutant's scenarios are tried")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return a.sandboxed(c.Context(), []string{mutants, simulated}, func(ctx context.Context) error { return a.hunt(ctx, only, seed, tries) })
	}
	return c
}

func (a *app) hunt(ctx context.Context, only []string, seed uint64, tries int) (err error) {
	dir, err := a.runsDir()
	if err != nil {
		return err
	}
	var all []caught
	for _, m := range mutant.All {
		if len(only) > 0 && !strings.Contains(","+strings.Join(only, ",")+",", ","+m.Name+",") {
			continue
		}
		got, bad := a.catch(ctx, m.Name, seed, tries, dir)
		if bad != nil {
			return bad
		}
		if all = append(all, got); got.Scenario == "" {
			err = errors.Join(err, fmt.Errorf("%s has survived %d runs", m.Name, got.Runs))
		}
		fmt.Println(got)
	}
	if len(all) == 0 {
		return errors.New("no mutant has that name: see fsm/mutant")
	}
	return errors.Join(err, keep(filepath.Join(dir, "mutants.json"), all))
}

// catch runs scenarios on a mutant until one of them is violated.
func (a *app) catch(ctx context.Context, name string, seed uint64, tries int, dir string) (got caught, err error) {
	got.Mutant = name
	began := time.Now()
	for try := range tries {
		list := hunts[name]
		if len(list) == 0 || try == tries-1 {
			list = append(list[:len(list):len(list)], wide...)
		}
		for _, s := range list {
			got.Runs++
			found, err := a.once(ctx, name, s, seed+uint64(got.Runs)-1, dir)
			if err != nil {
				return got, err
			}
			if got.Checkers = violations(found); len(got.Checkers) > 0 {
				got.Scenario, got.Seed, got.After = s.scenario, seed+uint64(got.Runs)-1, time.Since(began)
				return got, nil
			}
		}
	}
	got.After = time.Since(began)
	return got, nil
}

func (a *app) once(ctx context.Context, name string, s stop, seed uint64, dir string) ([]history.Verdict, error) {
	if s == simulation {
		return a.simulate(ctx, name, seed, s.time)
	}
	which, err := scenario.ByName(s.scenario)
	if err != nil {
		return nil, err
	}
	out := filepath.Join(dir, fmt.Sprintf("%s-%s-%d", name, s.scenario, seed))
	found, err := scenario.Run(ctx, scenario.Config{Scenario: which, Seed: seed, Time: s.time, Store: s.store, Out: out, Log: a.log,
		Binary: a.binaries.paths[mutants], Commit: a.binaries.commit, Env: []string{mutant.Variable + "=" + name}})
	if err == nil && a.out == "" {
		err = os.RemoveAll(out)
	}
	return found, err
}

var failingSeed = regexp.MustCompile(`seed (\d+) \(again`)

// simulate runs jepsen/sim from a seed on until something is wrong. What it says of that goes into the log.
func (a *app) simulate(ctx context.Context, name string, seed uint64, limit time.Duration) ([]history.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	a.log.Info("simulating", "mutant", name, "first", seed, "seeds", simulatedSeeds)
	c := exec.CommandContext(ctx, a.binaries.paths[simulated], "-test.run", "^TestAgreement$", "-test.failfast", "-test.timeout", "0")
	c.Env = append(os.Environ(), mutant.Variable+"="+name, "TRSTCTL_SIM_OFTEN=late-answers", fmt.Sprintf("TRSTCTL_SIM_FIRST=%d", seed), fmt.Sprintf("TRSTCTL_SIM_SEEDS=%d", simulatedSeeds))
	out, err := c.CombinedOutput()
	if ended := new(exec.ExitError); err != nil && (!errors.As(err, &ended) || !bytes.Contains(out, []byte("--- FAIL: TestAgreement"))) {
		return nil, fmt.Errorf("jepsen/sim: %w\n%s", errors.Join(err, ctx.Err()), out)
	}
	v := history.Verdict{Checker: "simulation", OK: err == nil, Checked: simulatedSeeds}
	if err != nil {
		v.Detail = string(out)
		if found := failingSeed.FindSubmatch(out); found != nil {
			v.Checker = fmt.Sprintf("simulation, seed %s", found[1])
		}
		a.log.Info("found", "in", string(out))
	}
	return []history.Verdict{v}, nil
}

func violations(found []history.Verdict) (names []string) {
	for _, v := range found {
		if !v.OK && !v.Unknown {
			names = append(names, v.Checker)
		}
	}
	return names
}

func (c caught) String() string {
	if c.Scenario == "" {
		return fmt.Sprintf("%-32s SURVIVED %d runs in %s", c.Mutant, c.Runs, c.After.Round(time.Second))
	}
	return fmt.Sprintf("%-32s caught by %s (seed %d, run %d, %s): %s", c.Mutant, c.Scenario, c.Seed, c.Runs, c.After.Round(time.Second), strings.Join(c.Checkers, ", "))
}
