package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/sdk"
)

// register is one versioned value for each path, with everything that can be done to it: put with and without cas, reads at each level, rollback, delete,
// undelete and purge. A path is used for a while and then given up for another, so that what has to be put into an order stays short.
//
// Every change has a key of its own. What nobody knew of one is asked for again at rest, under its key: it is done then, or answered with what came of it.
// Either way it has one answer, and happened once between its call and that.
type register struct {
	turn atomic.Int64                                                       // operations of all clients, which decides who uses which path
	mu   sync.Mutex                                                         // guards open
	open map[string]func(context.Context, *sdk.Client) (sdk.Written, error) // key -> change of which nobody knows
}

const (
	registerPaths = 4
	registerSpan  = 120 // operations, about, for which a path is used
)

// asked is what an operation on a register asks for.
type asked struct {
	Path    string `json:"path"`
	Value   string `json:"value,omitempty"`   // of a put
	CAS     *int   `json:"cas,omitempty"`     // of a put
	Version int    `json:"version,omitempty"` // of a get, rollback or purge; 0: the latest, or all
	Since   int    `json:"since,omitempty"`   // version that this client had seen when it read at session level
	Max     int64  `json:"max_ms,omitempty"`  // age that a stale read allows
	Key     string `json:"key,omitempty"`     // of a change
}

// told is what was answered.
type told struct {
	Refused sdk.Kind `json:"refused,omitempty"`
	Version int      `json:"version,omitempty"`
	Value   string   `json:"value,omitempty"`
}

func newRegister() *register {
	return &register{open: map[string]func(context.Context, *sdk.Client) (sdk.Written, error){}}
}

func (*register) Name() string                      { return "register" }
func (*register) Processes() int                    { return 8 }
func (*register) Setup(context.Context, *Env) error { return nil }

// reader is what one client of a register remembers: its own session, and for each path what it has seen.
type reader struct {
	g       *register
	e       *Env
	process int
	session *sdk.Client    // whose session it is
	seen    map[string]int // path -> version that it knows of, by any client
	changes int
	mine    map[string]int // path -> version that its session must know of
}

func (g *register) Run(ctx context.Context, e *Env, process int, r *rand.Rand) {
	c := &reader{g: g, e: e, process: process, session: e.Fresh().Reading(sdk.Read{At: sdk.Session}), seen: map[string]int{}, mine: map[string]int{}}
	for ctx.Err() == nil {
		n := int(g.turn.Add(1))
		path := fmt.Sprintf("register/%d-%d", n/(registerPaths*registerSpan), r.IntN(registerPaths))
		c.step(r, path, n)
		pause(ctx, time.Duration(r.IntN(16))*time.Millisecond)
	}
}

func (c *reader) step(r *rand.Rand, path string, n int) {
	node, near := c.e.Node(r), c.guess(r, path)
	client := c.e.Client(node)
	switch k := r.IntN(100); {
	case k < 25:
		version := c.put(c.own(node), node, asked{Path: path, Value: fmt.Sprintf("%d-%d", c.process, n)})
		c.mine[path] = max(c.mine[path], version)
	case k < 40:
		c.put(client, node, asked{Path: path, Value: fmt.Sprintf("%d-%d", c.process, n), CAS: &near})
	case k < 62:
		c.get("get", client, node, asked{Path: path})
	case k < 70:
		version := c.get("session", c.own(node), node, asked{Path: path, Since: c.mine[path]})
		c.mine[path] = max(c.mine[path], version)
	case k < 78:
		c.get("stale", client.Reading(sdk.Read{At: sdk.Stale, MaxStale: time.Second}), node, asked{Path: path, Max: 1000})
	case k < 82:
		c.get("get", client, node, asked{Path: path, Version: near + 1})
	default:
		c.rarely(k, client, node, path, near+1)
	}
}

// guess is the version that this client takes for the latest, and often one beside it.
func (c *reader) guess(r *rand.Rand, path string) int {
	if r.IntN(3) > 0 {
		return c.seen[path]
	}
	return max(c.seen[path]-1+r.IntN(3), 0)
}

func (c *reader) rarely(k int, client *sdk.Client, node, path string, version int) {
	in := asked{Path: path, Version: version}
	switch {
	case k < 86:
		c.change("rollback", client, node, in, func(ctx context.Context, via *sdk.Client) (sdk.Written, error) {
			return via.Rollback(ctx, path, uint64(version), nil)
		})
	case k < 90:
		c.change("delete", client, node, asked{Path: path}, func(ctx context.Context, via *sdk.Client) (sdk.Written, error) {
			return via.Delete(ctx, path, nil)
		})
	case k < 95:
		c.change("undelete", client, node, asked{Path: path}, func(ctx context.Context, via *sdk.Client) (sdk.Written, error) {
			return via.Undelete(ctx, path)
		})
	case k < 98:
		c.change("purge", client, node, in, func(ctx context.Context, via *sdk.Client) (sdk.Written, error) {
			return via.Purge(ctx, path, uint64(version))
		})
	default:
		c.change("purge", client, node, asked{Path: path}, func(ctx context.Context, via *sdk.Client) (sdk.Written, error) {
			return via.PurgeAll(ctx, path)
		})
	}
}

// own is this client's client of a node, whose session reads see what it has seen through any.
func (c *reader) own(node string) *sdk.Client {
	own, err := c.session.Node(c.e.Address(node))
	if err != nil {
		panic(err) // the address is the lab's
	}
	return own
}

// put returns the version that it made, 0 for none.
func (c *reader) put(client *sdk.Client, node string, in asked) int {
	it := sdk.Item{Path: in.Path, Value: c.e.value(in.Value)}
	if in.CAS != nil {
		cas := uint64(*in.CAS)
		it.CAS = &cas
	}
	another := c.changes%4 == 0 // way to the same path, which does not wait in the same queue
	return c.change("put", client, node, in, func(ctx context.Context, via *sdk.Client) (sdk.Written, error) {
		if !another {
			return via.Put(ctx, it)
		}
		w, err := via.Import(ctx, []sdk.Item{it})
		if err != nil || len(w) != 1 {
			return sdk.Written{}, err
		}
		return w[0], nil
	})
}

func (c *reader) change(f string, client *sdk.Client, node string, in asked, call func(context.Context, *sdk.Client) (sdk.Written, error)) (made int) {
	c.changes++
	in.Key = fmt.Sprintf("register-%d-%d", c.process, c.changes)
	keyed := func(ctx context.Context, via *sdk.Client) (sdk.Written, error) {
		return call(sdk.WithKey(ctx, in.Key), via)
	}
	o := operation{c.process, "register." + f, node, in, false}
	out, err := do(c.e, o, func(ctx context.Context) (told, error) {
		w, err := keyed(ctx, client)
		return told{Version: int(w.Version)}, err
	})
	if t, _, _ := outcome(o, out, err); t == history.Info {
		c.g.mu.Lock()
		c.g.open[in.Key] = keyed
		c.g.mu.Unlock()
	}
	if err == nil && (f == "put" || f == "rollback") {
		c.seen[in.Path], made = max(c.seen[in.Path], out.Version), out.Version
	}
	return made
}

func (c *reader) get(f string, client *sdk.Client, node string, in asked) (found int) {
	out, err := do(c.e, operation{c.process, "register." + f, node, in, true}, func(ctx context.Context) (told, error) {
		v, err := client.Get(ctx, in.Path, sdk.GetOptions{Version: uint64(in.Version)})
		return told{Version: int(v.Version), Value: nameOf(v.Value)}, err
	})
	if err == nil && in.Version == 0 {
		c.seen[in.Path], found = max(c.seen[in.Path], out.Version), out.Version
	}
	return found
}

// settled is what became of a change of which nobody knew.
type settled struct {
	Key string `json:"key"`
	told
}

// Settle asks for what came of the changes of which nobody knew. Where their keys have been forgotten meanwhile, they stay open.
func (g *register) Settle(ctx context.Context, e *Env) error {
	if e.Ages {
		return nil
	}
	for key, call := range g.open {
		var out settled
		if err := again(ctx, func(ctx context.Context) error {
			w, err := call(ctx, e.Any)
			out = settled{key, told{Version: int(w.Version)}}
			if t, v, _ := outcome(operation{}, out, err); t == history.OK && err != nil {
				out.Refused, err = v.(refusal).Refused, nil
			}
			return err
		}); err != nil {
			return fmt.Errorf("what came of %s: %w", key, err)
		}
		e.History.Add(history.Settler, history.OK, "register.settled", "", out, nil)
	}
	return nil
}

func (*register) Check(h *history.History) []history.Verdict {
	all := h.Ops("register")
	return []history.Verdict{linearizable("register", registerModel, registerOps(h)), sessions(all), stales(all), answered("register", all)}
}

// Visualize implements Detailed.
func (*register) Visualize(h *history.History, dir string) (string, error) {
	return draw(registerModel, registerOps(h), dir, "register.html")
}
