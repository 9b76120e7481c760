package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/trstctl/trstctl/engines/audit"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/export"
	"github.com/trstctl/trstctl/server/journal"
)

// Signer signs exports; *audit.Engine does.
type Signer interface {
	// Sign signs with the newest key in r; fault.NotDone: there is none yet.
	Sign(r fsm.Reader, message []byte) (audit.Key, []byte, error)
}

// exportPage is how many records are read at a time: from one view of the log, for a long one would keep deleted data on disk.
const exportPage = 500

// exporter streams what the caller sees. The caller's rights are looked at anew for each page.
type exporter struct {
	*call
	s   sight
	out *export.Writer
}

// rawRecord is a record with the bytes that its hash covers.
type rawRecord struct {
	auditRecord
	Raw []byte `json:"raw,omitempty"`
}

// exportLine is every form that a line has, for the document. A record has the fields of auditRecord, too.
type exportLine struct {
	Export    *export.Header  `json:"export,omitempty" doc:"the first line"`
	Begin     *export.Begin   `json:"begin,omitempty" doc:"where the chain of a source begins"`
	End       *export.End     `json:"end,omitempty" doc:"where it ends"`
	Missing   *export.Missing `json:"missing,omitempty" doc:"a source that is not there, or not to its end"`
	Head      *export.Head    `json:"head,omitempty" doc:"the last line"`
	Signature []byte          `json:"signature,omitempty" doc:"Ed25519, over a fixed text and the head as it stands"`
	*rawRecord
}

// exportAudit streams everything up to the newest at the start. When it cannot go on, the connection is cut, so that a part is never taken for the
// whole; a node whose journal does not come is named instead.
func exportAudit(c *call) (any, error) {
	s, err := c.sight()
	if err != nil {
		return nil, err
	}
	cur, err := c.cursor(&s)
	if err != nil {
		return nil, err
	}
	place, err := c.api.exports.Enter(c.ctx) // a slow reader holds a place for minutes: these are fewer than all of the queue's
	if err != nil {
		return nil, err
	}
	defer place.Leave()
	if err := place.Charge(string(c.session.Home.UID[:])); err != nil {
		return nil, err
	}
	nodes, err := c.api.opt.Journals.Nodes(c.view)
	if err != nil {
		return nil, err
	}
	if err := c.record(nil); err != nil {
		return nil, err
	}
	end, _ := c.view.Head()
	c.close(c.view) // a view that lives long keeps what is purged meanwhile
	h := c.w.Header()
	h["Content-Type"], h[indexHeader] = ndjsonType, []string{formatIndex(c.epoch, c.index)}
	c.status, c.streams = http.StatusOK, true
	x := exporter{call: c, s: s}
	if err := x.run(cur.At[sourceLog], end, nodes); err != nil {
		c.err = err
		panic(http.ErrAbortHandler)
	}
	return nil, nil
}

// selects reports whether the sight leaves out records: then there is no chain to show.
func (s *sight) selects() bool {
	return !s.all || s.kind != "" || s.stream != "" || s.path != "" || s.actor != "" || s.since > 0 || s.until > 0
}

func (x *exporter) run(from, end uint64, nodes []string) error {
	h := export.Header{Cluster: x.api.opt.Status.Status().Cluster, Node: x.api.opt.Node, Scope: export.All, At: x.now}
	if x.s.selects() {
		h.Scope = "part"
		if !x.s.all {
			h.Scope = x.s.tenant.String()
		}
	}
	err := x.page(func() (err error) {
		x.out, err = export.NewWriter(writerFunc(x.write), h)
		return err
	})
	if err == nil && x.s.covers(sourceLog) {
		err = x.log(max(from, 1), end)
	}
	for _, part := range []string{PartReads, PartRefused} {
		for _, n := range nodes {
			if err == nil && x.s.covers(part) {
				err = x.journal(n, part)
			}
		}
	}
	if err != nil {
		return err
	}
	return x.page(x.sign)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func (x *exporter) write(b []byte) (int, error) {
	n, err := x.w.Write(b)
	x.bytes += n
	return n, err
}

// page writes a part and gives a slow reader 30 seconds for it.
func (x *exporter) page(write func() error) error {
	if err := x.writeDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if err := write(); err != nil {
		return err
	}
	return http.NewResponseController(x.w).Flush()
}

// again looks anew at the caller's rights, in a view that do may use.
func (x *exporter) again(do func(v *fsm.View) error) error {
	if err := x.api.opt.Reads.Await(x.ctx, x.want); err != nil {
		return err
	}
	return x.inView(func(v *fsm.View) error {
		if err := x.admit(v); err != nil {
			return err
		}
		return do(v)
	})
}

// log writes the records from next to end.
func (x *exporter) log(next, end uint64) error {
	var before, last [32]byte // hashes before the first record and of the last
	var items []rawRecord
	begin := next
	for first := true; first || next <= end; first = false {
		items = items[:0]
		err := x.again(func(v *fsm.View) (err error) {
			if first && next > 1 {
				before, err = hashOf(v, next-1)
			}
			if err == nil {
				items, next, err = x.logPage(v, next, end, items)
			}
			if err == nil && next > 1 {
				last, err = hashOf(v, next-1)
			}
			return err
		})
		if err != nil {
			return err
		}
		err = x.page(func() error {
			if first {
				if err := x.out.Begin(export.Begin{Source: sourceLog, After: begin - 1, Hash: hexOf(before)}); err != nil {
					return err
				}
			}
			return x.records(items)
		})
		if err != nil {
			return err
		}
	}
	return x.out.End(export.End{Source: sourceLog, Seq: next - 1, Hash: hexOf(last)})
}

func hashOf(v *fsm.View, seq uint64) (hash [32]byte, err error) {
	err = fsm.History(v, seq-1, false, func(r fsm.Record) (bool, error) {
		hash = r.Hash
		return false, nil
	})
	return hash, err
}

// logPage reads a page from next on and returns where the one after it begins.
func (x *exporter) logPage(v *fsm.View, next, end uint64, items []rawRecord) ([]rawRecord, uint64, error) {
	looked := 0
	err := fsm.History(v, next-1, false, func(r fsm.Record) (bool, error) {
		if r.Seq > end || looked == exportPage {
			return false, nil
		}
		looked, next = looked+1, r.Seq+1
		a, seen, err := x.s.show(r)
		if err != nil || !seen {
			return true, err
		}
		raw := rawRecord{auditRecord: a}
		if !x.s.selects() {
			raw.Raw = slices.Clone(r.Raw)
		}
		items = append(items, raw)
		return true, x.ctx.Err()
	})
	if err == nil && looked == 0 {
		next = end + 1
	}
	return items, next, err
}

func (x *exporter) records(items []rawRecord) error {
	for _, it := range items {
		if err := x.out.Record(it); err != nil {
			return err
		}
	}
	return nil
}

// journal writes a part of one node's, up to where it ended when it was first asked.
func (x *exporter) journal(node, part string) error {
	q := x.s.query()
	q.Limit, q.From = exportPage, 1
	var head journal.Head
	for first := true; first || q.From > 0; first = false {
		if err := x.again(func(*fsm.View) error { return nil }); err != nil {
			return err
		}
		p, err := x.ask(node, part, q)
		if err != nil {
			return x.missing(node, part, err)
		}
		if first {
			head, q.To = p.Head, p.Head.Seq
		}
		if err = x.page(func() error { return x.journalPage(p, node, part, first) }); err != nil {
			return err
		}
		if q.From = p.Next; q.To == 0 { // it is empty
			break
		}
	}
	return x.out.End(export.End{Source: part, Node: node, Seq: head.Seq, Hash: hexOf(head.Hash)})
}

func (x *exporter) ask(node, part string, q journal.Query) (journal.Page, error) {
	ctx, cancel := context.WithTimeout(x.ctx, nodeTime)
	defer cancel()
	return x.api.opt.Journals.Page(ctx, node, part, q)
}

func (x *exporter) missing(node, part string, err error) error {
	if x.ctx.Err() != nil {
		return errors.Join(err, x.ctx.Err())
	}
	x.note(err)
	return x.out.Missing(export.Missing{Node: node, Source: part, Reason: problemOf(err, x.id).Detail})
}

func (x *exporter) journalPage(p journal.Page, node, part string, first bool) error {
	if first {
		after := max(p.First, 1) - 1
		if err := x.out.Begin(export.Begin{Source: part, Node: node, Journal: p.Head.Journal.String(), After: after, Hash: hexOf(p.Prev)}); err != nil {
			return err
		}
	}
	for _, l := range p.Lines {
		r, err := l.Record()
		if err != nil {
			return fault.New(fault.Corrupt, "a record of the journal of node %s cannot be read", node).Because(err)
		}
		raw := rawRecord{auditRecord: journaled(r, node, part)}
		if !x.s.selects() {
			raw.Raw = l.Body
		}
		if err := x.out.Record(raw); err != nil {
			return err
		}
	}
	return nil
}

// sign ends the export; without a signature as long as the cluster has no key.
func (x *exporter) sign() error {
	return x.again(func(v *fsm.View) error {
		k, found, err := audit.NewestKey(v)
		if err != nil {
			return err
		}
		if !found {
			return x.out.Close(nil, nil)
		}
		return x.out.Close(k.Public, func(message []byte) ([]byte, error) {
			_, signature, err := x.api.opt.Signer.Sign(v, message)
			return signature, err
		})
	})
}
