package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Request is an HTTP request on its way to the leader.
type Request struct {
	Method string              `cbor:"1,keyasint"`
	URI    string              `cbor:"2,keyasint"` // path and query as they came
	Header map[string][]string `cbor:"3,keyasint"`
	Body   []byte              `cbor:"4,keyasint"`
	Time   int64               `cbor:"5,keyasint"` // how long the caller still waits, ns
}

// Response is the leader's answer.
type Response struct {
	Status int                 `cbor:"1,keyasint"`
	Header map[string][]string `cbor:"2,keyasint"`
	Body   []byte              `cbor:"3,keyasint"`
}

// silence is how long a leader may leave ConfirmTerm unanswered before what was forwarded to it is given up as unknown.
const silence = time.Second

// Forward has the leader carry out a request, once. fault.NotDone: it never left this node; fault.Unknown: nobody can say.
func (n *Node) Forward(ctx context.Context, r Request) (Response, error) {
	if deadline, ok := ctx.Deadline(); ok {
		r.Time = int64(time.Until(deadline))
	}
	ctx, release, leader := n.leads.under(ctx)
	defer release()
	if leader == "" || leader == n.id.Node {
		return Response{}, noLeader()
	}
	stop := n.watchSilence(ctx, release, leader)
	defer stop()
	var out Response
	err := n.bulk.get(leader).call(ctx, callForward, r, &out)
	var f *fault.Error
	switch {
	case err == nil:
		return out, nil
	case errors.Is(err, errUnsent):
		return out, fault.New(fault.NotDone, "the leader cannot be reached: nothing was done, try again").Because(err).After(time.Second)
	case errors.As(err, &f):
		return out, err
	default:
		return out, unknown(err)
	}
}

// watchSilence gives a forwarded request up when the leader answers no ConfirmTerm for a second.
func (n *Node) watchSilence(ctx context.Context, giveUp func(), leader string) (stop func()) {
	t := time.AfterFunc(silence, func() {
		for ctx.Err() == nil {
			ask, cancel := context.WithTimeout(ctx, silence)
			_, err := n.voice.Confirm(ask, leader, 0)
			cancel()
			if err != nil {
				giveUp()
				return
			}
			pause(ctx, silence)
		}
	})
	return func() { t.Stop() }
}

// answerForward carries out a request that another node forwarded. The handler trusts its headers for the caller's
// address, as it must: a member vouches for that and for nothing else.
func (n *Node) answerForward(h http.Handler) handler {
	return func(ctx context.Context, peer string, body []byte) (any, error) {
		var in Request
		if err := fsm.Decode(body, &in); err != nil {
			return nil, fault.New(fault.Invalid, "the forwarded request cannot be read").Because(err)
		}
		if in.Time > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, time.Duration(in.Time))
			defer cancel()
		}
		r, err := http.NewRequestWithContext(ctx, in.Method, in.URI, bytes.NewReader(in.Body))
		if err != nil {
			return nil, fault.New(fault.Invalid, "the forwarded request cannot be read").Because(err)
		}
		r.Header, r.RequestURI, r.RemoteAddr = in.Header, in.URI, fmt.Sprintf("node:%s", peer)
		w := &recorder{header: http.Header{}}
		h.ServeHTTP(w, r)
		return Response{w.status(), w.header, w.body.Bytes()}, nil
	}
}

// recorder keeps an answer for its way back. What it holds is at most a read of a value: the API bounds it.
type recorder struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }
func (w *recorder) WriteHeader(code int) {
	if w.code == 0 {
		w.code = code
	}
}
func (w *recorder) Write(b []byte) (int, error) { return w.body.Write(b) }
func (w *recorder) status() int {
	if w.code == 0 {
		return http.StatusOK
	}
	return w.code
}
