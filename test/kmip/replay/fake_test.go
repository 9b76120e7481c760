package replay

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// load returns the published cases, which stand beside the repository or where TRSTCTL_KMIP_CASES says.
func load(t testing.TB) []Group {
	t.Helper()
	dir := os.Getenv("TRSTCTL_KMIP_CASES")
	if dir == "" {
		dir = filepath.FromSlash("../../../../shared/kmip/oasis")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the published KMIP test cases are not here; TRSTCTL_KMIP_CASES names their folder")
	}
	groups, err := Load(dir)
	require.NoError(t, err)
	return groups
}

// fake is a server that answers what a group publishes, with values of its own for placeholders, times and what is drawn. It
// knows nothing of the runner's bindings: what it gave is in values, and a request that brings something else is an error.
type fake struct {
	steps  []*Step
	at     int
	values map[string]ttlv.Item
	mutate func(step int, answer *ttlv.Item)
}

func newFake(g Group, skip NotApplicable) *fake {
	f := &fake{values: map[string]ttlv.Item{}}
	for _, c := range g.Cases {
		if _, ok := skip[c.Name]; ok {
			continue
		}
		for i := range c.Steps {
			f.steps = append(f.steps, &c.Steps[i])
		}
	}
	return f
}

func (f *fake) dial(context.Context, string) (Exchange, func(), error) { return f.exchange, nil, nil }

func (f *fake) exchange(_ context.Context, request []byte) ([]byte, error) {
	s := f.steps[f.at]
	got, err := ttlv.Parse(request, ttlv.Limits{})
	if err != nil {
		return nil, err
	}
	if err := f.recognise(&s.Request, got); err != nil {
		return nil, err
	}
	answer, err := s.Response.item(func(n *Node) (ttlv.Item, error) { return f.leaf(s, n), nil })
	if err != nil {
		return nil, err
	}
	if f.mutate != nil {
		f.mutate(f.at, &answer)
	}
	f.at++
	return ttlv.Marshal(&answer, ttlv.Limits{})
}

// recognise is an error unless the request has the values that the fake has given.
func (f *fake) recognise(n *Node, got *ttlv.Item) error {
	if n.Tag != got.Tag || n.Type != got.Type() || len(n.Nodes) != len(got.Items()) {
		return fmt.Errorf("%s is not as published", n.Tag)
	}
	for i := range n.Nodes {
		if err := f.recognise(&n.Nodes[i], &got.Items()[i]); err != nil {
			return err
		}
	}
	if given, ok := f.values[n.key()]; ok && !same(&given, got) {
		return fmt.Errorf("%s is not the value that was given for %s", n.Tag, n.Text)
	}
	return nil
}

// leaf returns a value for a leaf of a response.
func (f *fake) leaf(s *Step, n *Node) ttlv.Item {
	offset, relative := moment(n)
	switch {
	case n.Type == ttlv.TypeDateTime && !n.fixed:
		return ttlv.DateTime(n.Tag, time.Now().Add(offset).Unix())
	case relative || !n.placeholder() && !n.drawn:
		return n.value
	}
	if given, ok := f.values[n.key()]; ok && !starts(n, &s.Request) {
		return given
	}
	f.values[n.key()] = f.fresh(n)
	return f.values[n.key()]
}

// fresh makes a value that no other leaf has, of the length of the published one where there is one.
func (f *fake) fresh(n *Node) ttlv.Item {
	serial := uint64(0xa5a5_0000 + 1000*f.at + len(f.values))
	switch n.Type {
	case ttlv.TypeTextString:
		return ttlv.TextString(n.Tag, fmt.Sprintf("fresh-%d", serial))
	case ttlv.TypeByteString:
		size := length(&n.value)
		if n.placeholder() {
			size = 8
		}
		b := make([]byte, max(8, size))
		binary.BigEndian.PutUint64(b, serial)
		return ttlv.ByteString(n.Tag, b[:size])
	}
	return n.value
}
