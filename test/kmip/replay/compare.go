package replay

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// comparison goes over a published response and the one that came, side by side.
type comparison struct {
	where
	bound *bindings
	path  []string
	tags  []ttlv.Tag // around the item, outermost first
	diffs []Difference
}

// compare returns what is different in got, and binds what appears in it for the first time.
func compare(b *bindings, s *Step, got *ttlv.Item) []Difference {
	version, _ := versionOf(&s.Request)
	c := comparison{where: where{message: &s.Request, version: version}, bound: b}
	if got.Tag != s.Response.Tag {
		c.differ(s.Response.Tag.String(), got.Tag.String())
		return c.diffs
	}
	c.node(&s.Response, got)
	return c.diffs
}

func (c *comparison) differ(expected, got string) {
	c.diffs = append(c.diffs, Difference{Path: strings.Join(c.path, "/"), Expected: expected, Got: got})
}

// node compares items that have the same tag.
func (c *comparison) node(e *Node, got *ttlv.Item) {
	outer := c.where
	c.path, c.tags = append(c.path, c.label(e)), append(c.tags, e.Tag)
	c.enter(e)
	switch {
	case got.Type() != e.Type:
		c.differ(c.expected(e), got.Type().String()+" "+show(got, e.names))
	case outer.may(anyValue, e.Tag):
	case e.Tag == ttlv.TagBatchItem && c.refused(e, got):
	case e.Type == ttlv.TypeStructure:
		c.items(e, got.Items())
	default:
		c.leaf(e, got)
	}
	c.where, c.path, c.tags = outer, c.path[:len(c.path)-1], c.tags[:len(c.tags)-1]
}

// enter makes e the place where the comparison is.
func (c *comparison) enter(e *Node) {
	c.in = e.Tag
	switch e.Tag {
	case ttlv.TagAttribute:
		c.attribute, _ = ttlv.AttributeTag(e.text(ttlv.TagAttributeName))
	case ttlv.TagBatchItem:
		c.operation = e.text(ttlv.TagOperation)
		c.request = counterpart(c.message, e)
	}
}

// counterpart returns the batch item of the request that e answers, nil if there is none.
func counterpart(message, e *Node) *Node {
	requests := batch(message)
	for _, r := range requests {
		if r.text(ttlv.TagUniqueBatchItemID) == e.text(ttlv.TagUniqueBatchItemID) {
			return r
		}
	}
	return nil
}

// label is how a path names e.
func (c *comparison) label(e *Node) string {
	switch e.Tag {
	case ttlv.TagAttribute:
		return fmt.Sprintf("%s[%s]", e.Tag, e.text(ttlv.TagAttributeName))
	case ttlv.TagBatchItem:
		return fmt.Sprintf("%s[%s]", e.Tag, strings.TrimSpace(e.text(ttlv.TagOperation)+" "+e.text(ttlv.TagUniqueBatchItemID)))
	}
	return e.Tag.String()
}

// refused reports a status that is not the published one with the reason that came with it, and passes over the rest.
func (c *comparison) refused(e *Node, got *ttlv.Item) bool {
	want, status := e.find(ttlv.TagResultStatus), got.Find(ttlv.TagResultStatus)
	if want == nil || status == nil || same(&want.value, status) {
		return false
	}
	c.path = append(c.path, ttlv.TagResultStatus.String())
	c.differ(outcome(want.Text, e.text(ttlv.TagResultReason), e.text(ttlv.TagResultMessage)), outcome(
		show(status, status.Tag), show(got.Find(ttlv.TagResultReason), ttlv.TagResultReason), show(got.Find(ttlv.TagResultMessage), 0)))
	c.path = c.path[:len(c.path)-1]
	return true
}

func outcome(status, reason, message string) string {
	s := status
	for _, part := range []string{reason, message} {
		if part != "" {
			s += ", " + part
		}
	}
	return s
}

// items compares what is in a structure.
func (c *comparison) items(e *Node, got []ttlv.Item) {
	used := make([]bool, len(got))
	var places []int
	for i := range e.Nodes {
		at := c.match(&e.Nodes[i], got, used)
		if at < 0 {
			c.absent(&e.Nodes[i])
			continue
		}
		used[at], places = true, append(places, at)
		c.node(&e.Nodes[i], &got[at])
	}
	for i := range got {
		if !used[i] {
			c.added(&got[i])
		}
	}
	c.order(got, places)
}

func (c *comparison) absent(e *Node) {
	w := c.where
	w.expected = e
	if !w.may(mayLack, e.Tag) {
		c.differAt(e.Tag, c.expected(e), "nothing")
	}
}

func (c *comparison) added(got *ttlv.Item) {
	w := c.where
	w.got = got
	if !w.may(mayAdd, got.Tag) {
		c.differAt(got.Tag, "nothing", show(got, got.Tag))
	}
}

func (c *comparison) differAt(t ttlv.Tag, expected, got string) {
	c.path = append(c.path, t.String())
	c.differ(expected, got)
	c.path = c.path[:len(c.path)-1]
}

// order reports items that have other places among each other than the published ones.
func (c *comparison) order(got []ttlv.Item, places []int) {
	var expected, came []string
	for _, at := range places {
		expected = append(expected, got[at].Tag.String())
	}
	for _, at := range slices.Sorted(slices.Values(places)) {
		came = append(came, got[at].Tag.String())
	}
	if !slices.Equal(expected, came) {
		c.differ("the order "+strings.Join(expected, ", "), "the order "+strings.Join(came, ", "))
	}
}
