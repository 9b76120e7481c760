package cluster

import (
	"context"

	"github.com/trstctl/trstctl/fsm/fault"
)

// refuseTwin refuses to start beside a node of the same id: a copy of its data directory, started elsewhere. Two that vote under one id
// could elect two leaders in one term. Where this node was last reached, nobody may answer with its certificate now; at its own
// present address that would be itself.
func (n *Node) refuseTwin() error {
	last := n.address.member(n.id.Node)
	if last == "" || last == n.self.Cluster {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTime)
	defer cancel()
	c, err := n.port.dialAddress(ctx, protoRPC, n.id.Node, last)
	if err != nil {
		return nil // it has moved from there
	}
	c.Close()
	return fault.New(fault.Conflict, "node %s runs already, at %s: this is a copy of its data directory; remove it, and join as a new node", n.id.Node, last)
}
