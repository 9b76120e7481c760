package cluster

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/trstctl/trstctl/fsm"
)

// hint is what a node tells the others by gossip. Nothing rests on it: Raft's configuration says who is a member, the
// certificate who someone is.
type hint struct {
	Node    string `cbor:"1,keyasint"`
	Cluster string `cbor:"2,keyasint"`
	API     string `cbor:"3,keyasint"`
	Version string `cbor:"4,keyasint"`
	Sealed  bool   `cbor:"5,keyasint"`
	Applied uint64 `cbor:"6,keyasint"`
}

const (
	gossipEvery = time.Second
	gossipLooks = 5 // between two at which a node spreads what it is
)

// gossip keeps this node in the encrypted gossip of its cluster. It starts once the node has unsealed, since the key is
// sealed state, and its failures never end the node.
func (n *Node) gossip(ctx context.Context) error {
	if n.cfg.Gossip == "" {
		return nil
	}
	g := gossiped{ring: ring{have: map[uint64][]byte{}}}
	defer func() {
		if g.list != nil {
			if err := g.list.Shutdown(); err != nil {
				n.log.Warn("gossip not ended", "err", err)
			}
		}
	}()
	for look := 0; ctx.Err() == nil; look++ {
		if err := n.gossipOnce(&g, look%gossipLooks == 0); err != nil {
			n.log.Debug("gossip is not complete", "err", err)
		}
		pause(ctx, gossipEvery)
	}
	return nil
}

// gossiped is what the goroutine of gossip keeps.
type gossiped struct {
	ring ring
	list *memberlist.Memberlist // nil before the first key is there
}

// gossipOnce keeps the keys as the state says, and now and then spreads what the node is and looks for others.
func (n *Node) gossipOnce(g *gossiped, spread bool) error {
	if !n.keys.Unsealed() {
		return nil
	}
	if err := g.ring.follow(n); err != nil {
		return err
	}
	if g.list == nil {
		l, err := n.openGossip(g.ring.keys)
		if err != nil {
			return err
		}
		g.list, spread = l, true
	}
	n.gossipMembers.Store(int64(g.list.NumMembers()))
	if !spread {
		return nil
	}
	if err := g.list.UpdateNode(time.Second); err != nil {
		return fmt.Errorf("spread metadata: %w", err)
	}
	if g.list.NumMembers() > 1 {
		return nil
	}
	_, err := g.list.Join(n.gossipPeers())
	return err
}

func (n *Node) gossipPeers() []string {
	v, err := n.store.View()
	if err != nil {
		return nil
	}
	defer v.Close()
	all, _ := Members(v)
	var out []string
	for _, m := range all {
		if m.ID != n.id.Node && m.Gossip != "" {
			out = append(out, m.Gossip)
		}
	}
	return out
}

func (n *Node) openGossip(keys *memberlist.Keyring) (*memberlist.Memberlist, error) {
	host, port, err := splitPort(n.cfg.Gossip)
	if err != nil {
		return nil, err
	}
	c := memberlist.DefaultLANConfig()
	c.Name, c.Label, c.Keyring = n.id.Node, n.id.Cluster.String(), keys
	c.BindAddr, c.BindPort = host, port
	if host, port, err := splitPort(n.self.Gossip); err == nil {
		c.AdvertiseAddr, c.AdvertisePort = host, port
	}
	c.EnableCompression = false // a small frame could grow without bound when it is unpacked
	c.Delegate, c.Events = gossiper{n}, gossiper{n}
	c.Logger = log.New(slogWriter{n.log}, "", 0)
	return memberlist.Create(c)
}

func splitPort(addr string) (string, int, error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.Atoi(p)
	return host, port, err
}

// gossiper implements memberlist's delegates.
type gossiper struct{ n *Node }

func (g gossiper) NodeMeta(limit int) []byte {
	s := g.n.Status()
	b, err := fsm.Encode(hint{s.Node, g.n.self.Cluster, g.n.self.API, s.Version, s.Sealed, s.Applied})
	if err != nil || len(b) > limit {
		return nil
	}
	return b
}

func (g gossiper) note(m *memberlist.Node) {
	var h hint
	if fsm.Decode(m.Meta, &h) == nil && h.Node == m.Name && h.Node != g.n.id.Node {
		g.n.address.gossip(h.Node, h.Cluster)
	}
}

func (g gossiper) NotifyJoin(m *memberlist.Node)   { g.note(m) }
func (g gossiper) NotifyUpdate(m *memberlist.Node) { g.note(m) }
func (g gossiper) NotifyLeave(*memberlist.Node)    {}
func (gossiper) NotifyMsg([]byte)                  {}
func (gossiper) GetBroadcasts(int, int) [][]byte   { return nil }
func (gossiper) LocalState(bool) []byte            { return nil }
func (gossiper) MergeRemoteState([]byte, bool)     {}

// slogWriter sends a library's lines to the node's log, quietly: gossip is noisy where nodes come and go.
type slogWriter struct{ log *slog.Logger }

func (w slogWriter) Write(b []byte) (int, error) {
	w.log.Debug("gossip", "line", string(b))
	return len(b), nil
}

var _ io.Writer = slogWriter{}
