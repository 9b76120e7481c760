package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) outboxCommand() *cobra.Command {
	c := group("outbox", "See what the cluster owes to the outside, and decide about dead letters", a.outboxList(),
		a.onMessage("show ID", "Describe a message", (*sdk.Client).OutboxMessage),
		a.onMessage("requeue ID", "Have a dead letter delivered after all", (*sdk.Client).RequeueMessage),
		a.onMessage("drop ID", "Give a message up for good: what it would have done stays undone", (*sdk.Client).DropMessage))
	c.Long = `See what the cluster owes to the outside, such as the news that a lease has ended, and decide about dead letters.

  trstctl outbox list --parked
  trstctl outbox requeue 4711.0

A message that fails is tried again after pauses that grow. It is a dead letter after a day, or at once when it can never arrive.`
	return c
}

func (a *app) outboxList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the messages, oldest first", Args: cobra.NoArgs}
	q := sdk.OutboxQuery{}
	c.Flags().StringVar(&q.Kind, "kind", "", "of this kind alone, such as lease.revocation")
	c.Flags().StringVar(&q.Destination, "destination", "", "for this destination alone, such as dynamic/pg")
	c.Flags().BoolVar(&q.Parked, "parked", false, "dead letters alone")
	s := sliceFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		page, err := gather(a, c, s, func(s sdk.Slice) (sdk.Page[sdk.OutboxMessage], error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			q.Slice = s
			return client.Outbox(ctx, q)
		})
		if err != nil {
			return err
		}
		return a.show(view{json: page, head: []string{"ID", "KIND", "DESTINATION", "LANE", "STATE", "SINCE", "REASON"}, rows: rowsOf(page.Items, func(m sdk.OutboxMessage) []string {
			return []string{m.ID, m.Kind, m.Destination, dash(m.Lane), m.State, stamp(m.OwedSince), dash(m.Reason)}
		})})
	}
	return c
}

func (a *app) onMessage(use, short string, do func(*sdk.Client, context.Context, string) (sdk.OutboxMessage, error)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			m, err := do(client, ctx, args[0])
			if err != nil {
				return err
			}
			return a.show(view{json: m, rows: fields("id", m.ID, "kind", m.Kind, "destination", m.Destination, "lane", dash(m.Lane), "state", m.State, "since", stamp(m.OwedSince),
				"parked", stamp(m.ParkedAt), "reason", dash(m.Reason), "tries", number(m.Tries), "uid", m.UID)})
		})
	}}
}
