//go:build mutants

package mutant

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Chosen is the name of the mutant that this program is, "" for none.
var Chosen = os.Getenv(Variable)

// The mutants. One of them is on.
var (
	AckBeforeFsync                   = chosen("ack-before-fsync")
	ReadIndexVerifyLeader            = chosen("read-index-verify-leader")
	LeaseReads                       = chosen("lease-reads")
	ClockInApply                     = chosen("clock-in-apply")
	ForwarderRetries                 = chosen("forwarder-retries")
	ReceiptsLostInSnapshots          = chosen("receipts-lost-in-snapshots")
	RevocationNotCheckedOnFollowers  = chosen("revocation-not-checked-on-followers")
	GuardNotChecked                  = chosen("guard-not-checked")
	SkippedDirectoryFsync            = chosen("skipped-directory-fsync")
	DigestBlind                      = chosen("digest-blind")
	StaleTokenCache                  = chosen("stale-token-cache")
	RefusalFromDeposedLeader         = chosen("refusal-from-deposed-leader")
	LastContactFreshness             = chosen("last-contact-freshness")
	QueuedEntrySurvivesTerm          = chosen("queued-entry-survives-term")
	SessionReadsDoNotWait            = chosen("session-reads-do-not-wait")
	LostLeadershipTakenForNotDone    = chosen("lost-leadership-taken-for-not-done")
	ReadJoinsRunningRound            = chosen("read-joins-running-round")
	AcknowledgementsForgotten        = chosen("acknowledgements-forgotten")
	ReceiptsNotBoundToRequest        = chosen("receipts-not-bound-to-request")
	VersionsRestartAfterPurge        = chosen("versions-restart-after-purge")
	KmipReadsDoNotWait               = chosen("kmip-reads-do-not-wait")
	OutboxAcknowledgedBeforeDelivery = chosen("outbox-acknowledged-before-delivery")
	AccountBeforeIntent              = chosen("account-before-intent")
)

func chosen(name string) bool { return Chosen == name }

// Check refuses a process that names no mutant, or one that is none, and lists them.
func Check() error {
	if slices.ContainsFunc(All, func(m Mutant) bool { return m.Name == Chosen }) {
		return nil
	}
	var list strings.Builder
	for _, m := range All {
		fmt.Fprintf(&list, "\n%s: %s", m.Name, m.Breaks)
	}
	return fmt.Errorf("this build is broken on purpose: %s=%q is none of%s", Variable, Chosen, list.String())
}
