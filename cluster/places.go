package cluster

import (
	"github.com/trstctl/trstctl/fsm"
)

// Places walks the sealed values of this package with where they stand.
func Places(r fsm.Reader, visit func(fsm.Binding, fsm.Sealed) error) error {
	row, found, err := genesis(r)
	if err != nil || !found {
		return err
	}
	if err := visit(caKeyBinding, row.Founded.CAKey); err != nil {
		return err
	}
	return visit(gossipBinding(1), row.Founded.GossipKey)
}

// MemberIDs returns the ids of the members.
func (n *Node) MemberIDs() ([]string, error) {
	v, err := n.store.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	all, err := Members(v)
	ids := make([]string, len(all))
	for i, m := range all {
		ids[i] = m.ID
	}
	return ids, err
}
