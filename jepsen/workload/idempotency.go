package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/sdk"
)

// idempotency sends requests again under the same Idempotency-Key, through other nodes, at the same time and later, and sends another request under a key
// that was used. Each key has a path of its own, so that its effects can be counted.
type idempotency struct{}

// keyed is a request under a key.
type keyed struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// after is what a path of a key holds at rest.
type after struct {
	Key      string   `json:"key"`
	Versions []string `json:"versions"` // their values
}

func (idempotency) Name() string                      { return "idempotency" }
func (idempotency) Processes() int                    { return 4 }
func (idempotency) Setup(context.Context, *Env) error { return nil }

// Run has two clients at a time take the same keys.
func (idempotency) Run(ctx context.Context, e *Env, process int, r *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		k := keyed{fmt.Sprintf("%d-%d", process/2, n), fmt.Sprintf("of %d-%d", process/2, n)}
		for range 2 + r.IntN(2) {
			send(e, process, e.Node(r), k)
			pause(ctx, time.Duration(r.IntN(30))*time.Millisecond)
		}
		if r.IntN(3) == 0 {
			k.Value = fmt.Sprintf("another of %d-%d", process, n)
			send(e, process, e.Node(r), k)
		}
		pause(ctx, time.Duration(r.IntN(60))*time.Millisecond)
	}
}

func keyPath(k string) string { return "idempotency/" + k }

func send(e *Env, process int, node string, k keyed) {
	_, _ = do(e, operation{process, "idempotency.put", node, k, false}, func(ctx context.Context) (told, error) { // it is recorded
		w, err := e.Client(node).Put(sdk.WithKey(ctx, "jepsen-"+k.Key), sdk.Item{Path: keyPath(k.Key), Value: []byte(k.Value)})
		return told{Version: int(w.Version)}, err
	})
}

// Settle reads what came of every key.
func (idempotency) Settle(ctx context.Context, e *Env) error {
	h, err := e.History.SoFar()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, o := range h.Ops("idempotency") {
		k := decode[keyed](o.In).Key
		if seen[k] {
			continue
		}
		seen[k] = true
		found, err := readAll(ctx, e, keyPath(k))
		if err != nil {
			return err
		}
		a := after{Key: k}
		for _, v := range found {
			a.Versions = append(a.Versions, v.Value)
		}
		e.History.Add(history.Settler, history.OK, "idempotency.found", "", a, nil)
	}
	return nil
}

func (idempotency) Check(h *history.History) []history.Verdict {
	all, found := h.Ops("idempotency"), map[string]after{}
	for _, e := range h.Of(history.Settler, "idempotency.found") {
		a := decode[after](e.Value)
		found[a.Key] = a
	}
	return []history.Verdict{oneEffect(all, found), answered("idempotency", all)}
}

// oneEffect holds that a key had the effect of one of its requests, once, that who made that request was told the same each time, and who made another was
// refused.
func oneEffect(all []history.Op, found map[string]after) history.Verdict {
	for _, o := range all {
		k, out := decode[keyed](o.In), decode[told](o.Out)
		a, looked := found[k.Key]
		if !looked {
			return bad("idempotency", len(all), "nobody has looked at what came of key %s", k.Key)
		}
		if len(a.Versions) > 1 {
			return bad("idempotency", len(all), "key %s had %d effects: %q", k.Key, len(a.Versions), a.Versions)
		}
		mine := len(a.Versions) == 1 && a.Versions[0] == k.Value
		switch {
		case o.Type != history.OK:
		case out.Refused == "" && (!mine || out.Version != 1):
			return bad("idempotency", len(all), "%q under key %s was acknowledged as version %d by %s; what came of the key is %q", k.Value, k.Key, out.Version, o.Node, a.Versions)
		case out.Refused == sdk.KeyReused && (mine || len(a.Versions) == 0):
			return bad("idempotency", len(all), "%q under key %s was refused by %s for another request; what came of the key is %q", k.Value, k.Key, o.Node, a.Versions)
		case out.Refused != "" && out.Refused != sdk.KeyReused:
			return bad("idempotency", len(all), "%q under key %s was refused with %s by %s", k.Value, k.Key, out.Refused, o.Node)
		}
	}
	return good("idempotency", len(all))
}
