package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) auditCommand() *cobra.Command {
	return group("audit", "Read and check who changed and read what", a.auditList(), a.auditVerify(), a.auditExport(), a.auditKey())
}

func (a *app) auditList() *cobra.Command {
	q := sdk.EventQuery{}
	c := &cobra.Command{Use: "list", Short: "Show who changed what, and who read what", Args: cobra.NoArgs,
		Long: "Show the event log and the journals of reads of all nodes, in order of time.\nA node that cannot be asked is named on stderr, and in -o json under missing."}
	s, f := sliceFlags(c), c.Flags()
	f.StringVar(&s.Cursor, "after", "", "start at this cursor; a number is a sequence of the event log, of which alone it then shows more")
	f.StringVar(&q.Order, "order", "", "asc (default) or desc")
	a.auditFilter(c, &q)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		all := sdk.AuditPage{Missing: []sdk.MissingJournal{}}
		all.Page, err = gather(a, c, s, func(s sdk.Slice) (sdk.Page[sdk.Record], error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			q.After, q.Limit = s.Cursor, s.Limit
			page, err := client.Events(ctx, q)
			all.Missing = a.noteMissing(all.Missing, page.Missing)
			return page.Page, err
		})
		if err != nil {
			return err
		}
		return a.show(view{json: all, head: []string{"SEQ", "AT", "BY", "EVENT", "STREAM", "OUTCOME"}, rows: recordRows(all.Items)})
	}
	return c
}

// auditFilter adds the flags that select records.
func (a *app) auditFilter(c *cobra.Command, q *sdk.EventQuery) {
	f := c.Flags()
	f.StringVar(&q.Type, "type", "", "only this type of event or operation, such as secret.version.written or secrets.get")
	f.StringVar(&q.Stream, "stream", "", "only changes on this stream, such as secret/db/password")
	f.StringVar(&q.Path, "path", "", "only this path and what lies beneath, such as db/password")
	f.StringVar(&q.Actor, "actor", "", "only this identity or accessor")
	f.StringVar(&q.Source, "source", "", "only this source: log, reads or refused")
	f.Var((*pastFlag)(&q.Since), "since", "only from then on: a time such as 2026-01-02T15:04:05Z, or how long ago, such as 2h")
	f.Var((*pastFlag)(&q.Until), "until", "only until then")
}

// pastFlag is a moment, or how long ago it was.
type pastFlag time.Time

func (p *pastFlag) String() string { return "" }
func (p *pastFlag) Type() string   { return "time" }
func (p *pastFlag) Set(s string) error {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		*p = pastFlag(time.Now().Add(-d))
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return errors.New("must be a time such as 2026-01-02T15:04:05Z, or a duration such as 2h")
	}
	*p = pastFlag(t)
	return nil
}

// noteMissing names each node that did not answer once.
func (a *app) noteMissing(known, more []sdk.MissingJournal) []sdk.MissingJournal {
	for _, m := range more {
		same := func(k sdk.MissingJournal) bool { return k.Node == m.Node && k.Source == m.Source }
		if !slices.ContainsFunc(known, same) {
			fmt.Fprintf(a.err, "not shown: the journal (%s) of node %s: %s\n", m.Source, clean(m.Node), clean(m.Reason))
			known = append(known, m)
		}
	}
	return known
}

// recordRows has a row for each event, and one for each read; a record's later events leave its own columns empty.
func recordRows(records []sdk.Record) (rows [][]string) {
	for _, r := range records {
		own := []string{number(r.Seq), stamp(r.At), r.Actor.Identity}
		if r.Read != nil {
			rows = append(rows, readRow(r))
		}
		for _, e := range r.Events {
			rows = append(rows, append(own, e.Type, e.Stream))
			own = []string{"", "", ""}
		}
	}
	return rows
}

func readRow(r sdk.Record) []string {
	by, outcome := r.Actor.Identity, r.Read.Outcome
	if r.Read.Count > 0 && r.Source == sdk.SourceRefused {
		var origin struct {
			Address string `json:"address"`
		}
		if json.Unmarshal(r.Origin, &origin) == nil {
			by = origin.Address
		}
		outcome = fmt.Sprintf("%s, %d times", outcome, r.Read.Count)
	}
	return []string{r.Node + "/" + number(r.Seq), stamp(r.At), by, r.Read.Operation, r.Read.Path, outcome}
}

func (a *app) auditVerify() *cobra.Command {
	var dir, key string
	c := &cobra.Command{Use: "verify [FILE]", Short: "Walk the chains on every node, or in an export", Args: cobra.MaximumNArgs(1),
		Long: `Let every node of TRSTCTL_ADDRS walk its own copy of the event log and its journals, one after the other, for as long as it takes
(--timeout bounds each). Its journal of reads is held against the anchors in the event log.
With --dir, check the data directory of a stopped node, or a copy of one, without any node.
With FILE, check an export ("-" is stdin) without any node. --key names the fingerprint that trstctl audit key showed;
without it a forger's own signature passes, too.`}
	c.Flags().StringVar(&dir, "dir", "", "data directory to check instead")
	c.Flags().StringVar(&key, "key", "", "fingerprint of the key that must have signed FILE")
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case len(args) == 1 && dir != "":
			return usagef("FILE and --dir are two things to verify: name one")
		case len(args) == 1:
			return a.showExport(args[0], key)
		case key != "":
			return usagef("--key goes with FILE")
		}
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
	if err := a.show(view{json: map[string]any{"items": results}, head: []string{"ADDRESS", "NODE", "RESULT", "RECORDS", "PAYLOADS", "INDEX", "READS", "ANCHORS", "HEAD"}, rows: rowsOf(results, checkedRow)}); err != nil {
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
	return []string{r.Address, r.Node, "intact", number(r.Records), number(r.Payloads), number(r.Index), number(r.Reads.Records), number(uint64(r.Reads.Anchors)), r.Head}
}

// showDirectory checks a data directory and prints what was found, also before the damage.
func (a *app) showDirectory(ctx context.Context, dir string) error {
	lines, err := verifyDir(ctx, dir)
	damage := ""
	if err != nil {
		damage = err.Error()
	}
	found := struct {
		Directory string   `json:"directory"`
		Intact    bool     `json:"intact"`
		Found     []string `json:"found"`
		Error     string   `json:"error,omitempty"`
	}{dir, err == nil, append([]string{}, lines...), damage}
	if shown := a.show(view{json: found, rows: rowsOf(lines, func(l string) []string { return []string{strings.TrimSpace(l)} })}); shown != nil {
		return shown
	}
	if err != nil {
		return failure{fmt.Errorf("%s is not intact: %w", dir, err)}
	}
	return nil
}

func (a *app) auditExport() *cobra.Command {
	var q sdk.EventQuery
	var file string
	c := &cobra.Command{Use: "export", Short: "Write the event log and all journals as JSON lines that can be verified offline", Args: cobra.NoArgs,
		Long: "Write the event log and the journals of all nodes, signed with the cluster's audit key: check them with trstctl audit verify FILE --key FINGERPRINT.\nWith a filter the lines are signed, but there is no chain to recompute."}
	c.Flags().StringVar(&q.After, "after", "", "start after this sequence number of the event log, and write it alone")
	c.Flags().StringVar(&file, "file", "", "write to this new file instead of stdout; it is there only when the export is complete")
	a.auditFilter(c, &q)
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
		if file == "" {
			_, err = client.ExportAudit(ctx, q, a.out)
			return err
		}
		return writeWhole(file, func(w io.Writer) error {
			_, err := client.ExportAudit(ctx, q, w)
			return err
		})
	}
	return c
}

// writeWhole makes a new file that is complete, or none.
func writeWhole(name string, write func(io.Writer) error) (err error) {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(usagef("%s exists already: name a new file", name), err)
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".part-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Link(f.Name(), name); err != nil { // unlike a rename it replaces nothing
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func (a *app) auditKey() *cobra.Command {
	c := &cobra.Command{Use: "key", Short: "Show the key that exports are signed with", Args: cobra.NoArgs,
		Long: "Show the public key that exports are signed with. Keep its fingerprint where the exports' readers find it and nobody who could forge one can change it."}
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		k, err := client.AuditKey(ctx)
		if err != nil {
			return err
		}
		return a.show(view{json: k, head: []string{"VERSION", "FINGERPRINT"}, rows: [][]string{{number(k.Version), k.Fingerprint}}})
	}
	return c
}
