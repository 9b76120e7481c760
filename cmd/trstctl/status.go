package main

import (
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

// seen is what one address said.
type seen struct {
	Address   string `json:"address"`
	Reachable bool   `json:"reachable"`
	Error     string `json:"error,omitempty"`
	*sdk.Status
	err error
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{Use: "status", Short: "Ask every node how it is", Args: cobra.NoArgs,
		Long: "Ask every address once how its node is. Fails only if none answers.", RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			all := a.askAll(c, client)
			if err := a.show(view{json: map[string]any{"items": all}, head: []string{"ADDRESS", "NODE", "STATE", "SEALED", "LEADER", "APPLIED", "VERSION"}, rows: rowsOf(all, seenRow)}); err != nil {
				return err
			}
			for _, s := range all {
				if s.Status != nil && s.SealedReason != "" && (a.output == "" || a.output == "table") {
					fmt.Fprintf(a.err, "%s is sealed: %s\n", s.Node, clean(s.SealedReason))
				}
			}
			for _, s := range all {
				if s.Reachable {
					return nil
				}
			}
			return fmt.Errorf("no node answers: %w", all[0].err)
		}}
}

// askAll asks at the same time: a node that hangs holds nobody else up.
func (a *app) askAll(c *cobra.Command, client *sdk.Client) []seen {
	addresses := client.Addresses()
	all := make([]seen, len(addresses))
	var wg sync.WaitGroup
	for i, address := range addresses {
		wg.Go(func() { all[i] = a.ask(c, client, address) })
	}
	wg.Wait()
	return all
}

func (a *app) ask(c *cobra.Command, client *sdk.Client, address string) seen {
	ctx, cancel := a.call(c.Context())
	defer cancel()
	node, err := client.Node(address)
	if err != nil {
		return seen{Address: address, Error: err.Error(), err: err}
	}
	s, err := node.Status(ctx)
	if err != nil {
		return seen{Address: address, Error: err.Error(), err: err}
	}
	return seen{Address: address, Reachable: true, Status: &s}
}

func seenRow(s seen) []string {
	if !s.Reachable {
		return []string{s.Address, "-", s.Error}
	}
	leader := "-"
	if s.Leader != nil {
		leader = s.Leader.ID
	}
	return []string{s.Address, s.Node, s.State, yes(s.Sealed), leader, number(s.AppliedIndex), s.Version}
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		return a.show(view{json: map[string]string{"version": release()}, rows: [][]string{{"trstctl " + release()}}})
	}}
}
