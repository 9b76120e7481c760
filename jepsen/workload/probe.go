package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/sdk"
)

// probe asks, by small writes of many clients through all nodes, whether the cluster takes any. Availability, gaps and failover are measured by these alone: a
// few busy clients would all wait at a dead node soon, and their waiting be taken for the cluster's.
type probe struct{}

// probeTime bounds a probe: somebody else asks meanwhile.
const probeTime = time.Second

func (probe) Name() string                      { return "probe" }
func (probe) Processes() int                    { return 16 }
func (probe) Setup(context.Context, *Env) error { return nil }

func (probe) Run(ctx context.Context, e *Env, process int, r *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		pause(ctx, time.Duration(100+r.IntN(400))*time.Millisecond)
		node, in := e.Node(r), asked{Path: fmt.Sprintf("probe/%d", process)}
		_, _ = do(e, operation{process, "probe.put", node, in, false}, func(ctx context.Context) (told, error) { // it is recorded
			ctx, cancel := context.WithTimeout(ctx, probeTime)
			defer cancel()
			w, err := e.Client(node).Put(ctx, sdk.Item{Path: in.Path, Value: []byte("x")})
			return told{Version: int(w.Version)}, err
		})
	}
}

// Settle has nothing to look at.
func (probe) Settle(context.Context, *Env) error { return nil }

func (probe) Check(h *history.History) []history.Verdict {
	return []history.Verdict{answered("probe", h.Ops("probe"))}
}
