package kmip

import (
	"slices"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// part is a field of transparent key material.
type part struct {
	tag  ttlv.Tag
	typ  ttlv.Type
	must bool
}

// parts are those of a format, in the order in which they are written.
type parts []part

var (
	rsaPrivate = parts{integral(ttlv.TagModulus, true), integral(ttlv.TagPrivateExponent, false), integral(ttlv.TagPublicExponent, false), integral(ttlv.TagP, false),
		integral(ttlv.TagQ, false), integral(ttlv.TagPrimeExponentP, false), integral(ttlv.TagPrimeExponentQ, false), integral(ttlv.TagCRTCoefficient, false)}
	rsaPublic  = parts{integral(ttlv.TagModulus, true), integral(ttlv.TagPublicExponent, true)}
	dsaPrivate = parts{integral(ttlv.TagP, true), integral(ttlv.TagQ, true), integral(ttlv.TagG, true), integral(ttlv.TagX, true)}
	dsaPublic  = parts{integral(ttlv.TagP, true), integral(ttlv.TagQ, true), integral(ttlv.TagG, true), integral(ttlv.TagY, true)}
	dhPrivate  = parts{integral(ttlv.TagP, true), integral(ttlv.TagQ, false), integral(ttlv.TagG, true), integral(ttlv.TagJ, false), integral(ttlv.TagX, true)}
	dhPublic   = parts{integral(ttlv.TagP, true), integral(ttlv.TagQ, false), integral(ttlv.TagG, true), integral(ttlv.TagJ, false), integral(ttlv.TagY, true)}
	ecPrivate  = parts{{ttlv.TagRecommendedCurve, ttlv.TypeEnumeration, true}, integral(ttlv.TagD, true)}
	ecPublic   = parts{{ttlv.TagRecommendedCurve, ttlv.TypeEnumeration, true}, {ttlv.TagQString, ttlv.TypeByteString, true}}
)

func integral(t ttlv.Tag, must bool) part { return part{t, ttlv.TypeBigInteger, must} }

// transparent are the formats whose key material is a structure (KMIP 1.4 section 2.1.7).
var transparent = map[managedkey.KeyFormat]parts{
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentSymmetricKey):    {{ttlv.TagKey, ttlv.TypeByteString, true}},
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentRSAPrivateKey):   rsaPrivate,
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentRSAPublicKey):    rsaPublic,
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentDSAPrivateKey):   dsaPrivate,
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentDSAPublicKey):    dsaPublic,
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentDHPrivateKey):    dhPrivate,
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentDHPublicKey):     dhPublic,
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentECPrivateKey):    ecPrivate,
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentECPublicKey):     ecPublic,
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentECDSAPrivateKey): ecPrivate,
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentECDSAPublicKey):  ecPublic,
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentECDHPrivateKey):  ecPrivate,
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentECDHPublicKey):   ecPublic,
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentECMQVPrivateKey): ecPrivate,
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentECMQVPublicKey):  ecPublic,
}

// unread are the formats that the suite does not read: keys in them are kept and given back as they came, and nothing else is done with them.
var unread = map[managedkey.KeyFormat]struct {
	of        managedkey.ObjectType
	algorithm managedkey.Algorithm
}{
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentDSAPrivateKey):   {managedkey.PrivateKey, managedkey.Algorithm(ttlv.CryptographicAlgorithmDSA)},
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentDSAPublicKey):    {managedkey.PublicKey, managedkey.Algorithm(ttlv.CryptographicAlgorithmDSA)},
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentDHPrivateKey):    {managedkey.PrivateKey, managedkey.Algorithm(ttlv.CryptographicAlgorithmDH)},
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentDHPublicKey):     {managedkey.PublicKey, managedkey.Algorithm(ttlv.CryptographicAlgorithmDH)},
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentECMQVPrivateKey): {managedkey.PrivateKey, managedkey.Algorithm(ttlv.CryptographicAlgorithmECMQV)},
	managedkey.KeyFormat(ttlv.KeyFormatTypeTransparentECMQVPublicKey):  {managedkey.PublicKey, managedkey.Algorithm(ttlv.CryptographicAlgorithmECMQV)},
}

// check refuses a structure that has not just these fields, each once.
func (p parts) check(it *ttlv.Item) error {
	items, err := it.Structure()
	if err != nil {
		return err
	}
	seen := map[ttlv.Tag]bool{}
	for i := range items {
		at := slices.IndexFunc(p, func(f part) bool { return f.tag == items[i].Tag })
		if at < 0 || seen[items[i].Tag] || items[i].Type() != p[at].typ {
			return refuse(ttlv.ResultReasonInvalidField, "the key material has a %s that the key format type does not have so", items[i].Tag)
		}
		seen[items[i].Tag] = true
	}
	for _, f := range p {
		if f.must && !seen[f.tag] {
			return refuse(ttlv.ResultReasonInvalidField, "the key material has no %s", f.tag)
		}
	}
	return nil
}

// bytesOf is the field of the suite that has a tag's bytes, nil for none.
func bytesOf(f *suite.Fields, t ttlv.Tag) *[]byte {
	return map[ttlv.Tag]*[]byte{
		ttlv.TagKey: &f.Key, ttlv.TagModulus: &f.Modulus, ttlv.TagPrivateExponent: &f.PrivateExponent, ttlv.TagPublicExponent: &f.PublicExponent,
		ttlv.TagP: &f.P, ttlv.TagQ: &f.Q, ttlv.TagPrimeExponentP: &f.PrimeExponentP, ttlv.TagPrimeExponentQ: &f.PrimeExponentQ,
		ttlv.TagCRTCoefficient: &f.CRTCoefficient, ttlv.TagD: &f.D, ttlv.TagQString: &f.QString,
	}[t]
}

// fieldsOf copies the fields of a structure that check has passed. A field that the suite has none for stays out.
func fieldsOf(it *ttlv.Item) (f suite.Fields, err error) {
	for i := range it.Items() {
		var b []byte
		switch in := &it.Items()[i]; in.Type() {
		case ttlv.TypeEnumeration:
			f.Curve, err = enumeration[suite.Curve](in)
		case ttlv.TypeBigInteger:
			b, err = in.BigIntegerBytes()
		default:
			b, err = in.ByteString()
			b = slices.Clone(b)
		}
		if err != nil {
			return f, err
		}
		if to := bytesOf(&f, it.Items()[i].Tag); to != nil {
			*to = b
		}
	}
	return f, nil
}

// fieldsItem writes the fields that a format has, without a copy.
func fieldsItem(format managedkey.KeyFormat, f *suite.Fields) ttlv.Item {
	out := ttlv.Structure(ttlv.TagKeyMaterial)
	for _, p := range transparent[format] {
		b := bytesOf(f, p.tag)
		switch {
		case p.typ == ttlv.TypeEnumeration:
			out.Add(ttlv.Enumeration(p.tag, uint32(f.Curve)))
		case len(*b) == 0:
		case p.typ == ttlv.TypeBigInteger:
			out.Add(ttlv.BigIntegerOf(p.tag, *b))
		default:
			out.Add(ttlv.ByteString(p.tag, *b))
		}
	}
	return out
}
