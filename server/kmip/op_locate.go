package kmip

import (
	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

var locateOperations = map[uint32]operation{ttlv.OperationLocate: {locate, false}}

// locate is Locate (KMIP 1.4 section 4.9). Attributes stand in the payload one by one, in a Template-Attribute, or since 2.0 in a structure Attributes.
func locate(c *call) (*ttlv.Item, error) {
	q, err := c.query()
	if err != nil {
		return nil, err
	}
	found, err := c.stage.Locate(c.ctx, q)
	if err != nil {
		return nil, err
	}
	out := ttlv.Structure(ttlv.TagResponsePayload)
	if q.Total {
		out.Add(ttlv.Integer(ttlv.TagLocatedItems, int32(found.Total)))
	}
	for _, id := range found.IDs {
		out.Add(ttlv.TextString(ttlv.TagUniqueIdentifier, id))
	}
	c.placeholder = "" // that of an operation before would be another object than the one that was looked for
	if len(found.IDs) == 1 {
		c.left(found.IDs[0])
	}
	return &out, nil
}

func (c *call) query() (q managedkey.Query, err error) {
	q.Visible = c.caller.sees
	if q.Match, err = c.given(ttlv.TagTemplateAttribute, ttlv.TagAttributes); err != nil {
		return q, err
	}
	for it := range c.in.All(ttlv.TagAttribute) {
		v, err := c.one(it)
		if err != nil {
			return q, err
		}
		q.Match = append(q.Match, v)
	}
	if q.Max, err = c.count(ttlv.TagMaximumItems); err != nil {
		return q, err
	}
	if q.Offset, err = c.count(ttlv.TagOffsetItems); err != nil {
		return q, err
	}
	q.Total = c.version >= ttlv.V13 && c.in.Find(ttlv.TagOffsetItems) != nil || c.version >= ttlv.V13 && q.Max > 0
	mask, _, err := optional(c.in, ttlv.TagStorageStatusMask, (*ttlv.Item).Integer)
	if err != nil {
		return q, err
	}
	q.Storage = managedkey.StorageMask(uint32(mask))
	member, _, err := optional(c.in, ttlv.TagObjectGroupMember, (*ttlv.Item).Enumeration)
	q.Member = managedkey.GroupMember(member)
	return q, err
}

// count reads a number of items, of which there cannot be fewer than none.
func (c *call) count(tag ttlv.Tag) (int, error) {
	n, _, err := optional(c.in, tag, (*ttlv.Item).Integer)
	if err == nil && n < 0 {
		err = refuse(ttlv.ResultReasonInvalidField, "%s is negative", tag)
	}
	return int(n), err
}
