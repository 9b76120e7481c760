package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

const pendingHelp = `Let an appliance that makes its own certificate be accepted. While a window is open every node remembers, in its memory, the certificates that nobody
knows:

  trstctl kmip pending open --for 10m
  (have the appliance connect)
  trstctl kmip pending list
  trstctl kmip client create array-1 --role backup --pending SHA-256-OF-ITS-PUBLIC-KEY

The last is read off the appliance, and not off the list, which does not show it: who looks like the appliance may be somebody else. Of a certificate
in a file it is
  openssl x509 -in FILE -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum`

func (a *app) kmipPending() *cobra.Command {
	c := group("pending", "Accept an appliance that comes with a certificate of its own", a.kmipPendingOpen(), a.kmipPendingList(), a.kmipPendingClose())
	c.Long = pendingHelp
	return c
}

func (a *app) kmipPendingOpen() *cobra.Command {
	var d time.Duration
	c := &cobra.Command{Use: "open", Short: "Have every node remember certificates that nobody knows", Args: cobra.NoArgs}
	c.Flags().DurationVar(&d, "for", 10*time.Minute, "how long: a minute to an hour")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if d < time.Minute || d > time.Hour || d%time.Second != 0 {
			return usagef("--for is a duration in whole seconds from a minute to an hour, such as 10m")
		}
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			w, err := client.OpenKMIPWindow(ctx, d)
			return a.showWindow(w, err)
		})
	}
	return c
}

func (a *app) kmipPendingClose() *cobra.Command {
	return &cobra.Command{Use: "close", Short: "Close the window before its time", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			w, err := client.CloseKMIPWindow(ctx)
			return a.showWindow(w, err)
		})
	}}
}

func (a *app) showWindow(w sdk.KMIPWindow, err error) error {
	if err != nil {
		return err
	}
	if err := a.noteNodes(w); err != nil {
		return err
	}
	return a.show(view{json: w, rows: fields("open until", stamp(w.OpenUntil), "on", dash(strings.Join(w.Nodes, ", ")))})
}

// noteNodes says where an appliance would be overlooked.
func (a *app) noteNodes(w sdk.KMIPWindow) error {
	switch {
	case len(w.Missing) == 0:
		return nil
	case w.OpenUntil.IsZero():
		return a.note("no answer from " + strings.Join(w.Missing, ", ") + ": a window there closes by itself")
	}
	return a.note("not open on " + strings.Join(w.Missing, ", ") + ": who connects there is not remembered; open it again once they answer")
}

func (a *app) kmipPendingList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the certificates that wait", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			p, err := client.KMIPPending(ctx)
			if err != nil {
				return err
			}
			if err := a.notePending(p); err != nil {
				return err
			}
			return a.show(view{json: p, head: []string{"SUBJECT", "ISSUER", "KEY", "ADDRESS", "NODES", "REQUESTS", "LAST", "EXPIRES"}, rows: rowsOf(p.Items, func(k sdk.KMIPPendingCert) []string {
				return []string{k.Subject, k.Issuer, k.KeyAlgorithm, k.Address, strings.Join(k.Nodes, ","), number(k.Requests), stamp(k.LastSeenAt), stamp(k.ExpiresAt)}
			})})
		})
	}}
}

// notePending says what the list alone would not.
func (a *app) notePending(p sdk.KMIPPendings) error {
	if p.OpenUntil.IsZero() {
		return a.note("no window is open: trstctl kmip pending open")
	}
	if err := a.noteNodes(p.KMIPWindow); err != nil {
		return err
	}
	switch {
	case p.Missed > 0:
		return a.note("there was no room for the certificates of " + number(p.Missed) + " requests")
	case p.Pending > len(p.Items):
		return a.note(number(uint64(p.Pending)) + " wait; whose they are only operators of the root tenant see")
	}
	return nil
}
