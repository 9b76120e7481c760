package redis

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm/fault"
)

// session connects for each call: what was cut or stalled is no one else's connection.
type session struct {
	first    node
	further  []node
	cluster  bool
	persist  string
	username string
	tls      *tls.Config
	dial     func(context.Context, string, string) (net.Conn, error)

	mu       sync.Mutex // guards the rest
	password []byte     // nil once the session is closed
}

func newSession(t backend.Target) *session {
	further, _ := furtherNodes(t.Options[optionNodes]) // it was checked
	persist := t.Options[optionPersist]
	if persist == "" {
		persist = keepFile
	}
	return &session{first: node{t.Host, strconv.Itoa(int(t.Port))}, further: further, cluster: t.Options[optionCluster] == "true", persist: persist, username: t.Username, tls: t.TLSConfig(),
		dial: t.Dial, password: bytes.Clone(t.Password)}
}

// secret makes a string of the password: it is one argument of a command among others.
func (s *session) secret() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.password)
}

func (s *session) keep(password []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.password)
	s.password = bytes.Clone(password)
}

// Close implements backend.Session, as do the rest.
func (s *session) Close() error {
	s.keep(nil)
	return nil
}

// on logs in to a node for a moment. Errors say which.
func (s *session) on(ctx context.Context, n node, f func(*conn) error) error {
	c, err := dial(ctx, s.dial, n, s.tls)
	if err != nil {
		return s.unreached(n, err)
	}
	defer c.Close()
	if err := c.ok("AUTH", s.username, s.secret()); err != nil {
		var no refusal
		if errors.As(err, &no) {
			return fmt.Errorf("redis %s does not let %s in: %s", n, s.username, no)
		}
		return s.broken(ctx, n, err)
	}
	err = f(c)
	var no refusal
	if err == nil || errors.As(err, &no) {
		return err
	}
	return s.broken(ctx, n, err)
}

func (s *session) unreached(n node, err error) error {
	var kind *fault.Error
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &kind):
		return fmt.Errorf("connect to redis %s: %w", n, kind)
	case errors.As(err, &cert):
		return fmt.Errorf("the certificate of redis %s does not show that it is %s: %v", n, n.host, cert.Err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("redis %s did not answer in time: %w", n, err)
	}
	return fmt.Errorf("cannot reach redis %s: %v", n, err)
}

func (s *session) broken(ctx context.Context, n node, err error) error {
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("redis %s did not answer in time: %w", n, cause)
	}
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return fmt.Errorf("redis %s did not answer in time: %w", n, context.DeadlineExceeded)
	}
	var own *ours
	if errors.As(err, &own) {
		return own
	}
	return fmt.Errorf("the connection to redis %s broke: %v", n, err)
}

// ours is an error that says all there is to say.
type ours struct{ error }

func advise(format string, args ...any) error { return &ours{fmt.Errorf(format, args...)} }

// nodes are all that have the users.
func (s *session) nodes(ctx context.Context) (all []node, err error) {
	all = append([]node{s.first}, s.further...)
	if !s.cluster {
		return all, nil
	}
	var table string
	for _, n := range all { // any of them knows all
		err = s.on(ctx, n, func(c *conn) (err error) {
			table, err = c.text("CLUSTER", "NODES")
			return err
		})
		if err == nil {
			return members(table)
		}
	}
	return nil, err
}

// members reads CLUSTER NODES: "id host:port@bus[,name] flags ...".
func members(table string) (all []node, err error) {
	for line := range strings.Lines(table) {
		parts := strings.Fields(line)
		if len(parts) < 3 {
			continue
		}
		flags := strings.Split(parts[2], ",")
		if slices.Contains(flags, "handshake") {
			continue // it is not of the cluster yet
		}
		address, _, _ := strings.Cut(parts[1], "@")
		host, port, err := net.SplitHostPort(address)
		if err != nil || host == "" || slices.Contains(flags, "noaddr") {
			return nil, fmt.Errorf("the cluster does not know where its node %.8s is: it still has its users; mend the node, or have the cluster forget it", parts[0])
		}
		all = append(all, node{host, port})
	}
	if len(all) == 0 || len(all) > maxNodes {
		return nil, fmt.Errorf("the cluster has %d nodes, where 1 to %d are expected", len(all), maxNodes)
	}
	return all, nil
}

// each does something on every node, all at once, and returns every error.
func (s *session) each(ctx context.Context, doing string, f func(*conn) error) error {
	all, err := s.nodes(ctx)
	if err != nil {
		return err
	}
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, n := range all {
		wg.Go(func() {
			err := s.on(ctx, n, f)
			var no refusal
			if errors.As(err, &no) {
				err = fmt.Errorf("redis %s refuses to %s: %s", n, doing, no)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
