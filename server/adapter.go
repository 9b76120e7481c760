package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/engines/backup"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/server/api"
)

// adapter is the cluster as the API wants it: its methods translate and decide nothing.
type adapter struct {
	m   *member
	cfg Config
}

// Await implements api.Reads.
func (a adapter) Await(ctx context.Context, w api.Want) error {
	return a.m.cluster.Await(ctx, cluster.Level(w.Level), w.MaxStale, w.Min)
}

// Leads and Forward implement api.Leader.
func (a adapter) Leads() bool { return a.m.cluster.Leads() }

func (a adapter) Forward(ctx context.Context, r *http.Request, body []byte) (*http.Response, error) {
	out, err := a.m.cluster.Forward(ctx, cluster.Request{Method: r.Method, URI: r.URL.RequestURI(), Header: r.Header, Body: body})
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: out.Status, Header: out.Header, Body: io.NopCloser(bytes.NewReader(out.Body))}, nil
}

// Ready implements api.Health.
func (a adapter) Ready() error {
	switch age := a.m.cluster.Age(); {
	case a.m.draining.Load():
		return errors.New("the node is stopping")
	case !a.m.keys.Unsealed():
		return fmt.Errorf("the node is sealed: %s", a.m.gate.Reason())
	case age > cluster.MaxAge:
		return fmt.Errorf("the node's state is too old: it is cut off from a majority")
	}
	return a.m.cluster.Fit()
}

// Writable implements api.Health.
func (a adapter) Writable() error { return a.m.cluster.Writable() }

// Status implements api.Statuses.
func (a adapter) Status() api.Status {
	s := a.m.cluster.Status()
	out := api.Status{Node: s.Node, Cluster: a.m.cluster.Identity().Cluster.String(), Version: s.Version, State: s.State, Sealed: s.Sealed, Reason: a.m.gate.Reason(), Applied: s.Applied,
		StatusDetail: &api.StatusDetail{Term: s.Term, Commit: s.Commit, StateAge: a.m.cluster.Age().Milliseconds(), LogStore: a.cfg.Raft.LogStore,
			Agreed: uint64(s.Agreed), Readable: uint64(s.Readable)}}
	if s.Leader != "" {
		out.Leader = &api.LeaderInfo{ID: s.Leader, API: a.m.cluster.AddressOf(s.Leader)}
	}
	return out
}

// Members and Remove implement api.Members.
func (a adapter) Members(ctx context.Context) ([]api.Member, error) {
	all, err := a.m.listMembers(ctx)
	if err != nil {
		return nil, err
	}
	leader, _ := a.m.cluster.Leader()
	out := make([]api.Member, len(all))
	for i, m := range all {
		reachable := m.Status != nil
		out[i] = api.Member{ID: m.ID, API: m.API, Cluster: m.Cluster, Voter: m.Voter, Leader: m.ID == leader, Version: m.Version, Reachable: &reachable}
		h := a.m.cluster.HealthOf(m.ID)
		out[i].Healthy, out[i].Problem, out[i].LastContact, out[i].Lag, out[i].Acknowledged = h.Problem == "", h.Problem, h.LastContact.Milliseconds(), h.Lag, h.Acknowledged
		if !h.StableSince.IsZero() {
			since := fsm.At(h.StableSince)
			out[i].StableSince = &since
		}
		if s := m.Status; s != nil {
			out[i].Sealed, out[i].Applied, out[i].Certificate = &s.Sealed, &s.Applied, fsm.At(time.Unix(s.Expires, 0))
		}
	}
	return out, nil
}

// Tolerance implements api.Members.
func (a adapter) Tolerance() api.Tolerance {
	voters, well, tolerance := a.m.cluster.Tolerance()
	return api.Tolerance{Voters: uint64(voters), Healthy: uint64(well), Tolerance: int64(tolerance), DeadAfter: a.cfg.Autopilot.DeadAfter.Milliseconds()}
}

func (a adapter) Remove(ctx context.Context, r fsm.Request, id string) error {
	return a.m.cluster.Remove(ctx, r, id)
}

// Snapshot implements api.Snapshots.
func (a adapter) Snapshot(ctx context.Context, v *fsm.View) (api.Snapshot, error) {
	id := a.m.cluster.Identity()
	b, err := backup.Prepare(ctx, v, a.m.keys, id.Cluster, id.Node, fsm.At(chaos.Now()))
	if err != nil {
		return nil, err
	}
	return b, nil
}

// JoinToken and Transfer implement api.Operator.
func (a adapter) JoinToken(ctx context.Context, r fsm.Request, node, idempotencyKey string) (api.JoinToken, error) {
	t, err := a.m.cluster.IssueJoinToken(ctx, r, node, idempotencyKey)
	return api.JoinToken(t), err
}

// RotateGossip implements api.Operator.
func (a adapter) RotateGossip(ctx context.Context, r fsm.Request) (uint64, error) {
	return a.m.cluster.RotateGossip(ctx, r)
}

func (a adapter) Transfer(ctx context.Context, from, to string) (string, error) {
	return a.m.cluster.TransferFrom(ctx, from, to)
}
