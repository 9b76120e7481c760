package kmip

import (
	"math"
	"reflect"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// slot is a field of an attribute that is a structure. A field whose value is zero, or nil, is left out unless always.
type slot struct {
	field  string
	tag    ttlv.Tag
	always bool // in what we send; a client must send it too
}

// layouts are the attributes that are structures, field by field, in the order in which they are written (KMIP 1.4 section 3, KMIP 2.1 section 4).
var layouts = map[reflect.Type][]slot{
	reflect.TypeFor[managedkey.Name]():        {{"Value", ttlv.TagNameValue, true}, {"Type", ttlv.TagNameType, true}},
	reflect.TypeFor[managedkey.Link]():        {{"Type", ttlv.TagLinkType, true}, {"Target", ttlv.TagLinkedObjectIdentifier, true}},
	reflect.TypeFor[managedkey.Application](): {{"Namespace", ttlv.TagApplicationNamespace, true}, {"Data", ttlv.TagApplicationData, false}},
	reflect.TypeFor[managedkey.AltName]():     {{"Value", ttlv.TagAlternativeNameValue, true}, {"Type", ttlv.TagAlternativeNameType, true}},
	reflect.TypeFor[managedkey.Location]():    {{"Value", ttlv.TagKeyValueLocationValue, true}, {"Type", ttlv.TagKeyValueLocationType, true}},
	reflect.TypeFor[managedkey.Revocation]():  {{"Code", ttlv.TagRevocationReasonCode, true}, {"Message", ttlv.TagRevocationMessage, false}},
	reflect.TypeFor[managedkey.Digest]():      {{"Hash", ttlv.TagHashingAlgorithm, true}, {"Value", ttlv.TagDigestValue, true}, {"Format", ttlv.TagKeyFormatType, false}},
	reflect.TypeFor[managedkey.Domain]():      {{"QLength", ttlv.TagQlength, false}, {"Curve", ttlv.TagRecommendedCurve, false}},
	reflect.TypeFor[managedkey.Parameters](): {{"BlockMode", ttlv.TagBlockCipherMode, false}, {"Padding", ttlv.TagPaddingMethod, false},
		{"Hash", ttlv.TagHashingAlgorithm, false}, {"KeyRole", ttlv.TagKeyRoleType, false}, {"Signature", ttlv.TagDigitalSignatureAlgorithm, false},
		{"Algorithm", ttlv.TagCryptographicAlgorithm, false}, {"RandomIV", ttlv.TagRandomIV, false}, {"IVLength", ttlv.TagIVLength, false},
		{"TagLength", ttlv.TagTagLength, false}, {"FixedFieldLength", ttlv.TagFixedFieldLength, false}, {"InvocationLength", ttlv.TagInvocationFieldLength, false},
		{"CounterLength", ttlv.TagCounterLength, false}, {"InitialCounter", ttlv.TagInitialCounterValue, false}, {"SaltLength", ttlv.TagSaltLength, false},
		{"MaskGenerator", ttlv.TagMaskGenerator, false}, {"MaskGeneratorHash", ttlv.TagMaskGeneratorHashingAlgorithm, false}, {"PSource", ttlv.TagPSource, false},
		{"TrailerField", ttlv.TagTrailerField, false}},
	reflect.TypeFor[managedkey.RNG](): {{"Algorithm", ttlv.TagRNGAlgorithm, true}, {"Cryptographic", ttlv.TagCryptographicAlgorithm, false},
		{"Length", ttlv.TagCryptographicLength, false}, {"Hash", ttlv.TagHashingAlgorithm, false}, {"DRBG", ttlv.TagDRBGAlgorithm, false},
		{"Curve", ttlv.TagRecommendedCurve, false}, {"FIPS186", ttlv.TagFIPS186Variation, false}, {"PredictionResistance", ttlv.TagPredictionResistance, false}},
	reflect.TypeFor[managedkey.UsageLimits](): {{"Total", ttlv.TagUsageLimitsTotal, true}, {"Count", ttlv.TagUsageLimitsCount, false}, {"Unit", ttlv.TagUsageLimitsUnit, true}},
}

// encode writes a value under a tag. Structures are those of layouts; numbers of a named type are enumerations, but for masks.
func encode(tag ttlv.Tag, v any) ttlv.Item {
	switch v := v.(type) {
	case string:
		return ttlv.TextString(tag, v)
	case []byte:
		return ttlv.ByteString(tag, v)
	case bool:
		return ttlv.Boolean(tag, v)
	case int32:
		return ttlv.Integer(tag, v)
	case int64:
		return ttlv.LongInteger(tag, v)
	case uint32:
		return ttlv.Integer(tag, int32(v))
	case managedkey.UsageMask:
		return ttlv.Integer(tag, int32(v))
	case managedkey.StorageMask:
		return ttlv.Integer(tag, int32(v))
	case fsm.Time:
		return ttlv.DateTime(tag, v.Std().Unix())
	}
	value := reflect.ValueOf(v)
	if slots, structured := layouts[value.Type()]; structured {
		return encodeStructure(tag, value, slots)
	}
	return ttlv.Enumeration(tag, uint32(value.Uint()))
}

func encodeStructure(tag ttlv.Tag, value reflect.Value, slots []slot) ttlv.Item {
	out := ttlv.Structure(tag)
	for _, s := range slots {
		f := value.FieldByName(s.field)
		if f.IsZero() && !s.always && !(s.tag == ttlv.TagUsageLimitsCount) {
			continue
		}
		if f.Kind() == reflect.Pointer {
			f = f.Elem()
		}
		out.Add(encode(s.tag, f.Interface()))
	}
	return out
}

// decode reads an item into a value of the same type as zero. What is of another type, or lacks what it must have, is refused; a field that the structure has not
// is, too.
func decode(it *ttlv.Item, zero any) (any, error) {
	out := reflect.New(reflect.TypeOf(zero)).Elem()
	if err := decodeInto(it, out); err != nil {
		return nil, err
	}
	return out.Interface(), nil
}

func decodeInto(it *ttlv.Item, out reflect.Value) error {
	if out.Kind() == reflect.Pointer {
		out.Set(reflect.New(out.Type().Elem()))
		out = out.Elem()
	}
	if slots, structured := layouts[out.Type()]; structured {
		return decodeStructure(it, out, slots)
	}
	switch out.Interface().(type) {
	case managedkey.UsageMask, managedkey.StorageMask, uint32:
		return decodeNumber(it, out)
	case fsm.Time:
		return decodeTime(it, out)
	}
	switch out.Kind() {
	case reflect.String:
		return read(it.TextString, func(v string) { out.SetString(v) })
	case reflect.Bool:
		return read(it.Boolean, func(v bool) { out.SetBool(v) })
	case reflect.Int32:
		return read(it.Integer, func(v int32) { out.SetInt(int64(v)) })
	case reflect.Int64:
		return read(it.LongInteger, func(v int64) { out.SetInt(v) })
	case reflect.Slice:
		return read(it.ByteString, func(v []byte) { out.SetBytes(append([]byte(nil), v...)) })
	}
	return read(it.Enumeration, func(v uint32) { out.SetUint(uint64(v)) })
}

func read[T any](from func() (T, error), into func(T)) error {
	v, err := from()
	if err == nil {
		into(v)
	}
	return err
}

// decodeNumber reads a mask, a length or a lease.
func decodeNumber(it *ttlv.Item, out reflect.Value) error {
	if it.Type() == ttlv.TypeInterval {
		n, err := it.Interval()
		if err == nil && n > math.MaxInt32 {
			return refuse(ttlv.ResultReasonInvalidField, "%s is above %d", it.Tag, math.MaxInt32)
		}
		out.SetUint(uint64(n))
		return err
	}
	n, err := it.Integer()
	if err == nil && n < 0 {
		return refuse(ttlv.ResultReasonInvalidField, "%s is negative", it.Tag)
	}
	out.SetUint(uint64(uint32(n)))
	return err
}

// decodeTime reads seconds, of the years 1970 to 2261.
func decodeTime(it *ttlv.Item, out reflect.Value) error {
	seconds, err := it.DateTime()
	if err != nil {
		return err
	}
	const most = 9_214_646_400 // the year 2262
	if seconds < 0 || seconds >= most {
		return refuse(ttlv.ResultReasonInvalidField, "%s lies outside of the years 1970 to 2261", it.Tag)
	}
	out.SetInt(seconds * int64(1e9))
	return nil
}

func decodeStructure(it *ttlv.Item, out reflect.Value, slots []slot) error {
	items, err := it.Structure()
	if err != nil {
		return err
	}
	seen := map[ttlv.Tag]bool{}
	for i := range items {
		s, found := slotOf(slots, items[i].Tag)
		if !found || seen[s.tag] {
			return refuse(ttlv.ResultReasonInvalidField, "%s has a %s too many", it.Tag, items[i].Tag)
		}
		seen[s.tag] = true
		if err := decodeInto(&items[i], out.FieldByName(s.field)); err != nil {
			return err
		}
	}
	for _, s := range slots {
		if s.always && !seen[s.tag] {
			return refuse(ttlv.ResultReasonInvalidField, "%s has no %s", it.Tag, s.tag)
		}
	}
	return nil
}

func slotOf(slots []slot, tag ttlv.Tag) (slot, bool) {
	for _, s := range slots {
		if s.tag == tag {
			return s, true
		}
	}
	return slot{}, false
}
