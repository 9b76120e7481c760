package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

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
