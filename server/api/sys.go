package api

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

// Statuses describes this node as it is now, whatever its state.
type Statuses interface{ Status() Status }

// Status is what a node says about itself. Those without a token see the first part.
type Status struct {
	Node    string      `json:"node"`
	Cluster string      `json:"cluster"`
	Version string      `json:"version"`
	State   string      `json:"state" doc:"leader, follower, candidate or starting"`
	Sealed  bool        `json:"sealed"`
	Reason  string      `json:"sealed_reason,omitempty"`
	Leader  *LeaderInfo `json:"leader" doc:"null when none is known"`
	Applied uint64      `json:"applied_index"`
	*StatusDetail
}

// StatusDetail is the part of a Status that needs a token.
type StatusDetail struct {
	Term     uint64 `json:"term"`
	Commit   uint64 `json:"commit_index"`
	StateAge int64  `json:"state_age_ms" doc:"how old the node's state may be"`
	LogStore string `json:"log_store"`
	Agreed   uint64 `json:"cluster_version" doc:"formats and behaviour that all members read and use"`
	Readable uint64 `json:"readable_version" doc:"the newest cluster_version that this binary reads"`
}

// LeaderInfo names the leader.
type LeaderInfo struct {
	ID  string `json:"id"`
	API string `json:"api" doc:"host:port of its API"`
}

// Member is a node of the cluster. The last three are known only of nodes that could be asked.
type Member struct {
	ID          string   `json:"id"`
	API         string   `json:"api"`
	Cluster     string   `json:"cluster" doc:"host:port of its cluster port"`
	Voter       bool     `json:"voter"`
	Leader      bool     `json:"leader"`
	Version     string   `json:"version"`
	Certificate fsm.Time `json:"certificate_expires_at"`
	Sealed      *bool    `json:"sealed,omitempty"`
	Applied     *uint64  `json:"applied_index,omitempty"`
	Reachable   *bool    `json:"reachable,omitempty"`

	Healthy      bool      `json:"healthy" doc:"it answers, is unsealed and caught up, and its tables are not in doubt"`
	Problem      string    `json:"problem,omitempty" doc:"why it is not healthy"`
	LastContact  int64     `json:"last_contact_ms" doc:"since it answered the node that was asked"`
	Lag          uint64    `json:"lag" doc:"entries that it has not applied yet"`
	Acknowledged uint64    `json:"acknowledged_index" doc:"it has had the log up to here, as the node that was asked remembers"`
	StableSince  *fsm.Time `json:"stable_since,omitempty" doc:"since when it has been healthy"`
}

// Tolerance says how much can still fail.
type Tolerance struct {
	Voters    uint64 `json:"voters"`
	Healthy   uint64 `json:"healthy_voters"`
	Tolerance int64  `json:"failure_tolerance" doc:"how many voters may fail while the healthy ones remain a majority; below 0 when they are none"`
	DeadAfter int64  `json:"dead_after_ms" doc:"of silence, after which the leader removes a member; 0: never"`
}

// Members lists and removes nodes.
type Members interface {
	Members(ctx context.Context) ([]Member, error)
	Tolerance() Tolerance
	// Remove takes a node out for ever; fault.NotFound if there is none of this id. It commits through the ledger.
	Remove(ctx context.Context, r fsm.Request, id string) error
}

// JoinToken admits one node once.
type JoinToken struct {
	Token   []byte // the API zeroes it
	Node    string
	Expires fsm.Time
}

// Operator is what else an operator does to a cluster.
type Operator interface {
	// JoinToken commits through the ledger; its answer is sealed under the idempotency key too.
	JoinToken(ctx context.Context, r fsm.Request, node, idempotencyKey string) (JoinToken, error)
	// Transfer hands leadership to a node, to any that is fit when to is empty, and returns the new leader's id. When from is given and leads
	// no more, there is nothing to do.
	Transfer(ctx context.Context, from, to string) (string, error)
	// RotateGossip commits the next gossip key through the ledger and returns its version.
	RotateGossip(ctx context.Context, r fsm.Request) (uint64, error)
}

// readStatus shows more to whoever sends a token that is alive, if this node can tell.
func readStatus(c *call) (any, error) {
	s := c.api.opt.Status.Status()
	if len(c.r.Header["Authorization"]) == 0 || !c.api.fresh(s) || c.inView(func(v *fsm.View) (err error) {
		c.now = c.api.now(v)
		c.session, err = c.authenticate(v)
		return err
	}) != nil {
		s.StatusDetail = nil
	}
	return s, nil
}

type membersAnswer struct {
	Items []Member `json:"items"`
}

func listMembers(c *call) (any, error) {
	members, err := c.api.opt.Members.Members(c.ctx)
	out := membersAnswer{Items: make([]Member, 0, len(members))}
	for _, m := range members {
		if !c.session.Forbids("sys/members/" + m.ID) {
			out.Items = append(out.Items, m)
		}
	}
	return out, err
}

type autopilotAnswer struct {
	Tolerance
	Items []Member `json:"items"`
}

func readAutopilot(c *call) (any, error) {
	list, err := listMembers(c)
	if err != nil {
		return nil, err
	}
	return autopilotAnswer{c.api.opt.Members.Tolerance(), list.(membersAnswer).Items}, nil
}

type memberAnswer struct {
	ID string `json:"id"`
}

func removeMember(c *call) (any, error) {
	return memberAnswer{c.path}, c.api.opt.Members.Remove(c.ctx, c.req, c.path)
}

type joinBody struct {
	Node string `json:"node" strict:"required" doc:"the id that the token admits"`
}

type joinAnswer struct {
	Token   strictjson.Text `json:"join_token"`
	Node    string          `json:"node"`
	Expires fsm.Time        `json:"expires_at"`
}

func (j *joinAnswer) wipe() { clear(j.Token) }

func (j *joinAnswer) appendJSON(b []byte) []byte {
	b = strictjson.AppendString(append(b, `{"join_token":`...), j.Token)
	b = appendField(append(b, ','), "node", j.Node)
	return append(appendTime(append(b, `,"expires_at":`...), j.Expires), '}')
}

func createJoinToken(c *call) (any, error) {
	t, err := c.api.opt.Operator.JoinToken(c.ctx, c.req, c.body.(*joinBody).Node, c.key)
	return &joinAnswer{t.Token, t.Node, t.Expires}, err
}

type transferBody struct {
	To   string `json:"to" doc:"a node id; nothing: any that is fit"`
	From string `json:"from" doc:"the node that must not lead any more; if it does not, nothing is done: for who repeats the call"`
}

type transferAnswer struct {
	Leader string `json:"leader"`
}

func transferLeader(c *call) (any, error) {
	leader, err := c.api.opt.Operator.Transfer(c.ctx, c.body.(*transferBody).From, c.body.(*transferBody).To)
	return transferAnswer{leader}, err
}

type digestAnswer struct {
	Node   string `json:"node"`
	Index  uint64 `json:"index"`
	Digest string `json:"digest"`
}

func readDigest(c *call) (any, error) {
	if err := c.alone(); err != nil {
		return nil, err
	}
	defer c.api.verifying.Store(false)
	d, err := fsm.Digest(c.ctx, c.view)
	return digestAnswer{c.api.opt.Node, c.view.Index(), hex.EncodeToString(d[:])}, err
}

// alone lets one walk over everything run at a time; its caller resets verifying.
func (c *call) alone() error {
	if c.api.verifying.CompareAndSwap(false, true) {
		return nil
	}
	return fault.New(fault.NotDone, "another verification or digest is under way on this node: try again when it has ended").After(5 * time.Second)
}

func readDocument(c *call) (any, error) {
	c.w.Header()["Content-Type"] = jsonType
	c.shared = true
	c.send(http.StatusOK, c.api.document)
	return nil, nil
}
