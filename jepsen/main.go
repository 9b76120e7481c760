// Command jepsen breaks clusters of real trstctl processes on purpose and checks that what clients were told can have come from one store that does one
// thing at a time. `go run ./jepsen list` says what there is; README.md beside this file says how to add to it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/jepsen/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx)
	stop()
	os.Exit(code)
}

// Exit codes: 0 all is well, 1 a violation or a run that failed, 2 usage.
func execute(ctx context.Context) int {
	a := &app{log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{ReplaceAttr: shortTime}))}
	root := &cobra.Command{Use: "jepsen", Short: "Break clusters on purpose, and check that they hold", SilenceUsage: true, SilenceErrors: true}
	root.PersistentFlags().BoolVar(&a.proxies, "proxies", false, "connect nodes by TCP proxies, also where network namespaces could be had")
	root.PersistentFlags().StringVar(&a.out, "out", "", "directory for what is recorded (default: a new one beneath jepsen/runs)")
	root.AddCommand(a.runCommand(), a.tourCommand(), a.listCommand(), a.checkCommand(), a.reportCommand(), a.mutantsCommand())
	asked := false // for something that there is
	root.PersistentPreRun = func(*cobra.Command, []string) { asked = true }
	err := root.ExecuteContext(ctx)
	var exit exitCode
	switch {
	case errors.As(err, &exit):
		return int(exit)
	case err != nil:
		fmt.Fprintln(os.Stderr, "jepsen:", err)
		if !asked || errors.As(err, new(usageError)) {
			return 2
		}
		return 1
	}
	return 0
}

// exitCode ends the program without a word more.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// usageError is about what was typed.
type usageError struct{ error }

func shortTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		a.Value = slog.StringValue(a.Value.Time().Format(time.TimeOnly))
	}
	return a
}

// app is what commands share.
type app struct {
	log      *slog.Logger
	proxies  bool
	out      string
	binaries binaries
}

// sandboxed runs what a command does inside a sandbox, where one can be had, with the binaries that it needs built outside.
func (a *app) sandboxed(ctx context.Context, need []string, do func(context.Context) error) error {
	if lab.Sandboxed() {
		if err := lab.Settle(); err != nil {
			return err
		}
		a.binaries.inherit()
		return do(ctx)
	}
	place, err := lab.NewPlace()
	if err != nil {
		return err
	}
	defer place.Close()
	if err := a.binaries.build(ctx, a.log, place.Dir, need); err != nil {
		return err
	}
	if a.proxies || !lab.CanSandbox() {
		return do(ctx)
	}
	code, err := lab.Sandbox()
	if err == nil && code != 0 {
		err = exitCode(code)
	}
	return err
}

// runsDir is where a command keeps its runs; made when it is needed.
func (a *app) runsDir() (string, error) {
	dir := a.out
	if dir == "" {
		dir = filepath.Join("jepsen", "runs", time.Now().Format("20060102-150405"))
	}
	return filepath.Abs(dir)
}
