package ttlv

import "unicode/utf8"

// ParseJSON reads one item in the JSON encoding (KMIP Profiles 1.4, "JSON Encoding"): an object of tag, type and value, which takes up
// all of b. Other members, and members twice, are refused. The error is as for Parse. A text without escapes points into b, which
// the caller must leave alone from then on; Wipe does not reach the digits of byte strings in b.
func ParseJSON(b []byte, o Options) (*Item, error) {
	if len(b) > o.size() {
		return nil, &Error{Kind: TooLarge, Reason: "more bytes than are allowed"}
	}
	if !utf8.Valid(b) {
		return nil, &Error{Kind: Malformed, Reason: "the text is not UTF-8"}
	}
	j := jsonReader{scanner: scanner{b: b}, options: o, walk: newWalk(o.Limits)}
	it := new(Item)
	if err := j.item(it, 0); err != nil {
		return nil, err
	}
	if j.peek(); j.at != len(b) {
		return nil, j.broken("bytes follow the item")
	}
	return it, nil
}

type jsonReader struct {
	walk
	scanner
	options Options
}

func (j *jsonReader) broken(reason string) error { return j.fail(Malformed, int64(j.at), reason) }

// members are what an object has. They come in any order, so that a value is kept until the type is known.
type members struct {
	tagged, typed bool
	typ           []byte
	form          byte // what the value begins with: '[', '"', or 'b' for what is bare; 0 without a value
	value         []byte
	items         []Item
}

// item fills it from the next object. Attribute is what an Attribute Value takes its names from.
func (j *jsonReader) item(it *Item, attribute Tag) error {
	at := int64(j.peekAt())
	if err := j.enter(at); err != nil {
		return err
	}
	m := members{typ: []byte("Structure")}
	j.push(0) // not known yet
	defer j.pop()
	if err := j.object(&m); err != nil {
		return err
	}
	return j.settle(it, &m, attribute, at)
}

func (j *jsonReader) peekAt() int {
	j.space()
	return j.at
}

// object reads the members of the next object.
func (j *jsonReader) object(m *members) error {
	if !j.take('{') {
		return j.broken("there is no object")
	}
	for {
		name, ok := j.text()
		if !ok || !j.take(':') {
			return j.broken("there is no member")
		}
		if err := j.member(string(name), m); err != nil {
			return err
		}
		if j.take('}') {
			return nil
		}
		if !j.take(',') {
			return j.broken("the object does not end")
		}
	}
}

func (j *jsonReader) member(name string, m *members) error {
	ok := false
	switch {
	case name == "tag" && !m.tagged:
		m.tagged, ok = true, j.tag()
	case name == "type" && !m.typed:
		m.typed = true
		m.typ, ok = j.text()
	case name == "value" && m.form == 0:
		return j.value(m)
	default:
		return j.broken("there is a member that is not the encoding's, or one twice")
	}
	if !ok {
		return j.broken("there is no tag, or no string, where one has to be")
	}
	return nil
}

// tag reads the item's tag and puts it into the path.
func (j *jsonReader) tag() bool {
	name, ok := j.text()
	if !ok {
		return false
	}
	j.path[len(j.path)-1], ok = ParseTag(string(name))
	return ok
}

// value reads an array of items, a string, a number or a truth value.
func (j *jsonReader) value(m *members) (err error) {
	ok := true
	switch m.form = j.peek(); m.form {
	case '[':
		m.items, err = j.array()
	case '"':
		m.value, ok = j.text()
	default:
		m.form = 'b'
		m.value, ok = j.bare()
	}
	if err == nil && !ok {
		err = j.broken("there is no value")
	}
	return err
}

func (j *jsonReader) array() (items []Item, err error) {
	j.take('[')
	if j.take(']') {
		return nil, nil
	}
	var n naming
	for {
		var inner Item
		if err := j.item(&inner, n.attribute); err != nil {
			return nil, err
		}
		n.note(&inner)
		items = append(items, inner)
		if j.take(']') {
			return items, nil
		}
		if !j.take(',') {
			return nil, j.broken("the array does not end")
		}
	}
}

// settle makes an item of the members of an object that began at at.
func (j *jsonReader) settle(it *Item, m *members, attribute Tag, at int64) error {
	typ, defined := ParseType(string(m.typ))
	switch {
	case !m.tagged:
		return j.fail(Malformed, at, "there is no tag")
	case !defined:
		return j.fail(Malformed, at, "the type is not defined")
	case m.form == 0 || (m.form == '[') != (typ == TypeStructure):
		return j.fail(Malformed, at, "there is no value, or one of another type")
	}
	it.Tag, it.typ, it.items = j.path[len(j.path)-1], typ, m.items
	if typ == TypeStructure {
		return nil
	}
	text, err := j.replaced(it, m)
	if err != nil {
		return err
	}
	n := naming{attribute}
	if reason := (scalar{n.of(it.Tag), text, m.form == 'b'}).decode(it); reason != "" {
		return j.fail(Malformed, at, reason)
	}
	return nil
}

func (j *jsonReader) replaced(it *Item, m *members) ([]byte, error) {
	if j.options.Value == nil {
		return m.value, nil
	}
	text, err := j.options.Value(it.Tag, it.typ, string(m.value))
	return []byte(text), err
}
