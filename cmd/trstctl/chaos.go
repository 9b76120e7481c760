//go:build chaos

package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/fsm"
)

// chaosCommands damage what a node has on its disk, for tests.
func (a *app) chaosCommands() []*cobra.Command {
	c := group("chaos", "Damage the data directory of a node that does not run, for tests", a.chaosAlter())
	c.Hidden = true
	return []*cobra.Command{c}
}

func (a *app) chaosAlter() *cobra.Command {
	var seed uint64
	c := &cobra.Command{Use: "alter DIR TABLE", Short: "Change one value in one row of a table, so that no checksum tells", Args: cobra.ExactArgs(2)}
	c.Flags().Uint64Var(&seed, "seed", 1, "which row and which value")
	c.RunE = func(_ *cobra.Command, args []string) error {
		lock, err := cluster.Lock(args[0])
		if err != nil {
			return err
		}
		defer lock.Close()
		what, err := fsm.Alter(filepath.Join(args[0], "tables"), args[1], seed)
		if err != nil {
			return err
		}
		return a.done("altered", what)
	}
	return c
}
