package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/server/journal"
)

// journalCost measures what a record of a read costs a node's processor, its syncs included, on the disk of the data directories, and sets that
// against what a node spends on a read in all.
func (b *bench) journalCost(ctx context.Context, c *cluster, read Row) (Row, error) {
	row := Row{What: "audit journal: a record, of a " + read.What, LogStore: c.store, Unit: "% of a read's processor time"}
	dir, err := os.MkdirTemp(c.dir, "journal-*")
	if err != nil {
		return row, err
	}
	defer os.RemoveAll(dir)
	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{Node: "bench"})
	if err != nil {
		return row, fmt.Errorf("measure the journal: %w", err)
	}
	run, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- j.Run(run) }()
	before, began, n := ownCPU(), time.Now(), 0
	for ; time.Since(began) < b.opt.period*2/5 && ctx.Err() == nil && err == nil; n++ {
		err = j.Append(journal.Record{Op: "secrets.get", Identity: "token:acc_53qIcaWjx_yDER19rI8SEg", Accessor: "acc_53qIcaWjx_yDER19rI8SEg", Tenant: fsm.RootTenant,
			Path: fmt.Sprintf("%s/read/%04d", c.prefix, n%readSet), Version: 1, Outcome: journal.Allowed, Rule: "root", Request: "req_ZMVF3GU53VO2243GH4HJWI5TLE", Address: "127.0.0.1", Index: uint64(n)})
		if n%500 == 0 { // as far apart as reads are: a loop without a pause would outrun any disk
			time.Sleep(20 * time.Millisecond)
		}
	}
	ran, used := time.Since(began), ownCPU()-before
	stop()
	<-ended
	if e := j.Close(); err == nil {
		err = e
	}
	if err != nil || n == 0 {
		return row, fmt.Errorf("measure the journal: %w", err)
	}
	row.Count, row.PerSecond, row.NodeCPU = n, perSecond(n, ran), each(used, n)
	if read.NodeCPU > 0 {
		share := 100 * row.NodeCPU / read.NodeCPU
		row.Value = &share
		row = row.judge(below(15, "< 15 %"))
	}
	return row, ctx.Err()
}
