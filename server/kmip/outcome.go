package kmip

import (
	"encoding/binary"
	"iter"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// The labels of what has no name of KMIP's.
const (
	labelNone    = "none"       // of a message that was refused or lost as a whole
	labelBatch   = "batch"      // of several operations
	labelUnknown = "unknown"    // that the tables of KMIP do not have
	labelUndone  = "Undone"     // with its batch
	labelLost    = "Unanswered" // the connection was ended
)

// outcome is what a client was told of one item: operation and result reason, Success where there is none.
type outcome struct{ operation, reason string }

// outcomesOf is what became of the items of an answer that this server has written. It is looked at where it stands, since it may hold material.
func outcomesOf(answer []byte) iter.Seq[outcome] {
	return func(yield func(outcome) bool) {
		for _, message := range partsOf(answer) {
			for tag, body := range partsOf(message) {
				if tag == ttlv.TagBatchItem && !yield(outcomeIn(body)) {
					return
				}
			}
		}
	}
}

func outcomeIn(item []byte) outcome {
	t := outcome{labelNone, "Success"}
	for tag, body := range partsOf(item) {
		if len(body) != 4 {
			continue
		}
		switch n := binary.BigEndian.Uint32(body); {
		case tag == ttlv.TagOperation:
			t.operation = nameOr(tag, n)
		case tag == ttlv.TagResultReason:
			t.reason = nameOr(tag, n)
		case tag == ttlv.TagResultStatus && n == ttlv.ResultStatusOperationUndone:
			t.reason = labelUndone
		}
	}
	return t
}

// nameOr bounds a label: clients send any number as an operation, and are answered with it.
func nameOr(tag ttlv.Tag, n uint32) string {
	if name, known := ttlv.EnumName(tag, n); known {
		return name
	}
	return labelUnknown
}

// partsOf are what stands in the body of a structure: tag, type and length in 8 bytes, and a value that is padded to 8 (KMIP 1.4 section 9.1.1).
func partsOf(body []byte) iter.Seq2[ttlv.Tag, []byte] {
	return func(yield func(ttlv.Tag, []byte) bool) {
		for len(body) >= 8 {
			head := binary.BigEndian.Uint64(body)
			tag, n := ttlv.Tag(head>>40), uint64(uint32(head))
			if body = body[8:]; n > uint64(len(body)) || !yield(tag, body[:n]) {
				return
			}
			body = body[min((n+7)&^7, uint64(len(body))):]
		}
	}
}
