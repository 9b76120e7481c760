package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/sdk"
)

// audit does things of which each leaves a path of its own in the event log, and reads the log of every node at rest.
type audit struct{}

// entry is a record of a node's event log, Path that of the action that it is about.
type entry struct {
	Node string `json:"node"`
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
	Path string `json:"path"`
}

func (audit) Name() string                      { return "audit" }
func (audit) Processes() int                    { return 2 }
func (audit) Setup(context.Context, *Env) error { return nil }

func (audit) Run(ctx context.Context, e *Env, process int, r *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		node, in := e.Node(r), asked{Path: fmt.Sprintf("audit/%d/%d", process, n)}
		_, _ = do(e, operation{process, "audit.put", node, in, false}, func(ctx context.Context) (told, error) { // it is recorded
			w, err := e.Client(node).Put(ctx, sdk.Item{Path: in.Path, Value: []byte("x")})
			return told{Version: int(w.Version)}, err
		})
		pause(ctx, time.Duration(r.IntN(40))*time.Millisecond)
	}
}

// Settle reads the log of every node.
func (audit) Settle(ctx context.Context, e *Env) error {
	for _, node := range e.Nodes() {
		if err := logOf(ctx, e, node); err != nil {
			return fmt.Errorf("the event log of %s: %w", node, err)
		}
	}
	return nil
}

func logOf(ctx context.Context, e *Env, node string) error {
	for q := (sdk.EventQuery{Source: sdk.SourceLog, Path: "audit", Type: "secret.version.written", Limit: 1000, Order: "asc"}); ; {
		var p sdk.AuditPage
		if err := again(ctx, func(ctx context.Context) (err error) {
			p, err = e.Client(node).Events(ctx, q)
			return err
		}); err != nil {
			return err
		}
		for _, record := range p.Items {
			for _, ev := range record.Events {
				e.History.Add(history.Settler, history.OK, "audit.found", node, entry{node, record.Seq, record.Hash, pathOf(ev.Stream)}, nil)
			}
		}
		if q.After = p.NextCursor; q.After == "" {
			return nil
		}
	}
}

// pathOf takes the secret's path from its stream.
func pathOf(stream string) string {
	const prefix = "secret/"
	return stream[min(len(prefix), len(stream)):]
}

func (audit) Check(h *history.History) []history.Verdict {
	all, logs := h.Ops("audit"), map[string][]entry{}
	for _, e := range h.Of(history.Settler, "audit.found") {
		v := decode[entry](e.Value)
		logs[v.Node] = append(logs[v.Node], v)
	}
	out := []history.Verdict{sameLog(logs), answered("audit", all)}
	for _, log := range logs {
		return append(out, recorded(all, log), inOrder(all, log))
	}
	return append(out, bad("audit", 0, "no log was read"))
}

// sameLog holds that all nodes have the same records with the same hashes in the same order.
func sameLog(logs map[string][]entry) history.Verdict {
	var first []entry
	for _, log := range logs {
		if first == nil {
			first = log
		}
		same := slices.EqualFunc(first, log, func(a, b entry) bool { return a.Seq == b.Seq && a.Hash == b.Hash && a.Path == b.Path })
		if !same {
			return bad("audit on all nodes", len(log), "the logs of %s and %s differ", first[0].Node, log[0].Node)
		}
		for i := 1; i < len(log); i++ {
			if log[i].Seq < log[i-1].Seq {
				return bad("audit on all nodes", len(log), "the log of %s is out of order at %d", log[i].Node, log[i].Seq)
			}
		}
	}
	return good("audit on all nodes", len(first)*len(logs))
}

// recorded holds that the log has every acknowledged action once, and none that was not done.
func recorded(all []history.Op, log []entry) history.Verdict {
	times := map[string]int{}
	for _, e := range log {
		times[e.Path]++
	}
	for _, o := range all {
		p := decode[asked](o.In).Path
		n := times[p]
		switch done := o.Type == history.OK && decode[told](o.Out).Refused == ""; {
		case done && n != 1, n > 1, o.Type == history.Fail && n > 0:
			return bad("audit", len(all), "%s, answered %s %s, is in the log %d times", p, o.Type, o.Error, n)
		}
	}
	return good("audit", len(all))
}

// inOrder holds that what was acknowledged before something else began stands before it.
func inOrder(all []history.Op, log []entry) history.Verdict {
	seq := map[string]uint64{}
	for _, e := range log {
		seq[e.Path] = e.Seq
	}
	type done struct {
		history.Op
		seq uint64
	}
	var list []done
	for _, o := range all {
		if n, there := seq[decode[asked](o.In).Path]; there && o.Type == history.OK {
			list = append(list, done{o, n})
		}
	}
	slices.SortFunc(list, func(a, b done) int { return int(a.seq) - int(b.seq) })
	begun := time.Duration(0) // the latest call of what stands before
	for _, d := range list {
		if d.Return < begun {
			return bad("audit order", len(list), "%s, acknowledged at %s, stands at %s behind what began after that", decode[asked](d.In).Path, d.Return, strconv.FormatUint(d.seq, 10))
		}
		begun = max(begun, d.Call)
	}
	return good("audit order", len(list))
}
