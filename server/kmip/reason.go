package kmip

import (
	"errors"
	"fmt"

	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// Reason is a KMIP result reason (KMIP 1.4 section 9.1.3.2.29, KMIP 2.1 section 11.55).
type Reason = uint32

// Refusal is why an operation or a message was refused, in the protocol's terms. Its message is shown to the client.
type Refusal struct {
	Reason  Reason
	Message string
}

// Error implements error.
func (r *Refusal) Error() string { return r.Message }

func refuse(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{reason, fmt.Sprintf(format, args...)}
}

// reasons is the one map from kinds of failure to result reasons. What is not here is shown as a general failure, without its message.
var reasons = map[fault.Kind]Reason{
	fault.Invalid:         ttlv.ResultReasonInvalidField,
	fault.Unauthenticated: ttlv.ResultReasonAuthenticationNotSuccessful,
	fault.Denied:          ttlv.ResultReasonPermissionDenied,
	fault.NotFound:        ttlv.ResultReasonItemNotFound,
	fault.Conflict:        ttlv.ResultReasonIllegalOperation,
	fault.TooLarge:        ttlv.ResultReasonInvalidField,
	fault.Limit:           ttlv.ResultReasonPermissionDenied,
	fault.RateLimited:     ttlv.ResultReasonGeneralFailure,
	fault.NotDone:         ttlv.ResultReasonGeneralFailure,
	fault.Unknown:         ttlv.ResultReasonGeneralFailure,
	fault.Sealed:          ttlv.ResultReasonGeneralFailure,
	fault.NoSpace:         ttlv.ResultReasonGeneralFailure,
}

// refusalOf returns what a client is told of an error.
func refusalOf(err error) *Refusal {
	var r *Refusal
	var f *fault.Error
	switch {
	case errors.As(err, &r):
		return r
	case ttlv.KindOf(err) == ttlv.Missing || ttlv.KindOf(err) == ttlv.Mismatch:
		return refuse(ttlv.ResultReasonInvalidMessage, "%v", err)
	case errors.As(err, &f):
		if reason, known := reasons[f.Kind]; known {
			return &Refusal{reason, f.Message}
		}
	}
	return refuse(ttlv.ResultReasonGeneralFailure, "internal error: the node's log has the details")
}
