package api

import (
	"bytes"
	"encoding/base64"
	"reflect"

	"github.com/trstctl/trstctl/engines/transit"
	"github.com/trstctl/trstctl/fsm/fault"
)

// maxUses is how many items a batch has at most.
const maxUses = 1000

func typeOf(v any) reflect.Type { return reflect.TypeOf(v) }

// outcomeOf is what came of one item. It writes its own JSON, in no more than room bytes, so that no copy of a plaintext stays behind.
type outcomeOf interface {
	appender
	wiper
	room() int
}

// batch is the answer to one item, or to several.
type batch struct {
	one  outcomeOf
	many []outcomeOf
}

func (b *batch) wipe() {
	if b.one != nil {
		b.one.wipe()
	}
	for _, r := range b.many {
		r.wipe()
	}
}

func (b *batch) appendJSON(dst []byte) []byte {
	if b.one != nil {
		return b.one.appendJSON(make([]byte, 0, b.one.room()+1)) // and the end of the line
	}
	room := 16
	for _, r := range b.many {
		room += r.room() + 1
	}
	dst = append(make([]byte, 0, room), `{"items":[`...)
	for i, r := range b.many {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = r.appendJSON(dst)
	}
	return append(dst, ']', '}')
}

// itemError is what was wrong with an item of a batch.
type itemError struct {
	Kind   string `json:"kind"`
	Detail string `json:"detail"`
	Field  string `json:"field,omitempty"`
}

// itemFailed is the outcome of an item that was refused.
type itemFailed struct{ itemError }

func (*itemFailed) wipe()       {}
func (f *itemFailed) room() int { return 64 + 6*(len(f.Kind)+len(f.Detail)+len(f.Field)) }

func (f *itemFailed) appendJSON(b []byte) []byte {
	b = appendField(append(b, `{"error":{`...), "kind", f.Kind)
	b = appendField(append(b, ','), "detail", toValid(f.Detail))
	if f.Field != "" {
		b = appendField(append(b, ','), "field", toValid(f.Field))
	}
	return append(b, '}', '}')
}

// concerns returns the outcome of an item that err is about, nil when err is about more than it.
func concerns(err error) outcomeOf {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.TooLarge, fault.Limit, fault.NotFound, fault.Conflict:
		p := problemOf(err, "")
		return &itemFailed{itemError{p.Kind, p.Detail, p.Field}}
	}
	return nil
}

// each answers one item, or the items of a batch in their order. What is wrong with an item of a batch is the item's outcome; what is wrong with
// more than that ends all.
func each[I any](c *call, one *I, items []I, do func(*I) (outcomeOf, error)) (any, error) {
	alone := reflect.ValueOf(one).Elem().IsZero()
	switch {
	case items == nil:
		out, err := do(one)
		if err != nil {
			return nil, err
		}
		return &batch{one: out}, nil
	case !alone:
		return nil, fault.Bad("items", "are sent beside a single item: send one or the other")
	case len(items) == 0 || len(items) > maxUses:
		return nil, fault.Bad("items", "are %d: a batch has 1 to %d", len(items), maxUses)
	}
	c.items = uint64(len(items))
	b := &batch{many: make([]outcomeOf, 0, len(items))}
	for i := range items {
		out, err := do(&items[i])
		if err != nil {
			out = concerns(err)
		} else if err = c.ctx.Err(); err != nil {
			out.wipe()
			out = nil
		}
		if out == nil {
			b.wipe()
			return nil, err
		}
		b.many = append(b.many, out)
	}
	return b, nil
}

// onKey is each, with the key that the address names.
func onKey[I any](c *call, one *I, items []I, do func(*transit.Use, *I) (outcomeOf, error)) (any, error) {
	u, err := c.api.opt.Uses.Use(c.view, c.tenant, c.path)
	if err != nil {
		return nil, err
	}
	defer u.Close()
	return each(c, one, items, func(it *I) (outcomeOf, error) { return do(u, it) })
}

// made notes the version that an item was made by: the journal shows it of one that stands alone.
func (c *call) made(token []byte) uint64 {
	n := transit.VersionOf(token)
	if c.items == 0 {
		c.version = n
	}
	return n
}

// wipeItems wipes the items of a body that have something to wipe.
func wipeItems[I any, P interface {
	*I
	wiper
}](items []I) {
	for i := range items {
		P(&items[i]).wipe()
	}
}

// encoded is bytes that travel as standard base64 with padding. What is not is found when the item is looked at, so that it is no other item's failure.
type encoded struct {
	bytes      []byte
	given, bad bool
}

// UnmarshalText never fails.
func (e *encoded) UnmarshalText(b []byte) error {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	n, err := base64.StdEncoding.Strict().Decode(out, b)
	if err != nil {
		clear(out)
		n = 0
	}
	e.bytes, e.given, e.bad = out[:n], true, err != nil || bytes.ContainsAny(b, "\r\n")
	return nil
}

func (e *encoded) wipe() { clear(e.bytes) }

// must returns what is needed, may what can be left out.
func (e *encoded) must(field string) ([]byte, error) {
	if !e.given {
		return nil, fault.Bad(field, "is missing")
	}
	return e.may(field)
}

func (e *encoded) may(field string) ([]byte, error) {
	if e.bad {
		return nil, fault.Bad(field, "standard base64 with padding is wanted here")
	}
	return e.bytes, nil
}

// String shows nothing.
func (encoded) String() string { return "[redacted]" }

// bound is what a message is bound to beside its key.
type bound struct {
	Associated encoded `json:"associated_data" doc:"what must be said again to decrypt"`
	Context    encoded `json:"context" doc:"of a derived key"`
}

func (b *bound) wipe() { b.Associated.wipe(); b.Context.wipe() }

func (b *bound) with() (w transit.With, err error) {
	if w.Associated, err = b.Associated.may("associated_data"); err != nil {
		return w, err
	}
	w.Context, err = b.Context.may("context")
	return w, err
}
