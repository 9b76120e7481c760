package kmip

import (
	"maps"
	"slices"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

var queryOperations = map[uint32]operation{
	ttlv.OperationDiscoverVersions: {discoverVersions, false},
	ttlv.OperationQuery:            {query, false},
	ttlv.OperationPoll:             {poll, false},
	ttlv.OperationCancel:           {cancel, false},
}

// poll is Poll (KMIP 1.4 section 4.28): every operation is answered at once, so that there is nothing that could be asked for later.
func poll(c *call) (*ttlv.Item, error) {
	if _, err := c.in.Need(ttlv.TagAsynchronousCorrelationValue); err != nil {
		return nil, err
	}
	return nil, refuse(ttlv.ResultReasonInvalidAsynchronousCorrelationValue, "no operation is under way: every one is answered at once")
}

// cancel is Cancel (section 4.27): what is answered at once cannot be cancelled any more.
func cancel(c *call) (*ttlv.Item, error) {
	it, err := c.in.Need(ttlv.TagAsynchronousCorrelationValue)
	if err != nil {
		return nil, err
	}
	value, err := it.ByteString()
	if err != nil {
		return nil, err
	}
	out := ttlv.Structure(ttlv.TagResponsePayload, ttlv.ByteString(ttlv.TagAsynchronousCorrelationValue, slices.Clone(value)),
		ttlv.Enumeration(ttlv.TagCancellationResult, ttlv.CancellationResultUnavailable))
	return &out, nil
}

// discoverVersions is Discover Versions (KMIP 1.4 section 4.26): those that are spoken, of those that the client names if it names any, in its order.
func discoverVersions(c *call) (*ttlv.Item, error) {
	out, asked := ttlv.Structure(ttlv.TagResponsePayload), false
	for it := range c.in.All(ttlv.TagProtocolVersion) {
		asked = true
		major, err := number(it, ttlv.TagProtocolVersionMajor)
		if err != nil {
			return nil, err
		}
		minor, err := number(it, ttlv.TagProtocolVersionMinor)
		if err != nil {
			return nil, err
		}
		if v, known := ttlv.VersionOf(major, minor); known && slices.Contains(versions, v) {
			out.Add(versionItem(v))
		}
	}
	if !asked {
		for _, v := range versions {
			out.Add(versionItem(v))
		}
	}
	return &out, nil
}

func versionItem(v ttlv.Version) ttlv.Item {
	return ttlv.Structure(ttlv.TagProtocolVersion, ttlv.Integer(ttlv.TagProtocolVersionMajor, int32(v.Major())), ttlv.Integer(ttlv.TagProtocolVersionMinor, int32(v.Minor())))
}

// objectTypes are those that are kept.
var objectTypes = []managedkey.ObjectType{managedkey.Certificate, managedkey.SymmetricKey, managedkey.PublicKey, managedkey.PrivateKey, managedkey.SplitKey,
	managedkey.SecretData, managedkey.OpaqueObject}

// query is Query (section 4.25). The same function asked for twice is answered once.
func query(c *call) (*ttlv.Item, error) {
	out, seen := ttlv.Structure(ttlv.TagResponsePayload), map[uint32]bool{}
	for it := range c.in.All(ttlv.TagQueryFunction) {
		f, err := it.Enumeration()
		if err != nil {
			return nil, err
		}
		if !seen[f] {
			out.Add(c.function(f)...)
		}
		seen[f] = true
	}
	if len(seen) == 0 {
		return nil, refuse(ttlv.ResultReasonInvalidMessage, "the query names no function")
	}
	return &out, nil
}

// function answers one function of a query. One that asks for what this server has none of is answered with nothing.
func (c *call) function(f uint32) (out []ttlv.Item) {
	switch f {
	case ttlv.QueryFunctionQueryOperations:
		for _, op := range slices.Sorted(maps.Keys(operations)) {
			if span, known := ttlv.EnumSpan(ttlv.TagOperation, op); known && span.Has(c.version) && c.caller.may(op) {
				out = append(out, ttlv.Enumeration(ttlv.TagOperation, op))
			}
		}
	case ttlv.QueryFunctionQueryObjects:
		for _, t := range objectTypes {
			out = append(out, ttlv.Enumeration(ttlv.TagObjectType, uint32(t)))
		}
		for _, t := range []managedkey.ObjectType{managedkey.Template, managedkey.PGPKey} {
			if span, known := ttlv.EnumSpan(ttlv.TagObjectType, uint32(t)); known && span.Has(c.version) {
				out = append(out, ttlv.Enumeration(ttlv.TagObjectType, uint32(t)))
			}
		}
	case ttlv.QueryFunctionQueryServerInformation:
		out = append(out, ttlv.TextString(ttlv.TagVendorIdentification, vendorName), ttlv.Structure(ttlv.TagServerInformation))
	case ttlv.QueryFunctionQueryProfiles:
		for _, p := range profiles {
			if span, known := ttlv.EnumSpan(ttlv.TagProfileName, p); known && span.Has(c.version) {
				out = append(out, ttlv.Structure(ttlv.TagProfileInformation, ttlv.Enumeration(ttlv.TagProfileName, p)))
			}
		}
	case ttlv.QueryFunctionQueryRNGs:
		out = append(out, ttlv.Structure(ttlv.TagRNGParameters, ttlv.Enumeration(ttlv.TagRNGAlgorithm, ttlv.RNGAlgorithmUnspecified)))
	case ttlv.QueryFunctionQueryCapabilities:
		out = append(out, c.capabilities())
	}
	return out
}

// vendorName is how this server identifies itself.
const vendorName = "trstctl"

// profiles are none yet: a profile is claimed when its mandatory cases of that version have been passed in full.
var profiles []uint32

// capabilities says what this server leaves out and what it does of what is optional (KMIP 1.4 section 2.1.30).
func (c *call) capabilities() ttlv.Item {
	out := ttlv.Structure(ttlv.TagCapabilityInformation, ttlv.Boolean(ttlv.TagStreamingCapability, false), ttlv.Boolean(ttlv.TagAsynchronousCapability, false),
		ttlv.Boolean(ttlv.TagAttestationCapability, false))
	if c.version >= ttlv.V14 {
		out.Add(ttlv.Boolean(ttlv.TagBatchUndoCapability, true), ttlv.Boolean(ttlv.TagBatchContinueCapability, true))
	}
	return out
}
