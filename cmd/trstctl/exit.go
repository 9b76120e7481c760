package main

import (
	"errors"

	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/sdk"
)

// Exit codes, for scripts.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitDenied      = 4
	exitConflict    = 5
	exitUnavailable = 6 // definitely not done
	exitUnknown     = 7 // may have been done
	exitNot         = 8 // the question whether something is valid is answered: it is not
	exitPart        = 9 // some of many were refused, all others are done
)

const exitHelp = `Exit codes: 0 done, 2 usage, 3 not found, 4 denied, 5 conflict, 6 sealed or unavailable (not done),
7 outcome unknown (repeat with the --idempotency-key that the message names), 8 not valid (transit verify), 9 some lines
were refused and all others done (transit --lines), 1 anything else.`

// coded exits with a code that is no kind's.
type coded struct {
	error
	code int
}

// failure exits with 1 whatever its cause is.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// exitCode maps an error of a command that ran. A node's errors and this process's own share the names of their kinds.
func exitCode(err error) int {
	if isUsage(err) {
		return exitUsage
	}
	if _, ok := errors.AsType[failure](err); ok {
		return exitFailure
	}
	if c, ok := errors.AsType[coded](err); ok {
		return c.code
	}
	kind := sdk.KindOf(err)
	if local, ok := errors.AsType[*fault.Error](err); ok {
		kind = sdk.Kind(local.Kind.String())
	}
	switch kind {
	case sdk.Invalid:
		return exitUsage
	case sdk.NotFound:
		return exitNotFound
	case sdk.Denied, sdk.Unauthenticated:
		return exitDenied
	case sdk.Conflict:
		return exitConflict
	case sdk.NotDone, sdk.Sealed, sdk.RateLimited, sdk.NoSpace:
		return exitUnavailable
	case sdk.OutcomeUnknown:
		return exitUnknown
	}
	return exitFailure
}
