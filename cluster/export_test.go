package cluster

import (
	"context"
	"errors"
	"net"
	"time"
)

// NewRaft is what starts a node's Raft.
var NewRaft = newRaft

// ExpireCertificates replaces both certificates on disk by ones that ended a minute ago.
func (n *Node) ExpireCertificates() error {
	return n.certificatesFrom(time.Now().Add(-certificateLife - time.Minute))
}

// certificatesFrom replaces both certificates on disk by ones that were made at a time.
func (n *Node) certificatesFrom(then time.Time) error {
	ca, err := n.issuer()
	if err != nil {
		return err
	}
	pub := &n.id.key.PublicKey
	node, err := ca.node(n.id.Node, pub, then)
	if err != nil {
		return err
	}
	api, err := ca.api(n.id.Node, hostOf(n.self.API), pub, then)
	if err != nil {
		return err
	}
	return n.id.keep(node.Raw, api.Raw, nil)
}

// CertificateEnds returns when the node's certificate for the cluster port expires.
func (n *Node) CertificateEnds() time.Time { return n.certs.node.Load().Leaf.NotAfter }

// FirstLogIndex returns where the Raft log begins.
func (n *Node) FirstLogIndex() uint64 {
	first, err := n.stored.FirstIndex()
	if err != nil {
		return 0
	}
	return first
}

// CheckStored reads what the daily scan reads.
func (n *Node) CheckStored(ctx context.Context) error {
	return errors.Join(n.store.CheckTables(ctx, func() {}), n.stored.Check(ctx, 0))
}

// Dial opens a connection for calls to another node's cluster port, beside those that the node itself has.
func (n *Node) Dial(ctx context.Context, id string) (net.Conn, error) {
	return n.port.dial(ctx, protoRPC, id)
}

// LinksEach is how many connections one member may have.
const LinksEach = linksEach

// GossipMembers returns how many members this node sees in gossip.
func (n *Node) GossipMembers() int { return int(n.gossipMembers.Load()) }

// Expire has the node run with certificates that ended a minute ago, until Renew.
func (n *Node) Expire() error {
	return errors.Join(n.ExpireCertificates(), n.reconnected())
}

// Hasten has the node run with certificates whose time begins in a while, as others with a late clock would see them.
func (n *Node) Hasten(by time.Duration) error {
	return errors.Join(n.certificatesFrom(time.Now().Add(backdate+by)), n.reconnected())
}

// End has the node run with certificates that end in a while.
func (n *Node) End(in time.Duration) error {
	return errors.Join(n.certificatesFrom(time.Now().Add(in-certificateLife)), n.reconnected())
}

// reconnected takes the certificates on disk, and makes all connections for calls anew.
func (n *Node) reconnected() error {
	fresh, err := loadCertificates(n.id)
	if err != nil {
		return err
	}
	n.certs.node.Store(fresh.node.Load())
	n.port.links.cut(func(_, proto string) bool { return proto == protoRPC })
	return nil
}

// Renew makes new certificates.
func (n *Node) Renew() error { return n.renew() }

// MarkFor is what a node that has applied so much gets when it asks for a mark.
func (n *Node) MarkFor(ctx context.Context, applied uint64) (uint64, error) {
	return n.markFor(ctx, applied)
}
