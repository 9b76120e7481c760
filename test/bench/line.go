package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

const answerPatience = 20 * time.Second // for an answer: a node takes 15 s at most

// line is how one client speaks KMIP: over one connection, to one port until something is wrong with it, and then to the next. It is for one goroutine.
type line struct {
	ports   []string
	configs []*tls.Config // by port: a session is resumed at the node that it was with
	at      int           // the port that is asked
	resumes bool
	conn    *tls.Conn // nil: none is open
}

// line speaks with nodes, by their API addresses in this order. With resumes every connection goes on with the session of the one before.
func (a *appliance) line(addresses []string, resumes bool) *line {
	l := &line{resumes: resumes}
	for _, api := range addresses {
		port, config := a.ports[api], a.tls.Clone()
		config.ServerName, _, _ = net.SplitHostPort(port) // what is wrong with it dialling says
		if resumes {
			config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		}
		l.ports, l.configs = append(l.ports, port), append(l.configs, config)
	}
	return l
}

// by makes an operation of what a worker does over a line, which the first call opens.
func (a *appliance) by(resumes bool, do func(ctx context.Context, l *line, n int) error) operation {
	return func(ctx context.Context, w *worker, n int) error {
		if w.line == nil {
			w.line = a.line(w.client.Addresses(), resumes)
		}
		return do(ctx, w.line, n)
	}
}

func (l *line) connect(ctx context.Context) error {
	if l.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	c, err := (&tls.Dialer{Config: l.configs[l.at]}).DialContext(ctx, "tcp", l.ports[l.at])
	if err != nil {
		return &sdk.Error{Kind: sdk.NotDone, Detail: fmt.Sprintf("connect to %s: %v", l.ports[l.at], err)}
	}
	l.conn = c.(*tls.Conn)
	return nil
}

// hangUp closes the connection, if one is open.
func (l *line) hangUp() {
	if l != nil && l.conn != nil {
		_ = l.conn.Close() // it is of no further use
		l.conn = nil
	}
}

// ask sends a message and returns the answer. After an error the next port is asked.
func (l *line) ask(ctx context.Context, message []byte) (*ttlv.Item, error) {
	err := l.connect(ctx)
	if err == nil {
		var m *ttlv.Item
		if m, err = exchange(l.conn, message); err == nil {
			return m, nil
		}
		err = &sdk.Error{Kind: sdk.OutcomeUnknown, Detail: err.Error()}
	}
	l.next()
	return nil, err
}

func (l *line) next() {
	l.hangUp()
	l.at = (l.at + 1) % len(l.ports)
}

func exchange(c net.Conn, message []byte) (*ttlv.Item, error) {
	if err := c.SetDeadline(time.Now().Add(answerPatience)); err != nil {
		return nil, err
	}
	if _, err := c.Write(message); err != nil {
		return nil, err
	}
	return ttlv.Read(c, ttlv.Limits{})
}
