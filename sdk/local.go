package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// maxSocketPath is the longest name of a unix socket that Linux takes.
const maxSocketPath = 107

// Local speaks to one node over its unix socket, which only the node's own user can open.
type Local struct {
	path string
	http *http.Client
}

// NewLocal makes a client for the socket at path. It connects to nothing yet.
func NewLocal(path string) (*Local, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("the socket path %q is longer than the %d bytes that the system allows: use a shorter directory", path, maxSocketPath)
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return &Local{path, &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}, nil
}

// LocalStatus is what a node says before it has keys, certificates or a cluster.
type LocalStatus struct {
	Node        string `json:"node"`
	Initialised bool   `json:"initialised"`
	Sealed      bool   `json:"sealed"`
	Reason      string `json:"sealed_reason,omitempty"`
	State       string `json:"state"`
}

// Status asks the node, once, for at most 5 seconds.
func (l *Local) Status(ctx context.Context) (s LocalStatus, err error) {
	ctx, cancel := context.WithTimeout(ctx, DefaultAttempt)
	defer cancel()
	err = l.Do(ctx, http.MethodGet, "/status", nil, &s)
	return s, err
}

// Founded is the answer of Init. RootToken is shown this once.
type Founded struct {
	RootToken     Secret   `json:"root_token"`
	Cluster       string   `json:"cluster"`
	Node          string   `json:"node"`
	AuditKey      string   `json:"audit_key"`      // fingerprint of the key that signs the audit's exports
	CACertificate string   `json:"ca_certificate"` // PEM
	Shares        []Secret `json:"shares"`         // each for one holder, if any were asked for
}

// InitOptions say how a cluster begins.
type InitOptions struct {
	RootTTL           time.Duration // of the root token; 0: the node's default
	Shares, Threshold int           // of the key that people hold beside the node's seals; 0: none
}

// Init makes the node a cluster of one. It is never repeated: after an error of kind OutcomeUnknown ask Status.
func (l *Local) Init(ctx context.Context, o InitOptions) (f Founded, err error) {
	body := struct {
		RootTTL   string `json:"root_ttl,omitempty"`
		Shares    int    `json:"shares,omitempty"`
		Threshold int    `json:"threshold,omitempty"`
	}{span(o.RootTTL), o.Shares, o.Threshold}
	err = l.Do(ctx, http.MethodPost, "/init", body, &f)
	return f, err
}

// Unseal gives the node a share for an attempt ("" for a new one). With no share it has the node ask its seals again, also when an
// operator had sealed it.
func (l *Local) Unseal(ctx context.Context, share Secret, attempt string) (p UnsealProgress, err error) {
	body := struct {
		Share   Text   `json:"share,omitempty"`
		Attempt string `json:"attempt,omitempty"`
	}{Text(share), attempt}
	err = l.Do(ctx, http.MethodPost, "/unseal", body, &p)
	return p, err
}

// Seal wipes the node's keys until an operator unseals it.
func (l *Local) Seal(ctx context.Context) (s LocalStatus, err error) {
	err = l.Do(ctx, http.MethodPost, "/seal", nil, &s)
	return s, err
}

// GenerateRoot makes a root token on the leader, with as many shares as open the cluster. It lives for ttl, an hour with 0.
func (l *Local) GenerateRoot(ctx context.Context, shares []Secret, ttl time.Duration) (Secret, error) {
	body := struct {
		Shares []Text `json:"shares"`
		TTL    string `json:"root_ttl,omitempty"`
	}{quorumOf(shares).Quorum, span(ttl)}
	var out struct {
		RootToken Secret `json:"root_token"`
	}
	err := l.Do(ctx, http.MethodPost, "/generate-root", body, &out)
	return out.RootToken, err
}

// RetrySeal lets an HSM seal log in again after its PIN was refused.
func (l *Local) RetrySeal(ctx context.Context, seal string) error {
	body := map[string]string{"seal": seal}
	return l.Do(ctx, http.MethodPost, "/seal/retry", body, &body)
}

// Join has a node that belongs to no cluster join the one that made the token, and returns the node's id. A node that has joined goes on by itself;
// after an error it waits for another token, or the same again.
func (l *Local) Join(ctx context.Context, token Secret) (node string, err error) {
	var joined struct {
		Node string `json:"node"`
	}
	err = l.Do(ctx, http.MethodPost, "/join", struct {
		Token Text `json:"join_token"`
	}{Text(token)}, &joined)
	return joined.Node, err
}

// Do calls any route of the socket, once. It is for what else is served in this way, such as the development cluster's control socket.
func (l *Local) Do(ctx context.Context, method, path string, body, out any) error {
	payload, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://local"+path, bytes.NewReader(payload))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.http.Do(req)
	if err != nil {
		return l.failed(method, err)
	}
	defer resp.Body.Close()
	answer, err := readAll(resp.Body, maxProblem)
	if err != nil {
		return l.failed(method, err)
	}
	defer clear(answer)
	if resp.StatusCode != http.StatusOK {
		return refusal(l.path, resp.StatusCode, resp.Header, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("understand the answer of %s: %w", l.path, err)
	}
	return nil
}

// failed tells a socket that nobody listens at from a call that was cut off.
func (l *Local) failed(method string, err error) error {
	e := &Error{Kind: NotDone, Address: l.path, cause: err, Detail: fmt.Sprintf("no answer at %s: %v", l.path, innermost(err))}
	op, ok := errors.AsType[*net.OpError](err)
	if dialed := !ok || op.Op != "dial"; dialed && method != http.MethodGet {
		e.Kind = OutcomeUnknown
	}
	return e
}
