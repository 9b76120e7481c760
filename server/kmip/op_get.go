package kmip

import (
	"slices"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

var gettingOperations = map[uint32]operation{
	ttlv.OperationGet:    {get, false},
	ttlv.OperationExport: {export, false},
}

// get is Get (KMIP 1.4 section 4.11). An object that was given to nobody yet is not fresh any more.
func get(c *call) (*ttlv.Item, error) {
	id, err := c.object()
	if err != nil {
		return nil, err
	}
	o, it, err := c.handed(id)
	if err != nil {
		return nil, err
	}
	c.left(id)
	out := handedPayload(o)
	out.Add(it)
	return out, nil
}

// export is Export (KMIP 1.4 chapter 4): Get, with all attributes of the object.
func export(c *call) (*ttlv.Item, error) {
	id, err := c.object()
	if err != nil {
		return nil, err
	}
	o, it, err := c.handed(id)
	if err != nil {
		return nil, err
	}
	all, err := c.stage.Attributes(id)
	if err != nil {
		it.Wipe()
		return nil, err
	}
	c.left(id)
	out := handedPayload(o)
	out.Add(attributesItems(c.version, all)...)
	out.Add(it)
	return out, nil
}

func handedPayload(o *managedkey.Object) *ttlv.Item {
	out := ttlv.Structure(ttlv.TagResponsePayload, ttlv.Enumeration(ttlv.TagObjectType, uint32(o.Type)), ttlv.TextString(ttlv.TagUniqueIdentifier, o.ID))
	return &out
}

// wish is how a client wants a key.
type wish struct {
	format      managedkey.KeyFormat // 0: as it is
	compression managedkey.Compression
	unwrapped   bool       // one that was registered wrapped is to be unwrapped
	wrapping    *ttlv.Item // key wrapping specification, nil for none
}

func (c *call) wish() (w wish, err error) {
	if w.format, _, err = optional(c.in, ttlv.TagKeyFormatType, enumeration[managedkey.KeyFormat]); err != nil {
		return w, err
	}
	if w.format != 0 {
		if err := c.format(w.format); err != nil {
			return w, err
		}
	}
	if w.compression, _, err = optional(c.in, ttlv.TagKeyCompressionType, enumeration[managedkey.Compression]); err != nil {
		return w, err
	}
	wrap, given, err := optional(c.in, ttlv.TagKeyWrapType, (*ttlv.Item).Enumeration)
	if err == nil && given && wrap != ttlv.KeyWrapTypeNotWrapped && wrap != ttlv.KeyWrapTypeAsRegistered {
		err = refuse(ttlv.ResultReasonKeyWrapTypeNotSupported, "there is no such key wrap type")
	}
	w.unwrapped, w.wrapping = wrap == ttlv.KeyWrapTypeNotWrapped, c.in.Find(ttlv.TagKeyWrappingSpecification)
	return w, err
}

// handed is an object as a request wants it. That the object is given away is noted when all of it is there.
func (c *call) handed(id string) (*managedkey.Object, ttlv.Item, error) {
	o, err := c.stage.Object(id)
	if err != nil {
		return nil, ttlv.Item{}, err
	}
	w, err := c.wish()
	if err != nil {
		return nil, ttlv.Item{}, err
	}
	it, err := c.content(&o, &w)
	if err != nil {
		it.Wipe()
		return nil, ttlv.Item{}, err
	}
	if _, err := c.stage.Get(id); err != nil {
		it.Wipe()
		return nil, ttlv.Item{}, err
	}
	return &o, it, nil
}

// content writes an object. One of whose value is kept elsewhere there is the rest of the key block; one that is not there at all Get refuses.
func (c *call) content(o *managedkey.Object, w *wish) (ttlv.Item, error) {
	if o.Type == managedkey.Template {
		it, err := c.storedTemplate(o.ID)
		if err != nil {
			return ttlv.Item{}, err
		}
		return *it, nil
	}
	if kinds[o.Type].value != 0 {
		return c.value(o, w)
	}
	if !o.Present {
		return objectItem(o, keyBlockItem(&o.Key, nil, nil)), nil
	}
	block, err := c.block(o, w)
	return objectItem(o, block), err
}

// plainFormats are those of objects that are one byte string.
var plainFormats = map[managedkey.ObjectType]managedkey.KeyFormat{
	managedkey.Certificate:        managedkey.KeyFormat(ttlv.KeyFormatTypeX509),
	managedkey.CertificateRequest: managedkey.KeyFormat(ttlv.KeyFormatTypePKCS10),
	managedkey.OpaqueObject:       managedkey.KeyFormat(ttlv.KeyFormatTypeOpaque),
}

// value writes an object that is one byte string, which is not wrapped and has one format.
func (c *call) value(o *managedkey.Object, w *wish) (ttlv.Item, error) {
	switch {
	case w.wrapping != nil:
		return ttlv.Item{}, refuse(ttlv.ResultReasonIllegalObjectType, "an object without a key block is not wrapped")
	case w.compression != 0:
		return ttlv.Item{}, refuse(ttlv.ResultReasonKeyCompressionTypeNotSupported, "an object without a key block is not compressed")
	case w.format != 0 && w.format != plainFormats[o.Type]:
		return ttlv.Item{}, refuse(ttlv.ResultReasonKeyFormatTypeNotSupported, "the object is not to be had in this format")
	}
	plain, err := c.stage.Material(o.ID, false)
	if err != nil {
		return ttlv.Item{}, err
	}
	return objectItem(o, ttlv.ByteString(kinds[o.Type].value, plain)), nil
}

// block writes the key block of a key whose value is here.
func (c *call) block(o *managedkey.Object, w *wish) (ttlv.Item, error) {
	foreign := len(o.Key.Wrapping) > 0
	plain, err := c.stage.Material(o.ID, w.wrapping != nil || foreign && !w.unwrapped)
	if err != nil {
		return ttlv.Item{}, err
	}
	if foreign && !w.unwrapped {
		return c.foreign(o, w, plain)
	}
	defer clear(plain)
	k, material, err := c.inClear(o, w, plain)
	if err != nil {
		return ttlv.Item{}, err
	}
	if w.wrapping != nil {
		defer clear(material)
		return c.wrap(o.ID, &k, material, w.wrapping)
	}
	value, err := keyValueItem(&k, material)
	return keyBlockItem(&k, &value, nil), err
}

// foreign gives out a key that was registered wrapped as it came. It cannot be written in another way, nor wrapped once more.
func (c *call) foreign(o *managedkey.Object, w *wish, wrapped []byte) (ttlv.Item, error) {
	switch {
	case w.wrapping != nil:
		return ttlv.Item{}, refuse(ttlv.ResultReasonIllegalOperation, "the key was registered wrapped: it is wrapped already")
	case w.format != 0 && w.format != o.Key.Format:
		return ttlv.Item{}, refuse(ttlv.ResultReasonKeyFormatTypeNotSupported, "the key was registered wrapped, and is not to be had in another format")
	case w.compression != 0 && w.compression != o.Key.Compression:
		return ttlv.Item{}, refuse(ttlv.ResultReasonKeyCompressionTypeNotSupported, "the key was registered wrapped, and is not compressed in another way")
	}
	return asRegistered(&o.Key, wrapped)
}

// inClear is a key in clear, in the format that is wanted: a copy, to be wiped.
func (c *call) inClear(o *managedkey.Object, w *wish, plain []byte) (k managedkey.Key, material []byte, err error) {
	k, material = o.Key, slices.Clone(plain)
	if len(k.Wrapping) > 0 {
		clear(material)
		if k, material, err = c.unwrap(k, plain); err != nil {
			return k, nil, err
		}
	}
	if err := compressed(o, &k, w.compression); err != nil {
		clear(material)
		return k, nil, err
	}
	f := w.format
	if f == 0 {
		f = c.formatOf(&k)
	}
	if f == k.Format {
		return k, material, nil
	}
	defer clear(material)
	return reformed(o.Type, &k, material, f)
}

// otherFormats are those of keys on curves: KMIP 1.3 has one where the versions before it have one for each algorithm, which 2.0 has not any more.
var otherFormats = map[managedkey.KeyFormat]uint32{
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentECPrivateKey):    ttlv.KeyFormatTypeTransparentECDSAPrivateKey,
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentECPublicKey):     ttlv.KeyFormatTypeTransparentECDSAPublicKey,
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentECDSAPrivateKey): ttlv.KeyFormatTypeTransparentECPrivateKey,
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentECDSAPublicKey):  ttlv.KeyFormatTypeTransparentECPublicKey,
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentECDHPrivateKey):  ttlv.KeyFormatTypeTransparentECPrivateKey,
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentECDHPublicKey):   ttlv.KeyFormatTypeTransparentECPublicKey,
}

// formatOf is the format in which a key is given out that is to be had as it is: another, if the version does not have its own.
func (c *call) formatOf(k *managedkey.Key) managedkey.KeyFormat {
	other, found := otherFormats[k.Format]
	switch {
	case !found || c.format(k.Format) == nil:
		return k.Format
	case suite.Algorithm(k.Algorithm) == suite.ECDH && c.version < ttlv.V13: // the formats of ECDH come two behind those of ECDSA
		other += ttlv.KeyFormatTypeTransparentECDHPrivateKey - ttlv.KeyFormatTypeTransparentECDSAPrivateKey
	}
	return managedkey.KeyFormat(other)
}

// compressed refuses a compression that the key does not have. Points of elliptic curves stand uncompressed in every format that is written here.
func compressed(o *managedkey.Object, k *managedkey.Key, want managedkey.Compression) error {
	const uncompressed = managedkey.Compression(ttlv.KeyCompressionTypeECPublicKeyTypeUncompressed)
	if want == 0 || want == k.Compression || k.Compression == 0 && want == uncompressed && o.Type == managedkey.PublicKey {
		return nil
	}
	return refuse(ttlv.ResultReasonKeyCompressionTypeNotSupported, "the key is not compressed so")
}

// reformed writes stored material in another format. What is no key that the suite reads has one, of which Raw and Opaque are two names.
func reformed(t managedkey.ObjectType, k *managedkey.Key, material []byte, f managedkey.KeyFormat) (managedkey.Key, []byte, error) {
	names := []managedkey.KeyFormat{managedkey.RawFormat, managedkey.KeyFormat(ttlv.KeyFormatTypeOpaque)}
	out := *k
	switch {
	case kinds[t].check == nil && slices.Contains(names, f) && slices.Contains(names, k.Format):
		out.Format = f
		return out, slices.Clone(material), nil
	case kinds[t].check == nil || unread[k.Format].of != 0 || encrypted(k, material):
		return out, nil, refuse(ttlv.ResultReasonKeyFormatTypeNotSupported, "the key is to be had in the format that it came in")
	}
	key, err := parseKey(t, k, material)
	if err != nil {
		return out, nil, err
	}
	defer key.Wipe()
	other, again, err := written(key, f)
	out.Format = other.Format
	return out, again, err
}
