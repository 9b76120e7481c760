package api

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"

	"github.com/armon/go-metrics"

	"github.com/trstctl/trstctl/fsm/fault"
)

// finish zeroes the body, survives a handler's panic, counts, and writes the one line that a request has in the log.
func (c *call) finish() {
	defer c.wipeBody()
	if p := recover(); p != nil {
		if p == http.ErrAbortHandler { // an export that cannot go on: the caller must see it cut off
			c.log()
			panic(p)
		}
		c.api.opt.Log.ErrorContext(c.r.Context(), "a request handler failed", "request", c.id, "panic", p, "stack", string(debug.Stack()))
		if c.status == 0 {
			c.refuse(fault.New(fault.Internal, "panic"))
		}
	}
	c.wipeBody()
	c.write()
	c.log()
}

func (c *call) log() {
	c.count()
	level := slog.LevelInfo
	if c.status >= 500 && fault.Is(c.err, fault.Internal) {
		level = slog.LevelError
	}
	if !c.api.opt.Log.Enabled(c.r.Context(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs, slog.String("method", clean(c.r.Method, 16)), slog.String("route", c.routeName()), slog.Int("status", c.status),
		slog.Duration("duration", c.api.opt.Clock().Sub(c.start)), slog.Int("bytes", c.bytes), slog.String("request", c.id),
		slog.String("address", c.address))
	if c.path != "" {
		attrs = append(attrs, slog.String("path", clean(c.path, 256)))
	}
	if s := c.session; s != nil {
		attrs = append(attrs, slog.String("accessor", s.Token.Accessor), slog.String("tenant", s.Acting.Name), slog.String("policy", s.Policy()))
	}
	if c.forwarded {
		attrs = append(attrs, slog.Bool("forwarded", true))
	}
	if c.err != nil {
		attrs = append(attrs, slog.String("kind", fault.KindOf(c.err).String()), slog.String("err", clean(c.err.Error(), 512)))
	}
	c.api.opt.Log.LogAttrs(c.r.Context(), level, "request", attrs...)
}

func (c *call) routeName() string {
	if c.route == nil {
		return "none"
	}
	return c.route.name
}

// count feeds two counters. Neither has a path, token or tenant in it.
func (c *call) count() {
	route := metrics.Label{Name: "route", Value: c.routeName()}
	c.api.opt.Counters.IncrCounterWithLabels([]string{"http", "requests"}, 1, []metrics.Label{route, {Name: "status", Value: strconv.Itoa(c.status)}})
	if c.err != nil {
		c.api.opt.Counters.IncrCounterWithLabels([]string{"http", "refusals"}, 1, []metrics.Label{route, {Name: "kind", Value: fault.KindOf(c.err).String()}})
	}
}
