// Package kmip speaks KMIP 1.0 to 1.4 and 2.1 (OASIS) with clients.
//
// What a message means is decided here in one place: which version it is of, whose it says it is, and in which order its items are carried out, so that
// operations see nothing but their payloads. An answer has the request's version, and no field that came later.
package kmip

import (
	"slices"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// versions are those that are spoken, the newest first: DiscoverVersions answers with them.
var versions = []ttlv.Version{ttlv.V21, ttlv.V14, ttlv.V13, ttlv.V12, ttlv.V11, ttlv.V10}

// Request is a message that was understood so far that its items can be carried out one by one.
type Request struct {
	Version      ttlv.Version
	MaxResponse  int    // bytes; 0: as many as we like
	Correlation  string // the client's word for this request, for the log (since 1.4)
	Correlated   string // ours for it, which a client that has given one is told; empty: none
	Asynchronous bool   // it cannot do without an answer that comes later
	Continuation uint32 // BatchErrorContinuationOption…
	Credentials  []Credential
	Items        []Item
}

// Credential is one that a request carries beside the client's certificate. Its parts are wiped with the message.
type Credential struct {
	Type  uint32
	Value *ttlv.Item
}

// Item is one operation of a batch.
type Item struct {
	Operation uint32
	ID        []byte     // the client's word for the item; nil for none
	Payload   *ttlv.Item // empty when there is none
	refused   *Refusal   // the item itself is no good; the batch goes on as its option says
}

const maxItems = 256 // of one batch

// parse understands a message. Its version is right also when the rest is refused, as far as there is one: an answer is of that version.
func parse(m *ttlv.Item) (*Request, *Refusal) {
	r := &Request{Version: versions[1]} // what an answer is of to somebody who has not said
	if m.Tag != ttlv.TagRequestMessage {
		return r, refuse(ttlv.ResultReasonInvalidMessage, "the message is no request")
	}
	header, err := m.Need(ttlv.TagRequestHeader)
	if err != nil {
		return r, refusalOf(err)
	}
	if bad := r.version(header); bad != nil {
		return r, bad
	}
	if bad := r.header(header); bad != nil {
		return r, bad
	}
	return r, r.batch(m, header)
}

// version takes the version of a request. One whose major number is not spoken is answered in the newest that is; of a later minor number nobody knows what it
// means.
func (r *Request) version(header *ttlv.Item) *Refusal {
	v, err := header.Need(ttlv.TagProtocolVersion)
	if err != nil {
		return refusalOf(err)
	}
	major, err := number(v, ttlv.TagProtocolVersionMajor)
	if err != nil {
		return refusalOf(err)
	}
	minor, err := number(v, ttlv.TagProtocolVersionMinor)
	if err != nil {
		return refusalOf(err)
	}
	asked, known := ttlv.VersionOf(major, minor)
	if known && slices.Contains(versions, asked) {
		r.Version = asked
		return nil
	}
	for _, spoken := range slices.Backward(versions) { // the newest of the major number that was asked for
		if int32(spoken.Major()) == major {
			r.Version = spoken
		}
	}
	return refuse(ttlv.ResultReasonInvalidMessage, "version %d.%d is not spoken here: %v are", major, minor, versions)
}

func number(in *ttlv.Item, tag ttlv.Tag) (int32, error) {
	it, err := in.Need(tag)
	if err != nil {
		return 0, err
	}
	return it.Integer()
}

// header takes the options of a request. A field that the version does not know is passed over, as the specification has it (KMIP 1.4 section 6).
func (r *Request) header(h *ttlv.Item) *Refusal {
	r.Continuation = ttlv.BatchErrorContinuationOptionStop
	seen := map[ttlv.Tag]bool{}
	for i := range h.Items() {
		it := &h.Items()[i]
		if seen[it.Tag] {
			return refuse(ttlv.ResultReasonInvalidMessage, "the header has %s twice", it.Tag)
		}
		seen[it.Tag] = true
		if since, known := it.Tag.Span(); known && !since.Has(r.Version) {
			continue
		}
		if err := r.option(it); err != nil {
			return refusalOf(err)
		}
	}
	return nil
}

func (r *Request) option(it *ttlv.Item) (err error) {
	switch it.Tag {
	case ttlv.TagMaximumResponseSize:
		var most int32
		if most, err = it.Integer(); err == nil && most < 0 {
			return refuse(ttlv.ResultReasonInvalidMessage, "the maximum response size is negative")
		}
		r.MaxResponse = int(most)
	case ttlv.TagClientCorrelationValue:
		r.Correlation, err = it.TextString()
	case ttlv.TagAsynchronousIndicator:
		r.Asynchronous, err = mustWait(it)
	case ttlv.TagBatchErrorContinuationOption:
		r.Continuation, err = it.Enumeration()
		if _, known := ttlv.EnumName(it.Tag, r.Continuation); err == nil && !known {
			return refuse(ttlv.ResultReasonInvalidMessage, "there is no such batch error continuation option")
		}
	case ttlv.TagBatchOrderOption: // items are carried out in their order always
		_, err = it.Boolean()
	case ttlv.TagAuthentication:
		err = r.authentication(it)
	}
	return err
}

// mustWait reports whether only a later answer will do. Before 2.0 the indicator says that one would do as well, which we need not make use of.
func mustWait(it *ttlv.Item) (bool, error) {
	if it.Type() == ttlv.TypeBoolean {
		_, err := it.Boolean()
		return false, err
	}
	how, err := it.Enumeration()
	return how == ttlv.AsynchronousIndicatorMandatory, err
}

func (r *Request) authentication(it *ttlv.Item) error {
	for c := range it.All(ttlv.TagCredential) {
		of, err := c.Need(ttlv.TagCredentialType)
		if err != nil {
			return err
		}
		kind, err := of.Enumeration()
		if err != nil {
			return err
		}
		value, err := c.Need(ttlv.TagCredentialValue)
		if err != nil {
			return err
		}
		r.Credentials = append(r.Credentials, Credential{kind, value})
	}
	return nil
}

// batch takes the items of a request.
func (r *Request) batch(m, header *ttlv.Item) *Refusal {
	count, err := number(header, ttlv.TagBatchCount)
	if err != nil {
		return refusalOf(err)
	}
	for it := range m.All(ttlv.TagBatchItem) {
		if len(r.Items) == maxItems {
			return refuse(ttlv.ResultReasonInvalidMessage, "a batch has %d items at most", maxItems)
		}
		r.Items = append(r.Items, itemOf(it))
	}
	if int(count) != len(r.Items) || count == 0 {
		return refuse(ttlv.ResultReasonInvalidMessage, "the batch count is %d, and the batch has %d items", count, len(r.Items))
	}
	if len(r.Items) > 1 && r.Version < ttlv.V20 {
		return r.named()
	}
	return nil
}

// named refuses a batch of several items of which one has no id: their answers could not be told apart (KMIP 1.4 section 6.4).
func (r *Request) named() *Refusal {
	for _, it := range r.Items {
		if len(it.ID) == 0 {
			return refuse(ttlv.ResultReasonInvalidMessage, "an item of a batch of several has no unique batch item id")
		}
	}
	return nil
}

// itemOf takes one item. What is wrong with it concerns no other.
func itemOf(b *ttlv.Item) (it Item) {
	it.Payload = &ttlv.Item{}
	for i := range b.Items() {
		var err error
		switch part := &b.Items()[i]; part.Tag {
		case ttlv.TagOperation:
			it.Operation, err = part.Enumeration()
		case ttlv.TagUniqueBatchItemID:
			it.ID, err = part.ByteString()
		case ttlv.TagRequestPayload:
			it.Payload = part
			_, err = part.Structure()
		case ttlv.TagMessageExtension:
			err = extension(part)
		}
		if err != nil && it.refused == nil {
			it.refused = refusalOf(err)
		}
	}
	if it.Operation == 0 && it.refused == nil {
		it.refused = refuse(ttlv.ResultReasonInvalidMessage, "a batch item names no operation")
	}
	return it
}

// extension refuses what its sender says must be understood: none is known here.
func extension(it *ttlv.Item) error {
	critical, err := it.Need(ttlv.TagCriticalityIndicator)
	if err != nil {
		return err
	}
	must, err := critical.Boolean()
	if err == nil && must {
		return refuse(ttlv.ResultReasonFeatureNotSupported, "a message extension that must be understood is not")
	}
	return err
}
