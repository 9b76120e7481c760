package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/server"
)

func (a *app) operatorSeal() *cobra.Command {
	var config, socket, node string
	c := group("seal", "Seal a node; see and change the seals",
		a.sealStatus("status", "Ask every seal on every node", false), a.sealStatus("test", "Ask every seal on every node, and fail if one does not answer", true),
		a.sealMigrate(), a.sealCreateKey(), a.sealRetry())
	c.Use, c.Args = "seal", cobra.NoArgs
	c.Long = "Without a command: seal a node at once. Its keys are wiped from memory, and it stays sealed over a restart until `trstctl operator unseal`."
	f := c.Flags()
	f.StringVar(&node, "node", "", "the node to seal; the one that is asked unless given")
	f.StringVarP(&config, "config", "c", "", "seal the node of this configuration file, on its own machine")
	f.StringVar(&socket, "socket", "", "seal the node behind this socket")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, cancel := a.call(c.Context())
		defer cancel()
		if config != "" || socket != "" {
			return a.sealLocal(ctx, config, socket)
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		sealed, err := client.Seal(ctx, node)
		if err != nil {
			return err
		}
		return a.done("sealed", sealed)
	}
	return c
}

func (a *app) sealLocal(ctx context.Context, config, socket string) error {
	path, err := socketOf(config, socket, a.env)
	if err != nil {
		return err
	}
	local, err := sdk.NewLocal(path)
	if err != nil {
		return usagef("%v", err)
	}
	s, err := local.Seal(ctx)
	if err != nil {
		return err
	}
	return a.done("sealed", s.Node)
}

func (a *app) sealStatus(use, short string, strict bool) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.Context(), max(a.timeout, 20*time.Second))
		defer cancel()
		all, err := client.Seals(ctx)
		if err != nil {
			return err
		}
		if err := a.show(view{json: sdk.Page[sdk.SealStatus]{Items: all}, head: []string{"NODE", "SEAL", "KIND", "IN USE", "ANSWERS", "MS", "ERROR"}, rows: rowsOf(all, sealRow)}); err != nil {
			return err
		}
		for _, s := range all {
			if strict && !s.OK {
				return fmt.Errorf("seal %s on node %s does not answer", s.Seal, s.Node)
			}
		}
		return nil
	}}
}

func sealRow(s sdk.SealStatus) []string {
	if s.Node == "" {
		return []string{"-", s.Seal, s.Kind, yes(s.InUse), fmt.Sprintf("%d of %d shares", s.Threshold, s.Shares)}
	}
	ms := "-"
	if s.OK {
		ms = strconv.FormatFloat(float64(s.LatencyUS)/1000, 'f', 2, 64)
	}
	return []string{s.Node, s.Seal, s.Kind, yes(s.InUse), yes(s.OK), ms, s.Error}
}

func (a *app) sealMigrate() *cobra.Command {
	var add, remove string
	c := &cobra.Command{Use: "migrate --add SEAL | --remove SEAL", Short: "Add a seal or remove one while the cluster serves", Args: cobra.NoArgs,
		Long: "--add has a seal that an unsealed node has in its configuration wrap the root key too. --remove ends a seal: new keys, everything wrapped anew, what it\n" +
			"wrapped destroyed. With both the one is added first, then the other removed. Where people hold shares, as many as open the cluster are needed."}
	f := c.Flags()
	f.StringVar(&add, "add", "", "the seal to add")
	f.StringVar(&remove, "remove", "", "the seal to remove")
	quorum := a.quorumFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if add == "" && remove == "" {
			return usagef("name a seal with --add or --remove: `trstctl operator seal status` lists them")
		}
		return a.withQuorum(c.Context(), quorum, func(ctx context.Context, client *sdk.Client, shares []sdk.Secret) error {
			return a.migrate(ctx, client, shares, add, remove)
		})
	}
	return c
}

func (a *app) migrate(ctx context.Context, client *sdk.Client, shares []sdk.Secret, add, remove string) error {
	if add != "" {
		if err := client.AddSeal(ctx, add, shares); err != nil {
			return err
		}
		if remove == "" {
			return a.done("added", add)
		}
	}
	r, err := client.RemoveSeal(ctx, remove, shares)
	if err != nil && add != "" {
		return fmt.Errorf("seal %s was added, %s was not removed: %w", add, remove, err)
	}
	if err != nil {
		return err
	}
	return a.showRotations([]sdk.Rotation{r})
}

func (a *app) sealCreateKey() *cobra.Command {
	var config string
	c := &cobra.Command{Use: "create-key [SEAL] -c FILE", Short: "Make the key of an HSM seal on its token", Args: cobra.MaximumNArgs(1),
		Long: "Make the key, non-extractable and for this purpose alone, that the configuration names. A key that is there is never touched."}
	c.Flags().StringVarP(&config, "config", "c", "", "the node's configuration file")
	c.RunE = func(c *cobra.Command, args []string) error {
		name := sealOf(args)
		if config == "" {
			return usagef("give the node's configuration with -c FILE")
		}
		cfg, err := server.LoadConfig(config)
		if err != nil {
			return err
		}
		entry, err := cfg.SealNamed(name)
		if err != nil {
			return err
		}
		hsm, err := entry.HSM(cfg.Data, slog.New(slog.NewTextHandler(io.Discard, nil)))
		if err != nil {
			return err
		}
		defer hsm.Close()
		ctx, cancel := context.WithTimeout(c.Context(), max(a.timeout, time.Minute))
		defer cancel()
		if err := hsm.CreateKey(ctx); err != nil {
			return err
		}
		return a.done("created", name)
	}
	return c
}

// sealOf is the id of a seal: that of one that was given none, unless it is named.
func sealOf(args []string) string {
	if len(args) == 0 {
		return "pkcs11"
	}
	return args[0]
}

func (a *app) sealRetry() *cobra.Command {
	var config, socket string
	c := &cobra.Command{Use: "retry [SEAL] -c FILE | --socket PATH", Short: "Let an HSM seal log in again after its PIN was refused", Args: cobra.MaximumNArgs(1)}
	c.Flags().StringVarP(&config, "config", "c", "", "the node's configuration file")
	c.Flags().StringVar(&socket, "socket", "", "the node's socket, <data>/trstctl.sock")
	c.RunE = func(c *cobra.Command, args []string) error {
		name := sealOf(args)
		path, err := socketOf(config, socket, a.env)
		if err != nil {
			return err
		}
		local, err := sdk.NewLocal(path)
		if err != nil {
			return usagef("%v", err)
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		if err := local.RetrySeal(ctx, name); err != nil {
			return err
		}
		return a.done("retries", name)
	}
	return c
}
