package cluster

import (
	"context"
	"fmt"
	"time"
)

const (
	scrubAfter = 3 * time.Second // a start has better things to do
	scrubEvery = 24 * time.Hour
	scrubRest  = 20 * time.Millisecond // after each file
)

// scrub reads what the start did not: the log before the last snapshot, and every block of the tables; soon after the start and once a
// day. Damage ends the node: what it would read next could be damaged too, and the others hold the same.
func (n *Node) scrub(ctx context.Context) error {
	for wait := scrubAfter; ctx.Err() == nil; wait = scrubEvery {
		pause(ctx, wait)
		err := n.store.CheckTables(ctx, func() { pause(ctx, scrubRest) })
		if err == nil {
			err = n.stored.Check(ctx, 0)
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("the scan of the stored data: %w", err)
		}
	}
	return nil
}
