package fsm

import (
	"errors"

	"github.com/fxamacker/cbor/v2"
)

// codec is deterministic CBOR (RFC 8949 section 4.2). Decoding refuses duplicate or unknown fields, indefinite lengths, tags, deep nesting,
// trailing bytes, and nothing at all in the place of a value; it does not insist on the shortest form or on the order of fields.
type codec struct {
	enc cbor.EncMode
	dec cbor.DecMode
}

var wire = newCodec()

func newCodec() codec {
	eo := cbor.CoreDetEncOptions()
	eo.IndefLength, eo.TagsMd = cbor.IndefLengthForbidden, cbor.TagsForbidden
	enc, err := eo.EncMode()
	if err != nil {
		panic(err) // the options above are constant
	}
	dec, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField, MaxNestedLevels: 16, MaxArrayElements: 1 << 16, MaxMapPairs: 1 << 16,
		UTF8: cbor.UTF8RejectInvalid,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return codec{enc, dec}
}

// Encode writes v as deterministic CBOR, for replies and other bytes that features keep inside their rows.
func Encode(v any) ([]byte, error) { return wire.enc.Marshal(v) }

// Decode reads what Encode wrote.
func Decode(b []byte, v any) error {
	if len(b) == 1 && (b[0] == 0xf6 || b[0] == 0xf7) {
		return errors.New("null or undefined stands in the place of a value")
	}
	return wire.dec.Unmarshal(b, v)
}
