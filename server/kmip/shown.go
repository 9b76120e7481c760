package kmip

import (
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// shownValue writes the value of an attribute under a tag.
func shownValue(tag ttlv.Tag, i managedkey.Instance) ttlv.Item {
	switch v := i.Value.(type) {
	case managedkey.CertificateInfo:
		return certificateItem(tag, i.Attribute, v)
	case managedkey.Field:
		return fieldItem(tag, v)
	case uint32:
		if i.Attribute == managedkey.AttrLease {
			return ttlv.Interval(tag, v)
		}
	}
	return encode(tag, i.Value)
}

// certificateItem writes what a certificate says of itself: as DER, and for the attributes of 1.0 as text.
func certificateItem(tag ttlv.Tag, a managedkey.Attribute, c managedkey.CertificateInfo) ttlv.Item {
	several := func(tag ttlv.Tag, names [][]byte) (out []ttlv.Item) {
		for _, n := range names {
			out = append(out, ttlv.ByteString(tag, n))
		}
		return out
	}
	out := ttlv.Structure(tag)
	switch a {
	case managedkey.AttrX509ID:
		out.Add(ttlv.ByteString(ttlv.TagIssuerDistinguishedName, c.IssuerDER), ttlv.ByteString(ttlv.TagCertificateSerialNumber, c.Serial))
	case managedkey.AttrX509Subject:
		out.Add(ttlv.ByteString(ttlv.TagSubjectDistinguishedName, c.SubjectDER))
		out.Add(several(ttlv.TagSubjectAlternativeName, c.SubjectAltName)...)
	case managedkey.AttrX509Issuer:
		out.Add(ttlv.ByteString(ttlv.TagIssuerDistinguishedName, c.IssuerDER))
		out.Add(several(ttlv.TagIssuerAlternativeName, c.IssuerAltName)...)
	case managedkey.AttrCertID:
		out.Add(ttlv.TextString(ttlv.TagIssuer, c.Issuer), ttlv.TextString(ttlv.TagSerialNumber, serialText(c.Serial)))
	case managedkey.AttrCertSubject:
		out.Add(ttlv.TextString(ttlv.TagCertificateSubjectDistinguishedName, c.Subject))
	case managedkey.AttrCertIssuer:
		out.Add(ttlv.TextString(ttlv.TagCertificateIssuerDistinguishedName, c.Issuer))
	}
	return out
}

// attributeItem writes an attribute as a version has it: a structure Attribute before 2.0, with its index if that is not 0; since then a tag of its own, but for what
// vendors made up.
func attributeItem(v ttlv.Version, i managedkey.Instance) ttlv.Item {
	tag, standard := tagOf(i.Attribute)
	if v >= ttlv.V20 {
		if standard {
			return shownValue(tag, i)
		}
		vendor, name := vendorOf(i.Attribute)
		return ttlv.Structure(ttlv.TagAttribute, ttlv.TextString(ttlv.TagVendorIdentification, vendor), ttlv.TextString(ttlv.TagAttributeName, name),
			shownValue(ttlv.TagAttributeValue, i))
	}
	out := ttlv.Structure(ttlv.TagAttribute, ttlv.TextString(ttlv.TagAttributeName, string(i.Attribute)))
	if i.Index > 0 {
		out.Add(ttlv.Integer(ttlv.TagAttributeIndex, int32(i.Index)))
	}
	if v := shownValue(ttlv.TagAttributeValue, i); v.Tag == ttlv.TagAttributeValue {
		out.Add(v)
	}
	return out
}

// attributesItems writes attributes where a payload has them: one after the other before 2.0, in one structure since. Those that the version has not are left out.
func attributesItems(v ttlv.Version, all []managedkey.Instance) []ttlv.Item {
	var out []ttlv.Item
	for _, i := range all {
		if known(i.Attribute, v) == nil {
			out = append(out, attributeItem(v, i))
		}
	}
	if v >= ttlv.V20 {
		return []ttlv.Item{ttlv.Structure(ttlv.TagAttributes, out...)}
	}
	return out
}

// serialText is a serial number, an INTEGER in DER, in hexadecimal; empty of what is none.
func serialText(der []byte) string {
	var n *big.Int
	if rest, err := asn1.Unmarshal(der, &n); err != nil || len(rest) > 0 {
		return ""
	}
	return fmt.Sprintf("%X", n.Bytes())
}
