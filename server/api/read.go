package api

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// answerRead brings the state to the level that was asked for and answers from one view of it. Nothing is answered that is not in the
// journal.
func (c *call) answerRead() error {
	if !c.api.opt.Keys.Unsealed() {
		return errSealed()
	}
	if err := c.api.opt.Reads.Await(c.ctx, c.want); err != nil {
		return err
	}
	v, err := c.api.opt.Ledger.View()
	if err != nil {
		return err
	}
	defer c.close(v)
	c.view, c.index, c.epoch = v, v.Index(), fsm.Epoch(v)
	if err := c.admit(v); err != nil {
		if unwritten := c.record(err); unwritten != nil {
			return unwritten
		}
		return err
	}
	out, err := c.route.handle(c)
	if unwritten := c.record(err); unwritten != nil {
		if s, ok := out.(wiper); ok {
			s.wipe()
		}
		return unwritten
	}
	return c.answer(out, err)
}

// close ends a view. That it fails means that Pebble is in trouble, which the next request will say better.
func (c *call) close(v *fsm.View) { c.note(v.Close()) }

// level reads which state the caller asks for. A request that is not a read asks for the present.
func (c *call) level() (Want, error) {
	w := Want{Level: Linearizable, MaxStale: MaxStale}
	if at, given := c.params["at"]; given {
		w.Level = Level(at)
	}
	switch w.Level {
	case Linearizable, Stale:
	case Session:
		var err error
		if w.Min, err = parseIndex(c.r.Header.Get(indexHeader), c.api.opt.Ledger.Epoch()); err != nil {
			return w, err
		}
	default:
		return w, fault.Bad("at", "must be linearizable, session or stale")
	}
	if s, given := c.params["max_stale"]; given {
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 || d > MaxStale || w.Level != Stale {
			return w, fault.Bad("max_stale", "is a duration of at most %s, and goes with at=stale", MaxStale)
		}
		w.MaxStale = d
	}
	return w, nil
}

// parseIndex reads "<epoch>.<index>"; nothing is index 0. An index of another history is refused, for it will not come.
func parseIndex(s string, epoch uint32) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	e, i, found := strings.Cut(s, ".")
	at, err := strconv.ParseUint(e, 10, 32)
	index, err2 := strconv.ParseUint(i, 10, 63)
	if !found || errors.Join(err, err2) != nil {
		return 0, fault.Bad(indexHeader, "must have the form <epoch>.<index>, as an answer gave it")
	}
	if uint32(at) != epoch {
		return 0, fault.New(fault.Conflict, "the index %s belongs to another history of the cluster, which is at epoch %d", clean(s, 40), epoch)
	}
	return index, nil
}

// parameters reads the query strictly: only what the route takes, each once.
func (r *route) parameters(raw string) (map[string]string, error) {
	if raw == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, fault.Bad("query", "is not encoded as it should be")
	}
	out := make(map[string]string, len(values))
	for name, v := range values {
		switch {
		case !r.takes(name):
			return nil, fault.Bad(clean(name, 64), "no such parameter")
		case len(v) > 1:
			return nil, fault.Bad(name, "is given more than once")
		}
		out[name] = v[0]
	}
	return out, nil
}

func (r *route) takes(name string) bool {
	if name == "at" || name == "max_stale" {
		return r.kind == read && !r.present
	}
	for _, q := range r.query {
		if q.name == name {
			return true
		}
	}
	return false
}

// number reads a parameter that is a whole number; def stands for none.
func (c *call) number(name string, def uint64) (uint64, error) {
	s, given := c.params[name]
	if !given || s == "" {
		return def, nil
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0, fault.Bad(name, "must be a whole number")
	}
	return n, nil
}

// cas reads the optional parameter of that name.
func (c *call) cas() (*uint64, error) {
	if _, given := c.params["cas"]; !given {
		return nil, nil
	}
	n, err := c.number("cas", 0)
	return &n, err
}

// flag reads a parameter that is true or false.
func (c *call) flag(name string) (bool, error) {
	switch c.params[name] {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, fault.Bad(name, "must be true or false")
}

// Page sizes of lists.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

func (c *call) limit() (int, error) {
	n, err := c.number("limit", defaultLimit)
	if err == nil && (n < 1 || n > maxLimit) {
		err = fault.Bad("limit", "must be from 1 to %d", maxLimit)
	}
	return int(n), err
}
