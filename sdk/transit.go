package sdk

import (
	"context"
	"fmt"
	"net/http"
)

// Limits of uses of transit keys.
const (
	MaxBatch   = 1000    // items of a batch
	MaxUseBody = 8 << 20 // bytes of a request in JSON, in which bytes are base64: about 6 MB of them in one item or in all; encrypt more under a data key
)

// ItemError is what was wrong with one item of a batch; the others are not concerned. KindOf knows its kind.
type ItemError struct {
	Kind   Kind   `json:"kind"`
	Detail string `json:"detail"`          // for people; holds no secret
	Field  string `json:"field,omitempty"` // the item's field at fault, if one is
}

func (e *ItemError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the error that the item alone would have had.
func (e *ItemError) Unwrap() error { return &Error{Kind: e.Kind, Detail: e.Detail, Field: e.Field} }

// Bound is what a message is bound to beside its key. Neither is secret.
type Bound struct {
	Associated []byte `json:"associated_data,omitempty"` // up to 64 KiB, which must be said again to decrypt
	Context    []byte `json:"context,omitempty"`         // up to 4 KiB; each use of a derived key takes one, no use of another does
}

// sendable is an item of a use. What is nil and must be there is sent as empty.
type sendable[I any] interface{ sent() I }

// one uses a key once.
func one[R any, I sendable[I]](ctx context.Context, c *Client, op, key string, item I) (out R, err error) {
	err = c.use(ctx, op, key, item.sent(), &out)
	return out, err
}

// many uses a key for a batch; what it returns has the order and the number of the items.
func many[R any, I sendable[I]](ctx context.Context, c *Client, op, key string, items []I) ([]R, error) {
	if len(items) == 0 || len(items) > MaxBatch {
		return nil, invalid("items", "are %d: a batch has 1 to %d", len(items), MaxBatch)
	}
	body := struct {
		Items []I `json:"items"`
	}{make([]I, len(items))}
	for i := range items {
		body.Items[i] = items[i].sent()
	}
	var out Page[R]
	if err := c.use(ctx, op, key, body, &out); err != nil {
		return nil, err
	}
	if len(out.Items) != len(items) {
		return nil, &Error{Status: http.StatusOK, Kind: Internal, Detail: fmt.Sprintf("the node answered %d items of %d", len(out.Items), len(items))}
	}
	return out.Items, nil
}

func (c *Client) use(ctx context.Context, op, key string, body, out any) error {
	target, err := joinName(api+"/transit/"+op, "name", key)
	if err != nil {
		return err
	}
	return c.do(ctx, request{method: http.MethodPost, path: target, body: body, kind: ofNow}, out)
}

// given is b, or empty: JSON has null for nil.
func given(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
