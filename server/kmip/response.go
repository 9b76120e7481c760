package kmip

import (
	"slices"
	"time"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// Result is what became of one item.
type Result struct {
	Payload *ttlv.Item // of a success; nil for an empty one
	Refused *Refusal   // nil for a success
	Undone  bool       // it had succeeded, and was undone with its batch
}

// answer makes the response to a request whose items had these results: fewer than there are items when the batch was stopped.
func answer(r *Request, results []Result, now time.Time) ttlv.Item {
	m := ttlv.Structure(ttlv.TagResponseMessage, responseHeader(r, len(results), now))
	for i, res := range results {
		m.Add(batchItem(r.Version, &r.Items[i], res))
	}
	return m
}

// refusal makes the response to a message that is no good as a whole: one item, which names no operation (KMIP 1.4 section 11.1).
func refusal(r *Request, why *Refusal, now time.Time) ttlv.Item {
	return ttlv.Structure(ttlv.TagResponseMessage, responseHeader(r, 1, now), batchItem(r.Version, &Item{}, Result{Refused: why}))
}

func responseHeader(r *Request, count int, now time.Time) ttlv.Item {
	h := ttlv.Structure(ttlv.TagResponseHeader,
		ttlv.Structure(ttlv.TagProtocolVersion,
			ttlv.Integer(ttlv.TagProtocolVersionMajor, int32(r.Version.Major())),
			ttlv.Integer(ttlv.TagProtocolVersionMinor, int32(r.Version.Minor()))),
		ttlv.DateTime(ttlv.TagTimeStamp, now.Unix()))
	if r.Correlated != "" && r.Version >= ttlv.V14 {
		h.Add(ttlv.TextString(ttlv.TagServerCorrelationValue, r.Correlated))
	}
	h.Add(ttlv.Integer(ttlv.TagBatchCount, int32(count)))
	return h
}

func batchItem(v ttlv.Version, it *Item, res Result) ttlv.Item {
	b := ttlv.Structure(ttlv.TagBatchItem)
	if it.Operation != 0 {
		b.Add(ttlv.Enumeration(ttlv.TagOperation, it.Operation))
	}
	if it.ID != nil {
		b.Add(ttlv.ByteString(ttlv.TagUniqueBatchItemID, slices.Clone(it.ID)))
	}
	switch {
	case res.Refused != nil:
		b.Add(ttlv.Enumeration(ttlv.TagResultStatus, ttlv.ResultStatusOperationFailed), ttlv.Enumeration(ttlv.TagResultReason, reasonIn(v, res.Refused.Reason)),
			ttlv.TextString(ttlv.TagResultMessage, res.Refused.Message))
	case res.Undone:
		b.Add(ttlv.Enumeration(ttlv.TagResultStatus, ttlv.ResultStatusOperationUndone))
	default:
		b.Add(ttlv.Enumeration(ttlv.TagResultStatus, ttlv.ResultStatusSuccess))
		if res.Payload != nil {
			b.Add(*res.Payload)
		}
	}
	return b
}
