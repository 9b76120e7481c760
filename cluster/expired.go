package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"time"

	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
)

// A member's expired certificate is good for Raft, and for what it takes to elect a leader and to see that a node can renew it: the calls
// here. Everything else waits for the renewal, which an unsealed node does by itself.
var lastingCalls = map[method]bool{callConfirm: true, callStatus: true, callProve: true}

// tenure is what the certificate at the other end of a connection says of its time. It is judged at every call: the clock of who judges may have been
// wrong when the connection began.
type tenure struct {
	leaf  *x509.Certificate // nil: none that could expire
	late  bool              // it was out of its time when the connection began
	began time.Duration     // uptime
}

// lateAgain is how long a connection whose certificate was late from the beginning is kept before another is tried: the peer may have renewed it in the very
// moment of the handshake.
const lateAgain = time.Second

func tenureOf(c net.Conn) (t tenure) {
	if held, ok := c.(*heldConn); ok {
		c = held.Conn
	}
	if s, ok := c.(*tls.Conn); ok {
		if certs := s.ConnectionState().PeerCertificates; len(certs) > 0 {
			t.leaf = certs[0]
		}
	}
	t.late, t.began = t.expired(), uptime()
	return t
}

func (t tenure) expired() bool { return t.leaf != nil && outOfTime(t.leaf.NotBefore, t.leaf.NotAfter) }

// lapsed reports whether the peer may have another certificate by now: this one has gone out of its time since the connection began, or was a while ago.
func (t tenure) lapsed() bool { return t.expired() && (!t.late || uptime()-t.began > lateAgain) }

func outOfTime(from, to time.Time) bool {
	now := chaos.Now()
	return now.Before(from) || now.After(to)
}

func expiredFault(id string) error {
	return fault.New(fault.NotDone, "the certificate of node %s has expired: it takes part again when it has renewed it, for which it must be unsealed", id).After(time.Second)
}

// inTime are the handlers for a peer whose certificate must not be out of its time.
func inTime(t tenure, calls map[method]handler) map[method]handler {
	out := map[method]handler{}
	for m, h := range calls {
		out[m] = h
		if !lastingCalls[m] {
			out[m] = func(ctx context.Context, peer string, body []byte) (any, error) {
				if t.expired() {
					return nil, expiredFault(peer)
				}
				return h(ctx, peer, body)
			}
		}
	}
	return out
}

// mayCall refuses what must not be sent to a peer whose certificate has expired.
func (l *link) mayCall(m method, id string) error {
	if !lastingCalls[m] && l.tenure.expired() {
		return fmt.Errorf("%w: %w", errUnsent, expiredFault(id))
	}
	return nil
}
