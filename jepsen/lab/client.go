package lab

import (
	"time"

	"github.com/trstctl/trstctl/jepsen/network"
	"github.com/trstctl/trstctl/sdk"
)

// Client speaks to this node alone, as root, with linearizable reads.
func (n *Node) Client() *sdk.Client {
	n.asking.Do(func() { n.client = n.lab.client(n) })
	return n.client
}

// Any speaks to whichever member answers, as root.
func (l *Lab) Any() *sdk.Client { return l.client(l.Nodes()...) }

// Except speaks to any member but one.
func (l *Lab) Except(not *Node) *sdk.Client {
	var rest []*Node
	for _, n := range l.Nodes() {
		if n != not {
			rest = append(rest, n)
		}
	}
	return l.client(rest...)
}

// client makes one.
func (l *Lab) client(nodes ...*Node) *sdk.Client {
	o := sdk.Options{CACert: l.CA, Token: l.Root, Timeout: 20 * time.Second, Attempt: CallTime, UserAgent: "jepsen", Clock: l.now}
	for _, n := range nodes {
		o.Addresses = append(o.Addresses, "https://"+n.Host.Dial(network.API))
	}
	c, err := sdk.New(o)
	if err != nil {
		panic(err) // addresses, CA and token are the lab's own
	}
	return c.Reading(sdk.Read{At: sdk.Linearizable})
}

// ClientOf speaks to the node with this id alone. One that has left is asked in vain.
func (l *Lab) ClientOf(id string) *sdk.Client {
	l.mu.Lock()
	n := l.ever[id]
	l.mu.Unlock()
	return n.Client()
}

// Address is where the node with this id is asked.
func (l *Lab) Address(id string) string { return "https://" + l.dial(id, network.API) }

// Dir is of this lab alone, and gone with it. Its name is short enough for sockets.
func (l *Lab) Dir() string { return l.place.Dir }

// KMIP is the host:port where that node speaks KMIP.
func (l *Lab) KMIP(id string) string { return l.dial(id, network.KMIP) }

func (l *Lab) dial(id string, c network.Class) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ever[id].Host.Dial(c)
}
