package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/fsm/fault"
)

// network carries calls between processes. A call is a message there and one back; each may be late or lost, as the link decides.
type network struct {
	w       *world
	cut     map[[2]int]bool          // from, to
	silent  bool                     // what is cut hangs until the caller gives up; else the caller is told at once
	loss    int                      // of a hundred messages
	slowest time.Duration            // of a message
	slow    map[[2]int]time.Duration // that all messages of a link take more
	late    map[[2]int]bool          // what is on its way arrives whenever luck has it
	links   map[[2]int]dice
	mu      sync.Mutex // guards all of it
}

func newNetwork(w *world) *network {
	n := &network{w: w, cut: map[[2]int]bool{}, slow: map[[2]int]time.Duration{}, late: map[[2]int]bool{}, links: map[[2]int]dice{}}
	for i := range nodes {
		for j := range nodes {
			n.links[[2]int{i, j}] = roll(w.seed, fmt.Sprint("link", i, j))
		}
	}
	n.calm()
	return n
}

func (n *network) calm() { n.set(func() { n.loss, n.slowest = 0, 2*time.Millisecond }) }

func (n *network) set(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

var (
	errReset   = errors.New("the connection was reset")
	errRefused = errors.New("connection refused")
	errTimeout = errors.New("i/o timeout")
	errDead    = errors.New("this process has ended")
)

// trip takes a message from one node to another. hangs says that nothing will come of it and nobody is told.
func (n *network) trip(from, to int) (hangs bool, err error) {
	link, d := [2]int{from, to}, n.links[[2]int{from, to}]
	n.mu.Lock()
	late, lost, told := d.between(50*time.Microsecond, n.slowest), d.often(n.loss), d.often(60)
	if n.slowest > 10*time.Millisecond && d.often(70) {
		late = d.between(50*time.Microsecond, 10*time.Millisecond) // most are quick also where some are slow
	}
	late += n.slow[link]
	n.mu.Unlock()
	time.Sleep(late)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.late[link] {
		late = d.between(time.Millisecond, latest)
		n.mu.Unlock()
		time.Sleep(late)
		n.mu.Lock()
	}
	switch {
	case n.cut[link]:
		return n.silent, errReset
	case lost:
		return !told, errReset
	}
	return false, nil
}

// latest is how much later than others a message is that is late: others stand for election 350 to 700 ms after they have last heard of a leader.
const latest = 900 * time.Millisecond

// drawn is a duration of a link's.
func (n *network) drawn(from, to int, most time.Duration) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.links[[2]int{from, to}].between(time.Millisecond, most)
}

type answer struct {
	value any
	err   error
}

// call has handle run in the process of another node, and returns what it answers.
func (n *network) call(ctx context.Context, p *process, to int, limit time.Duration, what string, handle func(*process) (any, error)) (any, error) {
	if err := p.pass(); err != nil {
		return nil, err
	}
	answers := make(chan answer, 1)
	go func() {
		v, hangs, err := n.carry(p.node, to, what, handle)
		if !hangs {
			answers <- answer{v, err}
		}
	}()
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	var a answer
	select {
	case a = <-answers:
	case <-timeout.C:
		a.err = errTimeout
	case <-ctx.Done():
		a.err = context.Cause(ctx)
	case <-p.dead:
		a.err = errDead
	}
	if err := p.pass(); err != nil {
		return nil, err
	}
	return a.value, a.err
}

func (n *network) carry(from, to int, what string, handle func(*process) (any, error)) (v any, hangs bool, err error) {
	hangs, err = n.trip(from, to)
	if err != nil {
		return nil, hangs, err
	}
	p := n.w.process(to)
	if p == nil {
		return nil, false, errRefused
	}
	if p.pass() != nil { // a paused process takes it when it goes on
		return nil, false, errReset
	}
	n.w.trace.note("%d>%d %s", from, to, what)
	v, err = handle(p)
	if p.pass() != nil {
		return nil, false, errReset
	}
	hangs, lost := n.trip(to, from)
	if lost != nil {
		return nil, hangs, lost
	}
	return v, false, err
}

// voice is a process's cluster.Voice.
type voice struct{ p *process }

func (v voice) ask(ctx context.Context, id, what string, handle func(*process) (any, error)) (any, error) {
	out, err := v.p.w.net.call(ctx, v.p, nodeOf(id), time.Minute, what, handle)
	if err != nil && fault.KindOf(err) == fault.Internal {
		err = fmt.Errorf("ask %s: %w", id, err)
	}
	return out, err
}

func (v voice) Confirm(ctx context.Context, id string, term uint64) (cluster.Confirmation, error) {
	out, err := v.ask(ctx, id, fmt.Sprint("confirm ", term), func(p *process) (any, error) { return p.agree.Confirmation(), nil })
	if err != nil {
		return cluster.Confirmation{}, err
	}
	return out.(cluster.Confirmation), nil
}

func (v voice) ReadIndex(ctx context.Context, id string) (uint64, error) {
	out, err := v.ask(ctx, id, "index", func(p *process) (any, error) { return p.agree.ReadIndex(p.ctx) })
	if err != nil {
		return 0, err
	}
	return out.(uint64), nil
}

// transport is Raft's, of one process.
type transport struct {
	p         *process
	consumer  chan raft.RPC
	heartbeat func(raft.RPC)
}

func newTransport(p *process) *transport { return &transport{p: p, consumer: make(chan raft.RPC)} }

func (t *transport) Consumer() <-chan raft.RPC                                { return t.consumer }
func (t *transport) LocalAddr() raft.ServerAddress                            { return raft.ServerAddress(idOf(t.p.node)) }
func (t *transport) EncodePeer(id raft.ServerID, _ raft.ServerAddress) []byte { return []byte(id) }
func (t *transport) DecodePeer(b []byte) raft.ServerAddress                   { return raft.ServerAddress(b) }
func (t *transport) SetHeartbeatHandler(f func(raft.RPC))                     { t.heartbeat = f }

// AppendEntriesPipeline is what a product's transport answers that has one call in flight.
func (t *transport) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

const raftTimeout = 5 * time.Second // as the product's

func (t *transport) send(id raft.ServerID, what string, limit time.Duration, handle func(*process) (any, error)) (any, error) {
	return t.p.w.net.call(context.Background(), t.p, nodeOf(string(id)), limit, what, handle)
}

// serve gives a request to the Raft of a process and waits for its response.
func serve(p *process, command any, reader io.Reader, fast bool) (any, error) {
	done := make(chan raft.RPCResponse, 1)
	rpc := raft.RPC{Command: command, Reader: reader, RespChan: done}
	if fast && p.trans.heartbeat != nil {
		p.trans.heartbeat(rpc)
	} else {
		select {
		case p.trans.consumer <- rpc:
		case <-p.ended:
			return nil, errReset
		}
	}
	select {
	case r := <-done:
		return r.Response, r.Error
	case <-p.ended:
		return nil, errReset
	}
}

func (t *transport) AppendEntries(id raft.ServerID, _ raft.ServerAddress, in *raft.AppendEntriesRequest, out *raft.AppendEntriesResponse) error {
	beat := in.PrevLogEntry == 0 && in.PrevLogTerm == 0 && len(in.Entries) == 0 && in.LeaderCommitIndex == 0
	what := fmt.Sprintf("append t%d after %d: %d, committed %d", in.Term, in.PrevLogEntry, len(in.Entries), in.LeaderCommitIndex)
	v, err := t.send(id, what, raftTimeout, func(p *process) (any, error) {
		copied := *in
		copied.Entries = make([]*raft.Log, len(in.Entries))
		for i, l := range in.Entries {
			one := *l
			copied.Entries[i] = &one
		}
		return serve(p, &copied, nil, beat)
	})
	if err == nil {
		*out = *v.(*raft.AppendEntriesResponse)
	}
	return err
}

func (t *transport) RequestVote(id raft.ServerID, _ raft.ServerAddress, in *raft.RequestVoteRequest, out *raft.RequestVoteResponse) error {
	v, err := t.send(id, fmt.Sprintf("vote t%d", in.Term), raftTimeout, func(p *process) (any, error) {
		copied := *in
		return serve(p, &copied, nil, false)
	})
	if err == nil {
		*out = *v.(*raft.RequestVoteResponse)
	}
	return err
}

func (t *transport) RequestPreVote(id raft.ServerID, _ raft.ServerAddress, in *raft.RequestPreVoteRequest, out *raft.RequestPreVoteResponse) error {
	v, err := t.send(id, fmt.Sprintf("prevote t%d", in.Term), raftTimeout, func(p *process) (any, error) {
		copied := *in
		return serve(p, &copied, nil, false)
	})
	if err == nil {
		*out = *v.(*raft.RequestPreVoteResponse)
	}
	return err
}

func (t *transport) TimeoutNow(id raft.ServerID, _ raft.ServerAddress, in *raft.TimeoutNowRequest, out *raft.TimeoutNowResponse) error {
	v, err := t.send(id, "timeout now", raftTimeout, func(p *process) (any, error) {
		copied := *in
		return serve(p, &copied, nil, false)
	})
	if err == nil {
		*out = *v.(*raft.TimeoutNowResponse)
	}
	return err
}

func (t *transport) InstallSnapshot(id raft.ServerID, _ raft.ServerAddress, in *raft.InstallSnapshotRequest, out *raft.InstallSnapshotResponse, data io.Reader) error {
	all, err := io.ReadAll(data)
	if err != nil {
		return err
	}
	v, err := t.send(id, fmt.Sprintf("snapshot t%d at %d", in.Term, in.LastLogIndex), 4*raftTimeout, func(p *process) (any, error) {
		copied := *in
		time.Sleep(t.p.w.net.drawn(t.p.node, p.node, 200*time.Millisecond))
		return serve(p, &copied, bytes.NewReader(all), false)
	})
	if err == nil {
		*out = *v.(*raft.InstallSnapshotResponse)
	}
	return err
}
