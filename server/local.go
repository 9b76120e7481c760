package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api"
	"github.com/trstctl/trstctl/server/api/strictjson"
)

const (
	defaultRootTTL = 768 * time.Hour
	maxRootTTL     = 20 * 365 * 24 * time.Hour
	initTime       = 60 * time.Second
	maxLocalBody   = 4096
)

// local serves the operator of this machine over a unix socket that only the node's own user can open.
type local struct {
	net.Listener
	server http.Server
}

func (n *Node) listenLocal() (*local, error) {
	path := n.cfg.Socket()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // the lock says that nobody else uses it
		return nil, fmt.Errorf("remove the old socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the local socket (a path of more than 107 bytes is too long): %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", n.localStatus)
	mux.HandleFunc("POST /init", n.localInit)
	mux.HandleFunc("POST /unseal", n.localUnseal)
	mux.HandleFunc("POST /seal", n.localSeal)
	mux.HandleFunc("POST /seal/retry", n.localRetry)
	mux.HandleFunc("POST /generate-root", n.localGenerateRoot)
	mux.HandleFunc("POST /join", n.localJoin)
	return &local{l, http.Server{Handler: mux, ReadTimeout: 10 * time.Second}}, nil
}

// serve answers until Close; a failure ends the node.
func (l *local) serve() error {
	if err := l.server.Serve(l.Listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the local socket: %w", err)
	}
	return nil
}

// Close ends it when what has been asked is answered, or after a moment: an init that fails ends the node, and its operator should learn why.
func (l *local) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := l.server.Shutdown(ctx); err != nil {
		return l.server.Close()
	}
	return nil
}

type localStatus struct {
	Node        string `json:"node"`
	Initialised bool   `json:"initialised"`
	Sealed      bool   `json:"sealed"`
	Reason      string `json:"sealed_reason,omitempty"`
	State       string `json:"state"`
}

func (n *Node) localStatus(w http.ResponseWriter, _ *http.Request) {
	s := localStatus{Node: n.cfg.Node, Sealed: true, State: "starting"}
	if m := n.current(); m != nil {
		st := m.cluster.Status()
		s = localStatus{n.cfg.Node, true, st.Sealed, m.gate.Reason(), st.State}
	}
	writeLocal(w, s)
}

func (n *Node) localInit(w http.ResponseWriter, r *http.Request) {
	in, err := readInit(r.Body)
	if err == nil && in.people.Shares == 0 && len(n.seals) == 0 {
		err = fault.New(fault.Invalid, "this node's configuration has no seal but shares: say how many, as in `trstctl operator init --shares 5 --threshold 3`")
	}
	if err != nil {
		api.WriteProblem(w, err, "")
		return
	}
	req := foundRequest{in.ttl, in.people, make(chan foundReply, 1), make(chan error, 1)}
	select {
	case n.found <- req:
	case <-time.After(time.Second):
		api.WriteProblem(w, fault.New(fault.Conflict, "node %q belongs to a cluster already, or is joining one", n.cfg.Node), "")
		return
	}
	req.answered <- n.answerInit(w, r, req.reply)
}

// answerInit returns nil once the caller was sent what there is to say.
func (n *Node) answerInit(w http.ResponseWriter, r *http.Request, founded <-chan foundReply) error {
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil { // it would look as if the caller had gone
		return err
	}
	select {
	case reply := <-founded:
		if reply.err == nil {
			return n.sendFounded(w, r, reply)
		}
		n.log.Error("init failed", "err", reply.err)
		api.WriteProblem(w, reply.err, "")
		return reply.err
	case <-r.Context().Done():
		return errors.New("the caller has gone")
	case <-time.After(initTime):
		api.WriteProblem(w, fault.New(fault.Unknown, "init has not ended in time: look at the node's log"), "")
		return errors.New("init has not ended in time")
	}
}

// sendFounded writes the one answer that holds the root token, as a whole, and says whether it was taken.
func (n *Node) sendFounded(w http.ResponseWriter, r *http.Request, reply foundReply) error {
	defer clear(reply.token)
	b := append(make([]byte, 0, 8192+2*len(reply.ca)), `{"root_token":`...)
	b = strictjson.AppendString(b, reply.token)
	b = strictjson.AppendString(append(b, `,"cluster":`...), reply.cluster.String())
	b = strictjson.AppendString(append(b, `,"node":`...), n.cfg.Node)
	b = strictjson.AppendString(append(b, `,"audit_key":`...), reply.audit)
	b = append(strictjson.AppendString(append(b, `,"ca_certificate":`...), reply.ca), `,"shares":[`...)
	for i := range reply.shares {
		text := reply.shares[i].Text()
		if i > 0 {
			b = append(b, ',')
		}
		b = strictjson.AppendString(b, text)
		clear(text)
		reply.shares[i].Zero()
	}
	b = append(b, "]}\n"...)
	defer clear(b)
	c := http.NewResponseController(w)
	if err := errors.Join(r.Context().Err(), c.SetWriteDeadline(time.Now().Add(10*time.Second))); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, err := w.Write(b)
	return errors.Join(err, c.Flush())
}

type initAsk struct {
	ttl    time.Duration
	people keyring.People
}

func readInit(body io.Reader) (out initAsk, err error) {
	var in struct {
		RootTTL   string `json:"root_ttl"`
		Shares    int    `json:"shares"`
		Threshold int    `json:"threshold"`
	}
	if err := readLocal(body, &in); err != nil {
		return out, err
	}
	out = initAsk{defaultRootTTL, keyring.People{Shares: in.Shares, Threshold: in.Threshold}}
	if in.Shares < 0 || in.Threshold < 0 || (in.Shares == 0) != (in.Threshold == 0) {
		return out, fault.Bad("shares", "goes with threshold: how many shares, and how many of them open the cluster")
	}
	if in.RootTTL == "" {
		return out, nil
	}
	out.ttl, err = time.ParseDuration(in.RootTTL)
	if err != nil || out.ttl < time.Minute || out.ttl > maxRootTTL {
		return out, fault.Bad("root_ttl", "must be a duration from 1m to %s", maxRootTTL)
	}
	return out, nil
}

func readLocal(body io.Reader, into any) error {
	d := json.NewDecoder(io.LimitReader(body, maxLocalBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return fault.Bad("body", "must be a JSON object of this call's fields")
	}
	return nil
}

// writeLocal answers; when the caller has gone there is nobody to tell.
func writeLocal(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
