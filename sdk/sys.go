package sdk

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// Status is one node's view of itself and its cluster. Without a token a node shows only some of it.
type Status struct {
	Node         string      `json:"node"`
	Cluster      string      `json:"cluster"`
	Version      string      `json:"version"`
	State        string      `json:"state"` // leader, follower, candidate or starting
	Sealed       bool        `json:"sealed"`
	SealedReason string      `json:"sealed_reason,omitempty"`
	Leader       *LeaderInfo `json:"leader"` // nil when none is known
	Term         uint64      `json:"term,omitempty"`
	AppliedIndex uint64      `json:"applied_index"`
	CommitIndex  uint64      `json:"commit_index,omitempty"`
	StateAgeMS   int64       `json:"state_age_ms"`
	LogStore     string      `json:"log_store,omitempty"`

	ClusterVersion  uint32 `json:"cluster_version,omitempty"`  // formats and behaviour that all members read and use
	ReadableVersion uint32 `json:"readable_version,omitempty"` // the newest cluster version that the node's binary reads
}

// LeaderInfo names the leader.
type LeaderInfo struct {
	ID  string `json:"id"`
	API string `json:"api"`
}

// Status asks the preferred node, once. Use Node to ask a certain one.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: api + "/sys/status", kind: observes}, &s)
	return s, err
}

// Member is a node of the cluster. The last three are unknown (nil) for a node that cannot be asked.
type Member struct {
	ID                   string    `json:"id"`
	API                  string    `json:"api"`
	Cluster              string    `json:"cluster"`
	Voter                bool      `json:"voter"`
	Leader               bool      `json:"leader"`
	Version              string    `json:"version"`
	CertificateExpiresAt time.Time `json:"certificate_expires_at,omitzero"`
	Sealed               *bool     `json:"sealed,omitempty"`
	AppliedIndex         *uint64   `json:"applied_index,omitempty"`
	Reachable            *bool     `json:"reachable,omitempty"`

	Healthy           bool      `json:"healthy"`               // it answers, is unsealed and caught up, and its tables are not in doubt
	Problem           string    `json:"problem,omitempty"`     // why it is not
	LastContactMS     int64     `json:"last_contact_ms"`       // since it answered the node that was asked
	Lag               uint64    `json:"lag"`                   // entries that it has not applied yet
	AcknowledgedIndex uint64    `json:"acknowledged_index"`    // it has had the log up to here
	StableSince       time.Time `json:"stable_since,omitzero"` // since when it has been healthy
}

// Autopilot says how the nodes are, as one of them has seen them.
type Autopilot struct {
	Voters           uint64   `json:"voters"`
	HealthyVoters    uint64   `json:"healthy_voters"`
	FailureTolerance int64    `json:"failure_tolerance"` // how many voters may fail while the healthy ones remain a majority
	DeadAfterMS      int64    `json:"dead_after_ms"`     // of silence, after which the leader removes a member; 0: never
	Items            []Member `json:"items"`
}

// Autopilot asks how the nodes are and how many may still fail.
func (c *Client) Autopilot(ctx context.Context) (a Autopilot, err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: api + "/sys/autopilot"}, &a)
	return a, err
}

// Members lists the cluster's nodes.
func (c *Client) Members(ctx context.Context) ([]Member, error) {
	var p Page[Member]
	err := c.do(ctx, request{method: http.MethodGet, path: api + "/sys/members"}, &p)
	return p.Items, err
}

// RemoveMember takes a node out for ever: its id is never used again.
func (c *Client) RemoveMember(ctx context.Context, id string) error {
	target, err := joinName(api+"/sys/members", "id", id)
	if err != nil {
		return err
	}
	return c.do(ctx, request{method: http.MethodDelete, path: target, kind: mutates}, nil)
}

// JoinToken admits one node, once, within 15 minutes.
type JoinToken struct {
	Secret    Secret    `json:"join_token"`
	Node      string    `json:"node"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// CreateJoinToken makes a join token for the node with this id.
func (c *Client) CreateJoinToken(ctx context.Context, node string) (t JoinToken, err error) {
	body := map[string]string{"node": node}
	err = c.do(ctx, request{method: http.MethodPost, path: api + "/sys/join-tokens", body: body, kind: mutates}, &t)
	return t, err
}

// Transfer hands leadership to a node ("": the leader chooses) and returns the new leader's id. Without a node it first asks who leads, so
// that a repetition after a lost answer does not hand over twice.
func (c *Client) Transfer(ctx context.Context, to string) (string, error) {
	from := ""
	if to == "" {
		s, err := c.Status(ctx)
		if err == nil && s.Leader == nil {
			err = &Error{Kind: NotDone, Detail: "no leader is known: nothing was done, try again"}
		}
		if err != nil {
			return "", err
		}
		from = s.Leader.ID
	}
	return c.TransferFrom(ctx, from, to)
}

// TransferFrom is Transfer for a node that must not lead any more: if it does not, nothing is done.
func (c *Client) TransferFrom(ctx context.Context, from, to string) (string, error) {
	body := struct {
		To   string `json:"to,omitempty"`
		From string `json:"from,omitempty"`
	}{to, from}
	var out struct {
		Leader string `json:"leader"`
	}
	err := c.do(ctx, request{method: http.MethodPost, path: api + "/sys/transfer", body: body, kind: mutates}, &out)
	return out.Leader, err
}

// RotateGossip makes a new key for the gossip between nodes and returns its version. They take it into use within moments.
func (c *Client) RotateGossip(ctx context.Context) (uint64, error) {
	var out struct {
		Version uint64 `json:"version"`
	}
	err := c.do(ctx, request{method: http.MethodPost, path: api + "/sys/rotate/gossip", body: struct{}{}, kind: mutates}, &out)
	return out.Version, err
}

// Digest is the digest of a node's tables at an index: equal on all nodes at the same index.
type Digest struct {
	Node   string `json:"node"`
	Index  uint64 `json:"index"`
	Digest string `json:"digest"`
}

// Digest asks the preferred node, once. Use Node to ask a certain one.
func (c *Client) Digest(ctx context.Context) (d Digest, err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: api + "/sys/digest", kind: observes}, &d)
	return d, err
}

// Snapshot writes a backup of the whole state to w, encrypted, and returns the number of bytes. It holds everything that was acknowledged before the
// call. The first node that answers is asked once, and has until ctx ends; an error after some bytes means that what was written is no backup.
func (c *Client) Snapshot(ctx context.Context, w io.Writer) (int64, error) {
	return c.stream(ctx, request{method: http.MethodGet, path: api + "/sys/snapshot", kind: observes}, "snapshot", w)
}

// OpenAPI returns the API's description.
func (c *Client) OpenAPI(ctx context.Context) (doc json.RawMessage, err error) {
	return doc, c.do(ctx, request{method: http.MethodGet, path: api + "/sys/openapi.json", kind: observes}, &doc)
}

// Healthy returns nil if the preferred node's process works.
func (c *Client) Healthy(ctx context.Context) error { return c.probe(ctx, "/healthz") }

// Ready returns nil if the preferred node may receive traffic.
func (c *Client) Ready(ctx context.Context) error { return c.probe(ctx, "/readyz") }

// Leads returns nil if the preferred node is the leader.
func (c *Client) Leads(ctx context.Context) error { return c.probe(ctx, "/leaderz") }

func (c *Client) probe(ctx context.Context, path string) error {
	return c.do(ctx, request{method: http.MethodGet, path: path, kind: observes}, nil)
}

// Metrics returns the preferred node's metrics in Prometheus' text form.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	return c.settle(ctx, prepared{request: request{method: http.MethodGet, kind: observes}, target: "/metrics"})
}
