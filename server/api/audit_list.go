package api

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/journal"
)

// The sources of an audit.
const (
	sourceLog   = "log"
	PartReads   = "reads"   // a node's journal of what was answered, and refused to known callers
	PartRefused = "refused" // a node's counts of what was refused to unknown callers
)

// Journals are those of all nodes.
type Journals interface {
	// Nodes returns the members in v.
	Nodes(v *fsm.View) ([]string, error)
	// Page reads a part of one node's, this one's too.
	Page(ctx context.Context, node, part string, q journal.Query) (journal.Page, error)
	// Verify walks this node's own and holds them against what is anchored in v.
	Verify(ctx context.Context, v *fsm.View) (reads, refused journal.Verified, err error)
}

const (
	auditLook = 10000           // records that a call looks at in the log; the cursor then says where to go on
	nodeTime  = 5 * time.Second // in which a node has to answer; what it does not is named in the answer
)

type auditMissing struct {
	Node   string `json:"node"`
	Source string `json:"source"`
	Reason string `json:"reason"`
}

type auditAnswer struct {
	Items   []auditRecord  `json:"items"`
	Next    string         `json:"next_cursor"`
	Missing []auditMissing `json:"missing" doc:"nodes that did not answer: their records are not among the items, a later call with this cursor may show them"`
}

// stretch is what one source had to say: some records in order, and how far it has looked.
type stretch struct {
	name, node, part string // "log", or part and node
	from             uint64 // sequence that was asked for
	items            []auditRecord
	next             uint64   // where it goes on, 0 when it has no more
	looked           fsm.Time // time of what it has looked at last
	end              uint64   // sequence of its newest record when the list began
	taken            int      // of items
	err              error
}

func listAudit(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	s, err := c.sight()
	if err != nil {
		return nil, err
	}
	cur, err := c.cursor(&s)
	if err != nil {
		return nil, err
	}
	stretches, err := c.sources(s)
	if err != nil {
		return nil, err
	}
	c.fetch(stretches, s, cur, limit)
	out := auditAnswer{Items: []auditRecord{}, Missing: []auditMissing{}}
	for _, st := range stretches {
		switch {
		case st.err != nil && (st.name == sourceLog || c.ctx.Err() != nil):
			return nil, st.err
		case st.err != nil:
			c.note(st.err)
			out.Missing = append(out.Missing, auditMissing{st.node, st.part, problemOf(st.err, c.id).Detail})
		}
	}
	out.Items = merge(stretches, cur.Reverse, limit)
	out.Next, err = cur.after(stretches)
	return out, err
}

// sources names what the caller's sight covers.
func (c *call) sources(s sight) (all []*stretch, err error) {
	if s.covers(sourceLog) {
		all = append(all, &stretch{name: sourceLog})
	}
	for _, part := range []string{PartReads, PartRefused} {
		if !s.covers(part) {
			continue
		}
		nodes, err := c.api.opt.Journals.Nodes(c.view)
		if err != nil {
			return nil, err
		}
		for _, n := range nodes {
			all = append(all, &stretch{name: part + "/" + n, node: n, part: part})
		}
	}
	return all, nil
}

// fetch fills the stretches, all nodes at the same time.
func (c *call) fetch(stretches []*stretch, s sight, cur auditCursor, limit int) {
	var wg sync.WaitGroup
	for _, st := range stretches {
		if cur.ended(st.name) {
			continue
		}
		st.from = cur.At[st.name]
		if st.name == sourceLog {
			st.err = c.fetchLog(st, s, cur, limit)
			continue
		}
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(c.ctx, nodeTime)
			defer cancel()
			st.err = c.fetchJournal(ctx, st, s, cur, limit)
		})
	}
	wg.Wait()
}

func (c *call) fetchJournal(ctx context.Context, st *stretch, s sight, cur auditCursor, limit int) error {
	q := s.query()
	q.From, q.Reverse, q.Limit, q.To = st.from, cur.Reverse, limit, cur.End[st.name]
	p, err := c.api.opt.Journals.Page(ctx, st.node, st.part, q)
	if err != nil {
		return err
	}
	st.next, st.looked, st.end = p.Next, p.Looked, p.Head.Seq
	for _, l := range p.Lines {
		r, err := l.Record()
		if err != nil {
			return fault.New(fault.Corrupt, "a record of the journal of node %s cannot be read", st.node).Because(err)
		}
		st.items = append(st.items, journaled(r, st.node, st.part))
	}
	return nil
}

func (c *call) fetchLog(st *stretch, s sight, cur auditCursor, limit int) error {
	from, err := s.begin(c.view, st.from, cur)
	if err != nil {
		return err
	}
	look, end := 0, cur.End[sourceLog]
	st.end, _ = c.view.Head()
	return fsm.History(c.view, from, cur.Reverse, func(r fsm.Record) (bool, error) {
		if len(st.items) == limit || look == auditLook {
			st.next = r.Seq
			return false, nil
		}
		if cur.Reverse && r.At < s.since || !cur.Reverse && (s.until > 0 && r.At > s.until || end > 0 && r.Seq > end) {
			return false, nil
		}
		look, st.looked = look+1, r.At
		a, seen, err := s.show(r)
		if seen {
			st.items = append(st.items, a)
		}
		return true, errors.Join(err, c.ctx.Err())
	})
}

// merge takes up to limit records in order of time. It goes no further than every source has looked.
func merge(stretches []*stretch, reverse bool, limit int) []auditRecord {
	before := func(a, b fsm.Time) bool { return a < b && !reverse || a > b && reverse }
	var end fsm.Time // as far as all have looked
	bounded := false
	for _, st := range stretches {
		if st.next > 0 && (!bounded || before(st.looked, end)) {
			end, bounded = st.looked, true
		}
	}
	out := []auditRecord{}
	for len(out) < limit {
		var first *stretch
		for _, st := range stretches {
			if st.taken < len(st.items) && (first == nil || before(st.items[st.taken].At, first.items[first.taken].At)) {
				first = st
			}
		}
		if first == nil || bounded && before(end, first.items[first.taken].At) {
			break
		}
		out = append(out, first.items[first.taken])
		first.taken++
	}
	return out
}

// journaled renders a record of a journal.
func journaled(r journal.Record, node, part string) auditRecord {
	return auditRecord{Source: part, Node: node, Seq: r.Seq, Hash: hexOf(r.Hash), Index: r.Index, At: r.At, Actor: auditActor{r.Identity, r.Accessor},
		Origin: auditOrigin{r.Request, r.Address, r.Rule}, Tenant: r.Tenant.String(), Events: []auditEvent{},
		Read: &auditRead{r.Op, r.Path, r.Version, r.Outcome, r.Count}}
}

// position is where a stretch goes on the next time; done says that it does not.
func (st *stretch) position() (seq uint64, done bool) {
	switch {
	case st.taken < len(st.items):
		return st.items[st.taken].Seq, false
	case st.next > 0:
		return st.next, false
	case st.err != nil:
		return st.from, false
	}
	return 0, true
}

func formatSeq(n uint64) string { return strconv.FormatUint(n, 10) }
