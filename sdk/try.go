package sdk

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// try sends the call to one node and reads the whole answer.
func (c *Client) try(ctx context.Context, address string, p prepared) ([]byte, *Error) {
	ctx, cancel := context.WithTimeout(ctx, c.attempt)
	defer cancel()
	resp, e := c.send(ctx, address, p)
	if e != nil {
		return nil, e
	}
	defer resp.Body.Close()
	body, err := readAll(resp.Body, maxAnswer)
	switch {
	case errors.Is(err, errTooLong):
		return nil, &Error{Status: resp.StatusCode, Kind: Internal, Address: address, Detail: fmt.Sprintf("the answer of %s is above %d bytes", address, maxAnswer)}
	case err != nil:
		return nil, cut(address, err)
	}
	return body, nil
}

// send returns the response if it is 2xx; the caller closes its body. Any other response becomes an error.
func (c *Client) send(ctx context.Context, address string, p prepared) (*http.Response, *Error) {
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, p.method, address+p.target, bytes.NewReader(p.payload))
	if err != nil {
		return nil, invalid("path", "the request cannot be made: %v", err)
	}
	c.head(req, p)
	resp, err := c.http.Do(req)
	if err != nil && connected.Load() {
		return nil, cut(address, err)
	}
	if err != nil {
		return nil, unreached(address, err)
	}
	c.session.saw(resp.Header.Get(indexHeader))
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	body, err := readAll(resp.Body, maxProblem)
	if err != nil {
		body = nil // the status alone says enough
	}
	return nil, refusal(address, resp.StatusCode, resp.Header, body)
}

func (c *Client) head(req *http.Request, p prepared) {
	h := req.Header
	h.Set("User-Agent", c.agent)
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	set(indexHeader, p.index)
	set("Idempotency-Key", p.key)
	set("X-Trstctl-Tenant", c.tenant)
	if len(c.token) > 0 {
		h.Set("Authorization", "Bearer "+string(c.token))
	}
	if p.payload != nil {
		h.Set("Content-Type", "application/json")
	}
}

// unreached is an attempt that no node has seen. A certificate that does not verify will not verify in a second either.
func unreached(address string, err error) *Error {
	var bad *tls.CertificateVerificationError
	if errors.As(err, &bad) {
		return &Error{Kind: NotDone, Address: address, hopeless: true, cause: err,
			Detail: fmt.Sprintf("the certificate of %s does not verify (is TRSTCTL_CACERT this cluster's?): %v", address, bad.Err)}
	}
	return &Error{Kind: NotDone, Address: address, cause: err, Detail: fmt.Sprintf("no connection to %s: %v", address, innermost(err))}
}

// cut is an attempt that a node may have acted on before the connection ended.
func cut(address string, err error) *Error {
	return &Error{Kind: OutcomeUnknown, Address: address, cause: err, Detail: fmt.Sprintf("no answer from %s: %v", address, innermost(err))}
}

// innermost drops the URL that net/http puts in front: a path may be nobody's business in a log.
func innermost(err error) error {
	for e := errors.Unwrap(err); e != nil; e = errors.Unwrap(err) {
		err = e
	}
	return err
}

var errTooLong = errors.New("longer than its limit")

// readAll reads r to its end, which must come within limit bytes.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		clear(b)
		return nil, errTooLong
	}
	return b, err
}
