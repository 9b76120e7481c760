package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) kmipCA() *cobra.Command {
	return group("ca", "Keep the authorities whose certificates clients show", a.kmipCAList(),
		a.kmipCAMake("init", "Make the tenant's first client CA", (*sdk.Client).InitKMIPCA),
		a.kmipCAMake("rotate", "Make the next generation of the client CA, which issues from now on; what the former ones issued is good until they are removed", (*sdk.Client).RotateKMIPCA),
		a.kmipCAAdd(), a.kmipCARemove())
}

func (a *app) kmipCAList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the CAs; their certificates are in -o json", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			all, err := client.KMIPCAs(ctx)
			if err != nil {
				return err
			}
			return a.show(view{json: sdk.Page[sdk.KMIPCA]{Items: all}, head: caHead(), rows: rowsOf(all, caRow)})
		})
	}}
}

func caHead() []string {
	return []string{"UID", "KIND", "NAME", "GENERATION", "ALGORITHM", "ISSUES FROM", "EXPIRES"}
}

func caRow(ca sdk.KMIPCA) []string {
	generation := "-"
	if ca.Generation > 0 {
		generation = number(ca.Generation)
	}
	return []string{ca.UID, ca.Kind, dash(ca.Name), generation, dash(ca.Algorithm), stamp(ca.IssuesFrom), stamp(ca.ExpiresAt)}
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func (a *app) showCA(ca sdk.KMIPCA, err error) error {
	if err != nil {
		return err
	}
	return a.show(view{json: ca, head: caHead(), rows: [][]string{caRow(ca)}})
}

func (a *app) kmipCAMake(use, short string, do func(*sdk.Client, context.Context, string) (sdk.KMIPCA, error)) *cobra.Command {
	var algorithm string
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
	c.Flags().StringVar(&algorithm, "algorithm", "", "of its key: rsa-3072 (default), rsa-2048 or ec-p256")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			return a.showCA(do(client, ctx, algorithm))
		})
	}
	return c
}

func (a *app) kmipCAAdd() *cobra.Command {
	return &cobra.Command{Use: "add NAME FILE|-", Short: "Register an external CA by its certificate in PEM", Args: cobra.ExactArgs(2),
		Long: "Register an external CA by its certificate in PEM, so that clients can be known by its subjects (trstctl kmip client create --subject-der). A newer\n" +
			"certificate with the same key and subject takes the place of the one that has the name.",
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			b, err := a.document(args[1], maxPublic, "the certificate")
			if err != nil {
				return err
			}
			ctx, cancel := a.call(c.Context())
			defer cancel()
			return a.showCA(client.AddKMIPCA(ctx, args[0], string(b)))
		}}
}

func (a *app) kmipCARemove() *cobra.Command {
	return &cobra.Command{Use: "remove UID", Short: "End a CA: clients to which it issued, or for which it vouches, are refused from then on", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
				ca, err := client.RemoveKMIPCA(ctx, args[0])
				if err != nil {
					return err
				}
				return a.show(view{json: ca, rows: fields("removed", ca.UID)})
			})
		}}
}

func (a *app) kmipServer() *cobra.Command {
	return group("server", "Keep the authority by which clients know the cluster", a.kmipRoots(), a.kmipServerRotate())
}

func (a *app) kmipRoots() *cobra.Command {
	var out string
	c := &cobra.Command{Use: "roots", Short: "Print, in PEM, what clients must trust to know the cluster", Args: cobra.NoArgs}
	c.Flags().StringVar(&out, "out", "", "a new file for it, or one that holds just this")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			roots, err := client.KMIPRoots(ctx)
			if err != nil {
				return err
			}
			if out == "" {
				return a.showPEM(map[string]string{"certificates": roots}, roots)
			}
			if err := rootsFit(out, roots); err != nil {
				return err
			}
			if err := keepRoots(out, roots); err != nil {
				return err
			}
			return a.done("written", out)
		})
	}
	return c
}

func (a *app) kmipServerRotate() *cobra.Command {
	var algorithm string
	var delay time.Duration
	c := &cobra.Command{Use: "rotate --delay 720h", Short: "Make the next generation of the CA of the cluster's KMIP servers", Args: cobra.NoArgs,
		Long: "Make the next generation of the CA of the cluster's KMIP servers; for tokens of the root tenant. trstctl kmip server roots shows it at once, beside the\n" +
			"former ones: install that in every client. After --delay the nodes take certificates from it, and clients that do not know it no longer connect."}
	c.Flags().StringVar(&algorithm, "algorithm", "", "of its key: rsa-3072 (default), rsa-2048 or ec-p256")
	c.Flags().DurationVar(&delay, "delay", 0, "until nodes use it, by when clients must know it: 8760h at most; 0s: at once")
	c.RunE = func(c *cobra.Command, _ []string) error {
		switch {
		case !c.Flag("delay").Changed:
			return usagef("give --delay: how long you need to install the new root in all clients, such as 720h, or 0s for at once")
		case delay < 0 || delay%time.Second != 0:
			return usagef("--delay is a duration in whole seconds, such as 720h")
		}
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			ca, err := client.RotateKMIPServerCA(ctx, algorithm, delay)
			if sdk.Is(err, sdk.NotFound) { // which is all that other tenants' tokens are told
				err = fmt.Errorf("the CA of the cluster's KMIP servers is the root tenant's: use a token of that: %w", err)
			}
			return a.showCA(ca, err)
		})
	}
	return c
}
