package sim

import (
	"testing"
)

// TestReplay runs a few seeds again and again and says how many runs were the same to the last message: all, in a build by jepsen/sim/exact.
func TestReplay(t *testing.T) {
	alone(t)
	runs := number("TRSTCTL_SIM_REPLAYS", 1)
	same, all := 0, 0
	for seed := uint64(1); seed <= 3; seed++ {
		first := runAgreement(t, seed, broken{})
		t.Logf("seed %d: %d lines, %x", seed, first.trace.lines, first.trace.sum)
		for range runs {
			again := runAgreement(t, seed, broken{})
			all++
			if again.trace.sum == first.trace.sum {
				same++
				continue
			}
			at := 0
			for at < min(len(first.trace.marks), len(again.trace.marks)) && first.trace.marks[at] == again.trace.marks[at] {
				at++
			}
			t.Logf("seed %d: the runs part after %d of %d lines", seed, at*100, first.trace.lines)
		}
	}
	t.Logf("%d of %d runs were the same as the first of their seed", same, all)
	if exact && same != all {
		t.Error("the runtime draws from the seed, and runs of one seed are not the same")
	}
}
