package main

import (
	"context"
	"errors"
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

// quorumFlags are shares that go with a call.
func (a *app) quorumFlag(c *cobra.Command) func() ([]sdk.Secret, error) {
	var from string
	c.Flags().StringVar(&from, "shares-from", "", "file with as many shares as open the cluster, one a line, - for stdin; not needed when it has no shares")
	return func() ([]sdk.Secret, error) {
		if from == "" {
			return nil, nil
		}
		b, err := a.document(from, 64<<10, "the shares")
		return linesOf(b), err
	}
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

func (a *app) withQuorum(ctx context.Context, quorum func() ([]sdk.Secret, error), do func(context.Context, *sdk.Client, []sdk.Secret) error) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	shares, err := quorum()
	if err != nil {
		return err
	}
	defer func() {
		for _, s := range shares {
			clear(s)
		}
	}()
	ctx, cancel := a.call(ctx)
	defer cancel()
	return do(ctx, client, shares)
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

func (a *app) operatorRotate() *cobra.Command {
	return group("rotate", "Rotate keys while the cluster serves", a.rotateRoot(), a.rotateTenant(), a.rotateGossip(), a.rotateStatus())
}

func (a *app) rotateRoot() *cobra.Command {
	var tenants, wait bool
	c := &cobra.Command{Use: "root", Short: "Make a new root key and wrap everything anew that the old one wraps", Args: cobra.NoArgs}
	c.Flags().BoolVar(&tenants, "tenants", false, "make every tenant's key anew too: after a leaked KEK file or share")
	c.Flags().BoolVar(&wait, "wait", false, "wait until nothing is left under the old key, with progress on stderr")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return a.rotate(c.Context(), wait, func(ctx context.Context, client *sdk.Client) (sdk.Rotation, error) {
			return client.RotateRoot(ctx, tenants)
		})
	}
	return c
}

func (a *app) rotateTenant() *cobra.Command {
	var wait bool
	c := &cobra.Command{Use: "tenant NAME", Short: "Make a new key for a tenant and wrap its values anew", Args: cobra.ExactArgs(1)}
	c.Flags().BoolVar(&wait, "wait", false, "wait until nothing is left under the old key, with progress on stderr")
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.rotate(c.Context(), wait, func(ctx context.Context, client *sdk.Client) (sdk.Rotation, error) {
			return client.RotateTenant(ctx, args[0])
		})
	}
	return c
}

func (a *app) rotate(ctx context.Context, wait bool, begin func(context.Context, *sdk.Client) (sdk.Rotation, error)) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	call, cancel := a.call(ctx)
	r, err := begin(call, client)
	cancel()
	if err == nil && wait {
		r, err = a.awaitRotation(ctx, client, r)
	}
	if err != nil {
		return err
	}
	return a.showRotations([]sdk.Rotation{r})
}

// awaitRotation asks every second until it has ended; a rotation goes on also when nobody waits for it.
func (a *app) awaitRotation(ctx context.Context, client *sdk.Client, r sdk.Rotation) (sdk.Rotation, error) {
	for r.EndedAt.Unix() <= 0 { // none; an older server sends 1970
		fmt.Fprintf(a.err, "%s: %d values left%s\n", r.Key, r.Remaining, because(r.WaitsFor))
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return r, errors.New("no longer waiting; the rotation goes on: see `trstctl operator rotate status`")
		}
		call, cancel := a.call(ctx)
		all, err := client.Rotations(call)
		cancel()
		if err != nil {
			return r, err
		}
		for _, one := range all {
			if one.Key == r.Key && one.To >= r.To {
				r = one
			}
		}
	}
	return r, nil
}

func because(waits string) string {
	if waits == "" {
		return ""
	}
	return "; " + waits
}

func (a *app) rotateStatus() *cobra.Command {
	return &cobra.Command{Use: "status", Short: "Show the last rotation of each key", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		all, err := client.Rotations(ctx)
		if err != nil {
			return err
		}
		return a.showRotations(all)
	}}
}

func (a *app) showRotations(all []sdk.Rotation) error {
	return a.show(view{json: sdk.Page[sdk.Rotation]{Items: all}, head: []string{"KEY", "FROM", "TO", "VALUES", "REMAINING", "BEGAN", "ENDED", "WAITS FOR"},
		rows: rowsOf(all, func(r sdk.Rotation) []string {
			return []string{r.Key, number(uint64(r.From)), number(uint64(r.To)), number(r.Values), number(r.Remaining), stamp(r.BeganAt), stamp(r.EndedAt), r.WaitsFor}
		})})
}

func (a *app) operatorShares() *cobra.Command {
	return group("shares", "Verify and replace the shares that people hold", a.sharesVerify(), a.sharesRekey())
}

func (a *app) sharesVerify() *cobra.Command {
	return &cobra.Command{Use: "verify", Short: "Try as many shares as open the cluster, one a line on stdin, without opening anything", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withQuorum(c.Context(), func() ([]sdk.Secret, error) { return readShares(a) }, func(ctx context.Context, client *sdk.Client, shares []sdk.Secret) error {
				if err := client.VerifyShares(ctx, shares); err != nil {
					return err
				}
				return a.done("shares", "fit")
			})
		}}
}

func (a *app) sharesRekey() *cobra.Command {
	var shares, threshold int
	c := &cobra.Command{Use: "rekey --shares N --threshold K", Short: "Make new shares; the old ones open nothing more", Args: cobra.NoArgs}
	c.Flags().IntVar(&shares, "shares", 0, "how many")
	c.Flags().IntVar(&threshold, "threshold", 0, "how many of them open the cluster")
	quorum := a.quorumFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if shares < 1 || threshold < 1 {
			return usagef("give --shares and --threshold, such as --shares 5 --threshold 3")
		}
		return a.withQuorum(c.Context(), quorum, func(ctx context.Context, client *sdk.Client, old []sdk.Secret) error {
			fresh, r, err := client.RekeyShares(ctx, shares, threshold, old)
			if err != nil {
				return err
			}
			return a.showShares(fresh, r)
		})
	}
	return c
}

// showShares is the one place that prints shares after a rekey.
func (a *app) showShares(fresh []sdk.Secret, r sdk.Rotation) error {
	plain := struct {
		Shares   []sdk.Text   `json:"shares"`
		Rotation sdk.Rotation `json:"rotation"`
	}{textsOf(fresh), r}
	var rows [][]string
	for i, s := range fresh {
		rows = append(rows, []string{"share " + strconv.Itoa(i+1), string(s)})
		defer clear(s)
	}
	return a.show(view{json: plain, rows: rows})
}

func (a *app) operatorGenerateRoot() *cobra.Command {
	var config, socket string
	var ttl time.Duration
	c := &cobra.Command{Use: "generate-root -c FILE | --socket PATH", Short: "Make a root token with shares alone, one a line on stdin: when every other is lost", Args: cobra.NoArgs,
		Long: "Make a root token on the leader's machine, with as many shares as open the cluster. It lives an hour unless --root-ttl says otherwise."}
	c.Flags().StringVarP(&config, "config", "c", "", "the leader's configuration file")
	c.Flags().StringVar(&socket, "socket", "", "the leader's socket, <data>/trstctl.sock")
	c.Flags().DurationVar(&ttl, "root-ttl", 0, "how long the token lives")
	c.RunE = func(c *cobra.Command, _ []string) error {
		path, err := socketOf(config, socket, a.env)
		if err != nil {
			return err
		}
		local, err := sdk.NewLocal(path)
		if err != nil {
			return usagef("%v", err)
		}
		shares, err := readShares(a)
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		token, err := local.GenerateRoot(ctx, shares, ttl)
		if err != nil {
			return err
		}
		defer clear(token)
		plain := struct {
			RootToken sdk.Text `json:"root_token"`
		}{sdk.Text(token)}
		return a.show(view{json: plain, raw: token, rows: fields("root token", string(token))})
	}
	return c
}

func textsOf(secrets []sdk.Secret) []sdk.Text {
	out := []sdk.Text{}
	for _, s := range secrets {
		out = append(out, sdk.Text(s))
	}
	return out
}
