package replay

import (
	"slices"
	"time"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// match returns which of the items that are not used answers e, -1 if none does. Where the order is free it is the first that
// fits; failing that, the one with the same name or identifier, so that the report says what is different in it.
func (c *comparison) match(e *Node, got []ttlv.Item, used []bool) int {
	w := c.where
	w.expected = e
	free := w.may(anyOrder, e.Tag)
	named := -1
	for i := range got {
		switch {
		case used[i] || got[i].Tag != e.Tag:
		case !free, c.fits(e, &got[i]):
			return i
		case named < 0 && sameName(e, &got[i]):
			named = i
		}
	}
	return named
}

// fits reports whether got is what e says, without binding anything.
func (c *comparison) fits(e *Node, got *ttlv.Item) bool {
	trial := comparison{where: c.where, bound: c.bound.clone(), path: slices.Clone(c.path), tags: slices.Clone(c.tags)}
	trial.node(e, got)
	return len(trial.diffs) == 0
}

// sameName reports whether e and got are attributes of one name and index, or batch items of one identifier.
func sameName(e *Node, got *ttlv.Item) bool {
	if id, it := e.find(ttlv.TagUniqueBatchItemID), got.Find(ttlv.TagUniqueBatchItemID); id != nil && it != nil {
		return same(&id.value, it)
	}
	name, err := got.Find(ttlv.TagAttributeName).TextString()
	index, _ := got.Find(ttlv.TagAttributeIndex).Integer()
	var want int32
	if n := e.find(ttlv.TagAttributeIndex); n != nil {
		want, _ = n.value.Integer()
	}
	return err == nil && name == e.text(ttlv.TagAttributeName) && index == want
}

// leaf compares values of one type.
func (c *comparison) leaf(e *Node, got *ttlv.Item) {
	switch {
	case e.Type == ttlv.TypeDateTime:
		c.time(e, got)
	case e.placeholder() || e.drawn:
		c.bind(e, got)
	case !same(&e.value, got):
		c.differ(c.expected(e), show(got, e.names))
	}
}

// time compares a time with the moment that a placeholder means, or with what an earlier request gave. Other times are those of
// the day on which the case was recorded, and only their presence is compared.
func (c *comparison) time(e *Node, got *ttlv.Item) {
	seconds, _ := got.DateTime()
	offset, relative := moment(e)
	if relative && !c.bound.around(seconds, offset) {
		now := c.bound.now.UTC().Format(time.RFC3339)
		c.differ(e.Text+" where now is "+now, show(got, e.names))
	}
	if e.fixed && !same(&e.value, got) {
		c.differ(c.expected(e), show(got, e.names))
	}
}

// bind compares a value with what its placeholder is bound to, or binds it.
func (c *comparison) bind(e *Node, got *ttlv.Item) {
	key := e.key()
	bound, known := c.bound.values[key]
	if known && !starts(e, c.message) {
		if !same(&bound, got) {
			c.differ(c.expected(e), show(got, e.names))
		}
		return
	}
	switch holder := c.bound.holder(key, got); {
	case empty(got):
		c.differ("a value for "+e.Text, "an empty one")
	case holder != "":
		c.differ("another value than that of "+holder, show(got, e.names))
	case e.drawn && c.sized(e) && length(got) != length(&e.value):
		c.differ(show(&e.value, e.names)+", or any other of its length", show(got, e.names))
	default:
		c.bound.values[key] = *got
	}
}

// sized reports whether a drawn value has a length that follows from the request.
func (c *comparison) sized(e *Node) bool {
	switch e.Tag {
	case ttlv.TagDigestValue, ttlv.TagData, ttlv.TagMACData, ttlv.TagIVCounterNonce, ttlv.TagAuthenticatedEncryptionTag:
		return true
	}
	return e.Tag == ttlv.TagKeyMaterial && slices.Contains(c.tags, ttlv.TagSymmetricKey)
}

// empty reports whether a text or byte string has nothing in it.
func empty(it *ttlv.Item) bool {
	return (it.Type() == ttlv.TypeByteString || it.Type() == ttlv.TypeTextString) && length(it) == 0
}

func length(it *ttlv.Item) int {
	if b, err := it.ByteString(); err == nil {
		return len(b)
	}
	b, _ := it.TextBytes()
	return len(b)
}

// expected returns e as a report shows it: the published value, and what a placeholder is bound to.
func (c *comparison) expected(e *Node) string {
	if e.Type == ttlv.TypeStructure {
		return shorten(e.String())
	}
	text := e.Text
	if bound, ok := c.bound.values[e.key()]; ok && (e.placeholder() || e.drawn) {
		text += " (" + show(&bound, e.names) + ")"
	} else if !e.placeholder() {
		text = show(&e.value, e.names)
	}
	return text
}
