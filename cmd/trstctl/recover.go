package main

import (
	"bufio"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server"
)

func (a *app) operatorRecover() *cobra.Command {
	var r rebirth
	var show, yes bool
	c := &cobra.Command{Use: "recover DATADIR -c FILE | --show DATADIR...", Short: "After the loss of the majority: make one node a cluster of one", Args: cobra.MinimumNArgs(1),
		Long: "After the loss of the majority for good: make one node that does not run the only member of its cluster, from what its own disk holds. What only the\n" +
			"lost nodes had is given up, every token issued before is dead, and the other members are removed for ever: a node of theirs that meets this one\n" +
			"ends itself. Look at every directory that is left with --show first, and take the one with the highest term, then the highest index."}
	r.flags(a, c)
	c.Flags().BoolVar(&show, "show", false, "only show how far each directory is")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask for the cluster's id")
	c.RunE = func(c *cobra.Command, args []string) error {
		if show {
			return a.showStanding(args)
		}
		if len(args) > 1 {
			return usagef("one node is recovered, the others join it afterwards under new ids; --show looks at several")
		}
		defer r.forget()
		cfg, err := r.begin(a)
		if err != nil {
			return err
		}
		if err := a.confirm(args[0], cfg, yes); err != nil {
			return err
		}
		out, err := server.Recover(c.Context(), r.how)
		if err != nil {
			return err
		}
		return a.showReborn(out, r.caOut)
	}
	return c
}

// confirm has whoever gives up what the other nodes hold type which cluster that is.
func (a *app) confirm(dir string, cfg server.Config, yes bool) error {
	named, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	configured, err := filepath.Abs(cfg.Data)
	if err != nil {
		return err
	}
	if named != configured {
		return usagef("the configuration is that of the data directory %s, not of %s", cfg.Data, dir)
	}
	s, err := server.StandingOf(dir)
	if err != nil || yes {
		return err
	}
	fmt.Fprintf(a.err, "node %s stands at term %d, index %d, epoch %d; what members %s hold beyond that will be given up.\nType the cluster's id, %s, to go on: ",
		s.Node, s.Term, s.Index, s.Epoch, strings.Join(s.Members, ", "), s.Cluster)
	line, err := bufio.NewReader(a.in).ReadString('\n')
	if strings.TrimSpace(line) == s.Cluster {
		return nil
	}
	return fault.New(fault.Conflict, "that is not the cluster's id: nothing was done").Because(err)
}

func (a *app) showStanding(dirs []string) error {
	type standing struct {
		Directory string `json:"directory"`
		cluster.Standing
	}
	all := []standing{}
	for _, dir := range dirs {
		s, err := server.StandingOf(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		all = append(all, standing{dir, s})
	}
	return a.show(view{json: map[string]any{"items": all}, head: []string{"DIRECTORY", "NODE", "CLUSTER", "EPOCH", "TERM", "INDEX", "APPLIED", "LAST RECORD", "MEMBERS"},
		rows: rowsOf(all, func(s standing) []string {
			return []string{s.Directory, s.Node, s.Cluster, fmt.Sprint(s.Epoch), number(s.Term), number(s.Index), number(s.Applied), stamp(s.Last), strings.Join(s.Members, ",")}
		})})
}
