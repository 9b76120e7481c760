package replay

import (
	"encoding/hex"
	"strings"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// A case publishes the key that some server once drew, a digest of it, and what was encrypted under it. Another server draws
// other values. Such a value is handled as a placeholder whose name is the published value: what the server sends is bound on
// first appearance, put into later requests in its place, and compared from then on. (KMIP Profiles 1.4, "Permitted Test Case
// Variations": key material, digests and cryptographic output of objects that the server generates.)
//
// A value is drawn if its batch item names an object that was not registered, and no request before has carried it. What comes
// of registered keys alone is therefore compared as published: ciphertexts, derived and wrapped keys, digests, joined keys.

// origins follows one group.
type origins struct {
	registered map[string]bool // identifiers of objects whose material follows from the requests
	carried    map[string]bool // values of requests
}

// markOrigins sets drawn and fixed in the responses of g.
func markOrigins(g Group) {
	o := origins{map[string]bool{}, map[string]bool{}}
	for _, c := range g.Cases {
		for i := range c.Steps {
			o.step(&c.Steps[i])
		}
	}
}

func (o origins) step(s *Step) {
	s.Request.walk(func(n *Node) bool {
		if n.Type != ttlv.TypeStructure && !n.placeholder() {
			o.carried[valueKey(n)] = true
		}
		return true
	})
	requests := batch(&s.Request)
	for i, answer := range batch(&s.Response) {
		if i < len(requests) {
			o.item(requests[i], answer)
		}
	}
	s.Response.walk(func(n *Node) bool {
		n.fixed = n.Type == ttlv.TypeDateTime && !n.placeholder() && o.carried[valueKey(n)]
		return true
	})
}

// batch returns the batch items of a message.
func batch(message *Node) []*Node {
	var items []*Node
	for n := range message.all(ttlv.TagBatchItem) {
		items = append(items, n)
	}
	return items
}

// item marks the drawn values of one batch item, and notes what it registers.
func (o origins) item(request, answer *Node) {
	op, ids := answer.text(ttlv.TagOperation), append(identifiers(request), identifiers(answer)...)
	switch op {
	case "Register", "Import":
		o.register(answer)
		return
	case "DeriveKey", "JoinSplitKey":
		if o.all(identifiers(request)) {
			o.register(answer)
		}
	}
	if op == "RNGRetrieve" || !o.all(ids) {
		o.mark(answer, 0, op)
	}
}

func (o origins) register(answer *Node) {
	for _, id := range identifiers(answer) {
		o.registered[id] = true
	}
}

func (o origins) all(ids []string) bool {
	for _, id := range ids {
		if !o.registered[id] {
			return false
		}
	}
	return true
}

// identifiers returns the objects that a batch item is about, those of wrapping keys among them.
func identifiers(item *Node) []string {
	var ids []string
	for _, t := range []ttlv.Tag{ttlv.TagUniqueIdentifier, ttlv.TagPrivateKeyUniqueIdentifier, ttlv.TagPublicKeyUniqueIdentifier} {
		for n := range item.all(t) {
			ids = append(ids, n.Text)
		}
	}
	return ids
}

// mark marks the drawn values in n, which stands in an attribute of this name.
func (o origins) mark(n *Node, attribute ttlv.Tag, op string) {
	if n.Tag == ttlv.TagAttribute {
		attribute, _ = ttlv.AttributeTag(n.text(ttlv.TagAttributeName))
	}
	for i := range n.Nodes {
		o.mark(&n.Nodes[i], attribute, op)
	}
	if n.Type != ttlv.TypeStructure && !n.placeholder() && !o.carried[valueKey(n)] && drawable(n, attribute) {
		n.drawn = true
	}
}

// notDrawn follow from a request, or are the same everywhere, although they are bytes.
var notDrawn = map[ttlv.Tag]bool{
	ttlv.TagUniqueBatchItemID: true, ttlv.TagPublicExponent: true, ttlv.TagSubjectDistinguishedName: true,
}

// issuerNames are texts in a certificate that the server's own authority chooses.
var issuerNames = map[ttlv.Tag]bool{
	ttlv.TagIssuer: true, ttlv.TagSerialNumber: true, ttlv.TagCertificateIssuerDistinguishedName: true,
}

// drawable reports whether a leaf can be drawn: bytes and big numbers, and what an authority chooses for a certificate.
func drawable(n *Node, attribute ttlv.Tag) bool {
	switch {
	case notDrawn[n.Tag]:
		return false
	case n.Type == ttlv.TypeByteString || n.Type == ttlv.TypeBigInteger:
		return true
	}
	return issuerNames[n.Tag] || n.Tag == ttlv.TagAttributeValue &&
		(attribute == ttlv.TagCertificateLength || attribute == ttlv.TagDigitalSignatureAlgorithm)
}

// valueKey returns the type and the value of a leaf; hexadecimal digits are the same in both cases.
func valueKey(n *Node) string {
	if n.Type == ttlv.TypeByteString || n.Type == ttlv.TypeBigInteger {
		return n.Type.String() + " " + strings.ToLower(n.Text)
	}
	return n.Type.String() + " " + n.Text
}

func hexBytes(s string) ([]byte, error) { return hex.DecodeString(s) }
