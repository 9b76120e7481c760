package managedkey

import (
	"unicode/utf8"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Limits of one object. Sizes are in bytes.
const (
	MaxMaterial   = 1 << 20  // of one object
	MaxAttributes = 64 << 10 // all attributes together, as they are stored

	MaxNames        = 64
	MaxGroups       = 64
	MaxLinks        = 64
	MaxCustom       = 256 // values of custom attributes, whatever their names
	MaxApplications = 64  // application specific informations
	MaxAltNames     = 64
	MaxParameters   = 16 // cryptographic parameters
	MaxLocations    = 16 // of key values
	MaxSignatures   = 4  // digital signature algorithms of a certificate
	MaxDigests      = 4

	MaxText        = 4096 // of one text in an attribute
	MaxName        = 1024 // of a name, and of a group
	MaxCustomName  = 256  // vendor, dash and name
	MaxCustomValue = 16 << 10
	MaxCustomDepth = 3 // structures inside each other
	MaxWrapping    = 4096

	// DefaultLease is the lease time of an object that was given none, in seconds.
	DefaultLease = 3600
	maxLease     = 10 * 365 * 24 * 3600
)

// Limits of a search and of a batch.
const (
	MaxWalk   = 200_000 // objects that a search looks at before it gives up
	MaxLocate = 10_000  // objects that a search returns
	MaxTerms  = 32      // conditions of a search
	MaxBatch  = 1000    // events of a stage
)

// checkText holds a text of the client against a limit. The text itself does not stand in the message: it may be long, and it may be meant to be kept.
func checkText(field, text string, limit int) error {
	switch {
	case text == "":
		return refuse(ReasonInvalidValue, fault.Bad(field, "is empty"))
	case len(text) > limit:
		return refuse(ReasonInvalidValue, fault.Bad(field, "has %d bytes, the limit is %d", len(text), limit))
	case !utf8.ValidString(text):
		return refuse(ReasonInvalidValue, fault.Bad(field, "is not UTF-8"))
	}
	return nil
}

// checkSize holds the attributes of an object against what they may have in all, and against the decoder that will read them: text of a client that is not
// UTF-8 ends here, wherever it stands.
func checkSize(o *Object) error {
	b, err := fsm.Encode(o.Attributes)
	if err != nil {
		return err
	}
	if len(b) > MaxAttributes {
		return refuse(ReasonLimitReached, fault.New(fault.Limit, "the attributes of object %s would have %d bytes, the most is %d", o.ID, len(b), MaxAttributes))
	}
	if err := fsm.Decode(b, new(Attributes)); err != nil {
		return invalid("attributes", "have a text that is not UTF-8")
	}
	return nil
}
