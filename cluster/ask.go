package cluster

import (
	"context"
	"errors"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// question is what one member asks another on behalf of a part that this package does not know. The peer is a member of this
// cluster by its certificate; what it may ask for is for the part to decide.
type question struct {
	Name string `cbor:"1,keyasint"` // "seal.status"
	Body []byte `cbor:"2,keyasint"`
}

type reply struct {
	Body []byte `cbor:"1,keyasint"`
}

// Answer answers what other members ask by name. fault.Invalid says that it does not know the question.
type Answer func(ctx context.Context, peer, name string, body []byte) ([]byte, error)

// Ask asks a member, this node too, once, and waits until ctx ends. At most 16 MiB fit either way. fault.NotDone: the question never left this node; fault.Unknown:
// nobody can say what became of it; any other fault is the member's own.
func (n *Node) Ask(ctx context.Context, id, name string, body []byte) ([]byte, error) {
	if id == n.id.Node {
		return n.answerTo(ctx, id, name, body)
	}
	var out reply
	err := n.bulk.get(id).call(ctx, callAsk, question{name, body}, &out)
	var f *fault.Error
	switch {
	case err == nil, errors.As(err, &f):
		return out.Body, err
	case errors.Is(err, errUnsent):
		return nil, fault.New(fault.NotDone, "node %q cannot be reached: nothing was done", id).Because(err)
	}
	return nil, fault.New(fault.Unknown, "node %q did not answer: it is not known whether it has done what it was asked for", id).Because(err)
}

func (n *Node) answerTo(ctx context.Context, peer, name string, body []byte) ([]byte, error) {
	if n.cfg.Answer == nil {
		return nil, fault.New(fault.Invalid, "this node does not know the question %q", name)
	}
	return n.cfg.Answer(ctx, peer, name, body)
}

func (n *Node) answerAsk(ctx context.Context, peer string, body []byte) (any, error) {
	var in question
	if err := fsm.Decode(body, &in); err != nil {
		return nil, fault.New(fault.Invalid, "the question cannot be read").Because(err)
	}
	out, err := n.answerTo(ctx, peer, in.Name, in.Body)
	return reply{out}, err
}
