package cluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
)

// A member's expired certificate is good for Raft, and for what it takes to elect a leader and to see that a node can renew it: the calls
// here. Everything else waits for the renewal, which an unsealed node does by itself.
var lastingCalls = map[method]bool{callConfirm: true, callStatus: true, callProve: true}

// expired reports whether the certificate at the other end of a connection is out of its time.
func expired(c net.Conn) bool {
	if held, ok := c.(*heldConn); ok {
		c = held.Conn
	}
	t, ok := c.(*tls.Conn)
	if !ok {
		return false
	}
	certs := t.ConnectionState().PeerCertificates
	return len(certs) > 0 && outOfTime(certs[0].NotBefore, certs[0].NotAfter)
}

func outOfTime(from, to time.Time) bool {
	now := chaos.Now()
	return now.Before(from) || now.After(to)
}

func expiredFault(id string) error {
	return fault.New(fault.NotDone, "the certificate of node %s has expired: it takes part again when it has renewed it, for which it must be unsealed", id).After(time.Second)
}

// restricted are the handlers for a peer whose certificate has expired.
func restricted(calls map[method]handler) map[method]handler {
	out := map[method]handler{}
	for m, h := range calls {
		if !lastingCalls[m] {
			h = func(_ context.Context, peer string, _ []byte) (any, error) { return nil, expiredFault(peer) }
		}
		out[m] = h
	}
	return out
}

// mayCall refuses what must not be sent to a peer whose certificate has expired.
func (l *link) mayCall(m method, id string) error {
	if l.expired && !lastingCalls[m] {
		return fmt.Errorf("%w: %w", errUnsent, expiredFault(id))
	}
	return nil
}
