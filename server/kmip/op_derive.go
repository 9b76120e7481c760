package kmip

import (
	"slices"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

var derivingOperations = map[uint32]operation{
	ttlv.OperationDeriveKey: {deriveKey, true},
}

// Links between what is derived and what it is derived from.
const (
	baseLink    = managedkey.LinkType(ttlv.LinkTypeDerivationBaseObjectLink)
	derivedLink = managedkey.LinkType(ttlv.LinkTypeDerivedKeyLink)
)

// deriveKey is Derive Key (KMIP 1.4 section 4.6).
func deriveKey(c *call) (*ttlv.Item, error) {
	t, err := required(c.in, ttlv.TagObjectType, enumeration[managedkey.ObjectType])
	if err != nil {
		return nil, err
	}
	if t != managedkey.SymmetricKey && t != managedkey.SecretData {
		return nil, refuse(ttlv.ResultReasonInvalidObjectType, "symmetric keys and secret data are derived")
	}
	given, err := c.given(ttlv.TagTemplateAttribute, ttlv.TagAttributes)
	if err != nil {
		return nil, err
	}
	s := &managedkey.Spec{Type: t, Owner: c.caller.ID, Key: managedkey.Key{Format: managedkey.RawFormat}}
	size, err := derivedSize(t, given)
	if err != nil {
		return nil, err
	}
	if t == managedkey.SecretData {
		s.Key.SecretDataType = managedkey.SecretDataType(ttlv.SecretDataTypeSeed)
	}
	bases, err := c.identifiers(ttlv.TagUniqueIdentifier)
	if err != nil {
		return nil, err
	}
	s.Material, err = c.derive(bases, size)
	defer clear(s.Material)
	if err != nil {
		return nil, err
	}
	for _, base := range bases {
		s.Attributes = append(s.Attributes, managedkey.Value{Attribute: managedkey.AttrLink, Value: managedkey.Link{Type: baseLink, Target: base}})
	}
	if err := c.settle(s, given); err != nil {
		return nil, err
	}
	return c.derived(s, bases)
}

// derived makes the object, and links the bases to it: one that has as many links as it may have stays as it is.
func (c *call) derived(s *managedkey.Spec, bases []string) (*ttlv.Item, error) {
	id, err := c.stage.Create(*s)
	if err != nil {
		return nil, err
	}
	for _, base := range bases {
		_, err := c.stage.AddAttribute(base, managedkey.AttrLink, managedkey.Link{Type: derivedLink, Target: id})
		if err != nil && managedkey.ReasonOf(err) != managedkey.ReasonLimitReached {
			return nil, err
		}
	}
	return c.answered(id, nil)
}

// derivedSize is how many bytes are derived: the cryptographic length says so, which does not count the parity bits of 3DES, or does.
func derivedSize(t managedkey.ObjectType, given []managedkey.Value) (int, error) {
	a, named := valueOf[managedkey.Algorithm](given, managedkey.AttrAlgorithm)
	bits, long := valueOf[uint32](given, managedkey.AttrLength)
	switch {
	case !long || t == managedkey.SymmetricKey && !named:
		return 0, refuse(ttlv.ResultReasonInvalidField, "what is derived needs a cryptographic length, and a key a cryptographic algorithm")
	case suite.Algorithm(a) == suite.TripleDES && bits%7 == 0:
		return int(bits / 7), nil
	case bits%8 != 0:
		return 0, refuse(ttlv.ResultReasonInvalidField, "the cryptographic length is no number of bytes")
	}
	return int(bits / 8), nil
}

// identifiers reads the objects that a request names under a tag, none twice. The ID placeholder stands for none of them.
func (c *call) identifiers(tag ttlv.Tag) (out []string, err error) {
	for it := range c.in.All(tag) {
		id, err := c.identifier(it)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, id) {
			return nil, refuse(ttlv.ResultReasonInvalidField, "object %s is named twice", id)
		}
		out = append(out, id)
	}
	if len(out) == 0 {
		_, err = c.in.Need(tag)
	}
	return out, err
}

// derive derives so many bytes, to be wiped, from objects whose usage mask lets it. With the method Asymmetric Key they are a private and a public key; with
// others a key or secret data, and secret data with the derivation data if the request has none.
func (c *call) derive(ids []string, size int) ([]byte, error) {
	method, err := required(c.in, ttlv.TagDerivationMethod, enumeration[suite.Method])
	if err != nil {
		return nil, err
	}
	if span, known := ttlv.EnumSpan(ttlv.TagDerivationMethod, uint32(method)); !known || !span.Has(c.version) {
		return nil, refuse(ttlv.ResultReasonInvalidField, "version %s has no such derivation method", c.version)
	}
	bases := make([]base, 0, len(ids))
	defer func() { wipeBases(bases) }()
	for _, id := range ids {
		b, err := c.base(id)
		if err != nil {
			return nil, err
		}
		bases = append(bases, b)
	}
	if method == suite.AsymmetricKey {
		return agreed(bases, size)
	}
	d, err := c.derivation(method, bases)
	if err != nil {
		return nil, err
	}
	secret, err := bases[0].bytes()
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	out, err := suite.Derive(secret, d, size)
	return out, unfit(err)
}

// base is what something is derived from.
type base struct {
	managedkey.Object
	plain []byte
}

func wipeBases(all []base) {
	for _, b := range all {
		clear(b.plain)
	}
}

func (c *call) base(id string) (base, error) {
	o, plain, err := c.stage.Use(id, managedkey.Use{As: managedkey.UseDerive})
	if err == nil && len(o.Key.Wrapping) > 0 {
		clear(plain)
		err = refuse(ttlv.ResultReasonIllegalOperation, "object %s was registered wrapped, and nothing here knows it", id)
	}
	return base{o, plain}, err
}

// bytes are the secret of a key or of secret data, to be wiped.
func (b *base) bytes() ([]byte, error) {
	switch {
	case b.Type == managedkey.SecretData:
		return slices.Clone(b.plain), nil
	case b.Type != managedkey.SymmetricKey:
		return nil, refuse(ttlv.ResultReasonIllegalObjectType, "symmetric keys and secret data are derived from with this method")
	}
	key, err := parseKey(b.Type, &b.Key, b.plain)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	if !key.Usable() {
		return slices.Clone(b.plain), nil
	}
	_, material, err := written(key, managedkey.RawFormat)
	return material, err
}

// derivation reads the method's parameters.
func (c *call) derivation(method suite.Method, bases []base) (d suite.Derivation, err error) {
	in := c.in.Find(ttlv.TagDerivationParameters)
	if d.Params, err = params(&bases[0].Object, in.Find(ttlv.TagCryptographicParameters)); err != nil {
		return d, err
	}
	d.Method = method
	if method == suite.EncryptMethod && d.Params.Algorithm == 0 {
		d.Params.Algorithm = suite.Algorithm(bases[0].Key.Algorithm)
	}
	for tag, to := range map[ttlv.Tag]*[]byte{ttlv.TagInitializationVector: &d.IV, ttlv.TagDerivationData: &d.Data, ttlv.TagSalt: &d.Salt} {
		if *to, _, err = optional(in, tag, (*ttlv.Item).ByteString); err != nil {
			return d, err
		}
	}
	iterations, _, err := optional(in, ttlv.TagIterationCount, count)
	d.Iterations = int(iterations)
	if err == nil && len(bases) > 1 {
		err = dataFrom(&d, bases[1:])
	}
	return d, err
}

// dataFrom takes the derivation data from secret data.
func dataFrom(d *suite.Derivation, more []base) error {
	if len(more) > 1 || more[0].Type != managedkey.SecretData || len(d.Data) > 0 {
		return refuse(ttlv.ResultReasonInvalidField, "beside the object that is derived from, secret data with the derivation data are taken, if there are no others")
	}
	d.Data = more[0].plain
	return nil
}

// agreed is the secret that a private and a public key agree on.
func agreed(bases []base, size int) ([]byte, error) {
	halves := map[managedkey.ObjectType]*suite.Key{}
	for i := range bases {
		b := &bases[i]
		if b.Type != managedkey.PrivateKey && b.Type != managedkey.PublicKey {
			continue
		}
		key, err := parseKey(b.Type, &b.Key, b.plain)
		if err != nil {
			return nil, err
		}
		defer key.Wipe()
		halves[b.Type] = key
	}
	if len(bases) != 2 || len(halves) != 2 {
		return nil, refuse(ttlv.ResultReasonInvalidField, "this method takes a private and a public key")
	}
	out, err := suite.Agree(halves[managedkey.PrivateKey], halves[managedkey.PublicKey], size)
	return out, unfit(err)
}
