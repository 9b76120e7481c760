package kmip

import (
	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

var importingOperations = map[uint32]operation{
	ttlv.OperationImport: {importObject, true},
}

// importObject is Import (KMIP 1.4 chapter 4): an object of another server, under the unique identifier that it has there. One that is here, or was, under that
// identifier is not replaced, whatever Replace Existing says.
func importObject(c *call) (*ttlv.Item, error) {
	t, err := required(c.in, ttlv.TagObjectType, enumeration[managedkey.ObjectType])
	if err != nil {
		return nil, err
	}
	if _, _, err := optional(c.in, ttlv.TagReplaceExisting, (*ttlv.Item).Boolean); err != nil {
		return nil, err
	}
	past := &managedkey.Past{}
	if past.ID, err = required(c.in, ttlv.TagUniqueIdentifier, (*ttlv.Item).TextString); err != nil {
		return nil, err
	}
	given, err := c.history(past)
	if err != nil {
		return nil, err
	}
	s, err := c.received(t)
	defer func() { clear(s.Material) }()
	if err == nil {
		err = c.unwrapped(s)
	}
	if err == nil {
		err = c.settle(s, given)
	}
	if err != nil {
		return nil, err
	}
	s.Past = past
	return c.answered(c.stage.Import(*s))
}

// unwrapped unwraps an object that is to be kept in clear.
func (c *call) unwrapped(s *managedkey.Spec) error {
	wrap, given, err := optional(c.in, ttlv.TagKeyWrapType, (*ttlv.Item).Enumeration)
	switch {
	case err != nil || len(s.Key.Wrapping) == 0 || wrap == ttlv.KeyWrapTypeAsRegistered || !given:
		return err
	case wrap != ttlv.KeyWrapTypeNotWrapped:
		return refuse(ttlv.ResultReasonKeyWrapTypeNotSupported, "there is no such key wrap type")
	}
	wrapped := s.Material
	s.Key, s.Material, err = c.unwrap(s.Key, wrapped)
	clear(wrapped)
	return err
}

// followed are the attributes of an imported object that follow from the others, from the object or from this server, which is not told.
var followed = map[managedkey.Attribute]bool{
	managedkey.AttrUniqueID: true, managedkey.AttrObjectType: true, managedkey.AttrCertLength: true, managedkey.AttrX509ID: true, managedkey.AttrX509Subject: true,
	managedkey.AttrX509Issuer: true, managedkey.AttrCertID: true, managedkey.AttrCertSubject: true, managedkey.AttrCertIssuer: true, managedkey.AttrSignature: true,
	managedkey.AttrDigest: true, managedkey.AttrLease: true, managedkey.AttrState: true, managedkey.AttrLastChange: true, managedkey.AttrArchive: true,
	managedkey.AttrPresent: true, managedkey.AttrFormat: true,
}

// history reads the attributes of an imported object: its past, and those that a client may give to any.
func (c *call) history(p *managedkey.Past) (given []managedkey.Value, err error) {
	for i := range c.in.Items() {
		items := c.in.Items()[i : i+1]
		if items[0].Tag == ttlv.TagAttributes {
			items = items[0].Items()
		} else if items[0].Tag != ttlv.TagAttribute {
			continue
		}
		for j := range items {
			if err := c.remembered(&items[j], p, &given); err != nil {
				return nil, err
			}
		}
	}
	return given, nil
}

// remembered reads one of them.
func (c *call) remembered(it *ttlv.Item, p *managedkey.Past, given *[]managedkey.Value) error {
	a := managedkey.Attribute(it.Tag.Title())
	if it.Tag == ttlv.TagAttribute {
		var err error
		if a, _, err = c.name(it); err != nil {
			return err
		}
	}
	if followed[a] {
		return nil
	}
	v, err := c.one(it)
	if err != nil {
		return err
	}
	switch v.Attribute {
	case managedkey.AttrDestroy:
		return refuse(ttlv.ResultReasonInvalidField, "an object that was destroyed is not imported")
	case managedkey.AttrLimits:
		p.UsageLeft = left(it, v.Value)
	}
	if !past(p, v) {
		*given = append(*given, v)
	}
	return nil
}

// past notes what is of the past; it is false of other attributes.
func past(p *managedkey.Past, v managedkey.Value) bool {
	switch value := v.Value.(type) {
	case fsm.Time:
		to, found := map[managedkey.Attribute]*fsm.Time{managedkey.AttrInitial: &p.Initial, managedkey.AttrCompromise: &p.Compromise,
			managedkey.AttrOccurrence: &p.Occurrence}[v.Attribute]
		if found {
			*to = value
		}
		return found
	case managedkey.Revocation:
		p.Revocation = &value
		return true
	case bool:
		to, found := map[managedkey.Attribute]*bool{managedkey.AttrAlwaysSensitive: &p.AlwaysSensitive, managedkey.AttrNeverExtractable: &p.NeverExtractable}[v.Attribute]
		if found {
			*to = value
		}
		return found
	}
	return false
}

// left is the count that usage limits have left, nil if they do not say it.
func left(it *ttlv.Item, v any) *int64 {
	if it.Tag == ttlv.TagAttribute {
		it = it.Find(ttlv.TagAttributeValue)
	}
	u, limits := v.(managedkey.UsageLimits)
	if !limits || it.Find(ttlv.TagUsageLimitsCount) == nil {
		return nil
	}
	return &u.Count
}
