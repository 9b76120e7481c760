// Package mutant names the ways in which this program can be broken on purpose, so that it can be shown that its tests notice.
//
// Each is a constant false, and what it guards is not compiled, unless the program is built with -tags mutants. Such a build is broken in the one
// way that TRSTCTL_MUTANT names; a node of it does not start without. Each breaks one rule as a good engineer might who does not know why the
// rule is there: without faults a cluster looks healthy. jepsen runs its scenarios on every one and must catch them all.
package mutant

// Variable is the environment variable that chooses, in a build with -tags mutants.
const Variable = "TRSTCTL_MUTANT"

// Mutant is one way to be broken.
type Mutant struct {
	Name    string
	Breaks  string // what it does instead
	Rule    string // of ours that it violates
	Exposed string // by which fault, under which workload
}

// All are the mutants, in the order in which they are declared.
var All = []Mutant{
	{"ack-before-fsync",
		"The Raft log, and the votes in it, are written without fsync; with raft.log_store wal the entries only, as its votes cannot be.",
		"DESIGN, one write: an acknowledged entry is on a majority's disks.",
		"Power cut of a majority or of all nodes under load, what was not fsynced being lost: acknowledged writes are gone from the versioned register, the audit and the bank; " +
			"or a node names its log damaged and does not come back."},
	{"read-index-verify-leader",
		"A read index is confirmed by raft.VerifyLeader instead of a round of ConfirmTerm.",
		"PROTOCOL 11: the round is sent after the read arrived and a majority answers in the leader's term; a heartbeat that was in flight does not count.",
		"SIGSTOP of the leader for longer than an election, with linearizable reads sent to it meanwhile that wait longer, and writes elsewhere: the versioned register reads an old version. " +
			"It takes the answers of two followers that were under way when it stopped, one that comes before its lease is looked at and one after the read: rare, repeat it in the hundreds, with delay on the links."},
	{"lease-reads",
		"A leader gives read indexes because it believes that it leads, without asking anybody.",
		"PROTOCOL 11: no read index without a round that began after the read arrived.",
		"SIGSTOP of the leader for longer than an election, with linearizable reads sent to it meanwhile that wait longer, and writes elsewhere: the versioned register reads an old version."},
	{"clock-in-apply",
		"Apply cuts the time of an entry that lies ahead of the node's own clock to that clock.",
		"STYLE habit 1, PROTOCOL 9: apply is pure, and the time of an entry is what the leader gave it.",
		"A clock set back on a follower, or ahead on the leader, by seconds, under any writes: the digests of the nodes differ, also from the replay of another's log."},
	{"forwarder-retries",
		"A node whose forwarded request has an unknown outcome sends it again, under an Idempotency-Key of its own.",
		"DESIGN, one write: a follower forwards a request once; PROTOCOL 7: only the caller repeats it, under the same key.",
		"SIGSTOP, SIGKILL or isolation of the leader with writes through followers: idempotency finds two effects of one key, the register a gap in the versions that nobody wrote, " +
			"and a check-and-set that was carried out is answered with a conflict."},
	{"receipts-lost-in-snapshots",
		"The snapshots that Raft sends and starts from leave the receipts out.",
		"DESIGN, one write: the same request gets the same answer for 24 hours; snapshot and tail give the same digest as the log.",
		"A member that joins, or was away, gets a snapshot (raft.snapshot_mib and trailing_mib at 1): its digest differs and it is quarantined; idempotency, repeated after it leads, finds a second effect."},
	{"revocation-not-checked-on-followers",
		"A node that does not lead answers reads with a token that was revoked, by itself or with an ancestor.",
		"PROTOCOL 12: token, policy and data come from one view; after a revocation is acknowledged no linearizable use succeeds.",
		"No fault: token create, revoke of it or of its parent, and use for a read through every node."},
	{"guard-not-checked",
		"Apply does not look whether the guards of an entry still hold.",
		"PROTOCOL 5: a decision has no effect in a state other than the one it was made in.",
		"No fault, but two routes to one stream at the same time, as their lanes differ: put, import and copy to the same few paths: the register gets one version twice, a check-and-set succeeds twice, " +
			"the bank loses money when transfers are imports and copies; the audit has writes of a token behind its revocation."},
	{"skipped-directory-fsync",
		"A directory in which this program has made, renamed or removed a file is not fsynced; what libraries do stays.",
		"DESIGN, reads on record, and PROTOCOL 16: files that must outlive a power cut are there after it: identity, current tables, journal, the mark of an orderly stop.",
		"Power cut of a node, best soon after its init, join or start or after a snapshot that it was sent, names that were not fsynced being lost: its Raft log, identity or tables are not there and it does not " +
			"come back, its journal is gone behind its anchors, or the mark of an orderly stop is back."},
	{"digest-blind",
		"The digest of the state leaves the table secret.version out.",
		"DESIGN, cluster: a node whose tables differ from a majority's is quarantined.",
		"A row of secret.version altered on a stopped node (trstctl chaos alter DIR secret.version): once started and asked to compare, it must be quarantined, and is not."},
	{"stale-token-cache",
		"A node remembers whose token it was for 30 seconds.",
		"PROTOCOL 12: a revoked token is refused by whoever has applied the revocation.",
		"No fault: use of a token through a node, its revocation through another, and use through the first within 30 seconds; also for writes, on the leader."},
	{"refusal-from-deposed-leader",
		"An answer that needs no commit (refusal, not found, conflict, no change, replayed receipt) leaves the leader without a round of ConfirmTerm.",
		"PROTOCOL 4: an answer without a commit is a read.",
		"SIGSTOP of the leader for longer than an election, with writes sent to it meanwhile that wait longer: check-and-set on the register answers a conflict with a version that was passed before the request " +
			"began, or delete and undelete find nothing; a new token is refused."},
	{"last-contact-freshness",
		"The age of a node's state is the time since it heard of the leader, 0 on the leader.",
		"PROTOCOL 13: a state is as fresh as the sending of the newest read index that it covers.",
		"SIGSTOP of the leader for longer than 2 seconds with stale and session reads sent to it that wait longer, or a follower whose log hangs in its disk while heartbeats go on: the register and a revoked token " +
			"are answered from a state older than 2 seconds."},
	{"queued-entry-survives-term",
		"When leadership is lost, whoever waits in the queue is told that nothing was done, but the entries stay and are proposed when the node leads again; neither batcher nor Apply looks at their term.",
		"PROTOCOL 3 and 7: a queued entry is dropped when the term changes; what is answered with not-done has no effect, ever.",
		"Isolation of the leader from the other nodes, not from clients, for about a second, again and again, at least eight writers through it, each to paths of its own, without repeating what was answered " +
			"with 503: once it leads again writes appear that were not done, in register, idempotency and audit. A path that was written since hides it."},
	{"session-reads-do-not-wait",
		"A session read is answered from the state at hand, whatever index it brought, unless that is older than 2 seconds.",
		"DESIGN, one read: session waits for the index that the caller has seen.",
		"No fault, better a follower that lags: a write through one node, a session read with its index through another at once, on the register."},
	{"lost-leadership-taken-for-not-done",
		"A write whose leader lost leadership before the commit is answered with not-done.",
		"PROTOCOL 7: every error of an Apply future but the three that cannot have appended is unknown.",
		"SIGSTOP of the leader, or a partition in which it sends and does not receive, under writes: the register and the audit show a write that was answered with 503."},
	{"read-joins-running-round",
		"A read that arrives while a round for a read index is under way takes that round's result.",
		"PROTOCOL 11: a read that arrives during a round joins the next.",
		"No fault: linearizable reads through followers by many clients at once, with writes through the leader: the register reads an old version. Delay on the links makes it certain."},
	{"acknowledgements-forgotten",
		"A node does not tell another how far that one once said to have the log.",
		"DESIGN, cluster: a node that comes back with less of the log than it acknowledged does not start.",
		"An old data directory put back on one node while the others run: it must be refused, and is not; with another node stopped at the same time, acknowledged writes are lost."},
	{"receipts-not-bound-to-request",
		"Another request under a used Idempotency-Key gets the first one's answer.",
		"PROTOCOL 2: same key, other request: refused.",
		"No fault: idempotency, which sends another body, path or method under a used key and must get 422."},
	{"versions-restart-after-purge",
		"A purge of all versions of a secret forgets its last number.",
		"PROTOCOL 21: streams and versions never restart.",
		"No fault: purge of all versions on the register, then a put: it answers version 1."},
	{"kmip-reads-do-not-wait",
		"A node answers KMIP reads from the state at hand, without asking how far the cluster is.",
		"DESIGN, KMIP: a message is first tried over the confirmed present.",
		"No fault: kmip, which looks for a key through another node as soon as it was made, and gets it as soon as it was destroyed."},
	{"outbox-acknowledged-before-delivery",
		"A message of the outbox is settled whatever its destination says of it.",
		"DESIGN, outbox: a message is owed until its destination has taken it.",
		"No fault but those of the target, which refuses one call in forty: lease, whose accounts live on at the target with nothing that would end them."},
	{"account-before-intent",
		"An account is made at its target before anything in the log says that it will be.",
		"PROTOCOL 28: intent, call, result.",
		"No fault but those of the target, whose answer is lost once in forty calls, or kill of the leader: lease, which finds accounts that nobody knows of."},
}
