package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) auditCommand() *cobra.Command {
	return group("audit", "Read and check the event log", a.auditList(), a.auditVerify(), a.auditExport())
}

func (a *app) auditList() *cobra.Command {
	q := sdk.EventQuery{}
	c := &cobra.Command{Use: "list", Short: "Show who changed what", Args: cobra.NoArgs}
	s, f := sliceFlags(c), c.Flags()
	f.StringVar(&s.Cursor, "after", "", "start after the record with this sequence number; the same as --cursor")
	f.StringVar(&q.Order, "order", "", "asc (default) or desc")
	f.StringVar(&q.Type, "type", "", "only this type of event, such as secret.version.written")
	f.StringVar(&q.Stream, "stream", "", "only this stream, such as secret/db/password")
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		page, err := gather(a, c, s, func(s sdk.Slice) (sdk.Page[sdk.Record], error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			q.After, q.Limit = s.Cursor, s.Limit
			return client.Events(ctx, q)
		})
		if err != nil {
			return err
		}
		return a.show(view{json: page, head: []string{"SEQ", "AT", "BY", "EVENT", "STREAM"}, rows: recordRows(page.Items)})
	}
	return c
}

// recordRows has a row for each event; a record's later events leave its own columns empty.
func recordRows(records []sdk.Record) (rows [][]string) {
	for _, r := range records {
		own := []string{number(r.Seq), stamp(r.At), r.Actor.Identity}
		for _, e := range r.Events {
			rows = append(rows, append(own, e.Type, e.Stream))
			own = []string{"", "", ""}
		}
	}
	return rows
}

func (a *app) auditVerify() *cobra.Command {
	var dir string
	c := &cobra.Command{Use: "verify", Short: "Walk the whole chain on every node", Args: cobra.NoArgs,
		Long: "Let every node of TRSTCTL_ADDRS walk its own copy of the chain, one after the other, for as long as it takes (--timeout bounds each).\nWith --dir, check the data directory of a stopped node, or a copy of one, without any node."}
	c.Flags().StringVar(&dir, "dir", "", "data directory to check instead")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if dir != "" {
			return a.showDirectory(c.Context(), dir)
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		return a.verifyNodes(c, client)
	}
	return c
}

// checked is what one node said of its chain.
type checked struct {
	Address string `json:"address"`
	Intact  bool   `json:"intact"`
	Error   string `json:"error,omitempty"`
	*sdk.Verification
}

func (a *app) verifyNodes(c *cobra.Command, client *sdk.Client) error {
	var results []checked
	for _, address := range client.Addresses() {
		r := checked{Address: address}
		v, err := a.verifyNode(c, client, address)
		if r.Intact = err == nil; r.Intact {
			r.Verification = &v
		} else {
			r.Error = err.Error()
		}
		results = append(results, r)
	}
	if err := a.show(view{json: map[string]any{"items": results}, head: []string{"ADDRESS", "NODE", "RESULT", "RECORDS", "PAYLOADS", "INDEX", "HEAD"}, rows: rowsOf(results, checkedRow)}); err != nil {
		return err
	}
	for _, r := range results {
		if !r.Intact {
			return fmt.Errorf("not every node's chain was found intact")
		}
	}
	return nil
}

func (a *app) verifyNode(c *cobra.Command, client *sdk.Client, address string) (v sdk.Verification, err error) {
	node, err := client.Node(address)
	if err != nil {
		return v, err
	}
	ctx := c.Context()
	if c.Flags().Changed("timeout") {
		bounded, cancel := a.call(ctx)
		defer cancel()
		ctx = bounded
	}
	return node.VerifyAudit(ctx)
}

func checkedRow(r checked) []string {
	if !r.Intact {
		return []string{r.Address, "-", r.Error}
	}
	return []string{r.Address, r.Node, "intact", number(r.Records), number(r.Payloads), number(r.Index), r.Head}
}

// showDirectory checks a data directory and prints what was found, also before the damage.
func (a *app) showDirectory(ctx context.Context, dir string) error {
	lines, err := verifyDir(ctx, dir)
	damage := ""
	if err != nil {
		damage = err.Error()
	}
	json := struct {
		Directory string   `json:"directory"`
		Intact    bool     `json:"intact"`
		Found     []string `json:"found"`
		Error     string   `json:"error,omitempty"`
	}{dir, err == nil, append([]string{}, lines...), damage}
	if shown := a.show(view{json: json, rows: rowsOf(lines, func(l string) []string { return []string{strings.TrimSpace(l)} })}); shown != nil {
		return shown
	}
	if err != nil {
		return failure{fmt.Errorf("%s is not intact: %w", dir, err)}
	}
	return nil
}

func (a *app) auditExport() *cobra.Command {
	var q sdk.EventQuery
	c := &cobra.Command{Use: "export", Short: "Write the whole event log to stdout, one JSON record a line", Args: cobra.NoArgs}
	c.Flags().StringVar(&q.After, "after", "", "start after this sequence number")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if a.output == "table" {
			return usagef("an export is JSON lines: use trstctl audit list for a table")
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx := c.Context()
		if c.Flags().Changed("timeout") {
			bounded, cancel := a.call(ctx)
			defer cancel()
			ctx = bounded
		}
		_, err = client.ExportAudit(ctx, q, a.out)
		return err
	}
	return c
}
