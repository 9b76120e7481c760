package scenario

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/trstctl/trstctl/jepsen/aftermath"
	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/jepsen/lab"
	"github.com/trstctl/trstctl/jepsen/nemesis"
	"github.com/trstctl/trstctl/jepsen/workload"
)

// Config says how a scenario is run.
type Config struct {
	Scenario Scenario
	Seed     uint64
	Nodes    int           // 0: the scenario's
	Time     time.Duration // of load and faults; up to a minute longer when none could be done by then
	Store    string        // bolt or wal
	Clients  int           // of all workloads together; 0: as many as they want
	Out      string        // directory of the run; made
	Binary   string        // built with -tags chaos
	Older    string        // the version before
	Env      []string      // of the nodes: the mutant
	Commit   string        // that the binary was built from
	Log      *slog.Logger
}

// Info is run.json: how to repeat a run.
type Info struct {
	Scenario string        `json:"scenario"`
	Seed     uint64        `json:"seed"`
	Nodes    int           `json:"nodes"`
	Store    string        `json:"store"`
	Time     time.Duration `json:"time"`
	Network  string        `json:"network"`
	Commit   string        `json:"commit"`
	Started  time.Time     `json:"started"`
	Took     time.Duration `json:"took"`
	Env      []string      `json:"env,omitempty"`
}

// Command repeats the run.
func (i Info) Command() string {
	return fmt.Sprintf("go run ./jepsen run --scenario %s --nodes %d --time %s --seed %d --store %s", i.Scenario, i.Nodes, i.Time, i.Seed, i.Store)
}

// Files of a run's directory.
const (
	historyFile  = "history.jsonl"
	ednFile      = "history.edn"
	infoFile     = "run.json"
	verdictFile  = "verdicts.json"
	aftermathOf  = "aftermath.json"
	figuresFile  = "figures.json"
	reportFile   = "report.html"
	warmTime     = 2 * time.Second
	moreTime     = time.Minute // for a first fault
	watchEvery   = 250 * time.Millisecond
	plantedBytes = 12
)

// Run runs a scenario and returns the verdicts. An error means that the run itself failed, which proves nothing either way.
func Run(ctx context.Context, c Config) ([]history.Verdict, error) {
	logs := filepath.Join(c.Out, "logs")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return nil, err
	}
	r := &run{Config: c, info: Info{Scenario: c.Scenario.Name, Seed: c.Seed, Nodes: cmp.Or(c.Nodes, c.Scenario.Nodes, 3), Store: cmp.Or(c.Store, "bolt"),
		Time: c.Time, Commit: c.Commit, Started: time.Now(), Env: c.Env}}
	found, err := r.do(ctx, logs)
	if err != nil {
		return nil, err
	}
	r.info.Took = time.Since(r.info.Started)
	if err := errors.Join(save(filepath.Join(c.Out, infoFile), r.info), save(filepath.Join(c.Out, aftermathOf), found)); err != nil {
		return nil, err
	}
	return Check(c.Out)
}

// run is one that is under way.
type run struct {
	Config
	info Info
	lab  *lab.Lab
	env  *workload.Env
	all  []workload.Workload

	mu      sync.Mutex // guards planted
	planted [][]byte
}

func (r *run) do(ctx context.Context, logs string) (found []history.Verdict, err error) {
	s := r.Scenario
	options := lab.Options{Nodes: r.info.Nodes, Store: r.info.Store, Disk: cmp.Or(s.Disk, lab.Plain), Binary: r.Binary, Logs: logs, Env: r.Env,
		Snapshot: s.Snapshot, Trailing: s.Trailing, HSM: s.HSM, Seed: r.Seed}
	if s.Older {
		options.Older = r.Older
	}
	r.Log.Info("starting the cluster", "scenario", s.Name, "nodes", r.info.Nodes, "seed", r.Seed)
	start, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if r.lab, err = lab.Start(start, options); err != nil {
		return nil, fmt.Errorf("start the cluster: %w", err)
	}
	defer func() { err = errors.Join(err, r.lab.Close()) }()
	r.info.Network = r.lab.Net.Kind()
	h, err := history.Create(filepath.Join(r.Out, historyFile))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	if err := r.prepare(start, h); err != nil {
		return nil, err
	}
	return r.load(ctx, h)
}

// prepare makes the workloads' things.
func (r *run) prepare(ctx context.Context, h *history.Writer) error {
	r.env = &workload.Env{History: h, Nodes: r.lab.IDs, Client: r.lab.ClientOf, Any: r.lab.Any(), Fresh: r.lab.Any, Address: r.lab.Address, KMIP: r.lab.KMIP, Dir: r.lab.Dir(),
		Ages: r.Scenario.Ages, Plant: r.plant}
	for _, w := range workload.All() {
		if len(r.Scenario.Workloads) > 0 && !slices.Contains(r.Scenario.Workloads, w.Name()) {
			continue
		}
		if err := w.Setup(ctx, r.env); err != nil {
			return fmt.Errorf("set up %s: %w", w.Name(), err)
		}
		r.all = append(r.all, w)
	}
	return nil
}

// load runs clients and faults, lets the cluster come to rest, and looks at it.
func (r *run) load(ctx context.Context, h *history.Writer) ([]history.Verdict, error) {
	loaded, end := context.WithCancel(ctx)
	defer end()
	m := &nemesis.Nemesis{Stage: nemesis.NewStage(r.lab, r.Seed, r.Log), Faults: r.Scenario.Faults, History: h, Rest: r.Scenario.Rest}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	var clients, watcher sync.WaitGroup
	r.begin(loaded, &clients)
	watcher.Go(func() { watch(watching, r.lab, h) })
	watcher.Go(func() {
		defer end()
		r.last(loaded, m.Done)
	})
	base, broken := r.hurt(loaded, m)
	if broken != nil && !errors.Is(broken, nemesis.ErrAccepted) {
		r.Log.Warn("a fault could not be healed", "err", broken)
	}
	if broken != nil {
		end() // what follows would prove nothing
	} else {
		<-loaded.Done()
	}
	clients.Wait()
	stop()
	watcher.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	r.Log.Info("at rest: looking", "operations", h.Len())
	return r.look(ctx, base, broken)
}

// last waits for the time of the run to be over, and some more if there was nothing to withstand in it.
func (r *run) last(ctx context.Context, done func() int) {
	over := time.Now().Add(r.Time)
	for more := over.Add(moreTime); ctx.Err() == nil; {
		now := time.Now()
		if now.After(more) || now.After(over) && (done() > 0 || len(r.Scenario.Faults) == 0) {
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (r *run) begin(ctx context.Context, clients *sync.WaitGroup) {
	process := 0
	for _, w := range r.all {
		n := w.Processes()
		if r.Clients > 0 {
			n = max(1, r.Clients/len(r.all))
		}
		for range n {
			p := process
			clients.Go(func() { w.Run(ctx, r.env, p, rand.New(rand.NewPCG(r.Seed, uint64(p)))) })
			process++
		}
	}
}

// hurt measures the cluster under load, and then does the faults until ctx ends.
func (r *run) hurt(ctx context.Context, m *nemesis.Nemesis) (base aftermath.Usage, err error) {
	select {
	case <-time.After(warmTime):
	case <-ctx.Done():
	}
	if base, err = aftermath.Measure(r.lab); err != nil {
		return base, err
	}
	return base, m.Run(ctx)
}

func (r *run) look(ctx context.Context, base aftermath.Usage, broken error) (found []history.Verdict, err error) {
	v := history.Verdict{Checker: "healing", OK: broken == nil, Checked: 1}
	if broken != nil {
		v.Detail = broken.Error()
	}
	r.mu.Lock()
	planted := append(r.planted[:len(r.planted):len(r.planted)], r.lab.Root)
	r.mu.Unlock()
	found = append([]history.Verdict{v}, aftermath.Look(ctx, r.lab, base, planted)...)
	patience := 20*time.Second + r.Time/2
	if slices.ContainsFunc(found, func(v history.Verdict) bool { return !v.OK }) {
		patience = 5 * time.Second // what can be read of a cluster that is not whole is read
	}
	r.env.Any = r.lab.Any() // those who were members at the beginning may all have been replaced
	for _, w := range r.all {
		if err := settle(ctx, w, r.env, patience); err != nil {
			found = append(found, history.Verdict{Checker: w.Name() + " settled", Detail: err.Error()})
		}
	}
	return found, nil
}

func settle(ctx context.Context, w workload.Workload, e *workload.Env, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return w.Settle(ctx, e)
}

// plant returns a value that is looked for afterwards.
func (r *run) plant(name string) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.planted) < 200 { // more would make the search long and prove no more
		v := []byte(fmt.Sprintf("planted-%x-%s", rand.Uint64(), name))
		r.planted = append(r.planted, v)
		return v
	}
	return []byte("value-" + name)
}

func save(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o600)
}

func load(path string, into any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}
