package server

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api"
)

// joinRequest is an operator's `join`. The node zeroes the token and answers once.
type joinRequest struct {
	token  []byte
	joined chan error
}

// localJoin joins a node that waits. A node that did not join waits on, for another token.
func (n *Node) localJoin(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Token string `json:"join_token"`
	}
	d := json.NewDecoder(io.LimitReader(r.Body, maxLocalBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil || in.Token == "" {
		api.WriteProblem(w, fault.Bad("body", "must be a JSON object with join_token"), "")
		return
	}
	req := joinRequest{[]byte(in.Token), make(chan error, 1)}
	select {
	case n.joins <- req:
	case <-time.After(time.Second):
		api.WriteProblem(w, fault.New(fault.Conflict, "node %q belongs to a cluster already, or is joining one", n.cfg.Node), "")
		return
	}
	select {
	case err := <-req.joined:
		if err != nil {
			api.WriteProblem(w, err, "")
			return
		}
		writeLocal(w, struct {
			Node string `json:"node"`
		}{n.cfg.Node})
	case <-time.After(initTime):
		api.WriteProblem(w, fault.New(fault.Unknown, "the join has not ended in time: look at the node's log"), "")
	}
}
