package api

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"

	"github.com/armon/go-metrics"

	"github.com/trstctl/trstctl/engines/rbac"
	"github.com/trstctl/trstctl/fsm/fault"
)

// finish zeroes the body, survives a handler's panic, sends the answer, counts, and writes the one line that a request has in the log.
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
	if c.unknown() && c.status >= 400 && c.route != healthRoute {
		c.api.quiet.add(c.address)
		c.api.opt.Refusals.Add(rateKey(c.address))
	}
	c.api.quiet.say(c.r.Context(), c.api.opt.Log, c.api.opt.Clock())
	level := c.severity()
	if !c.api.opt.Log.Enabled(c.r.Context(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs, slog.String("method", clean(c.r.Method, 16)), slog.String("route", c.routeName()), slog.Int("status", c.status),
		slog.Duration("duration", c.api.opt.Clock().Sub(c.start)), slog.Int("bytes", c.bytes))
	attrs = append(c.who(attrs), c.what()...)
	if c.err != nil {
		attrs = append(attrs, slog.String("kind", fault.KindOf(c.err).String()), slog.String("err", clean(c.err.Error(), 512)))
	}
	c.api.opt.Log.LogAttrs(c.r.Context(), level, "request", attrs...)
}

// who says whose request it is.
func (c *call) who(attrs []slog.Attr) []slog.Attr {
	attrs = append(attrs, slog.String("request", c.id), slog.String("address", c.address))
	if s := c.session; s != nil {
		attrs = append(attrs, slog.String("accessor", s.Token.Accessor), slog.String("tenant", s.Acting.Name))
	}
	return attrs
}

func (c *call) what() (attrs []slog.Attr) {
	if c.path != "" {
		attrs = append(attrs, slog.String("path", clean(c.path, 256)))
	}
	if c.denied != "" {
		attrs = append(attrs, slog.String("denied", clean(c.denied, 256)))
	}
	if c.session != nil {
		attrs = append(attrs, slog.String("policy", c.session.Policy()))
	}
	if c.forwarded {
		attrs = append(attrs, slog.Bool("forwarded", true))
	}
	return attrs
}

// unknown reports whether the request is one of those that anybody can make any number of: health checks, what needs no token, and what was
// refused before its caller was known, here or by the leader.
func (c *call) unknown() bool {
	switch {
	case c.session != nil || c.refused != nil || c.status >= 500 && c.status != http.StatusServiceUnavailable:
		return false
	case c.forwarded:
		return c.status == http.StatusUnauthorized || c.status == http.StatusTooManyRequests
	}
	return c.err != nil || c.route == healthRoute || c.route != nil && c.route.kind == open
}

func (c *call) severity() slog.Level {
	switch {
	case c.status >= 500 && fault.Is(c.err, fault.Internal):
		return slog.LevelError
	case c.unknown():
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// reference counts and logs the read of a value that another one refers to: it is a read like any other.
func (c *call) reference(path string, d rbac.Decision) {
	c.api.opt.Counters.IncrCounterWithLabels([]string{"http", "references", "total"}, 1, []metrics.Label{{Name: "route", Value: c.routeName()}})
	attrs := c.who([]slog.Attr{slog.String("route", c.routeName()), slog.Bool("reference", true), slog.String("path", clean(path, 256)), slog.String("policy", d.Policy)})
	if !d.Allowed {
		attrs = append(attrs, slog.String("kind", fault.Denied.String()))
	}
	c.api.opt.Log.LogAttrs(c.r.Context(), slog.LevelInfo, "request", attrs...)
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
	c.api.opt.Counters.IncrCounterWithLabels([]string{"http", "requests", "total"}, 1, []metrics.Label{route, {Name: "status", Value: strconv.Itoa(c.status)}})
	if c.err != nil {
		c.api.opt.Counters.IncrCounterWithLabels([]string{"http", "refusals", "total"}, 1, []metrics.Label{route, {Name: "kind", Value: fault.KindOf(c.err).String()}})
	}
}
