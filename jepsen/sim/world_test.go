package sim

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/fsm"
)

const nodes = 3

func idOf(node int) string { return fmt.Sprint("n", node) }

func nodeOf(id string) int { return int(id[1] - '0') }

// world is a cluster in a bubble.
type world struct {
	seed   uint64
	broken broken
	trace  *trace
	net    *network
	begun  time.Time
	over   chan struct{} // closed when no client begins anything any more
	wg     sync.WaitGroup
	asking sync.WaitGroup // clients

	mu       sync.Mutex // guards the rest
	problems problems
	disks    [nodes]*disk
	running  [nodes]*process // nil: none
	led      map[uint64]string
	lives    int
	ended    int // that ended themselves
	closed   bool
	history  history
}

// broken is what a world does wrong on purpose.
type broken struct {
	round    bool // reads take the commit index of whoever thinks that it leads
	verify   bool // reads take raft.VerifyLeader for a round
	disk     bool // a sync forgets after it has returned
	stamp    bool // an entry gets the term of when it is proposed, not that of when it was decided
	contact  bool // the age of state is that of the last heartbeat
	received bool // the age of state counts from when the answer came
	receipts bool // a repetition is another request
	guards   bool // entries guard nothing, although callers time out
	often    int  // nothing: the harm that is done more often than not; 0: drawn
}

func newWorld(seed uint64, b broken) *world {
	w := &world{seed: seed, broken: b, trace: newTrace("agreement", seed), begun: time.Now(), over: make(chan struct{}), led: map[uint64]string{}}
	w.net = newNetwork(w)
	for i := range nodes {
		w.disks[i] = newDisk(w, i)
	}
	return w
}

func (w *world) now() time.Duration { return time.Since(w.begun) }

func (w *world) problem(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems.add(format, args...)
}

func (w *world) process(node int) *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.running[node]
}

// process is one life of a node.
type process struct {
	w     *world
	node  int
	mount *mount
	trans *transport
	over  cluster.Transport // what Raft gets
	agree *cluster.Agreement
	store *fsm.Store
	books *fsm.Ledger

	ctx    context.Context // of what it does for others
	dead   chan struct{}   // closed by a crash: nothing of it reaches anybody
	ending chan struct{}   // closed when its goroutines shall end
	ended  chan struct{}   // closed when they have

	mu   sync.Mutex // guards the rest
	d    dice
	gate chan struct{}
}

// pass waits while the process is paused; an error says that it is dead.
func (p *process) pass() error {
	for {
		p.mu.Lock()
		gate := p.gate
		p.mu.Unlock()
		select {
		case <-p.dead:
			return errDead
		default:
		}
		if gate == nil {
			return nil
		}
		select {
		case <-gate:
			time.Sleep(p.wakes()) // which of them goes on first, nobody knows
		case <-p.dead:
		}
	}
}

func (p *process) wakes() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.d.between(time.Microsecond, 8*time.Millisecond)
}

// pause holds what the process sends, receives, writes, applies and says. Raft's loop goes on until it does one of these: a leader to its next check
// of the lease, a follower to its next election. With a prod a leader's loop stops at once, before it looks at the lease or at anything else: Raft is
// given a batch of nothing to write.
func (p *process) pause(prod bool) {
	p.hold()
	if r := p.agree.Raft(); prod && r.State() == raft.Leader {
		r.Apply(new(fsm.Batch).Marshal(r.CurrentTerm(), 0), time.Second)
	}
}

func (p *process) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gate == nil {
		p.w.trace.note("%d pauses", p.node)
		p.gate = make(chan struct{})
	}
}

func (p *process) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gate != nil {
		p.w.trace.note("%d goes on", p.node)
		close(p.gate)
		p.gate = nil
	}
}

func (w *world) newProcess(node int) *process {
	w.lives++
	p := &process{w: w, node: node, d: roll(w.seed, fmt.Sprint("process", w.lives)), dead: make(chan struct{}), ending: make(chan struct{}), ended: make(chan struct{})}
	p.mount, p.trans = &mount{p: p, disk: w.disks[node]}, newTransport(p)
	p.over = p.trans
	return p
}

// start begins a life of a node that has none.
func (w *world) start(node int, found bool) {
	w.mu.Lock()
	if w.closed || w.running[node] != nil {
		w.mu.Unlock()
		return
	}
	p := w.newProcess(node)
	w.mu.Unlock()
	w.trace.note("%d starts", node)
	if err := p.open(found); err != nil {
		if !w.broken.disk {
			w.problem("node %d does not start: %v", node, err)
		}
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.ctx = ctx
	w.mu.Lock()
	w.running[node] = p
	w.mu.Unlock()
	w.wg.Go(func() {
		<-p.ending
		cancel()
	})
	w.wg.Go(func() {
		if err := p.agree.Run(ctx, p.leads); err != nil {
			w.problem("node %d: %v", node, err)
		}
		select {
		case <-p.store.Failed():
			w.problem("node %d: %v", node, p.store.Err())
		default:
		}
		if err := p.store.Close(); err != nil {
			w.problem("node %d: close: %v", node, err)
		}
		close(p.ended)
	})
}

func (p *process) open(found bool) (err error) {
	log := slog.New(listener{p})
	events := fsm.NewRegistry(fsm.Builtin, func(r *fsm.Registry) { registerRegister(r, func() { p.pass() }) })
	if p.store, err = fsm.Open("tables", events, fsm.Options{FS: p.mount.files}); err != nil {
		return err
	}
	parts := cluster.Parts{Node: idOf(p.node), Store: p.store, Logs: p.mount, Stable: p.mount, Snapshots: library{p.mount}, Transport: p.over,
		Voice: voice{p}, Log: log, RaftLog: raftListener{hclog.NewNullLogger(), listener{p}}, Uptime: func() time.Duration { return p.w.now() + time.Hour },
		Fail: p.fail}
	if found {
		for i := range nodes {
			parts.Found = append(parts.Found, raft.Server{ID: raft.ServerID(idOf(i)), Address: raft.ServerAddress(idOf(i))})
		}
	}
	if p.agree, err = cluster.NewAgreement(parts); err != nil {
		p.store.Close()
		return err
	}
	p.books = fsm.NewLedger(p.store, book{p})
	return nil
}

// fail is told why the process must end. A leader that gets nothing done ends so that another can lead, and is started again.
func (p *process) fail(err error) {
	p.w.wg.Go(func() {
		if p.pass() != nil {
			return
		}
		p.w.trace.note("%d ends itself: %v", p.node, err)
		if !strings.Contains(err.Error(), "so that another can lead") {
			p.w.problem("node %d ends itself: %v", p.node, err)
		}
		p.w.mu.Lock()
		p.w.ended++
		p.w.mu.Unlock()
		p.crash()
		time.Sleep(time.Second)
		if p.w.process(p.node) == nil {
			p.w.start(p.node, false)
		}
	})
}

// leads notes that no other node led in this term.
func (p *process) leads(ctx context.Context) error {
	if term, err := p.agree.Term(); err == nil {
		p.w.trace.note("%d leads in %d", p.node, term)
		p.w.mu.Lock()
		if other, was := p.w.led[term]; was && other != idOf(p.node) {
			p.w.problems.add("%s and %s led in term %d", other, idOf(p.node), term)
		}
		p.w.led[term] = idOf(p.node)
		p.w.mu.Unlock()
	}
	<-ctx.Done()
	return nil
}

// grace is how long a dead process has for what it was in the middle of: Raft leaves futures without an answer when it is shut down too soon.
const grace = 3 * time.Second

// crash ends a life at once. Its goroutines find that out one by one, and nobody hears of them.
func (p *process) crash() {
	p.w.trace.note("%d crashes", p.node)
	p.w.mu.Lock()
	if p.w.running[p.node] != p {
		p.w.mu.Unlock()
		return
	}
	p.w.running[p.node] = nil
	close(p.dead)
	p.w.disks[p.node] = p.mount.crash()
	p.w.mu.Unlock()
	p.w.wg.Go(func() {
		time.Sleep(grace)
		close(p.ending)
	})
}

// listener is where the Agreement writes its log: a paused process does not get beyond it.
type listener struct{ p *process }

func (l listener) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (l listener) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l listener) WithGroup(string) slog.Handler                    { return l }
func (l listener) Handle(_ context.Context, r slog.Record) error {
	if l.p.w.trace.out != nil {
		text := r.Message
		r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
		l.p.w.trace.say("%d says %s", l.p.node, text)
	}
	l.p.pass()
	return nil
}

// raftListener is the same for Raft, whose loop has nothing else to hold it: a leader says that it fails to contact others before it gives up, a
// follower that it hears of no leader.
type raftListener struct {
	hclog.Logger
	l listener
}

func (r raftListener) Warn(text string, args ...any)  { r.say(text, args) }
func (r raftListener) Error(text string, args ...any) { r.say(text, args) }

func (r raftListener) say(text string, args []any) {
	if r.l.p.w.trace.out != nil {
		r.l.p.w.trace.say("%d says raft %s %v", r.l.p.node, text, args)
	}
	r.l.p.pass()
}

// book is the log as a process's ledger sees it, which may be broken.
type book struct{ p *process }

func (b book) Term() (uint64, error) { return b.p.agree.Term() }

func (b book) Propose(ctx context.Context, e *fsm.Entry) (fsm.Receipt, error) {
	if b.p.pass() != nil {
		return fsm.Receipt{}, errDead
	}
	if b.p.w.broken.stamp {
		if now, err := b.p.agree.Term(); err == nil {
			e.Term = now
		}
	}
	return b.p.agree.Propose(ctx, e)
}

func (b book) ReadIndex(ctx context.Context) (uint64, error) {
	if b.p.pass() != nil {
		return 0, errDead
	}
	return b.p.agree.ReadIndex(ctx)
}
