//go:build !mutants

package mutant

// The mutants. None is in this build.
const (
	AckBeforeFsync                   = false
	ReadIndexVerifyLeader            = false
	LeaseReads                       = false
	ClockInApply                     = false
	ForwarderRetries                 = false
	ReceiptsLostInSnapshots          = false
	RevocationNotCheckedOnFollowers  = false
	GuardNotChecked                  = false
	SkippedDirectoryFsync            = false
	DigestBlind                      = false
	StaleTokenCache                  = false
	RefusalFromDeposedLeader         = false
	LastContactFreshness             = false
	QueuedEntrySurvivesTerm          = false
	SessionReadsDoNotWait            = false
	LostLeadershipTakenForNotDone    = false
	ReadJoinsRunningRound            = false
	AcknowledgementsForgotten        = false
	ReceiptsNotBoundToRequest        = false
	VersionsRestartAfterPurge        = false
	KmipReadsDoNotWait               = false
	OutboxAcknowledgedBeforeDelivery = false
	AccountBeforeIntent              = false
)

// Chosen is the name of the mutant that this program is, "" for none.
const Chosen = ""

// Check returns nil: this build is not broken.
func Check() error { return nil }
