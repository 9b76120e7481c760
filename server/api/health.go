package api

import (
	"net/http"
	"time"

	"github.com/trstctl/trstctl/engines/rbac"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// serveHealth answers the paths at the root and says whether r was one of them. Three of them are what load balancers ask
// and need no token; /metrics needs one that may read sys/metrics.
func (a *API) serveHealth(c *call) bool {
	var state error
	switch c.r.URL.Path {
	case "/healthz":
	case "/readyz":
		state = a.opt.Health.Ready()
	case "/leaderz":
		if state = a.opt.Health.Ready(); state == nil && !a.opt.Leader.Leads() {
			state = fault.New(fault.NotDone, "the node does not lead")
		}
	case "/metrics":
		a.serveMetrics(c)
		return true
	default:
		return false
	}
	c.route = healthRoute
	switch {
	case c.r.Method != http.MethodGet && c.r.Method != http.MethodHead:
		c.refuse(fault.New(fault.Invalid, "ask with GET or HEAD"))
	case state != nil:
		c.refuse(fault.New(fault.NotDone, "%s", state.Error()))
	default:
		c.w.Header()["Content-Type"] = jsonType
		c.send(http.StatusOK, []byte(`{"status":"ok"}`+"\n"))
	}
	return true
}

// These two are no rows of the table: they are not part of the API's document.
var (
	healthRoute  = &route{name: "health"}
	metricsRoute = (&route{name: "metrics", kind: read, global: true, needs: []need{may("sys/metrics", rbac.Read)}}).prepare()
)

// fresh reports whether the node's state says who may still do what: what was revoked must not live on where a node is cut off.
func (a *API) fresh(s Status) bool {
	return s.StatusDetail != nil && time.Duration(s.StateAge)*time.Millisecond <= MaxStale
}

// serveMetrics looks at the token in the state as this node has it. Metrics are wanted most when there is no quorum: then a listener of
// their own serves them (metrics.listen).
func (a *API) serveMetrics(c *call) {
	c.route, c.ctx = metricsRoute, c.r.Context()
	if a.opt.Metrics == nil {
		c.refuse(errNoRoute())
		return
	}
	err := a.addresses.Allow(rateKey(c.address), c.start)
	if err == nil && !a.fresh(a.opt.Status.Status()) {
		err = fault.New(fault.NotDone, "the node's state is too old to say whether the token is valid: it is cut off from a majority").After(time.Second)
	}
	if err == nil {
		err = c.inView(func(v *fsm.View) error { return c.admit(v) })
	}
	if err != nil {
		c.recordRefusal(err)
		c.refuse(err)
		return
	}
	if err := c.writeDeadline(time.Now().Add(patience)); err != nil {
		c.refuse(err)
		return
	}
	c.status, c.streams = http.StatusOK, true
	a.opt.Metrics.ServeHTTP(c.w, c.r)
}
