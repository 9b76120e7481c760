package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/armon/go-metrics"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/engines/audit"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api"
	"github.com/trstctl/trstctl/server/egress"
	"github.com/trstctl/trstctl/server/journal"
	"github.com/trstctl/trstctl/server/sink"
)

// journals are what this node keeps of reads, and of what it refused to unknown callers.
type journals struct {
	reads   *journal.Journal
	refused *journal.Refusals
	sinks   []*sink.Sink
	meters  *metrics.Metrics
}

func openJournals(cfg Config, id *cluster.Identity, rules egress.Rules, m *metrics.Metrics, log *slog.Logger) (*journals, error) {
	keep, err := time.ParseDuration(cfg.Audit.Retention)
	if err != nil {
		return nil, fmt.Errorf("audit.retention: %w", err)
	}
	opt := journal.Options{Node: id.Node, Cluster: id.Cluster, Most: cfg.Audit.Max << 20, Keep: keep, Log: log,
		OnSync: func(took time.Duration) {
			m.AddSample([]string{"audit", "journal_sync"}, float32(took.Seconds()*1000))
		}}
	dir := filepath.Join(cfg.Data, "journal")
	reads, err := journal.Open(dir, opt)
	if err != nil {
		return nil, err
	}
	refused, err := journal.OpenRefusals(filepath.Join(dir, "refused"), opt)
	if err != nil {
		return nil, errors.Join(err, reads.Close())
	}
	j := &journals{reads: reads, refused: refused, meters: m}
	m.IncrCounter([]string{"audit", "journal_failures", "total"}, 0) // there from the start, so that an alert sees it rise
	if j.sinks, err = openSinks(cfg, id.Node, rules, j, log); err != nil {
		return nil, errors.Join(err, j.close())
	}
	return j, nil
}

func openSinks(cfg Config, node string, rules egress.Rules, j *journals, log *slog.Logger) (all []*sink.Sink, err error) {
	for i, c := range cfg.Audit.Sinks {
		s, err := sink.Open(c, sink.Options{Node: node, Dir: filepath.Join(cfg.Data, "journal", "sinks"), Journal: j.reads, Egress: rules, Log: log,
			Failed: func(kind string) {
				j.meters.IncrCounterWithLabels([]string{"audit", "sink_failures", "total"}, 1, []metrics.Label{{Name: "sink", Value: kind}})
			}})
		if err != nil {
			return nil, fmt.Errorf("audit.sinks.%d: %w", i, err)
		}
		all = append(all, s)
	}
	return all, nil
}

// Append implements api.Journal.
func (j *journals) Append(records ...journal.Record) error {
	err := j.reads.Append(records...)
	if err != nil {
		j.meters.IncrCounter([]string{"audit", "journal_failures", "total"}, 1)
		return err
	}
	j.meters.IncrCounter([]string{"audit", "journal_records", "total"}, float32(len(records)))
	return nil
}

func (j *journals) run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { _ = j.refused.Run(ctx) }) // neither ever fails
	wg.Go(func() { _ = j.reads.Run(ctx) })
	for _, s := range j.sinks {
		wg.Go(func() { _ = s.Run(ctx) })
	}
	wg.Go(func() { j.measure(ctx) })
	wg.Wait()
	return nil
}

// measure keeps the gauges true.
func (j *journals) measure(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for ctx.Err() == nil {
		head, synced := j.reads.Head()
		j.meters.SetGauge([]string{"audit", "journal_unsynced"}, float32(head.Seq-synced.Seq))
		for i, s := range j.sinks {
			j.meters.SetGaugeWithLabels([]string{"audit", "sink_lag"}, float32(s.Lag()), []metrics.Label{{Name: "sink", Value: fmt.Sprintf("%s-%d", s.Name(), i)}})
		}
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
}

// close comes when nobody appends any more.
func (j *journals) close() error { return errors.Join(j.reads.Close(), j.refused.Close()) }

// The questions that nodes ask each other about their journals.
const (
	askHead = "audit.head" // answered with a journal.Head, synced
	askPage = "audit.page" // a pageQuestion, answered with a journal.Page
)

type pageQuestion struct {
	Part  string        `cbor:"1,keyasint"`
	Query journal.Query `cbor:"2,keyasint"`
}

// answer implements cluster.Answer.
func (j *journals) answer(ctx context.Context, name string, body []byte) ([]byte, error) {
	switch name {
	case askHead:
		_, synced := j.reads.Head()
		return fsm.Encode(synced)
	case askPage:
		var q pageQuestion
		if err := fsm.Decode(body, &q); err != nil {
			return nil, fault.New(fault.Invalid, "the question cannot be read").Because(err)
		}
		p, err := j.part(q.Part).Read(ctx, q.Query)
		if err != nil {
			return nil, err
		}
		return fsm.Encode(p)
	}
	return nil, fault.New(fault.Invalid, "this node does not know the question %q", name)
}

func (j *journals) part(name string) *journal.Journal {
	if name == api.PartRefused {
		return j.refused.Journal()
	}
	return j.reads
}

// remoteJournals asks the members for what their journals hold.
type remoteJournals struct {
	cluster *cluster.Node
	own     *journals
}

const headTime = time.Second

// Nodes implements api.Journals.
func (r remoteJournals) Nodes(v *fsm.View) ([]string, error) {
	all, err := cluster.Members(v)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(all))
	for i, m := range all {
		ids[i] = m.ID
	}
	return ids, nil
}

// Page implements api.Journals.
func (r remoteJournals) Page(ctx context.Context, node, part string, q journal.Query) (p journal.Page, err error) {
	body, err := fsm.Encode(pageQuestion{part, q})
	if err != nil {
		return p, err
	}
	out, err := r.cluster.Ask(ctx, node, askPage, body)
	if err != nil {
		return p, err
	}
	return p, fsm.Decode(out, &p)
}

// Verify implements api.Journals.
func (r remoteJournals) Verify(ctx context.Context, v *fsm.View) (reads, refused journal.Verified, err error) {
	head, _ := r.own.reads.Head()
	if reads, err = r.own.reads.Verify(ctx, anchorsOf(v, r.cluster.Identity().Node, head.Journal)); err != nil {
		return reads, refused, err
	}
	refused, err = r.own.refused.Journal().Verify(ctx, func(func(journal.Head, error) bool) {}) // never anchored
	return reads, refused, err
}

// anchorsOf are a node's heads in the event log, as the journal knows them.
func anchorsOf(r fsm.Reader, node string, own fsm.UID) journal.Anchors {
	return func(yield func(journal.Head, error) bool) {
		for h, err := range audit.Anchors(r, node, own) {
			if !yield(journal.Head{Journal: h.Journal, Seq: h.Seq, Hash: h.Hash}, err) {
				return
			}
		}
	}
}

// Heads implements audit.Heads: all nodes at the same time, each within a second.
func (r remoteJournals) Heads(ctx context.Context) ([]audit.Head, error) {
	v, err := r.cluster.Store().View()
	if err != nil {
		return nil, err
	}
	nodes, err := r.Nodes(v)
	if err = errors.Join(err, v.Close()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, headTime)
	defer cancel()
	heads, errs := make([]audit.Head, len(nodes)), make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, id := range nodes {
		wg.Go(func() { heads[i], errs[i] = r.head(ctx, id) })
	}
	wg.Wait()
	var known []audit.Head
	for i := range nodes {
		if errs[i] == nil {
			known = append(known, heads[i])
		}
	}
	return known, errors.Join(errs...)
}

func (r remoteJournals) head(ctx context.Context, node string) (audit.Head, error) {
	out, err := r.cluster.Ask(ctx, node, askHead, nil)
	if err != nil {
		return audit.Head{}, fmt.Errorf("ask node %s for its journal: %w", node, err)
	}
	var h journal.Head
	if err := fsm.Decode(out, &h); err != nil {
		return audit.Head{}, fmt.Errorf("read what node %s says of its journal: %w", node, err)
	}
	return audit.Head{Node: node, Journal: h.Journal, Seq: h.Seq, Hash: h.Hash}, nil
}
