package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) operatorCommand() *cobra.Command {
	return group("operator", "Run a cluster", a.operatorInit(), a.operatorJoin(), a.operatorKeygen(), a.operatorToken(), a.operatorMembers(), a.operatorAutopilot(), a.operatorRemove(),
		a.operatorUnseal(), a.operatorSeal(), a.operatorRotate(), a.operatorShares(), a.operatorGenerateRoot(), a.operatorTransfer(), a.operatorVerify(), a.operatorRebuild(), a.operatorDigest(),
		a.operatorSnapshot(), a.operatorRecover())
}

func (a *app) operatorInit() *cobra.Command {
	var config, socket, caOut string
	var o sdk.InitOptions
	c := &cobra.Command{Use: "init -c FILE | --socket PATH", Short: "Make a node a cluster of one and show its root token, once", Args: cobra.NoArgs}
	f := c.Flags()
	f.StringVarP(&config, "config", "c", "", "the node's configuration file")
	f.StringVar(&socket, "socket", "", "the node's socket, <data>/trstctl.sock")
	f.DurationVar(&o.RootTTL, "root-ttl", 0, "how long the root token lives (the node's default is 768h)")
	f.IntVar(&o.Shares, "shares", 0, "also make a key that people hold, in this many shares: they open the cluster when its other seals are lost")
	f.IntVar(&o.Threshold, "threshold", 0, "how many of the shares open it")
	f.StringVar(&caOut, "ca-out", "", "also write the cluster's CA certificate to this new file, for TRSTCTL_CACERT")
	c.RunE = func(c *cobra.Command, _ []string) error {
		socket, err := socketOf(config, socket, a.env)
		if err != nil {
			return err
		}
		node, err := sdk.NewLocal(socket)
		if err != nil {
			return usagef("%v", err)
		}
		ctx, cancel := context.WithTimeout(c.Context(), max(a.timeout, time.Minute))
		defer cancel()
		founded, err := node.Init(ctx, o)
		if err != nil {
			return err
		}
		defer clear(founded.RootToken)
		for _, s := range founded.Shares {
			defer clear(s)
		}
		if err := a.showFounded(founded); err != nil || caOut == "" {
			return err
		}
		return os.WriteFile(caOut, []byte(founded.CACertificate), 0o644)
	}
	return c
}

func (a *app) operatorJoin() *cobra.Command {
	var config, socket string
	c := &cobra.Command{Use: "join -c FILE | --socket PATH [TOKENFILE]", Short: "Have a node that waits join a cluster, with a token from a file or stdin", Args: cobra.MaximumNArgs(1),
		Long: "Have a node that was started and belongs to no cluster join the one whose `trstctl operator token` made the join token. It is read from the\nfile, or from stdin when none or - is named."}
	f := c.Flags()
	f.StringVarP(&config, "config", "c", "", "the node's configuration file")
	f.StringVar(&socket, "socket", "", "the node's socket, <data>/trstctl.sock")
	c.RunE = func(c *cobra.Command, args []string) error {
		socket, err := socketOf(config, socket, a.env)
		if err != nil {
			return err
		}
		node, err := sdk.NewLocal(socket)
		if err != nil {
			return usagef("%v", err)
		}
		token, err := a.joinToken(append(args, "-")[0])
		if err != nil {
			return err
		}
		defer clear(token)
		ctx, cancel := context.WithTimeout(c.Context(), max(a.timeout, time.Minute))
		defer cancel()
		id, err := node.Join(ctx, token)
		if err != nil {
			return err
		}
		return a.done("joined", id)
	}
	return c
}

// socketOf finds the node's socket from exactly one of the two flags.
func socketOf(config, socket string, env func(string) string) (string, error) {
	if (config == "") == (socket == "") {
		return "", usagef("give -c FILE or --socket PATH: this works on the node's own machine only")
	}
	if socket != "" {
		return socket, nil
	}
	b, err := readFile(config, 1<<20, "the configuration")
	if err != nil {
		return "", err
	}
	var node struct {
		Data string `yaml:"data"`
	}
	if err := yaml.NewDecoder(bytes.NewReader(b)).Decode(&node); err != nil {
		return "", usagef("configuration %s: %v", config, err)
	}
	if d := env("TRSTCTL_DATA"); d != "" {
		node.Data = d
	}
	if node.Data == "" {
		return "", usagef("configuration %s: data: name the data directory", config)
	}
	return filepath.Join(node.Data, "trstctl.sock"), nil
}

// showFounded is the one place that prints the root token and the shares of an init.
func (a *app) showFounded(f sdk.Founded) error {
	plain := struct {
		RootToken     sdk.Text   `json:"root_token"`
		Cluster       string     `json:"cluster"`
		Node          string     `json:"node"`
		AuditKey      string     `json:"audit_key"`
		CACertificate string     `json:"ca_certificate"`
		Shares        []sdk.Text `json:"shares,omitempty"`
	}{sdk.Text(f.RootToken), f.Cluster, f.Node, f.AuditKey, f.CACertificate, textsOf(f.Shares)}
	rows := fields("root token", string(f.RootToken), "cluster", f.Cluster, "node", f.Node, "audit key", f.AuditKey)
	for i, s := range f.Shares {
		rows = append(rows, []string{"share " + strconv.Itoa(i+1), string(s)})
	}
	if err := a.show(view{json: plain, raw: f.RootToken, rows: rows}); err != nil {
		return err
	}
	if a.output != "" && a.output != "table" {
		return nil
	}
	if len(f.Shares) > 0 {
		if _, err := io.WriteString(a.out, "\nGive each share to one person; nobody should hold two. They are not shown again.\n"); err != nil {
			return err
		}
	}
	_, err := a.out.Write([]byte("\nKeep the root token safe: it is not shown again. The certificate below goes into a file for TRSTCTL_CACERT.\n\n" + f.CACertificate))
	return err
}

func (a *app) operatorKeygen() *cobra.Command {
	return &cobra.Command{Use: "keygen FILE", Short: "Make a new key encryption key for the file seal", Args: cobra.ExactArgs(1),
		Long: "Make a new file of 32 random bytes, mode 0600. Every node needs the same file; without it nothing that the cluster stores can be read.",
		RunE: func(_ *cobra.Command, args []string) error {
			if err := keygen(args[0]); err != nil {
				return err
			}
			return a.done("created", args[0])
		}}
}

func (a *app) operatorToken() *cobra.Command {
	return &cobra.Command{Use: "token NODE", Short: "Make a token with which one node may join, once, within 15 minutes", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			ctx, cancel := a.call(c.Context())
			defer cancel()
			t, err := client.CreateJoinToken(ctx, args[0])
			if err != nil {
				return err
			}
			defer clear(t.Secret)
			plain := struct {
				Secret  sdk.Text  `json:"join_token"`
				Node    string    `json:"node"`
				Expires time.Time `json:"expires_at"`
			}{sdk.Text(t.Secret), t.Node, t.ExpiresAt}
			return a.show(view{json: plain, raw: t.Secret, rows: [][]string{{string(t.Secret)}}})
		}}
}

func (a *app) operatorMembers() *cobra.Command {
	return &cobra.Command{Use: "members", Short: "List the cluster's nodes", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		members, err := client.Members(ctx)
		if err != nil {
			return err
		}
		return a.show(view{json: sdk.Page[sdk.Member]{Items: members}, head: []string{"NODE", "API", "CLUSTER", "VOTER", "LEADER", "REACHABLE", "SEALED", "APPLIED", "VERSION", "CERTIFICATE UNTIL"},
			rows: rowsOf(members, memberRow)})
	}}
}

func (a *app) operatorAutopilot() *cobra.Command {
	return &cobra.Command{Use: "autopilot", Short: "Say how the nodes are and how many may still fail", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		found, err := client.Autopilot(ctx)
		if err != nil {
			return err
		}
		return a.show(view{json: found, head: []string{"NODE", "VOTER", "HEALTHY", "STABLE SINCE", "LAST CONTACT", "LAG", "PROBLEM"}, rows: rowsOf(found.Items, healthRow),
			foot: fmt.Sprintf("%d of %d voters are healthy; %d more may fail", found.HealthyVoters, found.Voters, max(found.FailureTolerance, 0))})
	}}
}

func healthRow(m sdk.Member) []string {
	since := "-"
	if !m.StableSince.IsZero() {
		since = stamp(m.StableSince)
	}
	return []string{m.ID, yes(m.Voter), yes(m.Healthy), since, (time.Duration(m.LastContactMS) * time.Millisecond).String(), number(m.Lag), m.Problem}
}

func memberRow(m sdk.Member) []string {
	applied := "-"
	if m.AppliedIndex != nil {
		applied = number(*m.AppliedIndex)
	}
	return []string{m.ID, m.API, m.Cluster, yes(m.Voter), yes(m.Leader), maybe(m.Reachable), maybe(m.Sealed), applied, m.Version, stamp(m.CertificateExpiresAt)}
}

func maybe(b *bool) string {
	if b == nil {
		return "-"
	}
	return yes(*b)
}

func (a *app) operatorRemove() *cobra.Command {
	return &cobra.Command{Use: "remove NODE", Short: "Take a node out for ever: its id is never used again", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		if err := client.RemoveMember(ctx, args[0]); err != nil {
			return err
		}
		return a.done("removed", args[0])
	}}
}

func (a *app) operatorTransfer() *cobra.Command {
	var to string
	c := &cobra.Command{Use: "transfer", Short: "Hand leadership over", Args: cobra.NoArgs}
	c.Flags().StringVar(&to, "to", "", "the new leader; any that is fit unless given")
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		leader, err := client.Transfer(ctx, to)
		if err != nil {
			return err
		}
		return a.done("leader", leader)
	}
	return c
}

func (a *app) operatorVerify() *cobra.Command {
	return &cobra.Command{Use: "verify DATADIR", Short: "Check the data directory of a stopped node, or a copy of one", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.showDirectory(c.Context(), args[0]) }}
}

func (a *app) operatorRebuild() *cobra.Command {
	return &cobra.Command{Use: "rebuild DATADIR", Short: "Make the tables of a stopped node anew from its event log", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			lines, err := rebuildDir(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.show(view{json: map[string]any{"directory": args[0], "done": lines}, rows: rowsOf(lines, func(l string) []string { return []string{l} })})
		}}
}

func (a *app) operatorDigest() *cobra.Command {
	return &cobra.Command{Use: "digest", Short: "Show the digest of every node's tables: equal at the same index", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		digests, err := a.digests(c.Context(), client)
		if err != nil {
			return err
		}
		return a.show(view{json: sdk.Page[sdk.Digest]{Items: digests}, head: []string{"NODE", "INDEX", "DIGEST"}, rows: rowsOf(digests, func(d sdk.Digest) []string {
			return []string{d.Node, number(d.Index), d.Digest}
		})})
	}}
}

// digests asks every node, and all of them again for a while when something was written in between: digests compare at the same index only.
func (a *app) digests(ctx context.Context, client *sdk.Client) (all []sdk.Digest, err error) {
	for until := time.Now().Add(5 * time.Second); ; {
		all = []sdk.Digest{}
		same := true
		for _, address := range client.Addresses() {
			d, err := a.digest(ctx, client, address)
			if err != nil {
				return nil, err
			}
			all = append(all, d)
			same = same && d.Index == all[0].Index
		}
		if same {
			return all, nil
		}
		if time.Now().After(until) {
			fmt.Fprintln(a.err, "the nodes were asked at different indexes, for the cluster is being written to: `trstctl operator autopilot` tells of nodes that differ")
			return all, nil
		}
	}
}

func (a *app) digest(ctx context.Context, client *sdk.Client, address string) (d sdk.Digest, err error) {
	node, err := client.Node(address)
	if err != nil {
		return d, err
	}
	ctx, cancel := a.call(ctx)
	defer cancel()
	return node.Digest(ctx)
}
