package kmip

import (
	"slices"
	"strings"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// tagOf is the tag under which an attribute's value stands in KMIP 2.x, and the title of that tag is the attribute's name in 1.x.
func tagOf(a managedkey.Attribute) (ttlv.Tag, bool) { return ttlv.AttributeTag(string(a)) }

// zeros are the Go types of attributes' values.
var zeros = func() map[managedkey.Attribute]any {
	out := map[managedkey.Attribute]any{}
	rules, zero := managedkey.Rules()
	for i, r := range rules {
		out[r.Attribute] = zero[i]
	}
	return out
}()

// spans are the versions that have an attribute.
var spans = func() map[managedkey.Attribute]ttlv.Span {
	out := map[managedkey.Attribute]ttlv.Span{}
	rules, _ := managedkey.Rules()
	for _, r := range rules {
		out[r.Attribute] = ttlv.Span{Since: spoken(r.Since), Until: spoken(r.Until)}
	}
	return out
}()

// repeats reports whether an attribute has several instances, as custom ones have.
func repeats(a managedkey.Attribute) bool {
	rules, _ := managedkey.Rules()
	for _, r := range rules {
		if r.Attribute == a {
			return r.Many
		}
	}
	return true
}

// spoken makes a version of its two digits, 14 for 1.4; 0 stays 0.
func spoken(digits int) ttlv.Version {
	v, _ := ttlv.VersionOf(int32(digits/10), int32(digits%10))
	if digits == 0 {
		v = 0
	}
	return v
}

// named is an attribute by its name in 1.x, as a client wrote it: any run of white space is one space.
func named(name string) managedkey.Attribute {
	return managedkey.Attribute(strings.Join(strings.Fields(name), " "))
}

// known refuses an attribute that a version has not.
func known(a managedkey.Attribute, v ttlv.Version) error {
	if s, standard := spans[a]; standard && !s.Has(v) {
		return refuse(ttlv.ResultReasonInvalidField, "version %s has no attribute %q", v, string(a))
	}
	return nil
}

// value reads the value of an attribute.
func value(a managedkey.Attribute, it *ttlv.Item) (any, error) {
	zero, standard := zeros[a]
	if !standard {
		return field(it, 0)
	}
	if _, shown := zero.(managedkey.CertificateInfo); shown {
		return nil, refuse(ttlv.ResultReasonInvalidField, "attribute %q is the server's to set", string(a))
	}
	return decode(it, zero)
}

// given are the attributes that a request gives, under whatever tags it has them: Template-Attribute and its kin in 1.x, Attributes and its kin in 2.x.
func (c *call) given(tags ...ttlv.Tag) (out []managedkey.Value, err error) {
	for _, tag := range tags {
		for it := range c.in.All(tag) {
			more, err := c.values(it)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
	}
	return out, nil
}

// values reads a structure of attributes. Templates that a 1.x structure names bring theirs before those that the request has itself, and give way to them where an
// attribute has one value.
func (c *call) values(it *ttlv.Item) (out []managedkey.Value, err error) {
	items, err := it.Structure()
	if err != nil {
		return nil, err
	}
	var templates []managedkey.Value
	for i := range items {
		if items[i].Tag == ttlv.TagName && c.version < ttlv.V20 {
			more, err := c.template(&items[i])
			if err != nil {
				return nil, err
			}
			templates = append(templates, more...)
			continue
		}
		v, err := c.one(&items[i])
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	templates = slices.DeleteFunc(templates, func(t managedkey.Value) bool {
		return !repeats(t.Attribute) && slices.ContainsFunc(out, func(v managedkey.Value) bool { return v.Attribute == t.Attribute })
	})
	return append(templates, out...), nil
}

// one reads an attribute in either form.
func (c *call) one(it *ttlv.Item) (managedkey.Value, error) {
	a, v, _, err := c.attribute(it)
	return managedkey.Value{Attribute: a, Value: v}, err
}

// attribute reads an attribute with its index: the structure Attribute of 1.x, and in 2.x a tag of its own, or the structure for what vendors made up.
func (c *call) attribute(it *ttlv.Item) (a managedkey.Attribute, v any, index uint32, err error) {
	if it.Tag != ttlv.TagAttribute {
		if c.version < ttlv.V20 {
			return "", nil, 0, refuse(ttlv.ResultReasonInvalidMessage, "%s stands where an attribute should", it.Tag)
		}
		a = managedkey.Attribute(it.Tag.Title())
		if _, standard := zeros[a]; !standard {
			return a, nil, 0, refuse(ttlv.ResultReasonInvalidField, "%s is no attribute", it.Tag)
		}
	} else if a, index, err = c.name(it); err != nil {
		return a, nil, 0, err
	}
	if err := known(a, c.version); err != nil {
		return a, nil, 0, err
	}
	if it.Tag == ttlv.TagAttribute {
		if it, err = it.Need(ttlv.TagAttributeValue); err != nil {
			return a, nil, 0, err
		}
	}
	v, err = value(a, it)
	return a, v, index, err
}

// name reads which attribute a structure Attribute is, or names.
func (c *call) name(it *ttlv.Item) (a managedkey.Attribute, index uint32, err error) {
	text, err := required(it, ttlv.TagAttributeName, (*ttlv.Item).TextString)
	if err != nil {
		return "", 0, err
	}
	a = named(text)
	if vendor, given, err := optional(it, ttlv.TagVendorIdentification, (*ttlv.Item).TextString); err != nil {
		return "", 0, err
	} else if given {
		a = managedkey.Custom(vendor, text)
	}
	n, _, err := optional(it, ttlv.TagAttributeIndex, (*ttlv.Item).Integer)
	if err == nil && n < 0 {
		err = refuse(ttlv.ResultReasonIndexOutOfBounds, "an attribute index is negative")
	}
	return a, uint32(n), err
}

// field reads a value of a custom attribute, which keeps its type.
func field(it *ttlv.Item, tag ttlv.Tag) (f managedkey.Field, err error) {
	f = managedkey.Field{Tag: uint32(tag), Kind: managedkey.ValueKind(it.Type())}
	switch it.Type() {
	case ttlv.TypeStructure:
		for i := range it.Items() {
			inner, err := field(&it.Items()[i], it.Items()[i].Tag)
			if err != nil {
				return f, err
			}
			f.Fields = append(f.Fields, inner)
		}
	case ttlv.TypeInteger:
		var n int32
		n, err = it.Integer()
		f.Number = int64(n)
	case ttlv.TypeLongInteger:
		f.Number, err = it.LongInteger()
	case ttlv.TypeEnumeration:
		var n uint32
		n, err = it.Enumeration()
		f.Number = int64(n)
	case ttlv.TypeBoolean:
		var b bool
		if b, err = it.Boolean(); b {
			f.Number = 1
		}
	case ttlv.TypeTextString:
		f.Text, err = it.TextString()
	case ttlv.TypeDateTime:
		f.Number, err = it.DateTime()
	case ttlv.TypeDateTimeExtended:
		f.Number, err = it.DateTimeExtended()
	case ttlv.TypeInterval:
		var n uint32
		n, err = it.Interval()
		f.Number = int64(n)
	case ttlv.TypeBigInteger:
		f.Bytes, err = it.BigIntegerBytes()
	default:
		var b []byte
		b, err = it.ByteString()
		f.Bytes = slices.Clone(b)
	}
	return f, err
}

// fieldItem writes a value of a custom attribute.
func fieldItem(tag ttlv.Tag, f managedkey.Field) ttlv.Item {
	switch ttlv.Type(f.Kind) {
	case ttlv.TypeStructure:
		out := ttlv.Structure(tag)
		for _, inner := range f.Fields {
			out.Add(fieldItem(ttlv.Tag(inner.Tag), inner))
		}
		return out
	case ttlv.TypeInteger:
		return ttlv.Integer(tag, int32(f.Number))
	case ttlv.TypeLongInteger:
		return ttlv.LongInteger(tag, f.Number)
	case ttlv.TypeEnumeration:
		return ttlv.Enumeration(tag, uint32(f.Number))
	case ttlv.TypeBoolean:
		return ttlv.Boolean(tag, f.Number == 1)
	case ttlv.TypeTextString:
		return ttlv.TextString(tag, f.Text)
	case ttlv.TypeDateTime:
		return ttlv.DateTime(tag, f.Number)
	case ttlv.TypeDateTimeExtended:
		return ttlv.DateTimeExtended(tag, f.Number)
	case ttlv.TypeInterval:
		return ttlv.Interval(tag, uint32(f.Number))
	case ttlv.TypeBigInteger:
		return ttlv.BigIntegerOf(tag, f.Bytes)
	}
	return ttlv.ByteString(tag, f.Bytes)
}

// vendorOf takes the name of a custom attribute apart.
func vendorOf(a managedkey.Attribute) (vendor, name string) {
	vendor, name, _ = strings.Cut(string(a), "-")
	return vendor, name
}
