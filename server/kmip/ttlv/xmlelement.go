package ttlv

import (
	"bytes"
	"encoding/xml"
	"slices"
)

// element is what the name and the attributes of an XML element say.
type element struct {
	tag   Tag
	typ   Type
	value string
}

// readElement returns the element, or what is wrong with it.
func readElement(start xml.StartElement) (e element, reason string) {
	a, reason := readAttributes(start)
	if reason != "" {
		return e, reason
	}
	name := start.Name.Local
	if name == "TTLV" {
		name = a[0].text
	}
	known, defined := false, true
	if e.tag, known = ParseTag(name); !known {
		return e, "the name of the element is no tag"
	}
	if e.typ = TypeStructure; a[1].given {
		e.typ, defined = ParseType(a[1].text)
	}
	if !defined {
		return e, "the type is not defined"
	}
	e.value = a[2].text
	return e, e.bad(a[2].given)
}

// bad says whether there is a value where there must be none, or none where there must be one. Some leave out an empty one.
func (e element) bad(valued bool) string {
	switch {
	case e.typ == TypeStructure && valued:
		return "there is a value at a Structure"
	case e.typ != TypeStructure && e.typ != TypeTextString && e.typ != TypeByteString && !valued:
		return "there is no value"
	}
	return ""
}

// attributes are tag, type and value, in this order.
type attributes [3]struct {
	text  string
	given bool
}

// readAttributes passes over the attribute name, and over declarations of a name space.
func readAttributes(start xml.StartElement) (a attributes, reason string) {
	for _, attr := range start.Attr {
		name := attr.Name.Local
		if attr.Name.Space == "xmlns" || name == "xmlns" || name == "name" {
			continue
		}
		i := slices.Index([]string{"tag", "type", "value"}, name)
		if i < 0 || attr.Name.Space != "" {
			return a, "there is an attribute that is not the encoding's"
		}
		if a[i].given {
			return a, "there is an attribute twice"
		}
		a[i].text, a[i].given = attr.Value, true
	}
	return a, ""
}

// maxAttributes is what one element may have: three that the encoding knows, and declarations of name spaces.
const maxAttributes = 16

// crowded reports whether an element has more than maxAttributes. The XML decoder would take fifty bytes for every byte of them.
func crowded(b []byte) bool {
	for {
		_, rest, found := bytes.Cut(b, []byte("<"))
		if !found {
			return false
		}
		if comment, is := bytes.CutPrefix(rest, []byte("!--")); is {
			_, b, _ = bytes.Cut(comment, []byte("-->"))
			continue
		}
		n, end := attributesOf(rest)
		if n > maxAttributes {
			return true
		}
		b = rest[end:]
	}
}

// attributesOf counts the equals signs outside of quotes up to the end of a tag, and returns where that is.
func attributesOf(b []byte) (n, end int) {
	var quote byte
	for i, c := range b {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '=':
			n++
		case c == '>':
			return n, i
		}
	}
	return n, len(b)
}
