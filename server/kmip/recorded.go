package kmip

import (
	"errors"
	"strings"

	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/journal"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// recordedObjects is how much of the identifiers that a batch names a record holds, in bytes.
const recordedObjects = 1024

// record puts on record what a known client was given, or refused as a whole: one record a batch, with its count (SECURITY 21).
func (v *visit) record(refusal error) error {
	if !v.known {
		return nil
	}
	a := v.actor()
	r := journal.Record{Op: operationNames(v.request), Identity: journal.Escaped(a.Identity, 256), Accessor: a.Accessor, Tenant: v.client.Tenant,
		Path: journal.Escaped(objectNames(v.request), recordedObjects), Outcome: journal.Allowed, Rule: v.client.Role.Name, Request: "req_" + v.id.String(),
		Address: v.peer.Address, Index: v.index}
	if n := len(v.request.Items); n > 1 {
		r.Count = uint64(n)
	}
	if refusal != nil && !errors.Is(refusal, errUndone) {
		r.Outcome = fault.KindOf(refusal).String()
	}
	return v.Journal.Append(r)
}

// operationNames is "kmip.Get", or of several operations "kmip.batch".
func operationNames(r *Request) string {
	first := r.Items[0].Operation
	for _, it := range r.Items {
		if it.Operation != first {
			return "kmip.batch"
		}
	}
	name, known := ttlv.EnumName(ttlv.TagOperation, first)
	if !known {
		name = "unknown"
	}
	return "kmip." + name
}

// objectNames are the identifiers that the items name.
func objectNames(r *Request) string {
	var ids []string
	for _, it := range r.Items {
		if id := it.Payload.Find(ttlv.TagUniqueIdentifier); id != nil {
			if text, err := id.TextString(); err == nil {
				ids = append(ids, text)
			}
		}
	}
	return strings.Join(ids, ",")
}
