package suite

import (
	"crypto/x509/pkix"
	"encoding/asn1"
)

// attributes are the attribute types that KMIP 2.1's Certificate Attributes have names for (RFC 4519; PKCS #9), with the names that RFC 4514 writes or, beyond
// those that it lists, that are usual.
var attributes = map[string]struct {
	name string
	list func(*Name) *[]string
}{
	"2.5.4.3":                    {"CN", func(n *Name) *[]string { return &n.CN }},
	"2.5.4.5":                    {"SERIALNUMBER", func(n *Name) *[]string { return &n.SerialNumber }},
	"2.5.4.6":                    {"C", func(n *Name) *[]string { return &n.C }},
	"2.5.4.7":                    {"L", func(n *Name) *[]string { return &n.L }},
	"2.5.4.8":                    {"ST", func(n *Name) *[]string { return &n.ST }},
	"2.5.4.10":                   {"O", func(n *Name) *[]string { return &n.O }},
	"2.5.4.11":                   {"OU", func(n *Name) *[]string { return &n.OU }},
	"2.5.4.12":                   {"title", func(n *Name) *[]string { return &n.Title }},
	"2.5.4.46":                   {"dnQualifier", func(n *Name) *[]string { return &n.DNQualifier }},
	"1.2.840.113549.1.9.1":       {"emailAddress", func(n *Name) *[]string { return &n.Email }},
	"0.9.2342.19200300.100.1.1":  {"UID", func(n *Name) *[]string { return &n.UID }},
	"0.9.2342.19200300.100.1.25": {"DC", func(n *Name) *[]string { return &n.DC }},
}

// nameOf reads a distinguished name.
func nameOf(der []byte) (Name, error) {
	var sequence pkix.RDNSequence
	if unmarshal(der, &sequence) != nil {
		return Name{}, badCertificate()
	}
	n := Name{Raw: der}
	for i, set := range sequence {
		text := ""
		for _, pair := range set {
			text = joined(text, "+", n.add(pair.Type, pair))
		}
		if i > 0 {
			text += ","
		}
		n.Text = text + n.Text // the last comes first
	}
	return n, nil
}

func joined(a, separator, b string) string {
	if a == "" {
		return b
	}
	return a + separator + b
}

// add sorts a value in, and writes it as a string: what has no name or is no string, as RFC 4514, section 2.4, has it, by its number and its DER.
func (n *Name) add(oid asn1.ObjectIdentifier, pair pkix.AttributeTypeAndValue) string {
	a, known := attributes[oid.String()]
	value, isText := pair.Value.(string)
	if !known || !isText {
		return pkix.RDNSequence{{pair}}.String()
	}
	list := a.list(n)
	*list = append(*list, value)
	pair.Type = asn1.ObjectIdentifier{2, 5, 4, 3} // whose value is escaped as any other
	return a.name + pkix.RDNSequence{{pair}}.String()[len("CN"):]
}
