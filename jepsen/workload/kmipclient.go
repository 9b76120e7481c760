package workload

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// kmipClient speaks KMIP 1.4 (OASIS) with nodes, over one connection to each, which is kept until something is wrong with it. It is for one goroutine.
type kmipClient struct {
	config *tls.Config
	at     func(node string) string // host:port
	open   map[string]net.Conn
}

func newKMIPClient(c *tls.Config, at func(node string) string) *kmipClient {
	return &kmipClient{c, at, map[string]net.Conn{}}
}

func (c *kmipClient) close() {
	for node := range c.open {
		c.hangUp(node)
	}
}

func (c *kmipClient) hangUp(node string) {
	_ = c.open[node].Close() // it is of no further use
	delete(c.open, node)
}

// ask has a node carry out one operation, and returns the payload of its answer, which the caller wipes. Errors are *sdk.Error, as those of the API are: NotDone if
// nothing was sent, OutcomeUnknown if nobody knows what came of it. ctx has a deadline.
func (c *kmipClient) ask(ctx context.Context, node string, operation uint32, payload []ttlv.Item) (*ttlv.Item, error) {
	conn, err := c.connect(ctx, node)
	if err != nil {
		return nil, err
	}
	m, err := exchange(ctx, conn, operation, payload)
	if err != nil {
		c.hangUp(node)
		return nil, &sdk.Error{Kind: sdk.OutcomeUnknown, Detail: err.Error()}
	}
	return answerIn(m)
}

func (c *kmipClient) connect(ctx context.Context, node string) (net.Conn, error) {
	if c.open[node] == nil {
		conn, err := (&tls.Dialer{Config: c.config}).DialContext(ctx, "tcp", c.at(node))
		if err != nil {
			return nil, &sdk.Error{Kind: sdk.NotDone, Detail: fmt.Sprintf("connect: %v", err)}
		}
		c.open[node] = conn
	}
	return c.open[node], nil
}

func exchange(ctx context.Context, c net.Conn, operation uint32, payload []ttlv.Item) (*ttlv.Item, error) {
	version := ttlv.Structure(ttlv.TagProtocolVersion, ttlv.Integer(ttlv.TagProtocolVersionMajor, 1), ttlv.Integer(ttlv.TagProtocolVersionMinor, 4))
	m := ttlv.Structure(ttlv.TagRequestMessage, ttlv.Structure(ttlv.TagRequestHeader, version, ttlv.Integer(ttlv.TagBatchCount, 1)),
		ttlv.Structure(ttlv.TagBatchItem, ttlv.Enumeration(ttlv.TagOperation, operation), ttlv.Structure(ttlv.TagRequestPayload, payload...)))
	raw, err := ttlv.Marshal(&m, ttlv.Limits{})
	if err != nil {
		panic(fmt.Sprintf("a request of the workload: %v", err))
	}
	until, _ := ctx.Deadline()
	if err := c.SetDeadline(until); err != nil {
		return nil, err
	}
	if _, err := c.Write(raw); err != nil {
		return nil, err
	}
	return ttlv.Read(c, ttlv.Limits{})
}

// answerIn takes the payload out of an answer, or why there is none.
func answerIn(m *ttlv.Item) (*ttlv.Item, error) {
	item := m.Find(ttlv.TagBatchItem)
	status, err := item.Find(ttlv.TagResultStatus).Enumeration()
	if err != nil {
		return nil, unreadable(err)
	}
	if status == ttlv.ResultStatusSuccess {
		return item.Find(ttlv.TagResponsePayload), nil
	}
	reason, err := item.Find(ttlv.TagResultReason).Enumeration()
	if err != nil {
		return nil, unreadable(err)
	}
	text, _ := item.Find(ttlv.TagResultMessage).TextString() // it need not be there
	return nil, refusalOf(reason, text)
}

// unreadable is the error of an answer that no server gives.
func unreadable(err error) error {
	return &sdk.Error{Kind: sdk.Internal, Status: 500, Detail: fmt.Sprintf("the answer cannot be read: %v", err)}
}

// reasonKinds are the kinds of what the workload may be refused with. KMIP 1.4 has few reasons: a name that is taken is an invalid field, an object in the wrong state a
// permission denied.
var reasonKinds = map[uint32]sdk.Kind{
	ttlv.ResultReasonItemNotFound:                sdk.NotFound,
	ttlv.ResultReasonInvalidField:                sdk.Conflict,
	ttlv.ResultReasonPermissionDenied:            sdk.Conflict,
	ttlv.ResultReasonIllegalOperation:            sdk.Conflict,
	ttlv.ResultReasonAuthenticationNotSuccessful: sdk.Unauthenticated,
}

// refusalOf makes the error of a refusal. A general failure has no reason that says more: what it does not call undone may have been done.
func refusalOf(reason uint32, text string) error {
	kind := cmp.Or(reasonKinds[reason], sdk.Invalid)
	if reason == ttlv.ResultReasonGeneralFailure {
		kind = failureKind(text)
	}
	status := 0
	if kind == sdk.Internal {
		status = 500
	}
	return &sdk.Error{Kind: kind, Status: status, Detail: text}
}

func failureKind(text string) sdk.Kind {
	switch {
	case strings.HasPrefix(text, "internal error"):
		return sdk.Internal
	case strings.Contains(text, "nothing was done"):
		return sdk.NotDone
	case strings.HasPrefix(text, "the node is sealed"):
		return sdk.Sealed
	}
	return sdk.OutcomeUnknown
}
