package replay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// Exchange sends one TTLV message and returns the response to it, on one connection.
type Exchange func(ctx context.Context, request []byte) (response []byte, err error)

// Dial opens a connection for the client with this name: "A", "B", or "" where a case names none. hangUp is called once, and may
// be nil. It is called for every case and every client of it.
type Dial func(ctx context.Context, client string) (exchange Exchange, hangUp func(), err error)

// Options are what a run needs beside the cases. A field that is 0 means the default.
type Options struct {
	NotApplicable NotApplicable
	Step          time.Duration    // for one exchange; 10 s
	Repeat        time.Duration    // for a step that is repeated until its answer comes; 150 s, since one case waits for two minutes
	Pause         time.Duration    // between two of these; 100 ms
	Now           func() time.Time // the clock that is right; time.Now
}

// RunAll runs every group, each on the store that dial leads to.
func RunAll(ctx context.Context, groups []Group, dial Dial, o Options) Report {
	var all Report
	for _, g := range groups {
		all = append(all, Run(ctx, g, dial, o)...)
	}
	return all
}

// Run runs the cases of one group in order, and returns a result for each. Placeholders keep their values from case to case. A
// case goes on after a difference, to report all of them, and ends where no answer comes or a placeholder was not bound.
func Run(ctx context.Context, g Group, dial Dial, o Options) Report {
	o = o.filled()
	r := runner{dial: dial, options: o, bound: newBindings(o.Now())}
	var results Report
	for _, c := range g.Cases {
		results = append(results, r.run(ctx, c))
	}
	return results
}

func (o Options) filled() Options {
	for _, d := range []struct {
		of        *time.Duration
		otherwise time.Duration
	}{{&o.Step, 10 * time.Second}, {&o.Repeat, 150 * time.Second}, {&o.Pause, 100 * time.Millisecond}} {
		if *d.of == 0 {
			*d.of = d.otherwise
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

type runner struct {
	dial    Dial
	options Options
	bound   *bindings
}

func (r *runner) run(ctx context.Context, c Case) Result {
	if reason, ok := r.options.NotApplicable[c.Name]; ok {
		return Result{Case: c.Name, Outcome: Skipped, Reason: reason}
	}
	if reason := c.clientBound(); reason != "" {
		return Result{Case: c.Name, Outcome: Failed, Err: fmt.Errorf("%s: list the case as not applicable", reason)}
	}
	result := Result{Case: c.Name, Outcome: Passed}
	result.Differences, result.Err = r.steps(ctx, c)
	if len(result.Differences) > 0 || result.Err != nil {
		result.Outcome = Failed
	}
	return result
}

// steps runs the steps of c, each client on a connection of its own.
func (r *runner) steps(ctx context.Context, c Case) (all []Difference, err error) {
	connections := map[string]Exchange{}
	for _, client := range c.Clients() {
		exchange, hangUp, err := r.dial(ctx, client)
		if err != nil {
			return nil, fmt.Errorf("dial for client %q: %w", client, err)
		}
		if hangUp != nil {
			defer hangUp()
		}
		connections[client] = exchange
	}
	for i := range c.Steps {
		diffs, err := r.step(ctx, &c.Steps[i], connections[c.Steps[i].Client])
		for _, d := range diffs {
			d.Step = i + 1
			all = append(all, d)
		}
		if err != nil {
			return all, fmt.Errorf("step %d, %s: %w", i+1, c.Steps[i].operation(), err)
		}
	}
	return all, nil
}

// step runs one step, again and again where the file says so.
func (r *runner) step(ctx context.Context, s *Step, exchange Exchange) ([]Difference, error) {
	deadline := r.options.Now().Add(r.options.Repeat)
	for {
		bound := r.bound.clone()
		bound.now = r.options.Now()
		diffs, err := r.once(ctx, s, exchange, bound)
		if err != nil || !s.Repeat || len(diffs) == 0 || r.options.Now().After(deadline) {
			r.bound = bound
			return diffs, err
		}
		select {
		case <-ctx.Done():
			return diffs, ctx.Err()
		case <-time.After(r.options.Pause):
		}
	}
}

// once sends the request and compares the response.
func (r *runner) once(ctx context.Context, s *Step, exchange Exchange, bound *bindings) ([]Difference, error) {
	request, err := bound.request(&s.Request)
	if err != nil {
		return nil, err
	}
	message, err := ttlv.Marshal(&request, ttlv.Limits{})
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, r.options.Step)
	defer cancel()
	answer, err := exchange(ctx, message)
	if err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	got, err := ttlv.Parse(slices.Clone(answer), ttlv.Limits{}) // what is bound points into it
	if err != nil {
		return nil, fmt.Errorf("decode the response: %w", err)
	}
	return compare(bound, s, got), nil
}
