package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

const keySize = 256 // bits of a key that is made

// refused is a node's word that it has not done what a message asks for.
type refused struct {
	reason string
	text   string
}

func (r *refused) Error() string { return fmt.Sprintf("refused (%s): %s", r.reason, r.text) }

// item asks for one operation.
func item(operation uint32, payload ...ttlv.Item) ttlv.Item {
	return ttlv.Structure(ttlv.TagBatchItem, ttlv.Enumeration(ttlv.TagOperation, operation), ttlv.Structure(ttlv.TagRequestPayload, payload...))
}

// messageOf is a message of KMIP 1.4. Several items are to be carried out in their order.
func messageOf(items ...ttlv.Item) []byte {
	version := ttlv.Structure(ttlv.TagProtocolVersion, ttlv.Integer(ttlv.TagProtocolVersionMajor, 1), ttlv.Integer(ttlv.TagProtocolVersionMinor, 4))
	header := ttlv.Structure(ttlv.TagRequestHeader, version)
	if len(items) > 1 {
		header.Add(ttlv.Boolean(ttlv.TagBatchOrderOption, true))
		items = numbered(items)
	}
	header.Add(ttlv.Integer(ttlv.TagBatchCount, int32(len(items))))
	m := ttlv.Structure(ttlv.TagRequestMessage, append([]ttlv.Item{header}, items...)...)
	raw, err := ttlv.Marshal(&m, ttlv.Limits{})
	if err != nil {
		panic(fmt.Sprintf("a message of the bench: %v", err))
	}
	return raw
}

// numbered are items of a batch with the ids that they must have there, behind their operations.
func numbered(items []ttlv.Item) (out []ttlv.Item) {
	for i, it := range items {
		id := ttlv.ByteString(ttlv.TagUniqueBatchItemID, binary.BigEndian.AppendUint32(nil, uint32(i)))
		out = append(out, ttlv.Structure(ttlv.TagBatchItem, it.Items()[0], id, it.Items()[1]))
	}
	return out
}

// payloads takes those of an answer to so many items, or why one of them has none.
func payloads(m *ttlv.Item, items int) (all []*ttlv.Item, err error) {
	for it := range m.All(ttlv.TagBatchItem) {
		if err := refusal(it); err != nil {
			return nil, err
		}
		all = append(all, it.Find(ttlv.TagResponsePayload))
	}
	if len(all) != items {
		return nil, fmt.Errorf("%d of %d items were answered", len(all), items)
	}
	return all, nil
}

func refusal(item *ttlv.Item) error {
	status, err := item.Find(ttlv.TagResultStatus).Enumeration()
	if err != nil || status == ttlv.ResultStatusSuccess {
		return err
	}
	reason, err := item.Find(ttlv.TagResultReason).Enumeration()
	if err != nil {
		return err
	}
	text, _ := item.Find(ttlv.TagResultMessage).TextString() // it need not be there
	name, _ := ttlv.EnumName(ttlv.TagResultReason, reason)
	return &refused{name, text}
}

// request is one operation, and what looks at its answer.
type request struct {
	item ttlv.Item
	read func(payload *ttlv.Item) error
}

// do asks once.
func (l *line) do(ctx context.Context, r request) error {
	m, err := l.ask(ctx, messageOf(r.item))
	if err != nil {
		return err
	}
	defer m.Wipe()
	all, err := payloads(m, 1)
	if err != nil {
		return err
	}
	return r.read(all[0])
}

// insist asks for what changes nothing, of one node after the other and at once, until it is answered.
func (l *line) insist(ctx context.Context, r request) (err error) {
	for range 2 * len(l.ports) {
		if err = l.do(ctx, r); err == nil || errors.Is(err, errWrongValue) || ctx.Err() != nil {
			return err
		}
		if l.conn != nil { // the node has answered that it cannot
			l.next()
		}
	}
	return err
}
