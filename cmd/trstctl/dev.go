package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/cmd/trstctl/dev"
)

func (a *app) devCommand() *cobra.Command {
	o := dev.Options{Keygen: keygen, HSM: devHSM, Out: a.out, Err: a.err}
	c := &cobra.Command{Use: "dev", Short: "Run a local cluster for development and tests", Args: cobra.NoArgs,
		Long: "Run a local cluster, one process per node, until ^C. The first start makes it; later ones find its data again. DIR/env sets\na shell up to use it, DIR/nodes.json lists its nodes. What dies stays dead until trstctl dev restart."}
	c.PersistentFlags().StringVar(&o.Dir, "dir", "run", "directory of the cluster")
	f := c.Flags()
	f.IntVar(&o.Nodes, "nodes", 0, "how many nodes (3, or as many as DIR has)")
	f.IntVar(&o.BasePort, "base-port", 8200, "first port of a new cluster; 0 chooses ports that are free")
	f.StringVar(&o.LogStore, "log-store", "bolt", "Raft log of a new cluster: bolt or wal")
	f.StringVar(&o.Seal, "seal", "", "seal of a new cluster: file (default), pkcs11 (a SoftHSM token in DIR/hsm, and five shares in DIR/shares) or shamir (the shares alone)")
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		if !slices.Contains([]string{"", "file", "pkcs11", "shamir"}, o.Seal) {
			return usagef("--seal %q is none of file, pkcs11, shamir", o.Seal)
		}
		if o.Nodes < 0 || o.BasePort < 0 || o.LogStore != "bolt" && o.LogStore != "wal" {
			return usagef("--nodes and --base-port are not negative, --log-store is bolt or wal")
		}
		if o.Executable, err = dev.Executable(); err != nil {
			return err
		}
		return dev.Run(c.Context(), o)
	}
	c.AddCommand(a.devRestart(&o.Dir))
	return c
}

func (a *app) devRestart(dir *string) *cobra.Command {
	return &cobra.Command{Use: "restart NODE", Short: "Start a dead node again", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		ctx, cancel := context.WithTimeout(c.Context(), max(a.timeout, time.Minute))
		defer cancel()
		pid, err := dev.Restart(ctx, *dir, args[0])
		if err != nil {
			return err
		}
		return a.show(view{json: map[string]any{"id": args[0], "pid": pid}, rows: [][]string{{args[0], number(uint64(pid))}}})
	}}
}
