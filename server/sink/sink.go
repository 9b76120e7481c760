// Package sink carries a node's journal of reads on to a file, a syslog server or a webhook.
//
// It promises:
//   - A sink runs behind the journal, from a cursor of its own on disk, and can stop or slow nothing: what it cannot deliver waits in the
//     journal, as long as retention keeps it.
//   - Records are delivered in order and at least once: after a crash some come again, with the same node and seq. (A syslog server
//     acknowledges nothing: what was on its way when the connection broke may be lost.)
//   - What retention removed before it was delivered is told in the log.
package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/durable"
	"github.com/trstctl/trstctl/server/egress"
	"github.com/trstctl/trstctl/server/journal"
)

// Config names one sink.
type Config struct {
	Kind    string `koanf:"kind"`    // file, syslog or webhook
	Path    string `koanf:"path"`    // of a file, to which lines of JSON are appended
	Address string `koanf:"address"` // of a syslog server (RFC 5424): udp://, tcp:// or tls://host:port
	URL     string `koanf:"url"`     // of a webhook: https, lines of JSON in a POST
	CA      string `koanf:"ca"`      // file with the CA certificates of tls:// and https://; the system's when empty
}

// Journal is what is carried on; *journal.Journal is one.
type Journal interface {
	Read(ctx context.Context, q journal.Query) (journal.Page, error)
}

// target takes records, all or an error.
type target interface {
	send(ctx context.Context, node string, lines [][]byte) error
}

const (
	batch    = 500
	lookEach = time.Second
	sendTime = 10 * time.Second
	leave    = time.Second // a call that does not heed its context is left behind at the end
)

// Sink is one of them.
type Sink struct {
	name    string
	node    string
	cursor  string // file
	journal Journal
	to      target
	log     *slog.Logger
	at      cursor
	every   time.Duration
	lag     atomic.Uint64
	failed  func()
}

// cursor says what was delivered.
type cursor struct {
	Journal fsm.UID `json:"journal"`
	Seq     uint64  `json:"seq"`
}

// Options are what all sinks of a node share.
type Options struct {
	Node    string
	Dir     string // of the cursors
	Journal Journal
	Egress  egress.Rules // for webhooks
	Log     *slog.Logger
	Failed  func(sink string) // told of each failed delivery; nil: nobody is
}

// Open makes a sink. A cursor that cannot be read is told in the log, and the journal delivered from its beginning.
func Open(cfg Config, opt Options) (*Sink, error) {
	to, name, err := cfg.open(opt.Egress)
	if err != nil {
		return nil, err
	}
	if err := durable.MakeDir(opt.Dir); err != nil {
		return nil, fmt.Errorf("make the directory of the sinks' cursors: %w", err)
	}
	s := &Sink{name: cfg.Kind, node: opt.Node, cursor: filepath.Join(opt.Dir, name), journal: opt.Journal, to: to,
		log: opt.Log.With("sink", cfg.Kind, "cursor", name), every: lookEach, failed: func() {}}
	if opt.Failed != nil {
		s.failed = func() { opt.Failed(cfg.Kind) }
	}
	b, err := os.ReadFile(s.cursor)
	if err == nil {
		err = json.Unmarshal(b, &s.at)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.at = cursor{}
		s.log.Warn("the sink's cursor cannot be read: it begins anew", "err", err)
	}
	return s, nil
}

// Name returns the kind of the sink.
func (s *Sink) Name() string { return s.name }

// Lag returns how many records it is behind.
func (s *Sink) Lag() uint64 { return s.lag.Load() }

// Run delivers until ctx ends. What fails is tried again, after a second at first and a minute at most.
func (s *Sink) Run(ctx context.Context) error {
	pause, failing := s.every, false
	for {
		more, err := s.round(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failing:
			s.log.Warn("records of reads not delivered, will retry", "err", err)
			failing = true
		case err == nil && failing:
			s.log.Info("records of reads are delivered again")
			failing, pause = false, s.every
		}
		if err != nil {
			s.failed()
			pause = min(2*pause, time.Minute)
		}
		if more && err == nil {
			continue
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// round delivers one batch.
func (s *Sink) round(ctx context.Context) (more bool, err error) {
	p, err := s.journal.Read(ctx, journal.Query{From: s.at.Seq + 1, Limit: batch})
	if err != nil {
		return false, err
	}
	if p.Head.Journal != s.at.Journal { // another journal: from its beginning
		again := s.at.Seq > 0
		s.at = cursor{Journal: p.Head.Journal}
		if again {
			return true, nil
		}
	}
	switch {
	case s.at.Seq > p.Head.Seq:
		s.log.Warn("the journal is shorter than what was delivered of it", "delivered", s.at.Seq, "journal", p.Head.Seq)
		s.at.Seq = p.Head.Seq
	case p.First > s.at.Seq+1 && p.Head.Seq >= p.First:
		s.log.Warn("retention removed records before they were delivered", "from", s.at.Seq+1, "to", p.First-1)
	}
	s.lag.Store(p.Head.Seq - s.at.Seq)
	if len(p.Lines) == 0 {
		return false, nil
	}
	lines, last, err := s.render(p.Lines)
	if err != nil {
		return false, err
	}
	if err := s.deliver(ctx, lines); err != nil {
		return false, err
	}
	s.at.Seq = last
	s.lag.Store(p.Head.Seq - last)
	return p.Next > 0, s.keep()
}

// deliver gives up a target that does not heed its deadline, rather than wait for it.
func (s *Sink) deliver(ctx context.Context, lines [][]byte) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.to.send(ctx, s.node, lines) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(leave):
		return fmt.Errorf("it does not return: %w", context.Cause(ctx))
	}
}

// keep writes the cursor, whole or not at all.
func (s *Sink) keep() error {
	b, err := json.Marshal(s.at)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(s.cursor+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep the sink's cursor: %w", err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(s.cursor+".new", s.cursor)
	}
	if err != nil {
		return fmt.Errorf("keep the sink's cursor: %w", err)
	}
	return nil
}

// line is a record as sinks get it.
type line struct {
	Node     string   `json:"node"`
	Seq      uint64   `json:"seq"`
	At       fsm.Time `json:"at"`
	Op       string   `json:"operation"`
	Identity string   `json:"identity,omitempty"`
	Accessor string   `json:"accessor,omitempty"`
	Tenant   fsm.UID  `json:"tenant"`
	Path     string   `json:"path,omitempty"`
	Version  uint64   `json:"version,omitempty"`
	Outcome  string   `json:"outcome,omitempty"`
	Rule     string   `json:"policy,omitempty"`
	Request  string   `json:"request,omitempty"`
	Address  string   `json:"address,omitempty"`
	Index    uint64   `json:"index,omitempty"`
	Count    uint64   `json:"count,omitempty"`
	Hash     string   `json:"hash"`
}

func (s *Sink) render(in []journal.Line) (out [][]byte, last uint64, err error) {
	for _, l := range in {
		r, err := l.Record()
		if err != nil {
			return nil, 0, err
		}
		b, err := json.Marshal(line{s.node, r.Seq, r.At, r.Op, r.Identity, r.Accessor, r.Tenant, r.Path, r.Version, r.Outcome, r.Rule, r.Request,
			r.Address, r.Index, r.Count, fmt.Sprintf("%x", r.Hash)})
		if err != nil {
			return nil, 0, err
		}
		out, last = append(out, b), r.Seq
	}
	return out, last, nil
}
