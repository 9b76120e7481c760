package server

import (
	"crypto/rand"
	"io"
	"net/http"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

type rootRequest struct {
	Shares []strictjson.Text `json:"shares" strict:"required"`
	TTL    string            `json:"root_ttl"`
}

var rootDecoder = strictjson.For[rootRequest]()

const generatedTTL = time.Hour // to make tokens with, no longer

// localGenerateRoot makes a root token for those who hold as many shares as open the cluster: when every token with sudo is lost. It is in
// the event log like any other, and works on the leader's machine only.
func (n *Node) localGenerateRoot(w http.ResponseWriter, r *http.Request) {
	token, err := n.generateRoot(r)
	if err != nil {
		api.WriteProblem(w, err, "")
		return
	}
	defer clear(token)
	b := append(strictjson.AppendString(append(make([]byte, 0, 256), `{"root_token":`...), token), "}\n"...)
	defer clear(b)
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(b); err != nil {
		n.log.Warn("the new root token reached nobody: it ends by itself", "err", err)
	}
}

func (n *Node) generateRoot(r *http.Request) ([]byte, error) {
	in, err := readRootRequest(r.Body)
	defer func() {
		for _, s := range in.Shares {
			clear(s)
		}
	}()
	m := n.current()
	switch {
	case err != nil:
		return nil, err
	case m == nil || !m.keys.Unsealed():
		return nil, fault.New(fault.Sealed, "node %q is sealed or belongs to no cluster: unseal it first", n.cfg.Node)
	case !m.cluster.Leads():
		leader, _ := m.cluster.Leader()
		return nil, fault.New(fault.Conflict, "node %q does not lead: run this on the machine of the leader, %q", n.cfg.Node, leader)
	}
	ttl := generatedTTL
	if in.TTL != "" {
		if ttl, err = time.ParseDuration(in.TTL); err != nil || ttl < time.Minute || ttl > defaultRootTTL {
			return nil, fault.Bad("root_ttl", "must be a duration from 1m to %s", defaultRootTTL)
		}
	}
	if _, _, err := m.gate.held(); err != nil { // without shares there is nobody to agree
		return nil, err
	}
	shares := make([][]byte, len(in.Shares))
	for i, s := range in.Shares {
		shares[i] = s
	}
	if err := m.gate.Quorum(shares); err != nil {
		return nil, err
	}
	return m.newRoot(r, ttl)
}

func readRootRequest(body io.Reader) (in rootRequest, err error) {
	b, err := io.ReadAll(io.LimitReader(body, maxLocalBody))
	defer clear(b)
	if err == nil {
		err = strictjson.Check(b)
	}
	if err == nil {
		err = rootDecoder.Decode(b, &in)
	}
	return in, err
}

func (m *member) newRoot(r *http.Request, ttl time.Duration) ([]byte, error) {
	events, token, err := m.tokens.Found(ttl)
	if err != nil {
		return nil, err
	}
	q := fsm.Request{Tenant: fsm.RootTenant, Actor: fsm.Actor{Identity: "break-glass"}}
	rand.Read(q.ID[:])
	_, err = m.cluster.Ledger().Commit(r.Context(), q, "", func(_ *fsm.View, e *fsm.Entry) error {
		e.Add(events...)
		return nil
	})
	if err != nil {
		clear(token)
		return nil, err
	}
	m.log.Warn("a root token was made with shares")
	return token, nil
}
