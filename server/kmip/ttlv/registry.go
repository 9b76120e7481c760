package ttlv

import (
	"slices"
	"strings"
	"sync"
)

type tags []Tag

// enum is the table of an enumeration, or of a mask, and the tags whose items have its values.
type enum struct {
	tags tags
	runs []run
}

// run is consecutive values of one span, in the specification's wording, with ", " between them.
type run struct {
	since, until Version
	first        uint32
	titles       string
}

// known is one entry of a table. The name is what XML and JSON write for the title.
type known struct {
	title, name string
	span        Span
}

// values is one enumeration or mask: by number (for a mask, the number is the bit itself) and by name.
type values struct {
	order   []uint32
	entries map[uint32]known
	names   map[string]uint32
}

type index struct {
	tags      map[Tag]known
	tagNames  map[string]Tag
	tagTitles map[string]Tag
	enums     map[Tag]*values
	masks     map[Tag]*values
}

// registry is the tables made fit for searching, on first use.
var registry = sync.OnceValue(func() *index {
	x := &index{map[Tag]known{}, map[string]Tag{}, map[string]Tag{}, map[Tag]*values{}, map[Tag]*values{}}
	for i, title := range titles {
		if title != "" {
			x.addTag(firstTag-1+Tag(i), title)
		}
	}
	for _, e := range slices.Concat(messageEnums, objectEnums, cryptoEnums, serverEnums) {
		x.add(x.enums, e, func(n uint32) uint32 { return n })
	}
	for _, m := range masks {
		x.add(x.masks, m, func(bit uint32) uint32 { return 1 << bit })
	}
	x.addTagsAsValues()
	x.addSpellings()
	return x
})

func (x *index) addTag(t Tag, title string) {
	x.tags[t] = known{title, camel(title), tagSpan(t)}
	x.tagNames[camel(title)] = t
	x.tagTitles[title] = t
}

func newValues() *values { return &values{nil, map[uint32]known{}, map[string]uint32{}} }

func (x *index) add(to map[Tag]*values, e enum, number func(uint32) uint32) {
	v := newValues()
	for _, r := range e.runs {
		for i, title := range strings.Split(r.titles, ", ") {
			v.add(number(r.first+uint32(i)), title, Span{r.since, r.until})
		}
	}
	for _, t := range e.tags {
		to[t] = v
	}
}

func (v *values) add(n uint32, title string, s Span) {
	v.order = append(v.order, n)
	v.entries[n] = known{title, camel(title), s}
	v.names[camel(title)] = n
}

// addTagsAsValues makes the tags the values of Attribute Reference and Tag (KMIP 2.1 section 11).
func (x *index) addTagsAsValues() {
	v := newValues()
	for i, title := range titles {
		if title != "" {
			t := firstTag - 1 + Tag(i)
			v.add(uint32(t), title, x.tags[t].span)
		}
	}
	x.enums[TagAttributeReference], x.enums[TagTag] = v, v
}

// addSpellings adds names that one version or the published test cases spell in another way; they are read, not written.
func (x *index) addSpellings() {
	for tag, names := range map[Tag]map[string]uint32{
		TagHashingAlgorithm: {"SHA_3_224": 0x0e, "SHA_3_256": 0x0f, "SHA_3_384": 0x10, "SHA_3_512": 0x11}, // 1.4
		TagMaskGenerator:    {"MFG1": 0x01},                                                               // 2.0 and 2.1
		TagResultReason:     {"NotAuthorised": 0x39},                                                      // the text of 2.0 and 2.1
	} {
		for name, n := range names {
			x.enums[tag].names[name] = n
		}
	}
}
