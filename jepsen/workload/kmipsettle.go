package workload

import (
	"context"
	"fmt"

	"github.com/trstctl/trstctl/jepsen/history"
)

// rest is what was asked and answered at rest.
type rest struct {
	In  handled `json:"in"`
	Out any     `json:"out"`
}

// look repeats what a cluster at rest must be able to answer until it is answered, also with a refusal.
func (k *kmip) look(ctx context.Context, c *kmipClient, node string, call kmipCall) (value any, err error) {
	err = again(ctx, func(ctx context.Context) error {
		out, err := call.on(ctx, c, node)
		t, told, failure := outcome(operation{reads: true}, out, err)
		if value = told; t != history.OK {
			return fmt.Errorf("%s of %s through %s: %w", call.f, call.in.Name+call.in.UID, node, failure)
		}
		return nil
	})
	return value, err
}

// Settle looks at every object, name and ciphertext, each through another node.
func (k *kmip) Settle(ctx context.Context, e *Env) error {
	h, err := e.History.SoFar()
	if err != nil {
		return err
	}
	c := newKMIPClient(k.config, e.KMIP)
	defer c.close()
	nodes := e.Nodes()
	for i, call := range k.left(h) {
		node := nodes[i%len(nodes)]
		out, err := k.look(ctx, c, node, call)
		if err != nil {
			return err
		}
		e.History.Add(history.Settler, history.OK, call.f, node, rest{call.in, out}, nil)
	}
	return nil
}

// left are the questions about everything that a history knows of.
func (k *kmip) left(h *history.History) (all []kmipCall) {
	asked := map[string]bool{"": true}
	once := func(name string, calls ...kmipCall) {
		if !asked[name] {
			asked[name], all = true, append(all, calls...)
		}
	}
	for _, o := range h.Ops("kmip") {
		in, out := decode[handled](o.In), decode[shown](o.Out)
		once(in.Name, k.locate(in.Name))
		for _, id := range out.UIDs {
			once(id, k.state(id), k.get(id))
		}
		if o.F == "kmip.encrypt" && out.Value != "" {
			all = append(all, k.decrypt(handled{UID: in.UID, Message: in.Message, Token: out.Value}))
		}
	}
	return all
}
