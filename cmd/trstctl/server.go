package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/mutant"
	"github.com/trstctl/trstctl/server"
)

func (a *app) serverCommand() *cobra.Command {
	var config, join string
	var check bool
	c := &cobra.Command{Use: "server -c FILE", Short: "Run a node", Args: cobra.NoArgs,
		Long: "Run a node until SIGTERM or SIGINT, which end it gracefully; a second signal ends it at once. The log is JSON on stderr.\nTRSTCTL_ and a key's path in upper case override the configuration, as in TRSTCTL_API_LISTEN."}
	f := c.Flags()
	f.StringVarP(&config, "config", "c", "", "configuration file (YAML)")
	f.BoolVar(&check, "check", false, "only check the configuration")
	f.StringVar(&join, "join", "", "file with a join token, - for stdin (TRSTCTL_JOIN_TOKEN holds the token itself); ignored by a node that has joined")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := mutant.Check(); err != nil {
			return usagef("%v", err)
		}
		if config == "" {
			return usagef("give the configuration with -c FILE")
		}
		cfg, err := server.LoadConfig(config)
		if err != nil {
			return err
		}
		if check {
			return a.done("valid", config)
		}
		token, err := a.joinToken(join)
		if err != nil {
			return err
		}
		log := cfg.Logger(os.Stderr)
		stop, err := chaos.Serve(log)
		if err != nil {
			return err
		}
		defer stop()
		node, err := server.NewNode(cfg, server.Options{Log: log, JoinToken: token, Version: release()})
		if err != nil {
			return err
		}
		if err := node.Run(c.Context()); err != nil {
			return fmt.Errorf("node %s ended: %w", cfg.Node, err)
		}
		return nil
	}
	return c
}

// joinToken reads the token from the file, or the environment, whose copy it drops.
func (a *app) joinToken(file string) ([]byte, error) {
	if file == "" {
		token := a.env("TRSTCTL_JOIN_TOKEN")
		return []byte(token), os.Unsetenv("TRSTCTL_JOIN_TOKEN")
	}
	if file == "-" {
		return readToken(a.in)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, usagef("read the join token: %v", err)
	}
	defer f.Close()
	return readToken(f)
}
