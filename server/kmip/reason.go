package kmip

import (
	"errors"
	"fmt"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
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

// closer are the reasons that the engine of managed objects gives, which say more than the kind of a failure.
var closer = map[managedkey.Reason]Reason{
	managedkey.ReasonObjectNotFound:    ttlv.ResultReasonObjectNotFound,
	managedkey.ReasonObjectDestroyed:   ttlv.ResultReasonObjectDestroyed,
	managedkey.ReasonObjectArchived:    ttlv.ResultReasonObjectArchived,
	managedkey.ReasonObjectExists:      ttlv.ResultReasonObjectAlreadyExists,
	managedkey.ReasonWrongState:        ttlv.ResultReasonWrongKeyLifecycleState,
	managedkey.ReasonWrongType:         ttlv.ResultReasonIllegalObjectType,
	managedkey.ReasonUnknownAttribute:  ttlv.ResultReasonUnsupportedAttribute,
	managedkey.ReasonAttributeNotFound: ttlv.ResultReasonAttributeNotFound,
	managedkey.ReasonInstanceNotFound:  ttlv.ResultReasonAttributeInstanceNotFound,
	managedkey.ReasonReadOnly:          ttlv.ResultReasonAttributeReadOnly,
	managedkey.ReasonSingleValued:      ttlv.ResultReasonAttributeSingleValued,
	managedkey.ReasonMultiValued:       ttlv.ResultReasonMultiValuedAttribute,
	managedkey.ReasonInvalidValue:      ttlv.ResultReasonInvalidAttributeValue,
	managedkey.ReasonNameTaken:         ttlv.ResultReasonNonUniqueNameAttribute,
	managedkey.ReasonUsageExceeded:     ttlv.ResultReasonUsageLimitExceeded,
	managedkey.ReasonMaskRefused:       ttlv.ResultReasonIncompatibleCryptographicUsageMask,
	managedkey.ReasonNotPresent:        ttlv.ResultReasonKeyValueNotPresent,
	managedkey.ReasonSensitiveKey:      ttlv.ResultReasonSensitive,
	managedkey.ReasonNotExtractable:    ttlv.ResultReasonNotExtractable,
	managedkey.ReasonLimitReached:      ttlv.ResultReasonServerLimitExceeded,
	managedkey.ReasonReplaced:          ttlv.ResultReasonWrongKeyLifecycleState,
}

// older are the reasons by which versions that do not have a reason say the same.
var older = map[Reason]Reason{
	ttlv.ResultReasonObjectNotFound:                      ttlv.ResultReasonItemNotFound,
	ttlv.ResultReasonObjectDestroyed:                     ttlv.ResultReasonItemNotFound,
	ttlv.ResultReasonObjectAlreadyExists:                 ttlv.ResultReasonIllegalOperation,
	ttlv.ResultReasonWrongKeyLifecycleState:              ttlv.ResultReasonPermissionDenied,
	ttlv.ResultReasonIllegalObjectType:                   ttlv.ResultReasonIllegalOperation,
	ttlv.ResultReasonUnsupportedAttribute:                ttlv.ResultReasonInvalidField,
	ttlv.ResultReasonAttributeNotFound:                   ttlv.ResultReasonItemNotFound,
	ttlv.ResultReasonAttributeInstanceNotFound:           ttlv.ResultReasonIndexOutOfBounds,
	ttlv.ResultReasonAttributeReadOnly:                   ttlv.ResultReasonPermissionDenied,
	ttlv.ResultReasonAttributeSingleValued:               ttlv.ResultReasonIllegalOperation,
	ttlv.ResultReasonMultiValuedAttribute:                ttlv.ResultReasonIllegalOperation,
	ttlv.ResultReasonInvalidAttributeValue:               ttlv.ResultReasonInvalidField,
	ttlv.ResultReasonNonUniqueNameAttribute:              ttlv.ResultReasonInvalidField,
	ttlv.ResultReasonUsageLimitExceeded:                  ttlv.ResultReasonPermissionDenied,
	ttlv.ResultReasonIncompatibleCryptographicUsageMask:  ttlv.ResultReasonPermissionDenied,
	ttlv.ResultReasonServerLimitExceeded:                 ttlv.ResultReasonGeneralFailure,
	ttlv.ResultReasonKeyValueNotPresent:                  ttlv.ResultReasonItemNotFound,
	ttlv.ResultReasonEncodingOptionError:                 ttlv.ResultReasonInvalidField,
	ttlv.ResultReasonSensitive:                           ttlv.ResultReasonPermissionDenied,
	ttlv.ResultReasonNotExtractable:                      ttlv.ResultReasonPermissionDenied,
	ttlv.ResultReasonKeyWrapTypeNotSupported:             ttlv.ResultReasonFeatureNotSupported,
	ttlv.ResultReasonMissingInitializationVector:         ttlv.ResultReasonInvalidField,
	ttlv.ResultReasonUnsupportedCryptographicParameters:  ttlv.ResultReasonInvalidField,
	ttlv.ResultReasonBadCryptographicParameters:          ttlv.ResultReasonInvalidField,
	ttlv.ResultReasonInvalidObjectType:                   ttlv.ResultReasonInvalidField,
	ttlv.ResultReasonInvalidAsynchronousCorrelationValue: ttlv.ResultReasonItemNotFound,
	ttlv.ResultReasonInvalidCorrelationValue:             ttlv.ResultReasonInvalidField,
}

// newer are the reasons that later versions do not have any more.
var newer = map[Reason]Reason{
	ttlv.ResultReasonIllegalOperation: ttlv.ResultReasonPermissionDenied,
	ttlv.ResultReasonIndexOutOfBounds: ttlv.ResultReasonAttributeInstanceNotFound,
}

// reasonIn is a reason as a version has it.
func reasonIn(v ttlv.Version, r Reason) Reason {
	for _, other := range []map[Reason]Reason{older, newer, older} {
		if span, known := ttlv.EnumSpan(ttlv.TagResultReason, r); known && span.Has(v) {
			return r
		}
		if instead, found := other[r]; found {
			r = instead
		}
	}
	return r
}

// refusalOf returns what a client is told of an error.
func refusalOf(err error) *Refusal {
	if r, expected := explain(err); expected {
		return r
	}
	return refuse(ttlv.ResultReasonGeneralFailure, "internal error: the node's log has the details")
}

// explain puts an error into the protocol's terms. One that is not expected is for the log, not for the client.
func explain(err error) (r *Refusal, expected bool) {
	var f *fault.Error
	switch {
	case errors.As(err, &r):
		return r, true
	case ttlv.KindOf(err) == ttlv.Missing || ttlv.KindOf(err) == ttlv.Mismatch:
		return refuse(ttlv.ResultReasonInvalidMessage, "%v", err), true
	case errors.Is(err, suite.ErrFailed):
		return refuse(ttlv.ResultReasonCryptographicFailure, "the cryptographic operation failed"), true
	case !errors.As(err, &f):
		return nil, false
	}
	reason, expected := closer[managedkey.ReasonOf(err)]
	if !expected {
		reason, expected = reasons[f.Kind]
	}
	return &Refusal{reason, f.Message}, expected
}
