package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/sdk"
)

// versions has clients race puts without cas to one path at a time, through all nodes: each makes a version of its own, without gap or repeat.
type versions struct{}

const versionSpan = 150 // puts of one client, after which it takes the next path

// version is one of a path as it was found at rest.
type version struct {
	Path    string `json:"path"`
	Version int    `json:"version"`
	Value   string `json:"value"`
}

func (versions) Name() string                      { return "versions" }
func (versions) Processes() int                    { return 3 }
func (versions) Setup(context.Context, *Env) error { return nil }

func (versions) Run(ctx context.Context, e *Env, process int, r *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		node, path := e.Node(r), fmt.Sprintf("versions/%d", n/versionSpan)
		in := asked{Path: path, Value: fmt.Sprintf("%d-%d", process, n)}
		_, _ = do(e, operation{process, "versions.put", node, in, false}, func(ctx context.Context) (told, error) { // it is recorded
			w, err := e.Client(node).Put(ctx, sdk.Item{Path: path, Value: e.value(in.Value)})
			return told{Version: int(w.Version)}, err
		})
		pause(ctx, time.Duration(r.IntN(20))*time.Millisecond)
	}
}

// Settle reads every version of every path.
func (versions) Settle(ctx context.Context, e *Env) error {
	h, err := e.History.SoFar()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, o := range h.Ops("versions") {
		path := decode[asked](o.In).Path
		if seen[path] {
			continue
		}
		seen[path] = true
		found, err := readAll(ctx, e, path)
		if err != nil {
			return err
		}
		for _, v := range found {
			e.History.Add(history.Settler, history.OK, "versions.found", "", v, nil)
		}
	}
	return nil
}

// readAll returns the versions 1..n of a path.
func readAll(ctx context.Context, e *Env, path string) (found []version, err error) {
	last := 1
	for number := 1; number <= last; number++ {
		var v sdk.Value
		err := again(ctx, func(ctx context.Context) (err error) {
			v, err = e.Any.Get(ctx, path, sdk.GetOptions{Version: uint64(number)})
			return err
		})
		if sdk.Is(err, sdk.NotFound) && number == 1 {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("version %d of %s: %w", number, path, err)
		}
		last = int(v.LatestVersion)
		found = append(found, version{path, number, nameOf(v.Value)})
	}
	return found, nil
}

func (versions) Check(h *history.History) []history.Verdict {
	all, found := h.Ops("versions"), map[string]version{}
	for _, e := range h.Of(history.Settler, "versions.found") {
		v := decode[version](e.Value)
		if other, twice := found[v.Value]; twice {
			return []history.Verdict{bad("versions", len(all), "one put made versions %d of %s and %d of %s", other.Version, other.Path, v.Version, v.Path)}
		}
		found[v.Value] = v
	}
	return []history.Verdict{eachOnce(all, found), answered("versions", all)}
}

// eachOnce compares what was answered with what there is.
func eachOnce(all []history.Op, found map[string]version) history.Verdict {
	asks := map[string]bool{}
	for _, o := range all {
		in := decode[asked](o.In)
		asks[in.Value] = true
		v, there := found[in.Value]
		switch out := decode[told](o.Out); {
		case o.Type == history.OK && out.Refused != "":
			return bad("versions", len(all), "a put without cas was refused with %s by %s", out.Refused, o.Node)
		case o.Type == history.OK && (!there || v.Version != out.Version):
			return bad("versions", len(all), "the put of %s was acknowledged as version %d of %s and is version %d", in.Value, out.Version, in.Path, v.Version)
		case o.Type == history.Fail && there:
			return bad("versions", len(all), "the put of %s was not done, as was answered (%s), and is version %d of %s", in.Value, o.Error, v.Version, v.Path)
		}
	}
	for value, v := range found {
		if !asks[value] {
			return bad("versions", len(all), "version %d of %s was put by nobody", v.Version, v.Path)
		}
	}
	return good("versions", len(all))
}
