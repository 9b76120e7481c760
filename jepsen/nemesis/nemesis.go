// Package nemesis has the faults, and what does one after the other to a cluster and mends it again.
//
// A fault is drawn from a seed, begins, is held for a while and is healed; both ends stand in the history, with whom it hit. What it did not heal by
// itself, such as a node that rightly refused to go on, its healing mends as an operator would. A new fault is a value in one of the files here and a name
// in a scenario.
package nemesis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/jepsen/lab"
	"github.com/trstctl/trstctl/jepsen/network"
)

// Fault is a way to hurt a cluster.
type Fault struct {
	Name string
	// Begin hurts. It returns what was done, with how to heal it; an error means that nothing was done and that nothing can be, as when there is no node
	// for it.
	Begin func(ctx context.Context, s *Stage) (Act, error)
	// Hold is for how long it lasts, from and to; zero: a second to six.
	Hold [2]time.Duration
}

// Act is a fault that has begun.
type Act struct {
	Targets []*lab.Node
	Detail  any
	Heal    func(context.Context) error // mends all of it; nil: nothing is to be mended
}

// Stage is what faults work on.
type Stage struct {
	Lab  *lab.Lab
	Rand *rand.Rand
	Log  *slog.Logger

	mu    sync.Mutex // guards rules
	rules map[int][]network.Rule
	next  int
}

// NewStage sets one.
func NewStage(l *lab.Lab, seed uint64, log *slog.Logger) *Stage {
	return &Stage{Lab: l, Rand: rand.New(rand.NewPCG(seed, 0x6e656d65736973)), Log: log, rules: map[int][]network.Rule{}}
}

// Cut adds rules to those in force; the returned function takes them away.
func (s *Stage) Cut(rules ...network.Rule) (heal func(context.Context) error, err error) {
	for _, r := range rules {
		if err := s.Lab.Net.Supports(r); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.next
	s.next++
	s.rules[id] = rules
	s.apply()
	return func(context.Context) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.rules, id)
		s.apply()
		return nil
	}, nil
}

func (s *Stage) apply() {
	var all []network.Rule
	for _, id := range slices.Sorted(maps.Keys(s.rules)) {
		all = append(all, s.rules[id]...)
	}
	s.Lab.Net.Set(all)
}

// Between draws a duration.
func (s *Stage) Between(low, high time.Duration) time.Duration {
	return low + time.Duration(s.Rand.Int64N(int64(max(high-low, 1))))
}

// Shuffled returns the members in a drawn order.
func (s *Stage) Shuffled() []*lab.Node {
	all := slices.Clone(s.Lab.Nodes())
	s.Rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// One draws a member: the leader more often than the others.
func (s *Stage) One(ctx context.Context) (*lab.Node, error) {
	if s.Rand.IntN(2) == 0 {
		return s.Lab.Leader(ctx)
	}
	return s.Shuffled()[0], nil
}

// Follower draws a member that does not lead.
func (s *Stage) Follower(ctx context.Context) (*lab.Node, error) {
	leader, err := s.Lab.Leader(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range s.Shuffled() {
		if n != leader {
			return n, nil
		}
	}
	return nil, errors.New("there is no follower")
}

// Minority draws as many members as can be missed, at least one if any can.
func (s *Stage) Minority() []*lab.Node {
	all := s.Shuffled()
	return all[:(len(all)-1)/2]
}

// Majority draws the fewest members without which nothing can be agreed on.
func (s *Stage) Majority() []*lab.Node {
	all := s.Shuffled()
	return all[:(len(all)+1)/2]
}

// Nemesis does the faults of a run.
type Nemesis struct {
	Stage   *Stage
	Faults  []Fault
	History *history.Writer
	Rest    [2]time.Duration // between two faults; zero: one to four seconds

	id   int
	done atomic.Int64
}

// record is the value of a fault's events.
type record struct {
	ID      int      `json:"id"`
	Targets []string `json:"targets,omitempty"`
	Leader  bool     `json:"leader,omitempty"`
	Detail  any      `json:"detail,omitempty"`
}

// Run does one fault after the other, in drawn order but each once before any comes again, until ctx ends. Everything is healed when it returns. An error
// means that a fault could not be healed: what follows proves nothing.
func (m *Nemesis) Run(ctx context.Context) error {
	var bag []Fault
	for ctx.Err() == nil {
		if len(bag) == 0 {
			bag = slices.Clone(m.Faults)
			m.Stage.Rand.Shuffle(len(bag), func(i, j int) { bag[i], bag[j] = bag[j], bag[i] })
		}
		rest := cmp.Or(m.Rest, [2]time.Duration{time.Second, 4 * time.Second})
		if wait(ctx, m.Stage.Between(rest[0], rest[1])) != nil || len(bag) == 0 {
			return nil
		}
		if err := m.Once(ctx, bag[0]); err != nil {
			return err
		}
		bag = bag[1:]
	}
	return nil
}

// Done is how many faults were done and healed so far.
func (m *Nemesis) Done() int { return int(m.done.Load()) }

// healTime bounds a healing.
const healTime = 90 * time.Second

// Once does one fault and heals it.
func (m *Nemesis) Once(ctx context.Context, f Fault) error {
	m.id++
	r := record{ID: m.id}
	leader, _ := m.Stage.Lab.Leader(ctx) // for the record; there may be none
	began := m.History.Add(history.Nemesis, history.Invoke, f.Name, "", r, nil)
	act, err := f.Begin(ctx, m.Stage)
	if err != nil {
		m.History.Add(history.Nemesis, history.Fail, f.Name, "", r, err)
		m.Stage.Log.Warn("a fault could not be done", "fault", f.Name, "err", err)
		return nil
	}
	for _, n := range act.Targets {
		r.Targets, r.Leader = append(r.Targets, n.ID), r.Leader || n == leader
	}
	r.Detail = act.Detail
	m.History.Add(history.Nemesis, history.Info, f.Name, "", r, nil)
	m.Stage.Log.Info("fault", "event", began, "name", f.Name, "targets", r.Targets, "leader", r.Leader, "detail", r.Detail)
	hold := cmp.Or(f.Hold, [2]time.Duration{time.Second, 6 * time.Second})
	_ = wait(ctx, m.Stage.Between(hold[0], hold[1])) // the end of the run heals at once
	if act.Heal != nil {
		heal, cancel := context.WithTimeout(context.WithoutCancel(ctx), healTime)
		defer cancel()
		err = act.Heal(heal)
	}
	if err != nil {
		m.History.Add(history.Nemesis, history.Info, f.Name, "", r, err)
		return fmt.Errorf("heal %s: %w", f.Name, err)
	}
	m.History.Add(history.Nemesis, history.OK, f.Name, "", r, nil)
	m.done.Add(1)
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func names(nodes []*lab.Node) (ids []string) {
	for _, n := range nodes {
		ids = append(ids, n.ID)
	}
	return ids
}
