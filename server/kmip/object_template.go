package kmip

import (
	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// receivedTemplate reads a template (KMIP 1.4 section 2.2.6). What it gives to others is its material, in TTLV; what it has of its own, its name above all,
// stands in the request's attributes.
func (c *call) receivedTemplate(s *managedkey.Spec) error {
	it, err := c.in.Need(ttlv.TagTemplate)
	if err != nil {
		return err
	}
	if _, err := c.templateValues(it); err != nil {
		return err
	}
	s.Material, err = ttlv.Marshal(it, ttlv.Limits{})
	return err
}

// templateValues reads the attributes of a template. A template names no other.
func (c *call) templateValues(it *ttlv.Item) (out []managedkey.Value, err error) {
	items, err := it.Structure()
	if err != nil {
		return nil, err
	}
	for i := range items {
		v, err := c.one(&items[i])
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// template returns the attributes of the template that a request names (section 2.1.8).
func (c *call) template(it *ttlv.Item) ([]managedkey.Value, error) {
	name, err := decode(it, managedkey.Name{})
	if err != nil {
		return nil, err
	}
	found, err := c.stage.Locate(c.ctx, managedkey.Query{Visible: c.caller.sees, Max: 1, Match: []managedkey.Value{
		{Attribute: managedkey.AttrName, Value: name}, {Attribute: managedkey.AttrObjectType, Value: managedkey.Template}}})
	if err != nil {
		return nil, err
	}
	if len(found.IDs) == 0 {
		return nil, refuse(ttlv.ResultReasonItemNotFound, "there is no template of that name")
	}
	stored, err := c.storedTemplate(found.IDs[0])
	if err != nil {
		return nil, err
	}
	return c.templateValues(stored)
}

// storedTemplate returns the structure that a template was registered as.
func (c *call) storedTemplate(id string) (*ttlv.Item, error) {
	plain, err := c.stage.Material(id, false)
	if err != nil {
		return nil, err
	}
	it, err := ttlv.Parse(plain, ttlv.Limits{})
	if err != nil {
		return nil, fault.New(fault.Corrupt, "template %s is none", id).Because(err)
	}
	return it, nil
}
