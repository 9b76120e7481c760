package network

import "sync/atomic"

// counters are Counts that many count at once.
type counters struct {
	passed, dropped, lost, duplicated, reset, overflowed, stray, refused atomic.Uint64
}

func (c *counters) read() Counts {
	return Counts{
		Passed: c.passed.Load(), Dropped: c.dropped.Load(), Lost: c.lost.Load(), Duplicated: c.duplicated.Load(),
		Reset: c.reset.Load(), Overflowed: c.overflowed.Load(), Stray: c.stray.Load(), Refused: c.refused.Load(),
	}
}
