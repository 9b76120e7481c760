package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/jepsen/lab"
	"github.com/trstctl/trstctl/jepsen/scenario"
)

// stop is one scenario of a tour.
type stop struct {
	scenario string
	store    string
	time     time.Duration
}

// short is the tour of `make jepsen`: every kind of fault, each for a moment.
var short = []stop{
	{"partitions", "bolt", 20 * time.Second}, {"kills", "wal", 20 * time.Second}, {"pauses", "bolt", 20 * time.Second},
	{"power", "bolt", 20 * time.Second}, {"links", "wal", 16 * time.Second}, {"clocks", "bolt", 16 * time.Second},
	{"failpoints", "wal", 16 * time.Second}, {"disks", "bolt", 16 * time.Second}, {"members", "bolt", 16 * time.Second},
	{"seals", "bolt", 16 * time.Second}, {"damage", "bolt", 16 * time.Second}, {"power", "wal", 16 * time.Second},
	{"channels", "bolt", 12 * time.Second}, {"full", "wal", 12 * time.Second}, {"certificates", "bolt", 12 * time.Second},
}

// tourTime bounds a tour: what does not fit is not run, and said so.
const tourTime = 9 * time.Minute

func (a *app) tourCommand() *cobra.Command {
	var seed uint64
	var each time.Duration
	var names []string
	var all bool
	c := &cobra.Command{Use: "tour", Short: "Run one scenario after the other", Args: cobra.NoArgs,
		Long: "Run a short tour over the scenarios, within ten minutes; with --all every scenario on both log stores for as long as --time says, without a limit.\nRuns in which something was violated are kept, the others too when --out is given."}
	f := c.Flags()
	f.Uint64Var(&seed, "seed", 1, "of faults and operations; each stop adds its number")
	f.DurationVar(&each, "time", 0, "of load and faults in each scenario (default: the tour's own)")
	f.StringSliceVar(&names, "scenario", nil, "only these")
	f.BoolVar(&all, "all", false, "every scenario on both log stores, without a limit of time")
	c.RunE = func(c *cobra.Command, _ []string) error {
		for _, name := range names {
			if _, err := scenario.ByName(name); err != nil {
				return usageError{err}
			}
		}
		stops := chosen(names, each, all)
		if len(stops) == 0 {
			return usageError{errors.New("the short tour has none of these scenarios: add --all, or use `run`")}
		}
		return a.sandboxed(c.Context(), []string{present, previous}, func(ctx context.Context) error { return a.tour(ctx, stops, seed, all) })
	}
	return c
}

func chosen(names []string, each time.Duration, all bool) (stops []stop) {
	from := short
	if all {
		from = nil
		for _, store := range []string{"bolt", "wal"} {
			for _, s := range scenario.All() {
				from = append(from, stop{s.Name, store, time.Minute})
			}
		}
	}
	for _, s := range from {
		if each > 0 {
			s.time = each
		}
		if len(names) == 0 || strings.Contains(","+strings.Join(names, ",")+",", ","+s.scenario+",") {
			stops = append(stops, s)
		}
	}
	return stops
}

// tour runs the stops. What one of them violates does not keep the others from being run.
func (a *app) tour(ctx context.Context, stops []stop, seed uint64, unlimited bool) error {
	dir, err := a.runsDir()
	if err != nil {
		return err
	}
	began := time.Now()
	var bad []string
	for i, s := range stops {
		if left := tourTime - time.Since(began); !unlimited && left < s.time+20*time.Second {
			fmt.Printf("%2d/%d  %-14s not run: the tour has had its %s\n", i+1, len(stops), s.scenario, tourTime)
			continue
		}
		wrong := a.visit(ctx, s, seed+uint64(i), fmt.Sprintf("%2d/%d", i+1, len(stops)), dir)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if wrong != nil {
			bad = append(bad, fmt.Sprintf("%s on %s with seed %d, %s long: %v", s.scenario, s.store, seed+uint64(i), s.time, wrong))
		}
	}
	fmt.Printf("%d scenarios in %s, %d went wrong\n", len(stops), time.Since(began).Round(time.Second), len(bad))
	if len(bad) > 0 {
		fmt.Printf("  %s\n", strings.Join(bad, "\n  ")) // again, where whoever reads the last lines looks
		return exitCode(1)
	}
	_ = os.Remove(dir) // when nothing was kept
	return nil
}

// visit runs one stop. Its error says all that is wrong.
func (a *app) visit(ctx context.Context, s stop, seed uint64, number, dir string) error {
	which, err := scenario.ByName(s.scenario)
	if err != nil {
		return err
	}
	if why := missing(which, a.proxies); why != "" {
		fmt.Printf("%s  %-14s skipped: %s\n", number, s.scenario, why)
		return nil
	}
	out := filepath.Join(dir, fmt.Sprintf("%s-%s-%d", s.scenario, s.store, seed))
	began := time.Now()
	found, err := a.one(ctx, scenario.Config{Scenario: which, Seed: seed, Time: s.time, Store: s.store, Out: out, Log: a.log})
	took := time.Since(began).Round(time.Second)
	if err != nil {
		fmt.Printf("%s  %-14s FAILED after %s: %v\n", number, s.scenario, took, err)
		return err
	}
	if err := unwell(found); err != nil {
		fmt.Printf("%s  %-14s VIOLATED after %s; kept in %s\n", number, s.scenario, took, out)
		show(found)
		return err
	}
	fmt.Printf("%s  %-14s ok   %-4s seed %-4d %4s  %s\n", number, s.scenario, s.store, seed, took, summary(found))
	if a.out != "" {
		return nil
	}
	return os.RemoveAll(out)
}

// unwell says what is not as it must be, or could not be decided.
func unwell(found []history.Verdict) (err error) {
	for _, v := range found {
		if !v.OK {
			err = errors.Join(err, fmt.Errorf("%s: %s", v.Checker, v.Detail))
		}
	}
	return err
}

// missing says why a scenario cannot be run here.
func missing(s scenario.Scenario, proxies bool) string {
	if s.Namespaces && (proxies || !lab.CanSandbox()) {
		return "it takes network namespaces, and so root"
	}
	return ""
}

func summary(found []history.Verdict) string {
	faults, checked := 0, 0
	for _, v := range found {
		if v.Checker == "faults done" {
			faults = v.Checked
			continue
		}
		checked += v.Checked
	}
	return fmt.Sprintf("%d faults, %d checked", faults, checked)
}
