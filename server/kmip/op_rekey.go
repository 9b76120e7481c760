package kmip

import (
	"time"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

var replacingOperations = map[uint32]operation{
	ttlv.OperationReKey:        {reKey, true},
	ttlv.OperationReKeyKeyPair: {reKeyKeyPair, true},
}

// reKey is Re-key (KMIP 1.4 section 4.4): another symmetric key of the same algorithm and length.
func reKey(c *call) (*ttlv.Item, error) {
	id, err := c.object()
	if err != nil {
		return nil, err
	}
	o, err := c.stage.Object(id)
	if err != nil {
		return nil, err
	}
	if o.Type != managedkey.SymmetricKey {
		return nil, refuse(ttlv.ResultReasonIllegalObjectType, "object %s is no symmetric key", id)
	}
	given, err := c.given(ttlv.TagTemplateAttribute, ttlv.TagAttributes)
	if err != nil {
		return nil, err
	}
	r, err := c.replacement(&o, given)
	if err != nil {
		return nil, err
	}
	if r.Key, r.Material, err = freshKey(o.Key.Algorithm, o.Key.Length); err != nil {
		return nil, err
	}
	defer clear(r.Material)
	return c.answered(c.stage.ReKey(id, r))
}

// replacement is what comes in the place of an object, without its material. It belongs to whom the object belongs to or, if that is nobody, to the caller.
func (c *call) replacement(o *managedkey.Object, given []managedkey.Value) (r managedkey.Replacement, err error) {
	seconds, shifted, err := optional(c.in, ttlv.TagOffset, (*ttlv.Item).Interval)
	if shifted {
		offset := time.Duration(seconds) * time.Second
		r.Offset = &offset
	}
	if o.Owner == "" {
		r.Owner = c.caller.ID
	}
	r.RNG, r.Attributes = drawn(), given
	return r, err
}

// reKeyKeyPair is Re-key Key Pair (section 4.5).
func reKeyKeyPair(c *call) (*ttlv.Item, error) {
	id, err := c.named(ttlv.TagPrivateKeyUniqueIdentifier)
	if err != nil {
		return nil, err
	}
	o, err := c.stage.Object(id)
	if err != nil {
		return nil, err
	}
	given, err := c.pairGiven()
	if err != nil {
		return nil, err
	}
	w, err := c.alike(&o)
	if err != nil {
		return nil, err
	}
	p, err := c.freshPair(w)
	defer p.wipe()
	if err != nil {
		return nil, err
	}
	var r [2]managedkey.Replacement
	for i := range r {
		if r[i], err = c.replacement(&o, given[i]); err != nil {
			return nil, err
		}
		r[i].Key, r[i].Material = p[i].Key, p[i].Material
	}
	return c.pairAnswer(c.stage.ReKeyPair(id, r[private], r[public]))
}

// alike is a pair like that of a private key.
func (c *call) alike(o *managedkey.Object) (w suite.Wanted, err error) {
	if o.Type != managedkey.PrivateKey {
		return w, refuse(ttlv.ResultReasonIllegalObjectType, "object %s is no private key", o.ID)
	}
	w = suite.Wanted{Algorithm: suite.Algorithm(o.Key.Algorithm), Length: int(o.Key.Length)}
	switch w.Algorithm {
	case suite.EC, suite.ECDSA, suite.ECDH:
		w.Curve, err = c.curve(o)
	}
	return w, err
}

// curve is that of a private key: what its domain parameters say or, since the length alone does not tell, its public key.
func (c *call) curve(o *managedkey.Object) (suite.Curve, error) {
	if d := o.Attributes.Domain; d != nil && d.Curve != 0 {
		return suite.Curve(d.Curve), nil
	}
	for _, l := range o.Attributes.Links.Values() {
		if l.Type == managedkey.PublicKeyLink {
			return c.publicCurve(l.Target)
		}
	}
	return 0, refuse(ttlv.ResultReasonIllegalOperation, "object %s has no link to its public key", o.ID)
}

func (c *call) publicCurve(id string) (suite.Curve, error) {
	o, err := c.stage.Object(id)
	if err != nil {
		return 0, err
	}
	plain, err := c.stage.Material(id, false)
	if err != nil {
		return 0, err
	}
	key, err := parseKey(o.Type, &o.Key, plain)
	if err != nil {
		return 0, err
	}
	return key.Curve(), nil
}
