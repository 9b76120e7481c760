package server

import (
	"io"
	"net/http"

	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

type unsealRequest struct {
	Share   strictjson.Text `json:"share"`
	Attempt string          `json:"attempt"`
}

var unsealDecoder = strictjson.For[unsealRequest]()

// localUnseal has the node ask its seals again, also when an operator sealed it. With a share it goes on with an attempt.
func (n *Node) localUnseal(w http.ResponseWriter, r *http.Request) {
	var in unsealRequest
	m := n.current()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxLocalBody))
	defer clear(body)
	if err == nil {
		err = strictjson.Check(body)
	}
	if err == nil {
		err = unsealDecoder.Decode(body, &in)
	}
	defer clear(in.Share)
	switch {
	case err != nil:
	case m == nil:
		err = fault.New(fault.Conflict, "node %q belongs to no cluster yet: there is nothing to unseal", n.cfg.Node)
	case len(in.Share) > 0:
		var p api.UnsealProgress
		if p, err = m.gate.Unseal(r.Context(), in.Attempt, in.Share); err == nil {
			writeLocal(w, p)
			return
		}
	default:
		if err = m.gate.reopen(r.Context()); err == nil {
			writeLocal(w, api.UnsealProgress{})
			return
		}
	}
	api.WriteProblem(w, err, "")
}

// localSeal seals the node without asking for a token: its user could as well end the process.
func (n *Node) localSeal(w http.ResponseWriter, _ *http.Request) {
	m, err := n.current(), error(nil)
	if m == nil {
		err = fault.New(fault.Conflict, "node %q belongs to no cluster yet: there is nothing to seal", n.cfg.Node)
	} else {
		err = m.gate.close()
	}
	if err != nil {
		api.WriteProblem(w, err, "")
		return
	}
	writeLocal(w, localStatus{Node: n.cfg.Node, Initialised: true, Sealed: true, Reason: m.gate.Reason()})
}

// localRetry forgets that a PIN was refused: the next call logs in again.
func (n *Node) localRetry(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Seal string `json:"seal"`
	}
	err := readLocal(r.Body, &in)
	if err == nil {
		err = n.retry(in.Seal)
	}
	if err != nil {
		api.WriteProblem(w, err, "")
		return
	}
	writeLocal(w, in)
}

func (n *Node) retry(name string) error {
	for _, s := range n.seals {
		if hsm, ok := s.(interface{ Retry() error }); ok && s.Name() == name {
			return hsm.Retry()
		}
	}
	return fault.New(fault.NotFound, "this node has no HSM seal %q", name)
}
