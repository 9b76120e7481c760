package redis

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Bounds of answers, of a server that may not be what it says.
const (
	maxLine   = 64 << 10
	maxAnswer = 16 << 20 // bytes
	maxItems  = 100_000
	callTime  = 9 * time.Second
)

// refusal is an answer that is an error.
type refusal string

func (r refusal) Error() string { return string(r) }

// errProtocol is an answer that is none.
var errProtocol = errors.New("it does not speak Redis")

// conn is one connection. It ends with the context that it was made with.
type conn struct {
	net.Conn
	in   *bufio.Reader
	left int // bytes that an answer may still have
	stop func() bool
}

// dial connects, and speaks TLS where the configuration says so.
func dial(ctx context.Context, to func(context.Context, string, string) (net.Conn, error), n node, t *tls.Config) (*conn, error) {
	raw, err := to(ctx, "tcp", n.String())
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw}
	until := time.Now().Add(callTime)
	if d, ok := ctx.Deadline(); ok && d.Before(until) {
		until = d
	}
	err = raw.SetDeadline(until)
	c.stop = context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	if err == nil && t != nil {
		t = t.Clone()
		t.ServerName = n.host
		s := tls.Client(raw, t)
		c.Conn = s
		err = s.HandshakeContext(ctx)
	}
	if err != nil {
		_ = c.Close() // nothing was said on it
		return nil, err
	}
	c.in = bufio.NewReaderSize(c.Conn, 4096)
	return c, nil
}

// Close ends the connection.
func (c *conn) Close() error {
	c.stop()
	return c.Conn.Close()
}

// ask sends a command and reads its answer: string, int64, nil or []any.
func (c *conn) ask(args ...string) (any, error) {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n", len(a))
		b = append(append(b, a...), '\r', '\n')
	}
	defer clear(b)
	if _, err := c.Write(b); err != nil {
		return nil, err
	}
	c.left = maxAnswer
	out, err := c.read(0)
	if r, ok := out.(refusal); ok && err == nil {
		return nil, r
	}
	return out, err
}

// ok has a command carried out whose answer says nothing more.
func (c *conn) ok(args ...string) error {
	_, err := c.ask(args...)
	return err
}

// text has a command carried out whose answer is text.
func (c *conn) text(args ...string) (string, error) {
	v, err := c.ask(args...)
	s, ok := v.(string)
	if err == nil && !ok {
		err = errProtocol
	}
	return s, err
}

func (c *conn) line() (string, error) {
	var out []byte
	for {
		part, err := c.in.ReadSlice('\n')
		out = append(out, part...)
		if len(out) > maxLine {
			return "", errProtocol
		}
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
	}
	if c.left -= len(out); len(out) < 3 || out[len(out)-2] != '\r' || c.left < 0 {
		return "", errProtocol
	}
	return string(out[:len(out)-2]), nil
}

// read reads one value. Errors within lists stay values.
func (c *conn) read(depth int) (any, error) {
	s, err := c.line()
	if err != nil {
		return nil, err
	}
	kind, rest := s[0], s[1:]
	switch kind {
	case '+':
		return rest, nil
	case '-':
		return refusal(rest), nil
	}
	n, err := strconv.ParseInt(rest, 10, 64)
	switch {
	case err != nil:
		return nil, errProtocol
	case kind == ':':
		return n, nil
	case n == -1 && (kind == '$' || kind == '*'):
		return nil, nil
	case kind == '$' && n >= 0 && n <= int64(c.left):
		return c.bulk(int(n))
	case kind == '*' && n >= 0 && n <= maxItems && depth < 4:
		return c.list(int(n), depth)
	}
	return nil, errProtocol
}

func (c *conn) bulk(n int) (any, error) {
	c.left -= n
	b, err := io.ReadAll(io.LimitReader(c.in, int64(n)+2)) // which makes room as bytes come
	switch {
	case err != nil:
		return nil, err
	case len(b) < n+2:
		return nil, io.ErrUnexpectedEOF
	case b[n] != '\r' || b[n+1] != '\n':
		return nil, errProtocol
	}
	return string(b[:n]), nil
}

func (c *conn) list(n, depth int) (any, error) {
	var all []any
	for range n {
		v, err := c.read(depth + 1)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// texts has a command carried out whose answer is a list of texts.
func (c *conn) texts(args ...string) ([]string, error) {
	v, err := c.ask(args...)
	if err != nil {
		return nil, err
	}
	all, _ := v.([]any)
	out := make([]string, 0, len(all))
	for _, a := range all {
		s, ok := a.(string)
		if !ok {
			return nil, errProtocol
		}
		out = append(out, s)
	}
	return out, nil
}
