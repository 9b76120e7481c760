package kmip

import (
	"errors"
	"slices"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// keyBlock is a key block that a request has (KMIP 1.4 section 2.1.3).
type keyBlock struct {
	managedkey.Key
	material []byte             // a copy, to be wiped; nil of a key whose value is kept elsewhere. See stored
	given    []managedkey.Value // attributes that stand beside the material
}

// keyBlock reads the key block of an object.
func (c *call) keyBlock(in *ttlv.Item) (*keyBlock, error) {
	it, err := in.Need(ttlv.TagKeyBlock)
	if err != nil {
		return nil, err
	}
	b := &keyBlock{}
	if err := c.described(&b.Key, it); err != nil {
		return nil, err
	}
	if err := c.keyValue(b, it); err != nil {
		clear(b.material)
		return nil, err
	}
	return b, nil
}

// described reads what a key block says of its key.
func (c *call) described(k *managedkey.Key, it *ttlv.Item) (err error) {
	if k.Format, err = required(it, ttlv.TagKeyFormatType, enumeration[managedkey.KeyFormat]); err != nil {
		return err
	}
	if err := c.format(k.Format); err != nil {
		return err
	}
	if k.Compression, _, err = optional(it, ttlv.TagKeyCompressionType, enumeration[managedkey.Compression]); err != nil {
		return err
	}
	if k.Algorithm, _, err = optional(it, ttlv.TagCryptographicAlgorithm, enumeration[managedkey.Algorithm]); err != nil {
		return err
	}
	k.Length, _, err = optional(it, ttlv.TagCryptographicLength, count)
	return err
}

// format refuses a key format type that the version has not.
func (c *call) format(f managedkey.KeyFormat) error {
	if span, known := ttlv.EnumSpan(ttlv.TagKeyFormatType, uint32(f)); !known || !span.Has(c.version) {
		return refuse(ttlv.ResultReasonKeyFormatTypeNotSupported, "version %s has no such key format type", c.version)
	}
	return nil
}

// enumeration reads a value of an enumeration as the type that managedkey has for it.
func enumeration[E ~uint32](it *ttlv.Item) (E, error) {
	n, err := it.Enumeration()
	return E(n), err
}

// count reads an Integer that is not negative.
func count(it *ttlv.Item) (uint32, error) {
	n, err := it.Integer()
	if err == nil && n < 0 {
		err = refuse(ttlv.ResultReasonInvalidField, "%s is negative", it.Tag)
	}
	return uint32(n), err
}

// keyValue reads the value of a key block: a structure, or a byte string if it is wrapped, or nothing at all since 1.2 (section 3.41: Key Value Present).
func (c *call) keyValue(b *keyBlock, it *ttlv.Item) error {
	value, wrapping := it.Find(ttlv.TagKeyValue), it.Find(ttlv.TagKeyWrappingData)
	switch {
	case value == nil && (wrapping != nil || c.version < ttlv.V12):
		_, err := it.Need(ttlv.TagKeyValue)
		return err
	case value == nil:
		return nil
	case wrapping != nil:
		return c.wrappedValue(b, value, wrapping)
	}
	material, err := value.Need(ttlv.TagKeyMaterial)
	if err == nil {
		err = b.take(material)
	}
	if err == nil {
		b.given, err = c.beside(value)
	}
	return err
}

// take copies the material.
func (b *keyBlock) take(it *ttlv.Item) (err error) {
	if parts, structured := transparent[b.Format]; structured {
		if err := parts.check(it); err != nil {
			return err
		}
		b.material, err = ttlv.Marshal(it, ttlv.Limits{})
		return err
	}
	material, err := it.ByteString()
	if err == nil && len(material) == 0 {
		err = refuse(ttlv.ResultReasonInvalidField, "the key material is empty")
	}
	b.material = slices.Clone(material)
	return err
}

// beside reads the attributes that stand in a key value.
func (c *call) beside(value *ttlv.Item) (out []managedkey.Value, err error) {
	for i := range value.Items() {
		var more []managedkey.Value
		switch it := &value.Items()[i]; it.Tag {
		case ttlv.TagAttribute:
			var v managedkey.Value
			v, err = c.one(it)
			more = []managedkey.Value{v}
		case ttlv.TagAttributes:
			more, err = c.values(it)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// keyBlockItem writes a key block around its value and, of a wrapped one, its wrapping data; either may be nil.
func keyBlockItem(k *managedkey.Key, value, wrapping *ttlv.Item) ttlv.Item {
	out := ttlv.Structure(ttlv.TagKeyBlock, ttlv.Enumeration(ttlv.TagKeyFormatType, uint32(k.Format)))
	if k.Compression != 0 {
		out.Add(ttlv.Enumeration(ttlv.TagKeyCompressionType, uint32(k.Compression)))
	}
	if value != nil {
		out.Add(*value)
	}
	if k.Algorithm != 0 {
		out.Add(ttlv.Enumeration(ttlv.TagCryptographicAlgorithm, uint32(k.Algorithm)))
	}
	if k.Length != 0 {
		out.Add(ttlv.Integer(ttlv.TagCryptographicLength, int32(k.Length)))
	}
	if wrapping != nil {
		out.Add(*wrapping)
	}
	return out
}

// keyValueItem writes a key value in clear, which keeps the material, with attributes.
func keyValueItem(k *managedkey.Key, material []byte, attributes ...ttlv.Item) (ttlv.Item, error) {
	it := ttlv.ByteString(ttlv.TagKeyMaterial, material)
	if _, structured := transparent[k.Format]; structured {
		tree, err := ttlv.Parse(material, ttlv.Limits{})
		if err != nil {
			return ttlv.Item{}, fault.New(fault.Corrupt, "the key material that is stored is no structure").Because(err)
		}
		it = *tree
	}
	out := ttlv.Structure(ttlv.TagKeyValue, it)
	out.Add(attributes...)
	return out, nil
}

// suiteBlock is stored material as the suite takes it: a copy, to be wiped.
func suiteBlock(t managedkey.ObjectType, k *managedkey.Key, material []byte) (suite.Block, error) {
	b := suite.Block{Class: suite.Class(t), Format: suite.Format(k.Format), Algorithm: suite.Algorithm(k.Algorithm), Length: int(k.Length)}
	if _, structured := transparent[k.Format]; !structured {
		b.Material = slices.Clone(material)
		return b, nil
	}
	tree, err := ttlv.Parse(material, ttlv.Limits{})
	if err != nil {
		return b, fault.New(fault.Corrupt, "the key material that is stored is no structure").Because(err)
	}
	b.Fields, err = fieldsOf(tree)
	return b, err
}

// stored is a key of the suite as it is kept: the material is the byte string of its format or, of a transparent one, the TTLV encoding of Key Material. It
// is a copy, to be wiped.
func stored(b *suite.Block) (k managedkey.Key, material []byte, err error) {
	k = managedkey.Key{Format: managedkey.KeyFormat(b.Format), Algorithm: managedkey.Algorithm(b.Algorithm), Length: uint32(b.Length)}
	if _, structured := transparent[k.Format]; !structured {
		return k, slices.Clone(b.Material), nil
	}
	it := fieldsItem(k.Format, &b.Fields)
	material, err = ttlv.Marshal(&it, ttlv.Limits{})
	return k, material, err
}

// parseKey makes a key of stored material, which stays the caller's. The key is the caller's to wipe. Material that was registered wrapped makes none.
func parseKey(t managedkey.ObjectType, k *managedkey.Key, material []byte) (*suite.Key, error) {
	if len(k.Wrapping) > 0 {
		return nil, refuse(ttlv.ResultReasonIllegalOperation, "the key was registered wrapped, and nothing here knows it")
	}
	b, err := suiteBlock(t, k, material)
	defer b.Wipe()
	if err != nil {
		return nil, err
	}
	key, err := suite.Parse(b)
	return key, keyRefusal(err)
}

// keyRefusal is what the suite says of a key, with the reason that KMIP has for formats.
func keyRefusal(err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Field == "key_format_type" {
		return refuse(ttlv.ResultReasonKeyFormatTypeNotSupported, "%s", f.Message)
	}
	return err
}
