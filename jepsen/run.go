package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/jepsen/scenario"
)

func (a *app) runCommand() *cobra.Command {
	c := scenario.Config{Log: a.log}
	var name string
	cmd := &cobra.Command{Use: "run", Short: "Run a scenario", Args: cobra.NoArgs,
		Long: "Run a scenario and check its history. What happened is kept in a directory; report.html in it shows it.\nExit code 1 when something was violated."}
	f := cmd.Flags()
	f.StringVar(&name, "scenario", "kills", "see `list`")
	f.IntVar(&c.Nodes, "nodes", 0, "3 or 5 (default: the scenario's)")
	f.DurationVar(&c.Time, "time", time.Minute, "of load and faults")
	f.Uint64Var(&c.Seed, "seed", 0, "of faults and operations (default: drawn)")
	f.StringVar(&c.Store, "store", "bolt", "log store: bolt or wal")
	f.IntVar(&c.Clients, "clients", 0, "of all workloads together (default: theirs)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if c.Scenario, err = scenario.ByName(name); err != nil {
			return usageError{err}
		}
		if c.Store != "bolt" && c.Store != "wal" || c.Nodes != 0 && c.Nodes != 3 && c.Nodes != 5 {
			return usageError{fmt.Errorf("--store is bolt or wal, not %q; --nodes is 3 or 5", c.Store)}
		}
		if c.Seed == 0 {
			c.Seed = rand.Uint64N(1 << 32)
		}
		return a.sandboxed(cmd.Context(), needs(c.Scenario), func(ctx context.Context) error {
			dir, err := a.runsDir()
			if err != nil {
				return err
			}
			c.Out = filepath.Join(dir, fmt.Sprintf("%s-%d", name, c.Seed))
			found, err := a.one(ctx, c)
			if err != nil {
				return err
			}
			show(found)
			fmt.Printf("\n%s\n", filepath.Join(c.Out, "report.html"))
			return violated(found)
		})
	}
	return cmd
}

// needs are the binaries of scenarios.
func needs(all ...scenario.Scenario) []string {
	for _, s := range all {
		if s.Older {
			return []string{present, previous}
		}
	}
	return []string{present}
}

func (a *app) one(ctx context.Context, c scenario.Config) ([]history.Verdict, error) {
	c.Binary, c.Older, c.Commit = a.binaries.paths[present], a.binaries.paths[previous], a.binaries.commit
	return scenario.Run(ctx, c)
}

// show prints the verdicts as a table.
func show(all []history.Verdict) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CHECKER\tVERDICT\tCHECKED\tDETAIL")
	for _, v := range all {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", v.Checker, word(v), v.Checked, v.Detail)
	}
	w.Flush()
}

func word(v history.Verdict) string {
	switch {
	case v.Unknown:
		return "UNKNOWN"
	case v.OK:
		return "ok"
	}
	return "FAIL"
}

// keep writes v as JSON.
func keep(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, append(b, '\n'), 0o600))
}

// violated is an error when not everything is well; what is wrong has been said.
func violated(all []history.Verdict) error {
	if unwell(all) != nil {
		return exitCode(1)
	}
	return nil
}

func (a *app) listCommand() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "Show scenarios with their faults", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		for _, s := range scenario.All() {
			fmt.Printf("%-14s%s\n", s.Name, s.Says)
			for _, f := range s.Faults {
				fmt.Printf("%-14s  %s\n", "", f.Name)
			}
		}
		return nil
	}}
}

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{Use: "check DIR...", Short: "Judge recorded runs again, without a cluster", Args: cobra.MinimumNArgs(1), RunE: func(_ *cobra.Command, dirs []string) (err error) {
		for _, dir := range dirs {
			found, bad := scenario.Check(dir)
			if bad != nil {
				return bad
			}
			fmt.Println(dir)
			show(found)
			err = errors.Join(err, violated(found))
		}
		return err
	}}
}
