package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Every node remembers how far each other one said that it has the log: what was committed with its acknowledgement. A member that comes back
// with less, because its directory was replaced by an older one or its disk has lost what it had confirmed, could elect a leader that
// lacks acknowledged entries. It asks the others before its Raft starts, and again and again afterwards, and ends when one remembers
// more than it has. That is as good as the others' memory: of all nodes at once nobody can tell.
const (
	acknowledgedFile  = "acknowledged"
	acknowledgedEvery = time.Second
	keepAcknowledged  = 10                     // looks between two writes of the file
	recallTime        = 400 * time.Millisecond // at a start: where all start at once nobody answers yet, and Run asks again
)

// acknowledged is what the others have. The zero value knows nothing.
type acknowledged struct {
	mu    sync.Mutex // guards the rest
	by    map[string]uint64
	moved bool // since it was kept
}

func (a *acknowledged) saw(id string, index uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.by == nil {
		a.by = map[string]uint64{}
	}
	if index > a.by[id] {
		a.by[id], a.moved = index, true
	}
}

func (a *acknowledged) of(id string) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.by[id]
}

func loadAcknowledged(dir string) (*acknowledged, error) {
	a := &acknowledged{}
	b, err := os.ReadFile(filepath.Join(dir, acknowledgedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err == nil {
		err = fsm.Decode(b, &a.by)
	}
	if err != nil {
		return nil, fault.New(fault.Corrupt, "%s cannot be read: it holds what the other members have of the log; remove it and start again",
			filepath.Join(dir, acknowledgedFile)).Because(err)
	}
	return a, nil
}

// keep writes what has changed.
func (a *acknowledged) keep(dir string) error {
	a.mu.Lock()
	by, moved := maps.Clone(a.by), a.moved
	a.moved = false
	a.mu.Unlock()
	if !moved {
		return nil
	}
	b, err := fsm.Encode(by)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, acknowledgedFile), b)
}

// remember asks the others how far they have the log, and what they remember of this node.
func (n *Node) remember(ctx context.Context) error {
	for look := 1; ctx.Err() == nil; look++ {
		mine := n.Status()
		n.watch.saw(n.id.Node, mine, n.problemOf(mine))
		if err := n.compareMemories(ctx, n.others(), n.raft.LastIndex); err != nil {
			return err
		}
		if look%keepAcknowledged == 0 {
			if err := n.acked.keep(n.cfg.Dir); err != nil {
				n.log.Warn("what the others have acknowledged was not written down, will retry", "err", err)
			}
		}
		pause(ctx, acknowledgedEvery)
	}
	return n.acked.keep(n.cfg.Dir)
}

// others are the members that the tables and Raft's configuration know, but this node.
func (n *Node) others() []string {
	known := map[string]bool{}
	if v, err := n.store.View(); err == nil {
		all, _ := Members(v) // without them Raft's configuration must do
		v.Close()
		for _, m := range all {
			known[m.ID] = true
		}
	}
	if n.raft != nil {
		for _, s := range n.raft.GetConfiguration().Configuration().Servers {
			known[string(s.ID)] = true
		}
	}
	delete(known, n.id.Node)
	out := make([]string, 0, len(known))
	for id := range known {
		out = append(out, id)
	}
	return out
}

// compareMemories returns an error when one of others remembers that this node had more of the log than it has. The log's end is looked up after the
// answer: it grows meanwhile, and the others hear of it.
func (n *Node) compareMemories(ctx context.Context, others []string, end func() uint64) error {
	answers := make(chan error, len(others))
	for _, id := range others {
		go func() {
			s, err := n.ask(ctx, id)
			if err != nil {
				answers <- nil // it is not there: the others may know
				return
			}
			n.acked.saw(id, s.Commit)
			n.watch.saw(id, s, n.problemOf(s))
			if last := end(); s.Yours > last {
				err = fault.New(fault.Corrupt, "node %s had the log up to index %d, as %s remembers, and has it up to %d now: an older copy of its data directory was "+
					"put back, or its disk has lost what it confirmed; move the directory aside and join as a new node", n.id.Node, s.Yours, id, last)
			}
			answers <- err
		}()
	}
	var err error
	for range others {
		err = errors.Join(err, <-answers)
	}
	return err
}

// refuseLess ends a start with less of the log than the others remember.
func (n *Node) refuseLess(base uint64) error {
	_, last, err := boundsOf(n.logs)
	if err != nil {
		return fmt.Errorf("look at the Raft log: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), recallTime)
	defer cancel()
	return n.compareMemories(ctx, n.others(), func() uint64 { return max(last, base) })
}
