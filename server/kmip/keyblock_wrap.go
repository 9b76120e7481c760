package kmip

import (
	"slices"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// wrappedValue reads a key value that the client has wrapped. Nothing of it is understood here: the bytes are kept, with their key wrapping data. They come as
// the key value itself or, in the published case TC-WRAP-1-14, as the material in one.
func (c *call) wrappedValue(b *keyBlock, value, wrapping *ttlv.Item) (err error) {
	if _, err := required(wrapping, ttlv.TagWrappingMethod, (*ttlv.Item).Enumeration); err != nil {
		return err
	}
	kept := ttlv.Structure(ttlv.TagKeyBlock)
	bytes := value
	if value.Type() == ttlv.TypeStructure {
		kept.Add(ttlv.Structure(ttlv.TagKeyValue))
		if b.given, err = c.beside(value); err != nil {
			return err
		}
		bytes = value.Find(ttlv.TagKeyMaterial)
	}
	material, err := bytes.ByteString()
	if err != nil {
		return err
	}
	if len(material) == 0 {
		return refuse(ttlv.ResultReasonInvalidField, "the wrapped key value is empty")
	}
	kept.Add(*wrapping)
	b.Wrapping, err = ttlv.Marshal(&kept, ttlv.Limits{})
	b.material = slices.Clone(material)
	return err
}

// wrappingOf reads what wrappedValue has kept: the key wrapping data, and whether the bytes stood in a structure.
func wrappingOf(k *managedkey.Key) (data *ttlv.Item, inside bool, err error) {
	kept, err := ttlv.Parse(slices.Clone(k.Wrapping), ttlv.Limits{})
	if err == nil {
		data, err = kept.Need(ttlv.TagKeyWrappingData)
	}
	if err != nil {
		return nil, false, fault.New(fault.Corrupt, "the key wrapping data that are stored are none").Because(err)
	}
	return data, kept.Find(ttlv.TagKeyValue) != nil, nil
}

// asRegistered writes the key block of a key that was registered wrapped, as it came.
func asRegistered(k *managedkey.Key, material []byte) (ttlv.Item, error) {
	data, inside, err := wrappingOf(k)
	if err != nil {
		return ttlv.Item{}, err
	}
	value := ttlv.ByteString(ttlv.TagKeyValue, material)
	if inside {
		value = ttlv.Structure(ttlv.TagKeyValue, ttlv.ByteString(ttlv.TagKeyMaterial, material))
	}
	return keyBlockItem(k, &value, data), nil
}

// wrapping is how a key value is wrapped (section 2.1.5; a Key Wrapping Specification, section 2.1.6, says the same and more).
type wrapping struct {
	method   suite.Wrapping
	key      string     // unique identifier of the encryption key
	params   *ttlv.Item // its cryptographic parameters, nil for none
	encoding *ttlv.Item // nil stands for TTLV
	plain    bool       // the bytes of the material are wrapped alone: No Encoding
}

// wrapping reads a specification, or data. A MAC or a signature around the key is not done here.
func (c *call) wrapping(it *ttlv.Item) (w wrapping, err error) {
	if w.method, err = required(it, ttlv.TagWrappingMethod, enumeration[suite.Wrapping]); err != nil {
		return w, err
	}
	if w.method != suite.Encrypted || it.Find(ttlv.TagMACSignatureKeyInformation) != nil {
		return w, refuse(ttlv.ResultReasonFeatureNotSupported, "keys are wrapped by encryption alone")
	}
	info, err := it.Need(ttlv.TagEncryptionKeyInformation)
	if err != nil {
		return w, err
	}
	if w.key, err = required(info, ttlv.TagUniqueIdentifier, c.identifier); err != nil {
		return w, err
	}
	w.params, w.encoding = info.Find(ttlv.TagCryptographicParameters), it.Find(ttlv.TagEncodingOption)
	option, given, err := optional(it, ttlv.TagEncodingOption, (*ttlv.Item).Enumeration)
	if err == nil && given && option != ttlv.EncodingOptionNoEncoding && option != ttlv.EncodingOptionTTLVEncoding {
		err = refuse(ttlv.ResultReasonInvalidField, "there is no such encoding option")
	}
	w.plain = option == ttlv.EncodingOptionNoEncoding
	return w, err
}

// data writes the key wrapping data that answer a specification. An encryption key whose block cipher mode nobody has said tells which one it was.
func (w *wrapping) data(p *suite.Params) (ttlv.Item, error) {
	info := ttlv.Structure(ttlv.TagEncryptionKeyInformation, ttlv.TextString(ttlv.TagUniqueIdentifier, w.key))
	switch {
	case w.params != nil:
		again, err := copyOf(w.params)
		if err != nil {
			return ttlv.Item{}, err
		}
		info.Add(*again)
	case p != nil:
		info.Add(ttlv.Structure(ttlv.TagCryptographicParameters, ttlv.Enumeration(ttlv.TagBlockCipherMode, uint32(p.Mode))))
	}
	out := ttlv.Structure(ttlv.TagKeyWrappingData, ttlv.Enumeration(ttlv.TagWrappingMethod, uint32(w.method)), info)
	if w.encoding != nil {
		again, err := copyOf(w.encoding)
		if err != nil {
			return ttlv.Item{}, err
		}
		out.Add(*again)
	}
	return out, nil
}

// copyOf is a tree in memory of its own: an answer is wiped, and the request may be carried out again.
func copyOf(it *ttlv.Item) (*ttlv.Item, error) {
	b, err := ttlv.Marshal(it, ttlv.Limits{})
	if err != nil {
		return nil, err
	}
	return ttlv.Parse(b, ttlv.Limits{})
}

// use takes an encryption key for wrapping, or unwrapping, so many bytes. The key is the caller's to wipe. fell says that the key wraps in a mode that neither the
// request nor the key has named.
func (c *call) use(w *wrapping, as managedkey.UsageMask, size int) (key *suite.Key, p suite.Params, fell bool, err error) {
	o, plain, err := c.stage.Use(w.key, managedkey.Use{As: as, Length: int64(size)})
	if err != nil {
		return nil, p, false, c.wrapperRefusal(err)
	}
	defer clear(plain)
	if o.Type != managedkey.SymmetricKey && o.Type != managedkey.PublicKey && o.Type != managedkey.PrivateKey {
		return nil, p, false, refuse(ttlv.ResultReasonIllegalObjectType, "object %s is no key that wraps", o.ID)
	}
	if p, err = params(&o, w.params); err != nil {
		return nil, p, false, err
	}
	if fell = p.Mode == 0 && o.Key.Algorithm == managedkey.AES; fell {
		p.Mode = suite.NISTKeyWrap
	}
	if c.caller.PKCS1v15 {
		p.Allow |= suite.PKCS1v15Decryption
	}
	key, err = parseKey(o.Type, &o.Key, plain)
	return key, p, fell, err
}

// wrapperRefusals are what KMIP 2.x says of an encryption key that cannot be used; before, it is said as of any object.
var wrapperRefusals = map[managedkey.Reason]Reason{
	managedkey.ReasonObjectNotFound:  ttlv.ResultReasonWrappingObjectNotFound,
	managedkey.ReasonObjectArchived:  ttlv.ResultReasonWrappingObjectArchived,
	managedkey.ReasonObjectDestroyed: ttlv.ResultReasonWrappingObjectDestroyed,
}

func (c *call) wrapperRefusal(err error) error {
	r := refusalOf(err)
	instead, known := wrapperRefusals[managedkey.ReasonOf(err)]
	if r.Reason == ttlv.ResultReasonItemNotFound { // the session's own, of an object that the caller does not see
		instead, known = ttlv.ResultReasonWrappingObjectNotFound, true
	}
	if known && c.version >= ttlv.V20 {
		return &Refusal{instead, r.Message}
	}
	return err
}

// wrap writes the key block of a key with its value wrapped as a specification asks, with the attributes of the object that it names inside. The material stays the
// caller's.
func (c *call) wrap(id string, k *managedkey.Key, material []byte, specification *ttlv.Item) (ttlv.Item, error) {
	w, err := c.wrapping(specification)
	if err != nil {
		return ttlv.Item{}, err
	}
	value, err := c.encoded(id, k, material, specification, &w)
	if err != nil {
		return ttlv.Item{}, err
	}
	defer clear(value)
	key, p, fell, err := c.use(&w, managedkey.UseWrap, len(value))
	if err != nil {
		return ttlv.Item{}, err
	}
	defer key.Wipe()
	wrapped, err := suite.Wrap(key, w.method, p, value)
	if err != nil {
		return ttlv.Item{}, unfit(err)
	}
	var told *suite.Params
	if fell {
		told = &p
	}
	data, err := w.data(told)
	out := ttlv.ByteString(ttlv.TagKeyValue, wrapped)
	return keyBlockItem(k, &out, &data), err
}

// encoded is what is wrapped: the key value in TTLV with its attributes, or the bytes of the material alone, which no attributes stand beside. It is a copy, to be
// wiped.
func (c *call) encoded(id string, k *managedkey.Key, material []byte, specification *ttlv.Item, w *wrapping) ([]byte, error) {
	names, err := (&call{c.session, c.ctx, c.version, specification}).asked()
	if err != nil {
		return nil, err
	}
	_, structured := transparent[k.Format]
	switch {
	case w.plain && (structured || len(names) > 0):
		return nil, refuse(ttlv.ResultReasonEncodingOptionError, "without an encoding a key value has one byte string, and no attributes")
	case w.plain:
		return slices.Clone(material), nil
	}
	attributes, err := c.attributesOf(id, names)
	if err != nil {
		return nil, err
	}
	value, err := keyValueItem(k, material, attributes...)
	if err != nil {
		return nil, err
	}
	return ttlv.Marshal(&value, ttlv.Limits{})
}

// attributesOf writes the attributes of an object that have these names, in their order.
func (c *call) attributesOf(id string, names []managedkey.Attribute) ([]ttlv.Item, error) {
	var all []managedkey.Instance
	for _, a := range names {
		some, err := c.stage.Attribute(id, a)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	if len(all) == 0 {
		return nil, nil
	}
	return attributesItems(c.version, all), nil
}

// unwrap makes of a key that was registered wrapped one in clear. The material is the caller's to wipe.
func (c *call) unwrap(k managedkey.Key, wrapped []byte) (managedkey.Key, []byte, error) {
	data, _, err := wrappingOf(&k)
	if err != nil {
		return k, nil, err
	}
	w, err := c.wrapping(data)
	if err != nil {
		return k, nil, refuse(ttlv.ResultReasonKeyWrapTypeNotSupported, "the key was wrapped in a way that is not unwrapped here")
	}
	key, p, _, err := c.use(&w, managedkey.UseUnwrap, len(wrapped))
	if err != nil {
		return k, nil, err
	}
	defer key.Wipe()
	value, err := suite.Unwrap(key, w.method, p, wrapped)
	if err != nil {
		return k, nil, unfit(err)
	}
	defer clear(value)
	k.Wrapping = nil
	b := keyBlock{Key: k}
	err = b.unpack(value, w.plain)
	return b.Key, b.material, err
}

// unpack takes the material out of what was unwrapped. What is there is secret, and so is why it cannot be taken.
func (b *keyBlock) unpack(value []byte, plain bool) error {
	if plain {
		it := ttlv.ByteString(ttlv.TagKeyMaterial, value)
		if b.take(&it) != nil {
			return suite.ErrFailed
		}
		return nil
	}
	tree, err := ttlv.Parse(value, ttlv.Limits{})
	if err != nil {
		return suite.ErrFailed
	}
	if it := tree.Find(ttlv.TagKeyMaterial); tree.Tag != ttlv.TagKeyValue || it == nil || b.take(it) != nil {
		return suite.ErrFailed
	}
	return nil
}
