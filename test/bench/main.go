// Command bench measures a three-node cluster of real processes through its public API: HTTPS, the sdk as applications use it (one
// client with a connection of its own per writer or reader, idempotency keys, its own repetitions), secrets of 1 KiB of random bytes.
//
// What is measured:
//
//   - disk: a 4 KiB write and fdatasync in the file system of the data directories, before each cluster; latencies stand beside it as
//     a ratio, which survives a change of machine.
//   - writes and reads: a closed loop of clients that starts when all of them are connected. Every latency is kept, percentiles
//     are exact (nearest rank). Reads compare the value. Processor time is that of /proc and getrusage over the same period.
//   - failover: kill -9 of the leader under 8 writing clients. "To the next write" is the time from the signal to the first
//     acknowledgement of a write that began after it; "longest gap" is between two acknowledgements next to each other, whoever's they are.
//     Afterwards every acknowledged write is read back.
//   - transfer: the same gap when an operator hands leadership over.
//   - transit: uses of keys, of 1 KiB, by 16 clients, single and in batches of 100 by 4, beside a call of the same primitive in one thread of the bench and beside
//     an authenticated request that does nothing; and the longest gap in decryption through kills of the leader.
//   - certificates: issued with their keys, P-256, by 32 clients, with a lease, stored and not stored, beside a key and a certificate that are made in one thread.
//   - leases: credentials at a Redis of the bench's own, in memory, which answers at once: issued, renewed, and all revoked at once until it has no user of theirs; and at a
//     PostgreSQL of its own, issued and revoked, beside the statements alone.
//   - memory and restart: with 100,000 secrets; from the start of the first node's process, as the kernel has it, until every
//     node's /readyz is 200 and a write is acknowledged.
//   - unseal: a follower is stopped in order, for each kind of seal; from the start of its new process to unsealed and to /readyz 200. With shares
//     the clock starts when the last one that it takes is given. All stand beside the file seal's start to ready.
//   - rotate: the root key and every tenant's, with 100,000 secrets, to the end of the rotation as the log has it: without readers, under one
//     and under eight, who read those secrets. What the readers see stands beside the same before, the rate beside that of the import.
//   - under faults: nothing of this run, but what the runs of jepsen/REPORT.md came to, with the commit that they were on.
//
// Nodes and bench share the machine's processors. The cluster is run by `trstctl dev` below a temporary directory and ends with the bench.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() { os.Exit(run()) }

func run() int {
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2 // said already
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second ^C ends the bench at once
	debug.SetGCPercent(400)      // the client's garbage should not cost the nodes their processors
	err = profiled(o.cpuProfile, func() error {
		b := bench{opt: o}
		err := b.run(ctx)
		faults, bad := underFaults()
		return errors.Join(err, bad, show(os.Stdout, o.output, append(b.rows, faults)))
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}
