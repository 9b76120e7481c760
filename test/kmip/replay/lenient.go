package replay

import (
	"slices"
	"strings"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// freedom is how a response may differ from the published one.
type freedom uint8

const (
	anyValue freedom = 1 << iota // the value is not compared, nor what is in a structure; the type is
	mayLack                      // it may be absent
	mayAdd                       // it may be there although it is not published
	anyOrder                     // it may change places with others of its tag
)

// where is a place in a response.
type where struct {
	in        ttlv.Tag     // the structure around it
	attribute ttlv.Tag     // the attribute around it, before KMIP 2.0
	operation string       // of the batch item
	version   ttlv.Version // of the request
	message   *Node        // the request
	request   *Node        // the batch item of the request, nil if there is none
	expected  *Node        // nil where an item is added
	got       *ttlv.Item   // nil where an item is absent
}

type leniency struct {
	tags []ttlv.Tag
	may  freedom
	when func(where) bool // nil: everywhere
	why  string
}

// leniencies are all of them. "Profiles" is KMIP Profiles 1.4, "Permitted Test Case Variations", which also says that any
// variation that it does not name is not conformant. The order of other items, the batch count, every operation, status and
// reason, unique batch item identifiers, lease times, links, states and masks are compared as published.
var leniencies = []leniency{
	{[]ttlv.Tag{ttlv.TagResultMessage}, anyValue | mayLack | mayAdd, nil,
		"Profiles: the text of a message is the server's own"},
	{[]ttlv.Tag{ttlv.TagServerCorrelationValue}, anyValue | mayAdd, in(ttlv.TagResponseHeader),
		"KMIP 1.4 section 6: a server may send one, and chooses it"},
	{[]ttlv.Tag{ttlv.TagAttributeIndex}, mayLack | mayAdd, isZero,
		"Profiles: an index of 0 may be left out, or not"},
	{[]ttlv.Tag{ttlv.TagBatchItem}, anyOrder, unordered,
		"KMIP 1.4 section 6: items are answered in any order unless the batch order option is true; the identifiers tell them apart"},
	{[]ttlv.Tag{ttlv.TagAttribute}, anyOrder, answers("GetAttributes"),
		"KMIP 1.4 section 4.12 gives the attributes no order, and the published cases have several"},
	{[]ttlv.Tag{ttlv.TagAttribute}, mayAdd, unasked,
		"Profiles: a server may have more attributes than are published; they have to be of the request's version, and the request " +
			"has to ask for all"},
	{[]ttlv.Tag{ttlv.TagAttributeName}, anyOrder, answers("GetAttributeList"),
		"KMIP 1.4 section 4.13 gives the names no order, and the published cases have several"},
	{[]ttlv.Tag{ttlv.TagAttributeName}, mayAdd, known,
		"as for the attributes themselves"},
	{[]ttlv.Tag{ttlv.TagAttributeValue}, anyValue, ofRandomSource,
		"KMIP 1.4 section 3.44: the attribute describes the random number generator that the server has"},
	{[]ttlv.Tag{ttlv.TagUniqueIdentifier}, anyOrder, answers("Locate"),
		"KMIP 1.4 section 4.9 gives the objects that were found no order"},
	{[]ttlv.Tag{ttlv.TagOperation, ttlv.TagObjectType}, anyOrder | mayAdd, answers("Query"),
		"Profiles: a server may offer more than is published; KMIP 1.4 section 4.25 gives the lists no order"},
	{[]ttlv.Tag{ttlv.TagOperation}, mayLack, sentToClients,
		"KMIP 1.4 section 5: Notify and Put go from the server to its client, and are optional"},
	{[]ttlv.Tag{ttlv.TagOperation}, mayLack, certifies,
		"KMIP Profiles 1.4 section 5: Certify and Re-certify are in none of the profiles' baselines; they come with a certification authority"},
	{[]ttlv.Tag{ttlv.TagVendorIdentification, ttlv.TagServerInformation}, anyValue, answers("Query"),
		"Profiles: a server says who it is"},
	{[]ttlv.Tag{ttlv.TagExtensionInformation, ttlv.TagProfileInformation}, anyValue | mayLack | mayAdd, answers("Query"),
		"Profiles: extensions are a vendor's own; KMIP 1.4 section 4.25: a server lists the profiles that it conforms to"},
	{[]ttlv.Tag{ttlv.TagApplicationNamespace}, anyValue | mayLack | mayAdd, answers("Query"),
		"Profiles: a server lists the name spaces that it supports"},
	{[]ttlv.Tag{ttlv.TagRNGParameters, ttlv.TagCapabilityInformation, ttlv.TagValidationInformation}, anyValue, answers("Query"),
		"KMIP 1.4 section 4.25: they describe the server; that there is one is compared"},
	{[]ttlv.Tag{ttlv.TagProtocolVersion}, mayAdd | anyOrder, undiscovered,
		"Profiles: a server may offer more versions where the request lists none, among those that are published"},
}

// may reports whether the table allows f for tag.
func (w where) may(f freedom, tag ttlv.Tag) bool {
	for _, l := range leniencies {
		if l.may&f != 0 && slices.Contains(l.tags, tag) && (l.when == nil || l.when(w)) {
			return true
		}
	}
	return false
}

func in(t ttlv.Tag) func(where) bool { return func(w where) bool { return w.in == t } }

// answers is for what stands in the payload of a response to this operation.
func answers(operation string) func(where) bool {
	return func(w where) bool { return w.operation == operation && w.in == ttlv.TagResponsePayload }
}

// isZero is for a number that is 0.
func isZero(w where) bool {
	if w.expected != nil {
		return w.expected.Text == "0"
	}
	n, err := w.got.Integer()
	return err == nil && n == 0
}

// unordered is for items with identifiers, in answer to a request that does not ask for their order.
func unordered(w where) bool {
	return w.expected.find(ttlv.TagUniqueBatchItemID) != nil && w.message.find(ttlv.TagRequestHeader).text(ttlv.TagBatchOrderOption) != "true"
}

// unasked is for an attribute that the request has not named and nobody has published, in an answer with all of them.
func unasked(w where) bool {
	payload := w.request.find(ttlv.TagRequestPayload)
	if !answers("GetAttributes")(w) || payload.find(ttlv.TagAttributeName) != nil || w.got == nil {
		return false
	}
	name, err := w.got.Find(ttlv.TagAttributeName).TextString()
	return err == nil && w.defines(name)
}

// known is for the name of an attribute that nobody has published, in an answer with all of them.
func known(w where) bool {
	if !answers("GetAttributeList")(w) || w.got == nil {
		return false
	}
	name, err := w.got.TextString()
	return err == nil && w.defines(name)
}

// defines reports whether name is an attribute of the request's version, or a custom one.
func (w where) defines(name string) bool {
	if strings.HasPrefix(name, "x-") || strings.HasPrefix(name, "y-") {
		return true
	}
	tag, ok := ttlv.AttributeTag(name)
	span, _ := tag.Span()
	return ok && tag.Title() == name && span.Has(w.version)
}

func ofRandomSource(w where) bool { return w.attribute == ttlv.TagRandomNumberGenerator }

// sentToClients is for the operations that go the other way.
func sentToClients(w where) bool {
	op, ok := ttlv.ParseEnum(ttlv.TagOperation, w.expected.Text)
	return answers("Query")(w) && ok && serverSends[op]
}

// certifies is for the operations of a certification authority.
func certifies(w where) bool {
	op, ok := ttlv.ParseEnum(ttlv.TagOperation, w.expected.Text)
	return answers("Query")(w) && ok && (op == ttlv.OperationCertify || op == ttlv.OperationReCertify)
}

// undiscovered is for a request that lists no versions.
func undiscovered(w where) bool {
	return answers("DiscoverVersions")(w) && w.request.find(ttlv.TagRequestPayload).find(ttlv.TagProtocolVersion) == nil
}
