package replay

import (
	"fmt"
	"iter"
	"strings"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// Node is an item of a published message.
type Node struct {
	Tag   ttlv.Tag
	Type  ttlv.Type
	Text  string // the value of a leaf as published, which may be a placeholder
	Nodes []Node // of a structure

	value ttlv.Item // of a leaf, without meaning for a placeholder
	names ttlv.Tag  // whose values name those of a leaf
	drawn bool      // the server draws the value, see origin.go
	fixed bool      // a time that an earlier request gave
}

// newNode makes a node of it; next returns the published text of one leaf after the other.
func newNode(it *ttlv.Item, next func() string) Node {
	n := Node{Tag: it.Tag, Type: it.Type(), names: it.Tag}
	if n.Type != ttlv.TypeStructure {
		n.Text, n.value = next(), *it
		n.tidy()
		return n
	}
	var attribute ttlv.Tag
	for i := range it.Items() {
		inner := newNode(&it.Items()[i], next)
		if inner.Tag == ttlv.TagAttributeName {
			attribute, _ = ttlv.AttributeTag(inner.Text)
		}
		if inner.Tag == ttlv.TagAttributeValue && attribute != 0 {
			inner.names = attribute
		}
		n.Nodes = append(n.Nodes, inner)
	}
	return n
}

// tidy takes the runs of spaces out of the names of attributes, which the line breaks of the published document have left there.
func (n *Node) tidy() {
	if tidied := strings.Join(strings.Fields(n.Text), " "); n.Tag == ttlv.TagAttributeName && tidied != n.Text {
		n.Text, n.value = tidied, ttlv.TextString(n.Tag, tidied)
	}
}

// placeholder reports whether the value is a name for one.
func (n *Node) placeholder() bool { return strings.HasPrefix(n.Text, "$") }

// item returns n as it is sent; leaf returns the value of one leaf.
func (n *Node) item(leaf func(*Node) (ttlv.Item, error)) (ttlv.Item, error) {
	if n.Type != ttlv.TypeStructure {
		it, err := leaf(n)
		it.Tag = n.Tag
		return it, err
	}
	it := ttlv.Structure(n.Tag)
	for i := range n.Nodes {
		inner, err := n.Nodes[i].item(leaf)
		if err != nil {
			return it, fmt.Errorf("%s/%w", n.Tag, err)
		}
		it.Add(inner)
	}
	return it, nil
}

// find returns the first node inside n with tag t, nil if there is none or n is nil.
func (n *Node) find(t ttlv.Tag) *Node {
	if n == nil {
		return nil
	}
	for i := range n.Nodes {
		if n.Nodes[i].Tag == t {
			return &n.Nodes[i]
		}
	}
	return nil
}

// text returns the published value of the first node inside n with tag t.
func (n *Node) text(t ttlv.Tag) string {
	if found := n.find(t); found != nil {
		return found.Text
	}
	return ""
}

// all yields n and the nodes at any depth that have tag t, in the order of the file.
func (n *Node) all(t ttlv.Tag) iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		n.walk(func(inner *Node) bool { return inner.Tag != t || yield(inner) })
	}
}

// walk calls visit for n and all in it until it returns false.
func (n *Node) walk(visit func(*Node) bool) bool {
	if n == nil {
		return true
	}
	if !visit(n) {
		return false
	}
	for i := range n.Nodes {
		if !n.Nodes[i].walk(visit) {
			return false
		}
	}
	return true
}

// String returns n on one line, as published.
func (n Node) String() string {
	if n.Type != ttlv.TypeStructure {
		return n.Tag.String() + "=" + n.Text
	}
	inner := make([]string, len(n.Nodes))
	for i := range n.Nodes {
		inner[i] = n.Nodes[i].String()
	}
	return n.Tag.String() + "{" + strings.Join(inner, " ") + "}"
}
