// Package redis makes ACL users of a Redis server (7 or later, or Valkey), or of all nodes of a cluster, and ends them.
//
// It promises, besides what every backend does:
//   - A password gets to the server as its SHA-256, which is what ACL lists keep.
//   - A user is made on each node, masters and replicas alike: ACLs are a node's own. A node that cannot be reached makes Create and End fail; End is called again until it can, or
//     until the cluster has forgotten it.
//   - A Create that is late does not make a user behind its End: the connection that carries it bears the user's name before the user is made, and End ends connections of that name first.
//   - End goes in this order: late Creates, the user's password and rights, its connections, until none is left, the user. A server does one thing after the other: no login is under
//     way between two of these.
//   - No account has a command of the category @admin, nor MIGRATE, whatever its role says: by ACL and CONFIG it could make others, or the server its own, and have it connect elsewhere.
//   - What a node is told it is also told to keep, as the option persist says.
//
// Redis knows no end of a user: the lease's revocation is what ends it.
//
// The protocol (RESP2) is spoken here: the usual drivers make room for whatever length a server names.
//
// Config.Options has
//
//	cluster   true: the server is of a cluster, and so are all nodes that it names
//	nodes     further servers with the same users, such as replicas: host:port, separated by commas
//	persist   aclfile (the default: ACL SAVE), config (CONFIG REWRITE), or none: users are gone when the server restarts
//
// Config.Database is not used: ACLs know no databases. A grant is one or more rules of an ACL, separated by spaces: +get +@read ~app:* %R~seen:* &news.*
package redis

import (
	"context"
	"net"
	"strconv"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
)

// nameLimit is ours: Redis has none.
const nameLimit = 63

// Backend is Redis. Its zero value is ready.
type Backend struct{}

// NameLimit implements backend.Backend, as do the rest.
func (Backend) NameLimit() int { return nameLimit }

// Environment is what redis-cli takes of a password; host, port and user it is told by options.
func (Backend) Environment(c backend.Config, username string) (variables []string, password string) {
	return []string{"REDIS_HOST=" + c.Host, "REDIS_PORT=" + strconv.Itoa(int(c.Port)), "REDIS_USERNAME=" + username}, "REDISCLI_AUTH"
}

// Open logs in once.
func (b Backend) Open(ctx context.Context, t backend.Target) (backend.Session, error) {
	if err := b.CheckConfig(&t.Config); err != nil {
		return nil, err
	}
	s := newSession(t)
	if err := s.on(ctx, s.first, func(c *conn) error { return c.ok("PING") }); err != nil {
		_ = s.Close() // nothing is open
		return nil, err
	}
	return s, nil
}

// node is one server.
type node struct{ host, port string }

func (n node) String() string { return net.JoinHostPort(n.host, n.port) }
