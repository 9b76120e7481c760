package main

import "github.com/spf13/cobra"

func (a *app) rotateGossip() *cobra.Command {
	return &cobra.Command{Use: "gossip", Short: "Make a new key for the gossip between nodes", Args: cobra.NoArgs,
		Long: "Make a new key for the gossip between nodes. Every node that gossips reads with it, then all write with it, then the old one is destroyed: within a minute.",
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			ctx, cancel := a.call(c.Context())
			defer cancel()
			version, err := client.RotateGossip(ctx)
			if err != nil {
				return err
			}
			return a.done("version", number(version))
		}}
}
