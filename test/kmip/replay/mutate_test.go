package replay

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// TestEveryMutationIsCaught changes every value of every published response, drops every item, adds one to every structure and
// reverses the order in every structure, and expects a difference each time but where the table below says otherwise.
func TestEveryMutationIsCaught(t *testing.T) {
	groups := load(t)
	skip := ClientBound(groups)
	caught := 0
	for _, g := range groups {
		if len(g.Cases[0].Steps) > 40 {
			continue // the same few steps over and over
		}
		caught += mutateGroup(t, g, skip)
	}
	t.Logf("%d mutations were caught", caught)
	require.Greater(t, caught, 10000)
}

func mutateGroup(t *testing.T, g Group, skip NotApplicable) (caught int) {
	f, bound := newFake(g, skip), newBindings(time.Now())
	for _, s := range f.steps {
		request, err := bound.request(&s.Request)
		require.NoError(t, err, g.Name)
		b, err := ttlv.Marshal(&request, ttlv.Limits{})
		require.NoError(t, err)
		answer, err := f.exchange(t.Context(), b)
		require.NoError(t, err, g.Name)
		m := mutator{answer: answer, bound: bound, step: s}
		m.structure(&s.Response, nil)
		for _, missed := range m.missed {
			t.Errorf("%s step %d: nobody noticed: %s", g.Name, f.at, missed)
		}
		caught += m.caught
		require.Empty(t, compare(bound, s, parsed(t, answer)), g.Name)
	}
	return caught
}

func parsed(t testing.TB, b []byte) *ttlv.Item {
	it, err := ttlv.Parse(slices.Clone(b), ttlv.Limits{})
	require.NoError(t, err)
	return it
}

// mutator mutates one response in all ways.
type mutator struct {
	answer []byte
	bound  *bindings
	step   *Step
	caught int
	missed []string
}

// try changes what stands at path, and notes what becomes of it.
func (m *mutator) try(what string, path []int, n *Node, change func(*ttlv.Item)) {
	root, _ := ttlv.Parse(slices.Clone(m.answer), ttlv.Limits{})
	at := root
	for _, i := range path {
		at = &at.Items()[i]
	}
	change(at)
	if len(compare(m.bound.clone(), m.step, root)) > 0 {
		m.caught++
		return
	}
	m.missed = append(m.missed, fmt.Sprintf("%s %s (%s)", what, n, pathOf(m.step, path)))
}

func pathOf(s *Step, path []int) string {
	n, text := &s.Response, ""
	for _, i := range path {
		n = &n.Nodes[i]
		text += "/" + n.Tag.String()
	}
	return text
}

// structure mutates what is in n, which stands at path.
func (m *mutator) structure(n *Node, path []int) {
	if free(n) {
		return
	}
	extra := ttlv.TextString(ttlv.TagComment, "more")
	m.try("add to", path, n, func(it *ttlv.Item) { it.Add(extra) })
	if len(n.Nodes) > 1 && n.Nodes[0].Tag != n.Nodes[len(n.Nodes)-1].Tag {
		m.try("reverse", path, n, func(it *ttlv.Item) { slices.Reverse(it.Items()) })
	}
	for i := range n.Nodes {
		inner := &n.Nodes[i]
		if !droppable(m.step, inner) {
			m.try("drop", path, inner, func(it *ttlv.Item) {
				*it = ttlv.Structure(it.Tag, slices.Delete(it.Items(), i, i+1)...)
			})
		}
		if at := append(slices.Clone(path), i); inner.Type == ttlv.TypeStructure {
			m.structure(inner, at)
		} else if !m.open(inner) {
			m.try("change", at, inner, func(it *ttlv.Item) { *it = other(it) })
		}
	}
}

// other returns an item of the tag and type of it with another value.
func other(it *ttlv.Item) ttlv.Item {
	switch it.Type() {
	case ttlv.TypeTextString:
		return ttlv.TextString(it.Tag, "something else")
	case ttlv.TypeByteString:
		return ttlv.ByteString(it.Tag, []byte("something else"))
	case ttlv.TypeInteger:
		return ttlv.Integer(it.Tag, 77)
	case ttlv.TypeEnumeration:
		return ttlv.Enumeration(it.Tag, 77)
	case ttlv.TypeInterval:
		return ttlv.Interval(it.Tag, 77)
	case ttlv.TypeLongInteger:
		return ttlv.LongInteger(it.Tag, 77)
	case ttlv.TypeBoolean:
		v, _ := it.Boolean()
		return ttlv.Boolean(it.Tag, !v)
	}
	return ttlv.DateTime(it.Tag, 77)
}

// free is for structures in which a server says what it likes.
func free(n *Node) bool {
	switch n.Tag {
	case ttlv.TagServerInformation, ttlv.TagExtensionInformation, ttlv.TagProfileInformation, ttlv.TagRNGParameters,
		ttlv.TagCapabilityInformation:
		return true
	}
	return n.Tag == ttlv.TagAttributeValue && n.names == ttlv.TagRandomNumberGenerator
}

// droppable is for what a server may leave out.
func droppable(s *Step, n *Node) bool {
	switch n.Tag {
	case ttlv.TagResultMessage, ttlv.TagExtensionInformation, ttlv.TagProfileInformation:
		return true
	}
	return s.operation() == "Query" && n.Tag == ttlv.TagOperation && slices.Contains(optional, n.Text)
}

// optional are the operations that a server may not have.
var optional = []string{"Put", "Notify", "Certify", "ReCertify"}

// open reports whether another value is right too.
func (m *mutator) open(n *Node) bool {
	_, bound := m.bound.values[n.key()]
	_, relative := moment(n)
	switch {
	case n.Tag == ttlv.TagResultMessage || n.Tag == ttlv.TagVendorIdentification || n.Tag == ttlv.TagServerCorrelationValue:
		return true
	case n.Type == ttlv.TypeDateTime:
		return !relative && !n.fixed
	case m.step.operation() == "Query" && n.Tag == ttlv.TagOperation && slices.Contains(optional, n.Text):
		return true
	}
	return (n.placeholder() || n.drawn) && (!bound || starts(n, &m.step.Request)) && !m.sizedHere(n)
}

// sizedHere reports whether the length of another value gives it away.
func (m *mutator) sizedHere(n *Node) bool {
	return n.drawn && n.Tag == ttlv.TagDigestValue && length(&n.value) != len("something else")
}
