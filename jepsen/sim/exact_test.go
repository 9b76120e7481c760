//go:build exact

package sim

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// In a build by jepsen/sim/exact the runtime draws from the seed, and its collector of garbage rests while a seed runs: its goroutines would come
// in between.
func init() {
	exact = true
	chance = func(t *testing.T, seed uint64) {
		runtime.GC()
		before := debug.SetGCPercent(-1)
		t.Cleanup(func() { debug.SetGCPercent(before) })
		runtime.SimSeed(seed)
	}
}
