// Package chaos is where a node can be lied to about the time, and killed between two steps. Both need a binary that was built with -tags chaos: in any
// other, Now is time.Now, Point is an empty function, and nothing else is compiled in.
//
// What means "what time is it" asks Now; test/arch fails where time.Now is called for that. Now's answer has a true monotonic reading: as with a
// real clock that somebody sets, differences of two readings in one process do not show a jump, and what is stored, sent or compared with either
// does.
package chaos

// The points, in the order in which a node comes by them. Each is passed in one place.
const (
	BootLocked       = "boot.locked"
	BootLogOpened    = "boot.log-opened"
	BootTablesOpened = "boot.tables-opened"
	BootAligned      = "boot.aligned"
	BootRaftStarted  = "boot.raft-started"

	UnsealAnswered = "unseal.answered"
	UnsealOpening  = "unseal.opening"
	UnsealOpened   = "unseal.opened"

	TermOpening = "term.opening"
	TermOpened  = "term.opened"

	LogStored     = "log.stored"
	LogTruncating = "log.truncating"
	LogTruncated  = "log.truncated"

	SnapshotTaken    = "snapshot.taken"
	SnapshotFrame    = "snapshot.frame"
	SnapshotStreamed = "snapshot.streamed"
	SnapshotFlushed  = "snapshot.flushed"
	SnapshotRenamed  = "snapshot.renamed"

	InstallFilling  = "install.filling"
	InstallFilled   = "install.filled"
	InstallPointing = "install.pointing"
	InstallPointed  = "install.pointed"
	InstallSwapped  = "install.swapped"

	JoinAsked     = "join.asked"
	JoinGranted   = "join.granted"
	JoinSigned    = "join.signed"
	JoinAnswered  = "join.answered"
	JoinPromoting = "join.promoting"

	RotationRootAdded   = "rotation.root-added"
	RotationTenantAdded = "rotation.tenant-added"
	RotationBatch       = "rotation.batch"
	RotationRetiring    = "rotation.retiring"
	RotationRetired     = "rotation.retired"

	RestoreAside     = "restore.aside"
	RestoreMarked    = "restore.marked"
	RestoreLoaded    = "restore.loaded"
	RestoreBegun     = "restore.begun"
	RestoreSettled   = "restore.settled"
	RestoreCommitted = "restore.committed"
)

// Described is a point and what is done, and not done, when it is passed.
type Described struct{ Name, Says string }

// Points describes all of them.
func Points() []Described {
	return []Described{
		{BootLocked, "the data directory is locked; nothing in it has been looked at"},
		{BootLogOpened, "the Raft log is open, the tables are not"},
		{BootTablesOpened, "log and tables are open; they may not join yet"},
		{BootAligned, "the tables have been brought to the latest snapshot, and a log that ends before it was emptied; Raft has not started"},
		{BootRaftStarted, "Raft runs on log and tables; the node answers nobody yet"},

		{UnsealAnswered, "a seal has given the root keys; whether the node may be opened still is asked next"},
		{UnsealOpening, "the node may be opened and holds no key yet"},
		{UnsealOpened, "the node holds its keys and is unsealed"},

		{TermOpening, "this node was elected; the entry that opens its term is not appended"},
		{TermOpened, "that entry is applied and the clock judged; no leader's work has begun"},

		{LogStored, "entries of Raft's are on the disk; Raft has not been told"},
		{LogTruncating, "entries of the log, behind a snapshot or in conflict with the leader's, are about to be removed"},
		{LogTruncated, "they were removed; Raft has not been told"},

		{SnapshotTaken, "the state of a snapshot is pinned; nothing of it is written"},
		{SnapshotFrame, "a frame of a snapshot or a backup is written; arm a later hit for a later frame"},
		{SnapshotStreamed, "a snapshot is written whole; the tables that it covers are not flushed"},
		{SnapshotFlushed, "the tables are flushed too; the snapshot does not have its name yet"},
		{SnapshotRenamed, "the snapshot has its name; the log is not truncated"},

		{InstallFilling, "the last pairs of a snapshot are in the new directory of tables; nothing of it is verified or flushed"},
		{InstallFilled, "the new directory is filled, verified and flushed; the old one is current"},
		{InstallPointing, "the name of the current directory is written and synced under another name, at the first start too"},
		{InstallPointed, "the new directory is current on the disk; this process reads the old one"},
		{InstallSwapped, "this process reads the new directory; the old one is there still"},

		{JoinAsked, "the joiner has a key of its own and has asked nobody"},
		{JoinGranted, "the leader has committed the grant, which spends the token; nothing is signed"},
		{JoinSigned, "the leader has signed the joiner's certificates; the answer is not sent"},
		{JoinAnswered, "the joiner has its certificates in memory only"},
		{JoinPromoting, "a node that has proved its keys is about to become a voter"},

		{RotationRootAdded, "a new root key is committed; nothing is wrapped by it, and who asked for it has no answer"},
		{RotationTenantAdded, "a new key of a tenant is committed, as above"},
		{RotationBatch, "a batch of values was wrapped anew, or a tenant's old key, under which none was left, retired; the leader does not remember it"},
		{RotationRetiring, "nothing needs the oldest root key any more; it is there"},
		{RotationRetired, "it has been retired; the rotation has not ended"},

		{RestoreAside, "snapshot restore --force has moved the node's data directory aside; there is none in its place"},
		{RestoreMarked, "snapshot restore has an empty directory with the mark of an incomplete restore"},
		{RestoreLoaded, "the backup is loaded into tables and verified; they hold its history and no new epoch"},
		{RestoreBegun, "the entry that begins the new epoch is applied to the tables; there is no snapshot for Raft"},
		{RestoreSettled, "Raft's snapshot is written; the directory has no identity"},
		{RestoreCommitted, "the directory has its identity; the mark of an incomplete restore is there"},
	}
}
