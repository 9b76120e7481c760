package kmip

import (
	"slices"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

var attributeOperations = map[uint32]operation{
	ttlv.OperationGetAttributes:    {getAttributes, false},
	ttlv.OperationGetAttributeList: {getAttributeList, false},
	ttlv.OperationAddAttribute:     {addAttribute, true},
	ttlv.OperationModifyAttribute:  {modifyAttribute, true},
	ttlv.OperationDeleteAttribute:  {deleteAttribute, true},
	ttlv.OperationSetAttribute:     {setAttribute, true},
}

// getAttributes is Get Attributes (KMIP 1.4 section 4.12): those that are named, or all.
func getAttributes(c *call) (*ttlv.Item, error) {
	id, err := c.object()
	if err != nil {
		return nil, err
	}
	names, err := c.asked()
	if err != nil {
		return nil, err
	}
	all, err := c.stage.Attributes(id)
	if err != nil {
		return nil, err
	}
	if len(names) > 0 {
		all = slices.DeleteFunc(all, func(i managedkey.Instance) bool { return !slices.Contains(names, i.Attribute) })
	}
	c.left(id)
	return payload(id, attributesItems(c.version, all)...), nil
}

// asked are the attributes that a request names, none twice: by Attribute Name before 2.0, by Attribute Reference since.
func (c *call) asked() (out []managedkey.Attribute, err error) {
	for i := range c.in.Items() {
		it := &c.in.Items()[i]
		var a managedkey.Attribute
		switch it.Tag {
		case ttlv.TagAttributeName:
			var text string
			text, err = it.TextString()
			a = named(text)
		case ttlv.TagAttributeReference:
			a, err = c.reference(it)
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, a) {
			return nil, refuse(ttlv.ResultReasonInvalidMessage, "attribute %q is asked for twice", string(a))
		}
		out = append(out, a)
	}
	return out, nil
}

// reference reads an Attribute Reference: the tag of an attribute, or vendor and name (KMIP 2.1 section 7.2).
func (c *call) reference(it *ttlv.Item) (managedkey.Attribute, error) {
	if it.Type() == ttlv.TypeEnumeration {
		n, err := it.Enumeration()
		a := managedkey.Attribute(ttlv.Tag(n).Title())
		if _, standard := zeros[a]; err == nil && !standard {
			err = refuse(ttlv.ResultReasonInvalidField, "%s is no attribute", ttlv.Tag(n))
		}
		return a, err
	}
	a, _, err := c.name(it)
	return a, err
}

// getAttributeList is Get Attribute List (section 4.13): names, each once.
func getAttributeList(c *call) (*ttlv.Item, error) {
	id, err := c.object()
	if err != nil {
		return nil, err
	}
	all, err := c.stage.Attributes(id)
	if err != nil {
		return nil, err
	}
	out := payload(id)
	var last managedkey.Attribute
	for _, i := range all {
		if i.Attribute != last && known(i.Attribute, c.version) == nil {
			out.Add(referenceItem(c.version, i.Attribute))
		}
		last = i.Attribute
	}
	c.left(id)
	return out, nil
}

func referenceItem(v ttlv.Version, a managedkey.Attribute) ttlv.Item {
	tag, standard := tagOf(a)
	switch {
	case v < ttlv.V20:
		return ttlv.TextString(ttlv.TagAttributeName, string(a))
	case standard:
		return ttlv.Enumeration(ttlv.TagAttributeReference, uint32(tag))
	}
	vendor, name := vendorOf(a)
	return ttlv.Structure(ttlv.TagAttributeReference, ttlv.TextString(ttlv.TagVendorIdentification, vendor), ttlv.TextString(ttlv.TagAttributeName, name))
}

// sole reads the one attribute that a request is about: Attribute before 2.0; since then what the structure under a tag holds.
func (c *call) sole(tag ttlv.Tag) (a managedkey.Attribute, v any, index uint32, err error) {
	if c.version < ttlv.V20 {
		tag = ttlv.TagAttribute
	}
	it, err := c.in.Need(tag)
	if err != nil {
		return "", nil, 0, err
	}
	if c.version >= ttlv.V20 {
		items, err := it.Structure()
		if err != nil {
			return "", nil, 0, err
		}
		if len(items) != 1 {
			return "", nil, 0, refuse(ttlv.ResultReasonInvalidMessage, "%s holds %d attributes, not one", it.Tag, len(items))
		}
		it = &items[0]
	}
	return c.attribute(it)
}

// changed is the answer to a change of an attribute: with the attribute as it is now, before 2.0.
func (c *call) changed(id string, i managedkey.Instance) *ttlv.Item {
	c.left(id)
	if c.version >= ttlv.V20 {
		return payload(id)
	}
	return payload(id, attributeItem(c.version, i))
}

// addAttribute is Add Attribute (section 4.14).
func addAttribute(c *call) (*ttlv.Item, error) {
	id, err := c.object()
	if err != nil {
		return nil, err
	}
	a, v, index, err := c.sole(ttlv.TagNewAttribute)
	if err != nil {
		return nil, err
	}
	if index != 0 || c.indexed() {
		return nil, refuse(ttlv.ResultReasonInvalidMessage, "the index of a new attribute is the server's to give")
	}
	if stands, err := c.stands(id, a, v); err != nil {
		return nil, err
	} else if stands {
		return c.changed(id, managedkey.Instance{Attribute: a, Value: v}), nil
	}
	i, err := c.stage.AddAttribute(id, a, v)
	if err != nil {
		return nil, err
	}
	return c.changed(id, i), nil
}

// defaultPolicy is that of objects which name none (KMIP 1.4 section 3.18).
const defaultPolicy = "default"

// stands reports whether what a client adds is so already: the operation policy of an object is set when it is made, and VAST's storage adds the default one behind
// that all the same. It would go no further if that were refused. Nothing is changed; another policy is refused as it should be.
func (c *call) stands(id string, a managedkey.Attribute, v any) (bool, error) {
	if a != managedkey.AttrPolicy {
		return false, nil
	}
	o, err := c.stage.Object(id)
	if err != nil {
		return false, err
	}
	policy := o.Attributes.Policy
	if policy == "" {
		policy = defaultPolicy
	}
	return v == any(policy) && o.Dates.Destroy == 0 && !o.Archived(), nil
}

// indexed reports whether the request names an index, 0 too.
func (c *call) indexed() bool {
	it := c.in.Find(ttlv.TagAttribute)
	return c.version < ttlv.V20 && it != nil && it.Find(ttlv.TagAttributeIndex) != nil
}

// modifyAttribute is Modify Attribute (section 4.15; KMIP 2.1 section 6.1.33, where the current value says which instance of several is meant).
func modifyAttribute(c *call) (*ttlv.Item, error) {
	id, err := c.object()
	if err != nil {
		return nil, err
	}
	a, v, index, err := c.sole(ttlv.TagNewAttribute)
	if err != nil {
		return nil, err
	}
	var i managedkey.Instance
	if c.version >= ttlv.V20 && c.in.Find(ttlv.TagCurrentAttribute) != nil {
		i, err = c.modifyValue(id, a, v)
	} else {
		i, err = c.stage.ModifyAttribute(id, a, index, v)
	}
	if err != nil {
		return nil, err
	}
	return c.changed(id, i), nil
}

func (c *call) modifyValue(id string, a managedkey.Attribute, v any) (managedkey.Instance, error) {
	current, was, _, err := c.sole(ttlv.TagCurrentAttribute)
	if err == nil && current != a {
		err = refuse(ttlv.ResultReasonInvalidField, "the current attribute is %q, the new one %q", string(current), string(a))
	}
	if err != nil {
		return managedkey.Instance{}, err
	}
	return c.stage.ModifyValue(id, a, was, v)
}

// deleteAttribute is Delete Attribute (section 4.16; KMIP 2.1 section 6.1.12: by value, or all of an attribute by reference).
func deleteAttribute(c *call) (*ttlv.Item, error) {
	id, err := c.object()
	if err != nil {
		return nil, err
	}
	if c.version >= ttlv.V20 {
		c.left(id)
		return payload(id), c.deleteValue(id)
	}
	a, index, err := c.name(c.in)
	if err != nil {
		return nil, err
	}
	gone, err := c.stage.DeleteAttribute(id, a, index)
	if err != nil {
		return nil, err
	}
	return c.changed(id, gone), nil
}

func (c *call) deleteValue(id string) error {
	if c.in.Find(ttlv.TagCurrentAttribute) != nil {
		a, v, _, err := c.sole(ttlv.TagCurrentAttribute)
		if err != nil {
			return err
		}
		return c.stage.DeleteValue(id, a, v)
	}
	a, err := required(c.in, ttlv.TagAttributeReference, c.reference)
	if err != nil {
		return err
	}
	return c.stage.DeleteAll(id, a)
}

// setAttribute is Set Attribute (KMIP 2.1 section 6.1.56).
func setAttribute(c *call) (*ttlv.Item, error) {
	id, err := c.object()
	if err != nil {
		return nil, err
	}
	a, v, _, err := c.sole(ttlv.TagNewAttribute)
	if err != nil {
		return nil, err
	}
	if _, err := c.stage.SetAttribute(id, a, v); err != nil {
		return nil, err
	}
	c.left(id)
	return payload(id), nil
}
