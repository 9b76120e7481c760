package kmip

import (
	"context"
	"slices"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// Caller is a client as its certificate and its role make it.
type Caller struct {
	ID         string   // of the client; it owns what it makes
	Groups     []string // of objects that it sees beside its own; nil: it sees all of the tenant
	All        bool     // it sees all of the tenant's objects
	Operations []uint32 // that it may ask for; nil: all
	Quota      uint64   // objects of its own that live, at most; 0: no bound
	PKCS1v15   bool     // it may decrypt with PKCS#1 v1.5 padding
	SmallRSA   bool     // it may have RSA keys of 1024 bits made, which old devices cannot do without
}

// may reports whether the role lets the caller ask for an operation. What a server can do anybody may ask.
func (c *Caller) may(operation uint32) bool {
	open := operation == ttlv.OperationQuery || operation == ttlv.OperationDiscoverVersions
	return open || c.Operations == nil || slices.Contains(c.Operations, operation)
}

// sees reports whether the caller sees an object: one that it made, or one of its groups.
func (c *Caller) sees(o *managedkey.Object) bool {
	if c.All || o.Owner == c.ID {
		return true
	}
	return slices.ContainsFunc(o.Attributes.Groups.Values(), func(g string) bool { return slices.Contains(c.Groups, g) })
}

// session carries out the operations of one batch for one caller, on one stage.
type session struct {
	stage       *managedkey.Stage
	caller      Caller
	placeholder string                            // ID Placeholder (KMIP 1.4 section 4): the object that the operations before have left
	failed      func(operation uint32, err error) // told of what the client is not told; nil: nobody wants to know
}

// newSession binds a stage to a caller: what the caller does not see is not there for it.
func newSession(s *managedkey.Stage, c Caller) *session {
	s.Admit(func(o *managedkey.Object) error {
		if c.sees(o) {
			return nil
		}
		return refuse(ttlv.ResultReasonItemNotFound, "there is no managed object %s", o.ID)
	})
	s.Limit(c.ID, c.Quota)
	return &session{stage: s, caller: c}
}

// call is one operation of a session.
type call struct {
	*session
	ctx     context.Context
	version ttlv.Version
	in      *ttlv.Item // request payload
}

// operation carries out a call and returns the response payload, nil for an empty one. A refusal has changed nothing.
type operation struct {
	do     func(c *call) (*ttlv.Item, error)
	writes bool // it always changes something, and is carried out where that can be committed
}

// Do implements Stage.
func (s *session) Do(ctx context.Context, version ttlv.Version, op uint32, payload *ttlv.Item) (*ttlv.Item, error) {
	o, known := operations[op]
	switch {
	case !known:
		return nil, refuse(ttlv.ResultReasonOperationNotSupported, "this server does not do the operation")
	case !s.caller.may(op):
		return nil, refuse(ttlv.ResultReasonPermissionDenied, "the client's role does not have the operation")
	}
	var out *ttlv.Item
	left := s.placeholder
	err := s.stage.Whole(func() (err error) {
		out, err = o.do(&call{s, ctx, version, payload})
		return err
	})
	if err != nil {
		out.Wipe()
		s.placeholder = left
		s.report(op, err)
		return nil, err
	}
	return out, nil
}

// report passes on an error that no operation should end with.
func (s *session) report(op uint32, err error) {
	if _, expected := explain(err); !expected && s.failed != nil {
		s.failed(op, err)
	}
}

// object returns the id of the object that the call is about: the one that it names, or the one that the operations before have left.
func (c *call) object() (string, error) { return c.named(ttlv.TagUniqueIdentifier) }

func (c *call) named(tag ttlv.Tag) (string, error) {
	it := c.in.Find(tag)
	if it == nil {
		if c.placeholder == "" {
			return "", refuse(ttlv.ResultReasonItemNotFound, "the request names no object, and no operation before it has left one")
		}
		return c.placeholder, nil
	}
	return c.identifier(it)
}

// identifier reads a unique identifier. Since 2.0 it can also be a word that stands for the ID placeholder, or a number, which no object here has.
func (c *call) identifier(it *ttlv.Item) (string, error) {
	if it.Type() == ttlv.TypeEnumeration && c.version >= ttlv.V20 {
		n, err := it.Enumeration()
		if err != nil || n != ttlv.UniqueIdentifierIDPlaceholder || c.placeholder == "" {
			return "", refuse(ttlv.ResultReasonInvalidField, "the unique identifier stands for no object that this server knows")
		}
		return c.placeholder, nil
	}
	return it.TextString()
}

// left notes the object that the operations behind this one may leave unnamed.
func (c *call) left(id string) { c.placeholder = id }

// payload makes a response payload that begins with the unique identifier of an object.
func payload(id string, items ...ttlv.Item) *ttlv.Item {
	out := ttlv.Structure(ttlv.TagResponsePayload, ttlv.TextString(ttlv.TagUniqueIdentifier, id))
	out.Add(items...)
	return &out
}

// optional reads a part of the payload that may be missing.
func optional[T any](in *ttlv.Item, tag ttlv.Tag, read func(*ttlv.Item) (T, error)) (v T, given bool, err error) {
	it := in.Find(tag)
	if it == nil {
		return v, false, nil
	}
	v, err = read(it)
	return v, true, err
}

// required reads a part of the payload that must be there.
func required[T any](in *ttlv.Item, tag ttlv.Tag, read func(*ttlv.Item) (T, error)) (v T, err error) {
	it, err := in.Need(tag)
	if err != nil {
		return v, err
	}
	return read(it)
}
