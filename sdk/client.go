// Package sdk is the Go client of trstctl's HTTP API.
//
// A call is made under one Idempotency-Key and repeated with it, node by node, until a node answers for good or the deadline
// passes; so a mutation has its effect once however many nodes were asked. What ends in *Error of kind OutcomeUnknown may or may
// not have been done: repeat it with the same key (WithKey, Error.Key) to find out. Reads see what this client has written or
// read before (session consistency) unless Reading says otherwise.
//
// A Client is safe for concurrent use.
package sdk

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Defaults and limits.
const (
	DefaultTimeout = 15 * time.Second // of a call whose context has no deadline
	DefaultAttempt = 5 * time.Second  // of one request to one node
	maxAnswer      = 32 << 20         // bytes of an answer that is held in memory
	maxProblem     = 64 << 10         // bytes of an error answer
	connectTimeout = 2 * time.Second  // for the TCP connection, and again for the TLS handshake
	idlePerNode    = 64               // connections kept open
)

// Options say whom to ask, and as whom.
type Options struct {
	Addresses []string      // https://host:port of the nodes, in the order to try; the last one that answered goes first
	CACert    []byte        // PEM: the only CAs that may sign a node's certificate; empty means the system's
	Token     Secret        // empty for the few calls that need none
	Tenant    string        // act in this tenant instead of the token's own
	Timeout   time.Duration // of a call whose context has no deadline; 0 means DefaultTimeout
	Attempt   time.Duration // of one request to one node; 0 means DefaultAttempt
	UserAgent string        // empty means "trstctl-sdk"

	// Clock tells the time at which a node's certificate must be valid; nil means time.Now.
	Clock func() time.Time
}

// Client calls a cluster. Its With methods return copies that share connections and session.
type Client struct {
	nodes   *nodes
	http    *http.Client
	session *session
	token   Secret
	tenant  string
	read    Read
	timeout time.Duration
	attempt time.Duration
	agent   string
}

// New makes a client. It connects to nothing yet.
func New(o Options) (*Client, error) {
	addresses, err := parseAddresses(o.Addresses)
	if err != nil {
		return nil, err
	}
	roots, err := parseRoots(o.CACert)
	if err != nil {
		return nil, err
	}
	if o.Token != nil && !printable(o.Token) {
		return nil, errors.New("the token holds characters that no token has: check for a line break or a wrong file")
	}
	return &Client{
		nodes:   &nodes{addresses: addresses},
		http:    newHTTP(roots, o.Clock),
		session: &session{},
		token:   o.Token,
		tenant:  o.Tenant,
		timeout: orDefault(o.Timeout, DefaultTimeout),
		attempt: orDefault(o.Attempt, DefaultAttempt),
		agent:   orDefault(o.UserAgent, "trstctl-sdk"),
	}, nil
}

// Addresses returns the nodes' addresses in the order given.
func (c *Client) Addresses() []string { return append([]string(nil), c.nodes.addresses...) }

// Node returns a client that asks this address only. The address may be one that New was not given.
func (c *Client) Node(address string) (*Client, error) {
	addresses, err := parseAddresses([]string{address})
	if err != nil {
		return nil, err
	}
	n := *c
	n.nodes = &nodes{addresses: addresses}
	return &n, nil
}

// WithToken returns a client that acts as the holder of token.
func (c *Client) WithToken(token Secret) (*Client, error) {
	if !printable(token) {
		return nil, errors.New("the token holds characters that no token has: check for a line break or a wrong file")
	}
	n := *c
	n.token = token
	return &n, nil
}

// Reading returns a client whose reads have this consistency.
func (c *Client) Reading(r Read) *Client {
	n := *c
	n.read = r
	return &n
}

func newHTTP(roots *x509.CertPool, clock func() time.Time) *http.Client {
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAlive: 15 * time.Second}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         dialer.DialContext,
			TLSHandshakeTimeout: connectTimeout,
			MaxIdleConnsPerHost: idlePerNode,
			IdleConnTimeout:     90 * time.Second,
			DisableCompression:  true, // a length of compressed secrets tells about them, and limits count what arrives
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, Time: clock},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a token goes where it was sent
	}
}

func parseAddresses(list []string) ([]string, error) {
	if len(list) == 0 {
		return nil, errors.New("no node address: set TRSTCTL_ADDR or TRSTCTL_ADDRS, such as https://127.0.0.1:8200")
	}
	out := make([]string, 0, len(list))
	for _, a := range list {
		u, err := url.Parse(strings.TrimRight(a, "/"))
		if err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" || u.User != nil || u.RawQuery != "" {
			return nil, fmt.Errorf("%q is not a node's address: it has the form https://host:port", a)
		}
		out = append(out, u.Scheme+"://"+u.Host)
	}
	return out, nil
}

func parseRoots(pem []byte) (*x509.CertPool, error) {
	if len(pem) == 0 {
		return nil, nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("the CA certificate is not in PEM form")
	}
	return roots, nil
}

func orDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// printable reports whether b is fit for a header: printable ASCII without spaces, at most 4 KiB.
func printable(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(b) > 0 && len(b) <= 4096
}
