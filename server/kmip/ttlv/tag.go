package ttlv

import (
	"fmt"
	"strings"
)

// Tag names an item. The protocol's own are 0x420001 to 0x42ffff, a vendor's 0x540000 to 0x54ffff (KMIP 1.4 section 9.1.3.1).
type Tag uint32

const (
	firstTag    Tag = 0x420001
	lastTag     Tag = 0x42ffff
	firstVendor Tag = 0x540000
	lastVendor  Tag = 0x54ffff
)

// Valid reports whether t lies in one of the two ranges, known or not.
func (t Tag) Valid() bool { return t >= firstTag && t <= lastTag || t.Vendor() }

// Vendor reports whether t lies in the range that the protocol leaves to vendors.
func (t Tag) Vendor() bool { return t >= firstVendor && t <= lastVendor }

// String returns the name that XML and JSON use, such as "UniqueIdentifier", or "0x540001" for a tag without one.
func (t Tag) String() string {
	if name := registry().tags[t].name; name != "" {
		return name
	}
	return fmt.Sprintf("0x%06x", uint32(t))
}

// Title returns the specification's wording, such as "Unique Identifier", which is also the name of an attribute before KMIP
// 2.0. It is empty for a tag that the tables do not hold.
func (t Tag) Title() string { return registry().tags[t].title }

// Span returns the versions in which t is defined. It is false for a tag that the tables do not hold.
func (t Tag) Span() (Span, bool) {
	known, ok := registry().tags[t]
	return known.span, ok
}

// ParseTag returns the tag with this name, or with this number as "0x540001".
func ParseTag(name string) (Tag, bool) {
	if t, ok := registry().tagNames[name]; ok {
		return t, true
	}
	n, ok := hexNumber(name, 3)
	return Tag(n), ok && Tag(n).Valid()
}

// AttributeTag returns the tag with the title name, such as "X.509 Certificate Subject". Any run of white space counts as one
// space: some of the published test cases have three.
func AttributeTag(name string) (Tag, bool) {
	t, ok := registry().tagTitles[strings.Join(strings.Fields(name), " ")]
	return t, ok
}
