package sdk

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Level is how fresh a read must be.
type Level string

// The levels. The zero Level is Session once this client has seen an index and Linearizable before.
const (
	Linearizable Level = "linearizable" // sees every write acknowledged before the read began
	Session      Level = "session"      // sees what this client has written or read
	Stale        Level = "stale"        // the node's own state, not older than Read.MaxStale
)

// ParseLevel returns the level with this name; "" is the zero Level.
func ParseLevel(s string) (Level, error) {
	switch l := Level(s); l {
	case "", Linearizable, Session, Stale:
		return l, nil
	}
	return "", invalid("at", "%q is not a level: use linearizable, session or stale", s)
}

// Read is the consistency of a client's reads.
type Read struct {
	At       Level
	MaxStale time.Duration // for Stale; 0 leaves it to the node (2 s)
}

const indexHeader = "X-Trstctl-Index"

// position is a place in the cluster's history, written <epoch>.<index>.
type position struct{ epoch, index uint64 }

func parsePosition(s string) (position, bool) {
	epoch, index, ok := strings.Cut(s, ".")
	if !ok {
		return position{}, false
	}
	e, err := strconv.ParseUint(epoch, 10, 64)
	i, err2 := strconv.ParseUint(index, 10, 64)
	return position{e, i}, err == nil && err2 == nil
}

func (p position) String() string { return fmt.Sprintf("%d.%d", p.epoch, p.index) }

func (p position) after(o position) bool {
	return p.epoch > o.epoch || p.epoch == o.epoch && p.index > o.index
}

// session is the latest position any answer has shown. It never goes back.
type session struct {
	mu   sync.Mutex
	seen position // under mu
}

func (s *session) saw(header string) {
	p, ok := parsePosition(header)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.after(s.seen) {
		s.seen = p
	}
}

func (s *session) latest() (position, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen, s.seen != position{}
}

// consistency adds the level to a read's query and returns the index header to send, "" for none.
func (c *Client) consistency(q url.Values) string {
	seen, any := c.session.latest()
	level := c.read.At
	if level == "" && any {
		level = Session
	}
	if level != "" {
		q.Set("at", string(level))
	}
	if level == Stale && c.read.MaxStale > 0 {
		q.Set("max_stale", c.read.MaxStale.String())
	}
	if level == Session && any {
		return seen.String()
	}
	return ""
}
