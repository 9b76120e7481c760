package kmip

import (
	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

var makingOperations = map[uint32]operation{
	ttlv.OperationCreate:        {create, true},
	ttlv.OperationCreateKeyPair: {createKeyPair, true},
	ttlv.OperationRegister:      {register, true},
}

// drawn says of keys that are made here how that was done: by the random number generator of the operating system, which names no algorithm.
func drawn() *managedkey.RNG {
	return &managedkey.RNG{Algorithm: managedkey.RNGAlgorithm(ttlv.RNGAlgorithmUnspecified)}
}

// register is Register (KMIP 1.4 section 4.3).
func register(c *call) (*ttlv.Item, error) {
	t, err := required(c.in, ttlv.TagObjectType, enumeration[managedkey.ObjectType])
	if err != nil {
		return nil, err
	}
	if err := c.storage(ttlv.TagProtectionStorageMasks); err != nil {
		return nil, err
	}
	given, err := c.given(ttlv.TagTemplateAttribute, ttlv.TagAttributes)
	if err != nil {
		return nil, err
	}
	s, err := c.received(t)
	defer clear(s.Material)
	if err != nil {
		return nil, err
	}
	if err := c.settle(s, given); err != nil {
		return nil, err
	}
	return c.answered(c.stage.Register(*s))
}

// answered is the answer that has the unique identifier of an object alone, which becomes the ID placeholder.
func (c *call) answered(id string, err error) (*ttlv.Item, error) {
	if err != nil {
		return nil, err
	}
	c.left(id)
	return payload(id), nil
}

// storage refuses an object that is to be kept elsewhere than this server keeps it (KMIP 2.1 section 7.27): in software, on the server.
func (c *call) storage(tag ttlv.Tag) error {
	masks := c.in.Find(tag)
	if masks == nil || c.version < ttlv.V21 {
		return nil
	}
	for it := range masks.All(ttlv.TagProtectionStorageMask) {
		if m, err := it.Integer(); err != nil || m&^(ttlv.ProtectionSoftware|ttlv.ProtectionOnSystem|ttlv.ProtectionOperatingSystem) == 0 {
			return err
		}
	}
	return refuse(ttlv.ResultReasonProtectionStorageUnavailable, "objects are kept in software, on this system")
}

// create is Create (section 4.1): a symmetric key, of which algorithm and length are given. One that is given no usage mask, as in the published case
// TC-CS-CORVAL-1-14, is for nothing.
func create(c *call) (*ttlv.Item, error) {
	t, err := required(c.in, ttlv.TagObjectType, enumeration[managedkey.ObjectType])
	if err != nil {
		return nil, err
	}
	if t != managedkey.SymmetricKey {
		return nil, refuse(ttlv.ResultReasonInvalidObjectType, "symmetric keys alone are created: register other objects, or create a key pair")
	}
	if err := c.storage(ttlv.TagProtectionStorageMasks); err != nil {
		return nil, err
	}
	given, err := c.given(ttlv.TagTemplateAttribute, ttlv.TagAttributes)
	if err != nil {
		return nil, err
	}
	s, err := fresh(given)
	if err != nil {
		return nil, err
	}
	defer clear(s.Material)
	s.Owner = c.caller.ID
	id, err := c.stage.Create(*s)
	if err != nil {
		return nil, err
	}
	c.left(id)
	out := ttlv.Structure(ttlv.TagResponsePayload, ttlv.Enumeration(ttlv.TagObjectType, uint32(t)), ttlv.TextString(ttlv.TagUniqueIdentifier, id))
	return &out, nil
}

// sized is the algorithm and the length that attributes give.
func sized(given []managedkey.Value) (a managedkey.Algorithm, bits uint32, err error) {
	a, named := valueOf[managedkey.Algorithm](given, managedkey.AttrAlgorithm)
	bits, long := valueOf[uint32](given, managedkey.AttrLength)
	if !named || !long {
		err = refuse(ttlv.ResultReasonInvalidField, "a key needs a cryptographic algorithm and a cryptographic length")
	}
	return a, bits, err
}

// fresh draws a symmetric key of the algorithm and the length that are given. Its material is to be wiped.
func fresh(given []managedkey.Value) (*managedkey.Spec, error) {
	a, bits, err := sized(given)
	if err != nil {
		return nil, err
	}
	s := &managedkey.Spec{Type: managedkey.SymmetricKey, RNG: drawn(), Attributes: given}
	s.Key, s.Material, err = freshKey(a, bits)
	return s, err
}

// freshKey draws a symmetric key. Its length is the one that was asked for: clients count the parity bits of 3DES, or do not.
func freshKey(a managedkey.Algorithm, bits uint32) (managedkey.Key, []byte, error) {
	key, err := suite.GenerateSymmetric(suite.Algorithm(a), int(bits))
	if err != nil {
		return managedkey.Key{}, nil, err
	}
	defer key.Wipe()
	k, material, err := written(key, 0)
	k.Length = bits
	return k, material, err
}

// written is a key as it is kept in a format, 0 for its own. The material is to be wiped.
func written(key *suite.Key, f managedkey.KeyFormat) (managedkey.Key, []byte, error) {
	b, err := key.Block(suite.Format(f))
	if err != nil {
		return managedkey.Key{}, nil, keyRefusal(err)
	}
	defer b.Wipe()
	return stored(&b)
}

// createKeyPair is Create Key Pair (section 4.2).
func createKeyPair(c *call) (*ttlv.Item, error) {
	for _, tag := range []ttlv.Tag{ttlv.TagCommonProtectionStorageMasks, ttlv.TagPrivateProtectionStorageMasks, ttlv.TagPublicProtectionStorageMasks} {
		if err := c.storage(tag); err != nil {
			return nil, err
		}
	}
	given, err := c.pairGiven()
	if err != nil {
		return nil, err
	}
	w, err := wanted(given)
	if err != nil {
		return nil, err
	}
	p, err := c.freshPair(w)
	defer p.wipe()
	if err != nil {
		return nil, err
	}
	for i := range p {
		p[i].Owner, p[i].Attributes = c.caller.ID, laid(p[i].Attributes, given[i])
	}
	return c.pairAnswer(c.stage.CreatePair(p[private], p[public]))
}

// The halves of a pair.
const (
	private = 0
	public  = 1
)

// pairGiven are the attributes that a request gives for the halves of a pair: those that are common, and their own.
func (c *call) pairGiven() (out [2][]managedkey.Value, err error) {
	common, err := c.given(ttlv.TagCommonTemplateAttribute, ttlv.TagCommonAttributes)
	if err != nil {
		return out, err
	}
	for i, tags := range [2][2]ttlv.Tag{
		{ttlv.TagPrivateKeyTemplateAttribute, ttlv.TagPrivateKeyAttributes}, {ttlv.TagPublicKeyTemplateAttribute, ttlv.TagPublicKeyAttributes}} {
		own, err := c.given(tags[0], tags[1])
		if err != nil {
			return out, err
		}
		out[i] = laid(common, own)
	}
	return out, nil
}

// wanted is the pair that attributes ask for. What both halves say they say the same.
func wanted(given [2][]managedkey.Value) (w suite.Wanted, err error) {
	for _, half := range given {
		a, _ := valueOf[managedkey.Algorithm](half, managedkey.AttrAlgorithm)
		bits, _ := valueOf[uint32](half, managedkey.AttrLength)
		d, _ := valueOf[managedkey.Domain](half, managedkey.AttrDomain)
		if !agree(&w.Algorithm, suite.Algorithm(a)) || !agree(&w.Length, int(bits)) || !agree(&w.Curve, suite.Curve(d.Curve)) {
			return w, refuse(ttlv.ResultReasonInvalidField, "the halves of a pair have one algorithm, one length and one curve")
		}
	}
	if w.Algorithm == 0 {
		err = refuse(ttlv.ResultReasonInvalidField, "a key pair needs a cryptographic algorithm")
	}
	return w, err
}

// agree notes what was said, and is false of something else than was said before.
func agree[T comparable](w *T, said T) bool {
	var nothing T
	if *w == nothing {
		*w = said
	}
	return said == nothing || *w == said
}

// pair is a private key and its public key.
type pair [2]managedkey.Spec

func (p *pair) wipe() {
	for i := range p {
		clear(p[i].Material)
	}
}

// freshPair draws a pair, to be wiped. One on a curve says which.
func (c *call) freshPair(w suite.Wanted) (p pair, err error) {
	if c.caller.SmallRSA {
		w.Allow |= suite.SmallRSA
	}
	secret, open, err := suite.GeneratePair(w)
	if err != nil {
		return p, err
	}
	defer secret.Wipe()
	for i, key := range []*suite.Key{secret, open} {
		p[i].RNG = drawn()
		if p[i].Key, p[i].Material, err = written(key, 0); err != nil {
			return p, err
		}
		if curve := key.Curve(); curve != 0 {
			p[i].Attributes = []managedkey.Value{{Attribute: managedkey.AttrDomain, Value: managedkey.Domain{Curve: managedkey.Curve(curve)}}}
		}
	}
	return p, nil
}

// pairAnswer is the answer that names both halves. The private key becomes the ID placeholder.
func (c *call) pairAnswer(secret, open string, err error) (*ttlv.Item, error) {
	if err != nil {
		return nil, err
	}
	c.left(secret)
	out := ttlv.Structure(ttlv.TagResponsePayload,
		ttlv.TextString(ttlv.TagPrivateKeyUniqueIdentifier, secret), ttlv.TextString(ttlv.TagPublicKeyUniqueIdentifier, open))
	return &out, nil
}
