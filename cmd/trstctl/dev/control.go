package dev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/sdk"
)

// restartRequest and restartAnswer are the bodies of POST /restart at DIR/dev.sock.
type restartRequest struct {
	ID string `json:"id"`
}

type restartAnswer struct {
	ID  string `json:"id"`
	PID int    `json:"pid"`
}

func controlSocket(dir string) string { return filepath.Join(dir, "dev.sock") }

// Restart asks the trstctl dev that runs in dir to start a dead node again and returns its pid when the node answers.
func Restart(ctx context.Context, dir, id string) (pid int, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return 0, fmt.Errorf("find %s: %w", dir, err)
	}
	local, err := sdk.NewLocal(controlSocket(dir))
	if err != nil {
		return 0, err
	}
	var a restartAnswer
	err = local.Do(ctx, http.MethodPost, "/restart", restartRequest{id}, &a)
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return 0, fault.New(fault.NotDone, "no trstctl dev runs in %s: start it with trstctl dev --dir %s", dir, quoted(dir))
	}
	return a.PID, err
}

// listen opens the control socket; the lock says that an old one is nobody's.
func (d *cluster) listen() (*http.Server, error) {
	path := controlSocket(d.opt.Dir)
	if err := ignoreGone(os.Remove(path)); err != nil {
		return nil, fmt.Errorf("remove the old control socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the control socket (its path has to be shorter than 108 bytes): %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /restart", d.serveRestart)
	s := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second}
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.say("the control socket ended: %v", err)
		}
	}()
	return s, nil
}

func (d *cluster) serveRestart(w http.ResponseWriter, r *http.Request) {
	var in restartRequest
	if err := json.NewDecoder(io.LimitReader(r.Body, 4096)).Decode(&in); err != nil {
		answer(w, http.StatusBadRequest, fault.Bad("id", "the request is not understood"))
		return
	}
	pid, err := d.restart(r.Context(), in.ID)
	if err != nil {
		answer(w, statusOf(err), err)
		return
	}
	answer(w, http.StatusOK, restartAnswer{in.ID, pid})
}

// restart starts a dead node and waits until it answers, not until it is ready: that takes others.
func (d *cluster) restart(ctx context.Context, id string) (int, error) {
	if err := d.start(id, ""); err != nil {
		return 0, err
	}
	c := d.child(id)
	return c.pid(), d.await(ctx, id, func(s sdk.LocalStatus) bool { return s.Initialised })
}

// startable returns the index of a node that does not run. The caller holds mu.
func (d *cluster) startable(id string) (int, error) {
	if d.stopping {
		return 0, fault.New(fault.NotDone, "trstctl dev is stopping")
	}
	for i, n := range d.nodes {
		if n.ID != id {
			continue
		}
		if c := d.children[id]; c != nil && c.running() {
			return 0, fault.New(fault.Conflict, "%s runs already (pid %d)", id, c.pid())
		}
		return i, nil
	}
	return 0, fault.New(fault.NotFound, "there is no node %q: nodes.json lists them", id)
}

func statusOf(err error) int {
	switch fault.KindOf(err) {
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.NotDone:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// answer writes v, an error as a problem document. When the caller has gone there is nobody to tell.
func answer(w http.ResponseWriter, status int, v any) {
	if err, ok := v.(error); ok {
		v = map[string]string{"kind": fault.KindOf(err).String(), "detail": err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
