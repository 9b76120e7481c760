package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/sdk"
)

// CallTime bounds an operation: what has no answer by then is unknown.
const CallTime = 2500 * time.Millisecond

// operation is what one client asks of one node.
type operation struct {
	process int
	f       string
	node    string
	in      any
	reads   bool // it changes nothing: without an answer it has told nothing
}

// refusal is the answer of a node that did not do what it was asked to do, for a reason that the state of the cluster gives.
type refusal struct {
	Refused sdk.Kind `json:"refused"`
}

// do carries an operation out and records it. It returns call's answer and error.
func do[T any](e *Env, o operation, call func(context.Context) (T, error)) (T, error) {
	e.History.Add(o.process, history.Invoke, o.f, o.node, o.in, nil)
	ctx, cancel := context.WithTimeout(context.Background(), CallTime) // the end of the run cuts nobody off: what is cut off is unknown
	defer cancel()
	out, err := call(ctx)
	t, value, failure := outcome(o, any(out), err)
	e.History.Add(o.process, t, o.f, o.node, value, failure)
	return out, err
}

// outcome sorts answers. What says "not done" has no effect, ever; a refusal is an answer like any other; of the rest nobody knows.
func outcome(o operation, out any, err error) (history.Type, any, error) {
	var failed *sdk.Error
	switch kind := sdk.KindOf(err); {
	case err == nil:
		return history.OK, out, nil
	case kind == sdk.Conflict, kind == sdk.NotFound, kind == sdk.KeyReused, kind == sdk.Unauthenticated, kind == sdk.Denied:
		return history.OK, refusal{kind}, nil
	case kind == sdk.NotDone, kind == sdk.RateLimited, kind == sdk.Sealed, kind == sdk.NoSpace:
		return history.Fail, nil, fmt.Errorf("%s: %w", kind, err)
	case errors.As(err, &failed) && (kind == sdk.Internal && failed.Status == 500 || kind == sdk.Corrupt || kind == sdk.Invalid || kind == sdk.Limit || kind == sdk.TooLarge):
		return history.Info, nil, fmt.Errorf("%s %s: %w", wrong, kind, err)
	case o.reads:
		return history.Fail, nil, err
	}
	return history.Info, nil, err
}

// wrong begins the error of an answer that no request of a workload may ever get.
const wrong = "WRONG:"

// decode reads a value of a history; what it cannot hold is a bug of the workload or a file that was tampered with.
func decode[T any](raw json.RawMessage) (v T) {
	if len(raw) == 0 {
		return v
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		panic(fmt.Sprintf("a value of the history: %v", err))
	}
	return v
}

// pause leaves the cluster's cores to the cluster.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// again repeats what a cluster at rest must be able to do.
func again(ctx context.Context, do func(context.Context) error) (err error) {
	for ctx.Err() == nil {
		one, cancel := context.WithTimeout(ctx, 10*time.Second)
		err = do(one)
		cancel()
		if err == nil || sdk.Is(err, sdk.NotFound) {
			return err
		}
		pause(ctx, 100*time.Millisecond)
	}
	return errors.Join(err, context.Cause(ctx))
}
