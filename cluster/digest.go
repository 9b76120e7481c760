package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Nodes compare their tables. Now and then, and when a node asks for it, the leader puts a mark into the log; every node pins its state
// exactly there, computes the digest of what is on its disk in the background, and tells it in its status. Each compares its own with the
// voters'. A node whose digest is not a majority's is quarantined: it goes on replicating, and serves nobody until it was restarted
// with other tables. A node that was not stopped in order serves nobody before it has found its digest to be a majority's.
const (
	digestEvery  = 10 * time.Minute
	digestPace   = 32 << 20 // bytes a second, when nobody waits
	keepPoints   = 4
	comparePause = 100 * time.Millisecond
	compareTime  = time.Minute // for the voters to have computed theirs
)

// Point is the digest of a node's tables at an index.
type Point struct {
	Index  uint64   `cbor:"1,keyasint"`
	Digest [32]byte `cbor:"2,keyasint"`
}

// digests are what this node has computed, and the state that it computes next.
type digests struct {
	mu     sync.Mutex // guards the rest
	points []Point    // the latest, oldest first
	next   *pinned    // nil for nothing
	ended  bool
	wake   chan struct{} // holds one when next was set
}

type pinned struct {
	*fsm.View
	soon bool
}

func newDigests() *digests { return &digests{wake: make(chan struct{}, 1)} }

// pin takes a state over, in place of one that nobody has begun with.
func (d *digests) pin(v *fsm.View, ask fsm.DigestAsked) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		v.Close()
		return
	}
	if d.next != nil {
		d.next.Close()
	}
	d.next = &pinned{v, ask.Soon}
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *digests) take() *pinned {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.next
	d.next = nil
	return p
}

// end gives up what was pinned: the tables can then be closed.
func (d *digests) end() {
	d.mu.Lock()
	d.ended = true
	d.mu.Unlock()
	if p := d.take(); p != nil {
		p.Close()
	}
}

func (d *digests) add(p Point) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.points = append(d.points[max(0, len(d.points)-keepPoints+1):], p)
}

func (d *digests) latest() []Point {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.points)
}

// compareTables computes and compares the digests of the marks, the latest first when they come too fast.
func (n *Node) compareTables(ctx context.Context) error {
	defer n.digests.end()
	for {
		select {
		case <-n.digests.wake:
		case <-ctx.Done():
			return nil
		}
		p := n.digests.take()
		if p == nil {
			continue
		}
		begun := uptime()
		point, err := digestOf(ctx, p)
		n.log.Debug("digest computed", "index", point.Index, "soon", p.soon, "took", uptime()-begun)
		if err != nil {
			if ctx.Err() == nil {
				n.log.Error("the digest of the tables could not be computed", "index", point.Index, "err", err)
			}
			continue
		}
		n.digests.add(point)
		n.compare(ctx, point)
	}
}

func digestOf(ctx context.Context, p *pinned) (Point, error) {
	defer p.Close()
	rest := func(int) {}
	if !p.soon {
		rest = func(read int) { pause(ctx, time.Duration(read)*time.Second/digestPace) }
	}
	d, err := fsm.DigestPaced(ctx, p.View, rest)
	return Point{p.Index(), d}, err
}

// compare asks the voters for their digests at the same index until a majority of all has one in common, everybody has answered, or
// another mark has come.
func (n *Node) compare(ctx context.Context, mine Point) {
	ctx, cancel := context.WithTimeout(ctx, compareTime)
	defer cancel()
	for ctx.Err() == nil && len(n.digests.wake) == 0 {
		voters, self := n.voters()
		t := tally{all: len(voters) + self, by: map[[32]byte][]string{}}
		if self == 1 {
			t.count(n.id.Node, mine)
		}
		for _, id := range voters {
			if s, err := n.ask(ctx, id); err == nil {
				t.count(id, at(s.Digests, mine.Index))
			}
		}
		if right, found := t.majority(); found {
			n.judge(mine, right)
			n.accuse(mine.Index, t, right)
			return
		}
		if t.heard == t.all && t.all > 0 {
			n.log.Error("no majority of the voters has the same tables: compare them with `trstctl operator digest`", "index", mine.Index)
			return
		}
		pause(ctx, comparePause)
	}
}

func at(points []Point, index uint64) Point {
	for _, p := range points {
		if p.Index == index {
			return p
		}
	}
	return Point{}
}

// tally counts the voters by their digest at one index.
type tally struct {
	all   int // voters
	heard int // that have computed theirs
	by    map[[32]byte][]string
}

func (t *tally) count(id string, p Point) {
	if p.Index > 0 {
		t.heard++
		t.by[p.Digest] = append(t.by[p.Digest], id)
	}
}

func (t *tally) majority() (d [32]byte, found bool) {
	for d, ids := range t.by {
		if len(ids) > t.all/2 {
			return d, true
		}
	}
	return d, false
}

// judge draws the consequence for this node.
func (n *Node) judge(mine Point, right [32]byte) {
	if mine.Digest == right {
		if !n.verified.Swap(true) {
			n.log.Info("the tables are a majority's: the node may serve", "index", mine.Index)
		}
		return
	}
	why := fmt.Sprintf("quarantined: its tables differ from the majority's at index %d: stop it, move the directory tables in its data directory aside, start it again", mine.Index)
	if n.quarantined.CompareAndSwap(nil, &why) {
		n.log.Error("this node serves nobody any more", "why", why)
	}
}

// accuse has the leader name the others whose tables differ.
func (n *Node) accuse(index uint64, t tally, right [32]byte) {
	if !n.Leads() {
		return
	}
	for d, ids := range t.by {
		if d != right {
			n.log.Error("the tables of members differ from the majority's", "members", ids, "index", index)
		}
	}
}

// fit refuses on behalf of a node that must not serve.
func (n *Node) fit() error {
	if why := n.quarantined.Load(); why != nil {
		return fault.New(fault.NotDone, "node %s is %s", n.id.Node, *why).After(time.Second)
	}
	if n.verified.Load() || n.alone() {
		return nil
	}
	return fault.New(fault.NotDone, "node %s was not stopped in order and compares its tables with the others': try again", n.id.Node).After(time.Second)
}

// alone reports a cluster of one, which has nobody to compare with.
func (n *Node) alone() bool {
	others, self := n.voters()
	return len(others) == 0 && self == 1
}

// Fit returns why this node must not serve, nil when it may.
func (n *Node) Fit() error { return n.fit() }
