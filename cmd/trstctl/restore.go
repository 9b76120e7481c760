package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/server"
)

// rebirth are the flags that a restore and a recovery share.
type rebirth struct {
	config string
	caOut  string
	epoch  uint32
	shares func() ([]sdk.Secret, error)
	how    server.Rebirth
}

func (r *rebirth) flags(a *app, c *cobra.Command) {
	r.shares = a.quorumFlag(c)
	f := c.Flags()
	f.StringVarP(&r.config, "config", "c", "", "the node's configuration file")
	f.Uint32Var(&r.epoch, "epoch", 0, "begin this epoch; needed when the same history was restored before (default: the one after the state's)")
	f.DurationVar(&r.how.RootTTL, "root-ttl", 0, "how long the new root token lives (default 768h)")
	f.StringVar(&r.caOut, "ca-out", "", "also write the cluster's CA certificate to this new file, for TRSTCTL_CACERT")
}

// begin reads the configuration and completes how.
func (r *rebirth) begin(a *app) (server.Config, error) {
	if r.config == "" {
		return server.Config{}, usagef("give the node's configuration with -c FILE: its id, its data directory and its seals")
	}
	cfg, err := server.LoadConfig(r.config)
	if err != nil {
		return cfg, usagef("%v", err)
	}
	if r.how.RootTTL < 0 {
		return cfg, usagef("--root-ttl is a duration above zero, such as 768h")
	}
	shares, err := r.shares()
	if err != nil {
		return cfg, err
	}
	r.how.Config, r.how.Shares, r.how.Epoch, r.how.Version = cfg, bytesOf(shares), r.epoch, release()
	r.how.Told = func(line string) { fmt.Fprintln(a.err, clean(line)) }
	return cfg, nil
}

func (a *app) snapshotRestore() *cobra.Command {
	var r rebirth
	c := &cobra.Command{Use: "restore FILE -c CONFIG", Short: "Make a node the cluster that a backup is of", Args: cobra.ExactArgs(1),
		Long: "Make a node with an empty data directory the cluster that a backup is of. The node must not run. It becomes a cluster of one, in a new epoch: every token\n" +
			"issued before is dead, former members are removed for ever, and new ones join as usual. The new root token is shown once. A restore that is cut\n" +
			"off is repeated: it begins anew.\n\n" +
			"With --force the node may have data of the same cluster: it is kept beside, as DATA.before-restore, and the other nodes, whose history has ended, end\n" +
			"themselves when they meet this one. Where people hold shares as many as open the cluster must be given (--shares-from)."}
	r.flags(a, c)
	c.Flags().BoolVar(&r.how.Force, "force", false, "replace the node that the data directory holds, and with it its cluster's present history")
	c.RunE = func(c *cobra.Command, args []string) error {
		defer r.forget()
		if _, err := r.begin(a); err != nil {
			return err
		}
		out, err := server.RestoreSnapshot(c.Context(), args[0], r.how)
		if err != nil {
			return err
		}
		return a.showReborn(out, r.caOut)
	}
	return c
}

func bytesOf(secrets []sdk.Secret) (out [][]byte) {
	for _, s := range secrets {
		out = append(out, s)
	}
	return out
}

// forget zeroes the shares.
func (r *rebirth) forget() {
	for _, s := range r.how.Shares {
		clear(s)
	}
}

// showReborn is the one place that prints the root token of a restore or recovery.
func (a *app) showReborn(out server.Reborn, caOut string) error {
	defer clear(out.RootToken)
	plain := struct {
		server.Reborn
		RootToken     sdk.Text `json:"root_token"`
		CACertificate string   `json:"ca_certificate"`
	}{out, sdk.Text(out.RootToken), string(out.CA)}
	gone := "-"
	if len(out.Removed) > 0 {
		gone = strings.Join(out.Removed, ", ")
	}
	if err := a.show(view{json: plain, raw: out.RootToken, rows: fields("root token", string(out.RootToken), "cluster", out.Cluster, "node", out.Node, "epoch", fmt.Sprint(out.Epoch),
		"goes on from", out.From, "records", number(out.Records), "digest there", out.Digest, "removed for ever", gone)}); err != nil {
		return err
	}
	if caOut != "" {
		if err := os.WriteFile(caOut, out.CA, 0o644); err != nil {
			return err
		}
	}
	if a.output != "" && a.output != "table" {
		return nil
	}
	_, err := fmt.Fprintf(a.out, "\nEvery token of before is dead; keep the new root token safe, it is not shown again. Start the node with `trstctl server -c FILE`, then join others under new ids.\n")
	return err
}
