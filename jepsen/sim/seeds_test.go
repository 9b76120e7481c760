//go:debug randseednop=0

package sim

import (
	"bufio"
	"fmt"
	"hash/fnv"
	"math/rand"
	randv2 "math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"time"
)

// seeds returns those that a test runs: one that was asked for, or so many.
func seeds(t *testing.T, most int) (from, to uint64) {
	t.Helper()
	if one, err := strconv.ParseUint(os.Getenv("TRSTCTL_SIM_SEED"), 10, 64); err == nil {
		return one, one + 1
	}
	n := number("TRSTCTL_SIM_SEEDS", most)
	first := uint64(number("TRSTCTL_SIM_FIRST", 1))
	return first, first + uint64(n)
}

func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// alone has the rest of the test run on one processor: what runs at the same instant then runs in an order that hardly varies.
func alone(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// chance makes the runtime's own randomness that of a seed, in a build that can (jepsen/sim/exact).
var (
	chance = func(*testing.T, uint64) {}
	exact  = false
)

// reseed makes the randomness of the libraries that of a seed: Raft's timeouts, and keys, nonces and ids.
func reseed(t *testing.T, seed uint64) {
	rand.Seed(int64(seed)) //nolint:staticcheck // Raft draws from the global source
	cryptotest.SetGlobalRandom(t, seed)
	chance(t, seed)
}

// dice are one part's own source, so that what a part draws does not depend on what others did before.
type dice struct{ *randv2.Rand }

func roll(seed uint64, part string) dice {
	h := fnv.New64a()
	h.Write([]byte(part))
	return dice{randv2.New(randv2.NewPCG(seed, h.Sum64()))}
}

// often is true in so many of a hundred cases.
func (d dice) often(percent int) bool { return d.IntN(100) < percent }

// between returns a duration of at least low and below high.
func (d dice) between(low, high time.Duration) time.Duration {
	return low + time.Duration(d.Int64N(int64(high-low)))
}

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

// trace is what happened, as a number that says whether two runs were the same, and as text when a file is asked for.
type trace struct {
	start time.Time
	sum   uint64
	lines int
	out   *bufio.Writer
	file  *os.File
	mu    sync.Mutex
	marks []uint64 // the sum after every 100 lines
}

func newTrace(name string, seed uint64) *trace {
	tr := &trace{start: time.Now(), sum: 14695981039346656037}
	if path := os.Getenv("TRSTCTL_SIM_TRACE"); path != "" {
		f, err := os.Create(fmt.Sprintf("%s.%s.%d", path, name, seed))
		if err == nil {
			tr.file, tr.out = f, bufio.NewWriter(f)
		}
	}
	return tr
}

func (t *trace) note(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := strconv.FormatInt(int64(time.Since(t.start)), 10) + " " + fmt.Sprintf(format, args...)
	for i := range len(line) {
		t.sum = (t.sum ^ uint64(line[i])) * 1099511628211
	}
	t.lines++
	if t.lines%100 == 0 {
		t.marks = append(t.marks, t.sum)
	}
	if t.out != nil {
		t.out.WriteString(line + "\n")
	}
}

// say is note for what need not be the same in every run.
func (t *trace) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.out.WriteString("# " + fmt.Sprintf(format, args...))
	t.out.WriteByte(10)
}

func (t *trace) close() {
	if t.out != nil {
		t.out.Flush()
		t.file.Close()
	}
}

// problems are what a run found, in the order in which it was found.
type problems struct{ found []string }

func (p *problems) add(format string, args ...any) {
	if len(p.found) < 20 {
		p.found = append(p.found, fmt.Sprintf(format, args...))
	}
}

func (p *problems) String() string { return strings.Join(p.found, "\n") }
