package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) operatorUnseal() *cobra.Command {
	var config, socket, attempt string
	c := &cobra.Command{Use: "unseal", Short: "Open sealed nodes with shares, one a line on stdin", Args: cobra.NoArgs,
		Long: "Give shares to every address whose node is sealed: from stdin, one a line, or asked for on a terminal. Each holder may do so alone and\n" +
			"from another machine: the answer says how many are missing and, with -o json, the attempt to go on with (--attempt). Nothing of an\n" +
			"attempt is left after ten minutes.\n\n" +
			"With -c or --socket, on the node's own machine: without shares on stdin the node asks its own seals again, also when an operator had sealed it."}
	f := c.Flags()
	f.StringVarP(&config, "config", "c", "", "the node's configuration file")
	f.StringVar(&socket, "socket", "", "the node's socket, <data>/trstctl.sock")
	f.StringVar(&attempt, "attempt", "", "go on with this attempt, of one node (-a)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if config != "" || socket != "" {
			return a.unsealLocal(c.Context(), config, socket, attempt)
		}
		return a.unsealAll(c.Context(), attempt)
	}
	return c
}

// shareGiver takes a share for one node's attempt.
type shareGiver func(ctx context.Context, share sdk.Secret, attempt string) (sdk.UnsealProgress, error)

// opening is a node on its way to be unsealed.
type opening struct {
	Address string `json:"address"`
	Node    string `json:"node"`
	sdk.UnsealProgress
	give   shareGiver
	failed error // it is given no more shares
}

func (a *app) unsealLocal(ctx context.Context, config, socket, attempt string) error {
	path, err := socketOf(config, socket, a.env)
	if err != nil {
		return err
	}
	local, err := sdk.NewLocal(path)
	if err != nil {
		return usagef("%v", err)
	}
	status, err := local.Status(ctx)
	if err != nil {
		return err
	}
	o := &opening{Address: path, Node: status.Node, UnsealProgress: sdk.UnsealProgress{Attempt: attempt, Sealed: status.Sealed}, give: local.Unseal}
	given := 0
	if !terminal(a.in) {
		if given, err = a.giveShares(ctx, []*opening{o}); err != nil {
			return err
		}
	}
	if given == 0 {
		ctx, cancel := a.call(ctx)
		defer cancel()
		if o.UnsealProgress, err = local.Unseal(ctx, nil, ""); err != nil {
			return err
		}
	}
	return a.showOpenings([]*opening{o})
}

func (a *app) unsealAll(ctx context.Context, attempt string) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	addresses := client.Addresses()
	if attempt != "" && len(addresses) > 1 {
		return usagef("--attempt is of one node: name it with --address")
	}
	remembered := readAttempts()
	var all []*opening
	for _, address := range addresses {
		o, err := a.sealedAt(ctx, client, address)
		if err != nil {
			fmt.Fprintf(a.err, "%s does not answer: %v\n", address, err)
			continue
		}
		if o.Attempt = remembered[address]; attempt != "" {
			o.Attempt = attempt
		}
		all = append(all, o)
	}
	if len(all) == 0 {
		return errors.New("no node answers")
	}
	_, err = a.giveShares(ctx, all)
	rememberAttempts(all) // also after a share that was mistyped: those before it count
	if !slices.ContainsFunc(all, func(o *opening) bool { return o.failed == nil }) {
		return err
	}
	return errors.Join(a.showOpenings(all), err)
}

func (a *app) sealedAt(ctx context.Context, client *sdk.Client, address string) (*opening, error) {
	node, err := client.Node(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := a.call(ctx)
	defer cancel()
	s, err := node.Status(ctx)
	return &opening{Address: address, Node: s.Node, UnsealProgress: sdk.UnsealProgress{Sealed: s.Sealed}, give: node.Unseal}, err
}

// giveShares reads shares until stdin ends or no node wants one, and gives each to every node that is sealed. One that refuses keeps no other
// closed.
func (a *app) giveShares(ctx context.Context, all []*opening) (given int, err error) {
	next := a.shareSource()
	for anyWaits(all) {
		share, err := next()
		if err != nil || share == nil {
			return given, errors.Join(err, failures(all))
		}
		for _, o := range all {
			if !o.waits() {
				continue
			}
			if err := a.giveShare(ctx, o, share); err != nil {
				o.failed = fmt.Errorf("%s: %w", o.Node, err)
			}
		}
		clear(share)
		given++
	}
	return given, failures(all)
}

// giveShare begins anew when an attempt that was remembered is there no more.
func (a *app) giveShare(ctx context.Context, o *opening, share sdk.Secret) error {
	ctx, cancel := a.call(ctx)
	defer cancel()
	p, err := o.give(ctx, share, o.Attempt)
	if o.Attempt != "" && o.Have == 0 && sdk.KindOf(err) == sdk.NotFound {
		p, err = o.give(ctx, share, "")
	}
	if sdk.KindOf(err) == sdk.Conflict { // it opened meanwhile
		p, err = sdk.UnsealProgress{}, nil
	}
	if err == nil {
		o.UnsealProgress = p
	}
	return err
}

func (o *opening) waits() bool { return o.Sealed && o.failed == nil }

func anyWaits(all []*opening) bool { return slices.ContainsFunc(all, (*opening).waits) }

func failures(all []*opening) error {
	var each []error
	for _, o := range all {
		each = append(each, o.failed)
	}
	return errors.Join(each...)
}

// shareSource returns the next share at each call, nil at the end.
func (a *app) shareSource() func() (sdk.Secret, error) {
	if terminal(a.in) {
		return func() (sdk.Secret, error) {
			b, err := a.prompt("share (not shown; empty to stop): ")
			if b = bytes.TrimSpace(b); len(b) == 0 {
				return nil, err
			}
			return b, err
		}
	}
	var lines []sdk.Secret
	read := false
	return func() (sdk.Secret, error) {
		if !read {
			var err error
			if lines, err = readShares(a); err != nil {
				return nil, err
			}
			read = true
		}
		if len(lines) == 0 {
			return nil, nil
		}
		share := lines[0]
		lines = lines[1:]
		return share, nil
	}
}

func readShares(a *app) ([]sdk.Secret, error) {
	b, err := readUpTo(a.in, 64<<10, "the shares")
	if err != nil {
		return nil, err
	}
	return linesOf(b), nil
}

func linesOf(b []byte) (out []sdk.Secret) {
	for line := range bytes.Lines(b) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			out = append(out, sdk.Secret(line))
		}
	}
	return out
}

func (a *app) showOpenings(all []*opening) error {
	return a.show(view{json: map[string]any{"items": all}, head: []string{"ADDRESS", "NODE", "SEALED", "SHARES"}, rows: rowsOf(all, func(o *opening) []string {
		progress := "-"
		if o.Need > 0 {
			progress = fmt.Sprintf("%d of %d", o.Have, o.Need)
		}
		return []string{o.Address, o.Node, yes(o.Sealed), progress}
	})})
}

// The ids of attempts are remembered between calls, so that each holder of a share can give it with the same command on one machine. They open
// nothing.
func attemptsFile() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "trstctl", "unseal.json")
}

const attemptLife = 10 * time.Minute // a node keeps none longer

func readAttempts() map[string]string {
	out := map[string]string{}
	info, err := os.Stat(attemptsFile())
	if err != nil || time.Since(info.ModTime()) > attemptLife {
		return out
	}
	b, err := os.ReadFile(attemptsFile())
	if err == nil {
		_ = json.Unmarshal(b, &out) // what cannot be read is not remembered: the next share begins anew
	}
	return out
}

func rememberAttempts(all []*opening) {
	out := map[string]string{}
	for _, o := range all {
		if o.Sealed && o.Attempt != "" {
			out[o.Address] = o.Attempt
		}
	}
	b, err := json.Marshal(out)
	if err == nil && os.MkdirAll(filepath.Dir(attemptsFile()), 0o700) == nil {
		_ = os.WriteFile(attemptsFile(), b, 0o600) // --attempt does without
	}
}
