package ttlv

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
)

// ParseXML reads one item in the XML encoding (KMIP Profiles 1.4, "XML Encoding"). Anything but white space, comments and an XML
// declaration around it is refused, and so are entities of a document's own. The error is as for Parse.
//
// A value goes through strings of the XML decoder, which Wipe does not reach.
func ParseXML(b []byte, o Options) (*Item, error) {
	items, err := parseXML(b, o, false)
	if err != nil {
		return nil, err
	}
	if len(items) != 1 {
		return nil, &Error{Kind: Malformed, Reason: "there is not exactly one item"}
	}
	return &items[0], nil
}

// ParseXMLDocument reads all items of a document, which stand side by side or in one element called KMIP, as in the published
// test cases. The limits hold for the whole document. Text between the items is passed over.
func ParseXMLDocument(b []byte, o Options) ([]Item, error) { return parseXML(b, o, true) }

func parseXML(b []byte, o Options, document bool) (items []Item, err error) {
	if len(b) > o.size() {
		return nil, &Error{Kind: TooLarge, Reason: "more bytes than are allowed"}
	}
	if crowded(b) {
		return nil, &Error{Kind: TooComplex, Reason: "there are more attributes than are allowed"}
	}
	x := xmlReader{dec: xml.NewDecoder(bytes.NewReader(b)), options: o, walk: newWalk(o.Limits)}
	wrapper := document
	for {
		start, err := x.next(document)
		switch {
		case errors.Is(err, io.EOF):
			return items, nil
		case err != nil:
			return nil, err
		case start == nil: // the end of the wrapper
		case wrapper && start.Name.Local == "KMIP":
			wrapper = false
		default:
			items = append(items, Item{})
			if err := x.item(&items[len(items)-1], *start, 0); err != nil {
				return nil, err
			}
		}
	}
}

type xmlReader struct {
	walk
	dec     *xml.Decoder
	options Options
	at      int64 // of the element that is being read
}

// next returns the next start of an element, or nil at an end. Text is refused unless it is white space or loose is set.
func (x *xmlReader) next(loose bool) (*xml.StartElement, error) {
	for {
		x.at = x.dec.InputOffset()
		token, err := x.dec.Token()
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		if err != nil {
			return nil, x.fail(Malformed, x.at, "the text is not XML")
		}
		switch t := token.(type) {
		case xml.StartElement:
			return &t, nil
		case xml.EndElement:
			return nil, nil
		case xml.CharData:
			if !loose && len(bytes.TrimSpace(t)) > 0 {
				return nil, x.fail(Malformed, x.at, "there is text inside an element")
			}
		case xml.Directive:
			return nil, x.fail(Malformed, x.at, "there is a document type")
		}
	}
}

// item fills it from an element and all inside it. Names is the tag whose values name the item's, 0 for the item's own.
func (x *xmlReader) item(it *Item, start xml.StartElement, names Tag) error {
	at := x.at
	if err := x.enter(at); err != nil {
		return err
	}
	element, reason := readElement(start)
	if reason != "" {
		return x.fail(Malformed, at, reason)
	}
	x.push(element.tag)
	defer x.pop()
	it.Tag, it.typ = element.tag, element.typ
	if it.typ == TypeStructure {
		return x.items(it)
	}
	if err := x.value(it, element.value, names, at); err != nil {
		return err
	}
	if inner, err := x.next(false); err != nil || inner != nil {
		return x.orFail(err, at, "there are items in an item that is no Structure")
	}
	return nil
}

func (x *xmlReader) orFail(err error, at int64, reason string) error {
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return x.fail(Malformed, at, reason)
}

// items fills a structure with its items, up to and including its end.
func (x *xmlReader) items(it *Item) error {
	var n naming
	for {
		start, err := x.next(false)
		if err != nil {
			return x.orFail(err, x.at, "the text ends inside an element")
		}
		if start == nil {
			return nil
		}
		var inner Item
		if err := x.item(&inner, *start, n.attribute); err != nil {
			return err
		}
		n.note(&inner)
		it.items = append(it.items, inner)
	}
}

func (x *xmlReader) value(it *Item, text string, attribute Tag, at int64) error {
	text, err := x.options.replace(it, text)
	if err != nil {
		return err
	}
	n := naming{attribute}
	if reason := (scalar{names: n.of(it.Tag), text: []byte(text)}).decode(it); reason != "" {
		return x.fail(Malformed, at, reason)
	}
	return nil
}

// replace asks the caller for another text.
func (o Options) replace(it *Item, text string) (string, error) {
	if o.Value == nil {
		return text, nil
	}
	return o.Value(it.Tag, it.typ, text)
}
