package kmip

import (
	"reflect"
	"slices"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

var splittingOperations = map[uint32]operation{
	ttlv.OperationCreateSplitKey: {createSplitKey, true},
	ttlv.OperationJoinSplitKey:   {joinSplitKey, true},
}

// createSplitKey is Create Split Key (KMIP 1.4 section 4.38): parts of a key that is there or, if the request names none, of one that is drawn for it and
// kept nowhere.
func createSplitKey(c *call) (*ttlv.Item, error) {
	t, err := required(c.in, ttlv.TagObjectType, enumeration[managedkey.ObjectType])
	if err != nil {
		return nil, err
	}
	if t != managedkey.SplitKey {
		return nil, refuse(ttlv.ResultReasonInvalidObjectType, "the parts of a key are split keys")
	}
	given, err := c.given(ttlv.TagTemplateAttribute, ttlv.TagAttributes)
	if err != nil {
		return nil, err
	}
	if _, found := valueOf[managedkey.Name](given, managedkey.AttrName); found {
		return nil, refuse(ttlv.ResultReasonNonUniqueNameAttribute, "several parts cannot have one name")
	}
	s, err := c.splitting()
	if err != nil {
		return nil, err
	}
	k, secret, err := c.splitBase(given)
	defer clear(secret)
	if err != nil {
		return nil, err
	}
	parts, prime, err := suite.SplitKey(secret, s)
	defer wipeParts(parts)
	if err != nil {
		return nil, err
	}
	s.Prime = prime
	return c.splitAnswer(&k, s, parts, given)
}

// splitting reads how a key is to be split. The prime of a prime field is chosen here.
func (c *call) splitting() (s suite.Split, err error) {
	if s.Method, err = required(c.in, ttlv.TagSplitKeyMethod, enumeration[suite.Sharing]); err != nil {
		return s, err
	}
	n, err := required(c.in, ttlv.TagSplitKeyParts, count)
	if err != nil {
		return s, err
	}
	threshold, err := required(c.in, ttlv.TagSplitKeyThreshold, count)
	s.Parts, s.Threshold = int(n), int(threshold)
	return s, err
}

// splitBase is the key that is split, in the byte string of its format, to be wiped. One that does not leave this server in clear is not split: who has its
// parts has it.
func (c *call) splitBase(given []managedkey.Value) (k managedkey.Key, secret []byte, err error) {
	if c.in.Find(ttlv.TagUniqueIdentifier) == nil {
		a, bits, err := sized(given)
		if err != nil {
			return k, nil, err
		}
		return freshKey(a, bits)
	}
	id, err := c.object()
	if err != nil {
		return k, nil, err
	}
	o, err := c.stage.Object(id)
	if err != nil {
		return k, nil, err
	}
	switch o.Type {
	case managedkey.SymmetricKey, managedkey.PrivateKey, managedkey.SecretData:
	default:
		return k, nil, refuse(ttlv.ResultReasonIllegalObjectType, "object %s is no key, and not secret: it is not split", id)
	}
	plain, err := c.stage.Material(id, false)
	if err != nil {
		return k, nil, err
	}
	defer clear(plain)
	return inBytes(&o, plain)
}

// inBytes is a key in the byte string of its format or, of a transparent one, of the format that it has otherwise.
func inBytes(o *managedkey.Object, plain []byte) (k managedkey.Key, secret []byte, err error) {
	k = o.Key
	k.Digests = nil
	if _, structured := transparent[k.Format]; !structured && len(k.Wrapping) == 0 {
		return k, slices.Clone(plain), nil
	}
	key, err := parseKey(o.Type, &o.Key, plain)
	if err != nil {
		return k, nil, err
	}
	defer key.Wipe()
	written, secret, err := written(key, managedkey.KeyFormat(key.Formats()[0]))
	k.Format = written.Format
	return k, secret, err
}

// splitAnswer keeps the parts. The first becomes the ID placeholder.
func (c *call) splitAnswer(k *managedkey.Key, s suite.Split, parts []suite.Part, given []managedkey.Value) (*ttlv.Item, error) {
	out, first := ttlv.Structure(ttlv.TagResponsePayload), ""
	for _, p := range parts {
		of := &managedkey.Split{Parts: uint32(s.Parts), Identifier: uint32(p.Identifier), Threshold: uint32(s.Threshold),
			Method: managedkey.SplitMethod(s.Method), Prime: s.Prime}
		id, err := c.stage.Create(managedkey.Spec{Type: managedkey.SplitKey, Owner: c.caller.ID, Material: p.Data, Attributes: given,
			Key: managedkey.Key{Format: k.Format, Algorithm: k.Algorithm, Length: k.Length, SecretDataType: k.SecretDataType, Split: of}})
		if err != nil {
			return nil, err
		}
		if first == "" {
			first = id
		}
		out.Add(ttlv.TextString(ttlv.TagUniqueIdentifier, id))
	}
	c.left(first)
	return &out, nil
}

func wipeParts(parts []suite.Part) {
	for _, p := range parts {
		clear(p.Data)
	}
}

// joinSplitKey is Join Split Key (section 4.39). That parts are too few, or do not go together, is a cryptographic failure.
func joinSplitKey(c *call) (*ttlv.Item, error) {
	t, err := required(c.in, ttlv.TagObjectType, enumeration[managedkey.ObjectType])
	if err != nil {
		return nil, err
	}
	if t != managedkey.SymmetricKey && t != managedkey.PrivateKey && t != managedkey.SecretData {
		return nil, refuse(ttlv.ResultReasonInvalidObjectType, "parts are joined to symmetric and private keys and to secret data")
	}
	given, err := c.given(ttlv.TagTemplateAttribute, ttlv.TagAttributes)
	if err != nil {
		return nil, err
	}
	s := &managedkey.Spec{Type: t, Owner: c.caller.ID}
	s.Key, s.Material, err = c.joined()
	defer clear(s.Material)
	if err != nil {
		return nil, err
	}
	if s.Key.SecretDataType, err = c.secretType(t, s.Key.SecretDataType); err != nil {
		return nil, err
	}
	if err := c.settle(s, given); err != nil {
		return nil, err
	}
	return c.answered(c.stage.Register(*s))
}

// secretType is the type of secret data: what the request says or, if it says nothing, what the parts say.
func (c *call) secretType(t managedkey.ObjectType, of managedkey.SecretDataType) (managedkey.SecretDataType, error) {
	asked, given, err := optional(c.in, ttlv.TagSecretDataType, enumeration[managedkey.SecretDataType])
	switch {
	case err != nil || t != managedkey.SecretData:
		return 0, err
	case given:
		return asked, nil
	case of == 0:
		_, err = c.in.Need(ttlv.TagSecretDataType)
	}
	return of, err
}

// joined joins the parts that a request names. The material is to be wiped.
func (c *call) joined() (k managedkey.Key, secret []byte, err error) {
	ids, err := c.identifiers(ttlv.TagUniqueIdentifier)
	if err != nil {
		return k, nil, err
	}
	var parts []suite.Part
	defer func() { wipeParts(parts) }()
	for i, id := range ids {
		o, data, err := c.part(id)
		if err != nil {
			return k, nil, err
		}
		parts = append(parts, suite.Part{Identifier: int(o.Key.Split.Identifier), Data: data})
		if i > 0 && !together(&k, &o.Key) {
			return k, nil, suite.ErrFailed
		}
		k = o.Key
	}
	of := k.Split
	k.Split, k.Digests = nil, nil
	secret, err = suite.JoinKey(parts, suite.Split{Method: suite.Sharing(of.Method), Parts: int(of.Parts), Threshold: int(of.Threshold), Prime: of.Prime,
		Size: keySize(&k)})
	return k, secret, err
}

// together reports whether two parts are said to be of one key.
func together(a, b *managedkey.Key) bool {
	x, y := *a, *b
	p, q := *a.Split, *b.Split
	p.Identifier, q.Identifier = 0, 0
	x.Split, y.Split, x.Digests, y.Digests = &p, &q, nil, nil
	return reflect.DeepEqual(x, y)
}

// keySize is how many bytes a key has that is in one byte string and has a length; the parts of a prime field do not tell.
func keySize(k *managedkey.Key) int {
	if suite.Algorithm(k.Algorithm) == suite.TripleDES && k.Length%7 == 0 {
		return int(k.Length / 7)
	}
	return int(k.Length+7) / 8
}

// part is a split key, with its material, to be wiped.
func (c *call) part(id string) (o managedkey.Object, data []byte, err error) {
	if o, err = c.stage.Object(id); err != nil {
		return o, nil, err
	}
	if o.Type != managedkey.SplitKey {
		return o, nil, refuse(ttlv.ResultReasonIllegalObjectType, "object %s is no split key", id)
	}
	if len(o.Key.Wrapping) > 0 {
		return o, nil, refuse(ttlv.ResultReasonIllegalOperation, "object %s was registered wrapped, and nothing here knows it", id)
	}
	data, err = c.stage.Material(id, false)
	return o, data, err
}
