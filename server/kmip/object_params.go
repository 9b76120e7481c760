package kmip

import (
	"reflect"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// params are the Cryptographic Parameters of an operation (KMIP 1.4 section 4.29): those of the object with the lowest index, with what the request says laid over
// them, field by field. Both may be nil.
func params(o *managedkey.Object, it *ttlv.Item) (suite.Params, error) {
	var p managedkey.Parameters
	if o != nil && len(o.Attributes.Parameters) > 0 {
		p = o.Attributes.Parameters[0].Value
	}
	if it != nil {
		asked, err := decode(it, managedkey.Parameters{})
		if err != nil {
			return suite.Params{}, err
		}
		p = overlaid(p, asked.(managedkey.Parameters))
	}
	return suiteParams(p), nil
}

// overlaid is p with every field that over has.
func overlaid(p, over managedkey.Parameters) managedkey.Parameters {
	to, from := reflect.ValueOf(&p).Elem(), reflect.ValueOf(over)
	for i := range from.NumField() {
		if f := from.Field(i); !f.IsZero() {
			to.Field(i).Set(f)
		}
	}
	return p
}

func suiteParams(p managedkey.Parameters) suite.Params {
	return suite.Params{
		Mode: suite.Mode(p.BlockMode), Padding: suite.Padding(p.Padding), Hash: suite.Hash(p.Hash), Signature: suite.SignatureAlgorithm(p.Signature),
		Algorithm: suite.Algorithm(p.Algorithm), RandomIV: p.RandomIV != nil && *p.RandomIV, IVLength: lengthOf(p.IVLength), TagLength: lengthOf(p.TagLength),
		FixedFieldLength: lengthOf(p.FixedFieldLength), InvocationFieldLength: lengthOf(p.InvocationLength), CounterLength: lengthOf(p.CounterLength),
		InitialCounter: givenInt(p.InitialCounter), SaltLength: givenInt(p.SaltLength), MaskGenerator: suite.MaskGenerator(p.MaskGenerator),
		MaskGeneratorHash: suite.Hash(p.MaskGeneratorHash), PSource: p.PSource,
	}
}

// lengthOf is 0 for what was not given.
func lengthOf(n *uint32) int {
	if n == nil {
		return 0
	}
	return int(*n)
}

// givenInt keeps apart what was not given from 0.
func givenInt[N int32 | uint32](n *N) *int {
	if n == nil {
		return nil
	}
	out := int(*n)
	return &out
}
