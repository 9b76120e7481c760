package api

import (
	"strings"

	"github.com/trstctl/trstctl/engines/rbac"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/access"
	"github.com/trstctl/trstctl/server/journal"
)

// Journal keeps what callers read, and what known callers were refused; *journal.Journal does.
type Journal interface {
	Append(records ...journal.Record) error
}

// Refusals counts what unknown callers were refused; *journal.Refusals does.
type Refusals interface{ Add(address string) }

// Lengths to which a record cuts what callers chose.
const (
	recordedPath = 1024
	recordedName = 256
)

// record puts on record what the caller is about to be given, or is refused because of refusal. It fails when that cannot be written: then
// nothing may be given. What was recorded once is not recorded again.
func (c *call) record(refusal error) error {
	s := c.session
	if s == nil {
		s = c.refused
	}
	if s == nil || c.recorded || refusal == nil && c.route.plain {
		return nil
	}
	r := c.blank(s)
	r.Path, r.Version, r.Count, r.Rule = journal.Escaped(c.subject(), recordedPath), c.version, c.items, s.Policy()
	if refusal != nil {
		r.Outcome = fault.KindOf(refusal).String()
	}
	err := c.api.opt.Journal.Append(r)
	c.recorded = err == nil
	return err
}

// blank is a record of an allowed request, without what it is about.
func (c *call) blank(s *access.Session) journal.Record {
	r := journal.Record{Op: c.routeName(), Identity: journal.Escaped(s.Token.Identity, recordedName), Accessor: s.Token.Accessor, Tenant: c.tenant,
		Outcome: journal.Allowed, Request: c.id, Address: c.address, Index: c.index}
	if c.session == nil { // it was refused the tenant that it named
		r.Tenant = s.Home.UID
	}
	return r
}

// subject is what the request is about: what its address names, else what its query or body does.
func (c *call) subject() string {
	switch {
	case c.denied != "":
		return c.denied
	case c.path != "":
		return c.path
	case c.params["prefix"] != "":
		return c.params["prefix"]
	}
	if b, ok := c.body.(namer); ok && c.route.kind == read {
		for _, n := range c.route.needOf {
			if n.body {
				return strings.Join(b.names(n.variable), ",")
			}
		}
	}
	return ""
}

// recordRefusal is record for what has not been done anyway: when it cannot be written, that is in the log.
func (c *call) recordRefusal(refusal error) {
	if err := c.record(refusal); err != nil {
		c.api.opt.Log.WarnContext(c.r.Context(), "a refusal is not in the journal", "request", c.id, "err", err)
	}
}

// recordReference records the read of a value that another one refers to: it is a read like any other.
func (c *call) recordReference(path string, d rbac.Decision) error {
	r := c.blank(c.session)
	r.Op += ".reference"
	r.Path, r.Rule = journal.Escaped(path, recordedPath), d.Policy
	if !d.Allowed {
		r.Outcome = fault.Denied.String()
	}
	return c.api.opt.Journal.Append(r)
}
