package api

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/trstctl/trstctl/engines/outbox"
	"github.com/trstctl/trstctl/engines/rbac"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func outboxRoutes() []*route {
	const one = "/outbox/{message}"
	return []*route{
		{name: "outbox.list", method: http.MethodGet, pattern: "/outbox", kind: read, surface: bulk, handle: listOutbox,
			summary: "List the messages that the tenant owes to the outside, oldest first.", needs: []need{may("outbox", rbac.List)},
			query: []query{{"kind", "string", "such as lease.revocation; nothing: all"}, {"destination", "string", "such as dynamic/pg; nothing: all"},
				{"parked", "boolean", "dead letters alone"}, qCursor, qLimit}, response: of[outboxAnswer]()},
		{name: "outbox.read", method: http.MethodGet, pattern: one, kind: read, surface: reads, handle: readMessage,
			summary: "Describe a message.", needs: []need{may("outbox", rbac.Read)}, response: of[message]()},
		{name: "outbox.requeue", method: http.MethodPost, pattern: one + "/requeue", kind: write, surface: operator, handle: requeueMessage,
			summary: "Have a dead letter delivered after all.", needs: []need{may("outbox", rbac.Write)}, limit: smallBody, request: of[nothing](), response: of[message]()},
		{name: "outbox.drop", method: http.MethodDelete, pattern: one, kind: write, frees: true, surface: operator, handle: dropMessage,
			summary: "Give a message up for good: what it would have done stays undone.", needs: []need{may("outbox", rbac.Delete), may("outbox", rbac.Sudo)}, response: of[message]()},
	}
}

// message is one of the outbox. Its body is nobody's but the dispatcher's.
type message struct {
	ID          string   `json:"id" doc:"its place in the outbox"`
	UID         fsm.UID  `json:"uid" doc:"by which receivers know it when it comes again"`
	Kind        string   `json:"kind"`
	Destination string   `json:"destination"`
	Lane        string   `json:"lane,omitempty" doc:"within which messages keep their order: the id of the lease, or the account"`
	State       string   `json:"state" doc:"waiting, or parked: a dead letter"`
	Since       fsm.Time `json:"owed_since" doc:"or requeued"`
	Parked      fsm.Time `json:"parked_at,omitempty"`
	Reason      string   `json:"reason,omitempty" doc:"why it was parked last"`
	Tries       uint64   `json:"tries,omitempty" doc:"before it was parked, all in all"`
}

func messageOf(o fsm.Owed) message {
	m := message{ID: placeText(outbox.Place{Seq: o.Seq, Pos: o.Pos}), UID: o.ID, Kind: o.Kind, Destination: o.Destination, Lane: o.Lane, State: "waiting", Since: o.At, Parked: o.Parked,
		Reason: o.Reason, Tries: o.Tries}
	if o.Parked > 0 {
		m.State = "parked"
	}
	return m
}

func placeText(p outbox.Place) string { return fmt.Sprintf("%d.%d", p.Seq, p.Pos) }

func parsePlace(field, s string) (p outbox.Place, err error) {
	seq, pos, _ := strings.Cut(s, ".")
	p.Seq, err = strconv.ParseUint(seq, 10, 64)
	if err == nil {
		p.Pos, err = strconv.ParseUint(pos, 10, 64)
	}
	if err != nil || placeText(p) != s {
		return p, fault.Bad(field, "is two numbers with a dot between them, as `trstctl outbox list` shows them")
	}
	return p, nil
}

type outboxAnswer struct {
	Items []message `json:"items"`
	Next  string    `json:"next_cursor"`
}

// outboxLooks is how many messages one page looks at.
const outboxLooks = 10_000

func listOutbox(c *call) (any, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	f := outbox.Filter{Kind: c.params["kind"], Destination: c.params["destination"], Parked: c.params["parked"] == "true"}
	var after outbox.Place
	if s := c.params["cursor"]; s != "" {
		if after, err = parsePlace("cursor", s); err != nil {
			return nil, err
		}
	}
	found, next, err := outbox.List(c.view, c.tenant, f, after, limit, outboxLooks)
	out := outboxAnswer{Items: make([]message, len(found))}
	for i, o := range found {
		out.Items[i] = messageOf(o)
	}
	if next != nil {
		out.Next = placeText(*next)
	}
	return out, err
}

func readMessage(c *call) (any, error) {
	at, err := parsePlace("message", c.path)
	if err != nil {
		return nil, err
	}
	o, err := outbox.Get(c.view, c.tenant, at)
	return messageOf(o), err
}

func requeueMessage(c *call) (any, error) {
	at, err := parsePlace("message", c.path)
	if err != nil {
		return nil, err
	}
	o, _, err := c.api.opt.Outbox.Requeue(c.ctx, c.req, at)
	o.Parked = 0
	return messageOf(o), err
}

func dropMessage(c *call) (any, error) {
	at, err := parsePlace("message", c.path)
	if err != nil {
		return nil, err
	}
	o, _, err := c.api.opt.Outbox.Drop(c.ctx, c.req, at)
	return messageOf(o), err
}
