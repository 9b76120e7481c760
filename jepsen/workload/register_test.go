package workload

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/sdk"
)

// story is a history told in short: every operation has a process of its own.
type story struct {
	t *testing.T
	h history.History
}

func (s *story) raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	require.NoError(s.t, err)
	return b
}

// op is an operation that was called and answered at these times, in milliseconds.
func (s *story) op(f string, in any, call, back int, t history.Type, out any) *story {
	process := len(s.h.Events)
	s.h.Events = append(s.h.Events,
		history.Event{Time: time.Duration(call) * time.Millisecond, Process: process, Type: history.Invoke, F: f, Node: "n1", Value: s.raw(in)},
		history.Event{Time: time.Duration(back) * time.Millisecond, Process: process, Type: t, F: f, Node: "n1", Value: s.raw(out)})
	return s
}

// found is what a settler saw.
func (s *story) found(f, node string, v any) *story {
	s.h.Events = append(s.h.Events, history.Event{Time: time.Hour, Process: history.Settler, Type: history.OK, F: f, Node: node, Value: s.raw(v)})
	return s
}

// failed returns the checkers that were not content.
func failed(all []history.Verdict) (names []string) {
	for _, v := range all {
		if !v.OK && v.Checked > 0 {
			names = append(names, v.Checker)
		}
	}
	return names
}

func put(v string) asked             { return asked{Path: "a", Value: v} }
func keyed1(v string) asked          { return asked{Path: "a", Value: v, Key: "k"} }
func cas(v string, last int) asked   { return asked{Path: "a", Value: v, CAS: &last} }
func get(version int) asked          { return asked{Path: "a", Version: version} }
func got(version int, v string) told { return told{Version: version, Value: v} }
func no(k sdk.Kind) told             { return told{Refused: k} }
func made(version int) told          { return told{Version: version} }

const (
	ok, fail, info = history.OK, history.Fail, history.Info
)

func TestARegisterIsCaughtWhenItLies(t *testing.T) {
	for name, c := range map[string]struct {
		tell func(*story)
		bad  string // the checker that must notice; empty: all is well
	}{
		"in turn": {func(s *story) {
			s.op("register.put", put("x"), 0, 1, ok, made(1)).op("register.get", get(0), 2, 3, ok, got(1, "x"))
		}, ""},
		"stale read": {func(s *story) {
			s.op("register.put", put("x"), 0, 1, ok, made(1)).op("register.get", get(0), 2, 3, ok, no(sdk.NotFound))
		}, "register"},
		"lost update": {func(s *story) {
			s.op("register.put", put("x"), 0, 1, ok, made(1)).op("register.put", put("y"), 2, 3, ok, made(1))
		}, "register"},
		"gap": {func(s *story) {
			s.op("register.put", put("x"), 0, 1, ok, made(1)).op("register.put", put("y"), 2, 3, ok, made(3))
		}, "register"},
		"lost cas": {func(s *story) {
			s.op("register.put", cas("x", 0), 0, 1, ok, made(1)).op("register.put", cas("y", 0), 2, 3, ok, made(2))
		}, "register"},
		"cas refused": {func(s *story) {
			s.op("register.put", cas("x", 0), 0, 1, ok, made(1)).op("register.put", cas("y", 0), 2, 3, ok, no(sdk.Conflict))
		}, ""},
		"false conflict": {func(s *story) { s.op("register.put", cas("x", 0), 0, 1, ok, no(sdk.Conflict)) }, "register"},
		"unknown, seen": {func(s *story) {
			s.op("register.put", put("x"), 0, 100, info, nil).op("register.get", get(0), 5, 6, ok, got(1, "x"))
		}, ""},
		"unknown, much later": {func(s *story) {
			s.op("register.put", put("x"), 0, 10, info, nil).op("register.get", get(0), 50, 60, ok, no(sdk.NotFound)).op("register.get", get(0), 70, 80, ok, got(1, "x"))
		}, ""},
		"unknown, seen and gone": {func(s *story) {
			s.op("register.put", put("x"), 0, 100, info, nil).op("register.get", get(0), 5, 6, ok, got(1, "x")).op("register.get", get(0), 7, 8, ok, no(sdk.NotFound))
		}, "register"},
		"unknown, done when it was asked for again": {func(s *story) {
			s.op("register.put", keyed1("x"), 0, 10, info, nil).op("register.get", get(0), 50, 60, ok, no(sdk.NotFound)).found("register.settled", "", settled{"k", made(1)})
		}, ""},
		"unknown, and its version is another's": {func(s *story) {
			s.op("register.put", keyed1("x"), 0, 10, info, nil).op("register.put", put("y"), 50, 60, ok, made(1)).found("register.settled", "", settled{"k", made(1)})
		}, "register"},
		"unknown, seen, and refused when it was asked for again": {func(s *story) {
			s.op("register.put", keyed1("x"), 0, 10, info, nil).op("register.get", get(0), 50, 60, ok, got(1, "x")).found("register.settled", "", settled{"k", no(sdk.Conflict)})
		}, "register"},
		"not done, seen": {func(s *story) {
			s.op("register.put", put("x"), 0, 1, fail, nil).op("register.get", get(0), 5, 6, ok, got(1, "x"))
		}, "register"},
		"deleted, and read": {func(s *story) {
			s.op("register.put", put("x"), 0, 1, ok, made(1)).op("register.delete", get(0), 2, 3, ok, made(1)).op("register.get", get(0), 4, 5, ok, got(1, "x"))
		}, "register"},
		"deleted, undeleted, read": {func(s *story) {
			s.op("register.put", put("x"), 0, 1, ok, made(1)).op("register.delete", get(0), 2, 3, ok, made(1)).op("register.undelete", get(0), 4, 5, ok, made(1)).op("register.get", get(0), 6, 7, ok, got(1, "x"))
		}, ""},
		"what a deletion hides stays hidden": {func(s *story) {
			s.op("register.put", put("x"), 0, 1, ok, made(1)).op("register.delete", get(0), 2, 3, ok, made(1)).op("register.put", put("y"), 4, 5, ok, made(2)).op("register.get", get(1), 6, 7, ok, got(1, "x"))
		}, "register"},
		"purged, and back": {func(s *story) {
			s.op("register.put", put("x"), 0, 1, ok, made(1)).op("register.purge", get(1), 2, 3, ok, made(1)).op("register.get", get(1), 4, 5, ok, got(1, "x"))
		}, "register"},
		"numbers begin again": {func(s *story) {
			s.op("register.put", put("x"), 0, 1, ok, made(1)).op("register.purge", get(0), 2, 3, ok, made(1)).op("register.put", put("y"), 4, 5, ok, made(1))
		}, "register"},
		"rolled back": {func(s *story) {
			s.op("register.put", put("x"), 0, 1, ok, made(1)).op("register.put", put("y"), 2, 3, ok, made(2)).op("register.rollback", get(1), 4, 5, ok, made(3)).op("register.get", get(0), 6, 7, ok, got(3, "x"))
		}, ""},
		"rolled back to another": {func(s *story) {
			s.op("register.put", put("x"), 0, 1, ok, made(1)).op("register.put", put("y"), 2, 3, ok, made(2)).op("register.rollback", get(1), 4, 5, ok, made(3)).op("register.get", get(0), 6, 7, ok, got(3, "y"))
		}, "register"},
		"session goes back": {func(s *story) {
			s.op("register.session", asked{Path: "a", Since: 5}, 0, 1, ok, got(4, "x"))
		}, "register sessions"},
		"stale within its bound": {func(s *story) {
			s.op("register.put", put("x"), 0, 1, ok, made(1)).op("register.put", put("y"), 2, 3, ok, made(2)).op("register.stale", asked{Path: "a", Max: 1000}, 900, 901, ok, got(1, "x"))
		}, ""},
		"stale beyond its bound": {func(s *story) {
			s.op("register.put", put("x"), 0, 1, ok, made(1)).op("register.put", put("y"), 2, 3, ok, made(2)).op("register.stale", asked{Path: "a", Max: 1000}, 2000, 2001, ok, got(1, "x"))
		}, "register stale reads"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &story{t: t}
			c.tell(s)
			if c.bad == "" {
				require.Empty(t, failed(newRegister().Check(&s.h)))
			} else {
				require.Contains(t, failed(newRegister().Check(&s.h)), c.bad)
			}
		})
	}
}

func TestAnswersThatNobodyMayGetAreNoticed(t *testing.T) {
	s := &story{t: t}
	s.op("register.get", get(0), 0, 1, info, nil)
	s.h.Events[1].Error = wrong + " internal: something"
	require.Equal(t, []string{"register answers"}, failed(newRegister().Check(&s.h)))
}
