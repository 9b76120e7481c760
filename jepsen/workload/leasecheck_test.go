package workload

import (
	"testing"
	"time"

	"github.com/trstctl/trstctl/sdk"
)

// TestLeasesAreCaught has for each rule a history that keeps it, and one that does not.
func TestLeasesAreCaught(t *testing.T) {
	now := time.Now()
	hour, past := now.Add(time.Hour), now.Add(-time.Minute)
	got := func(lease string, until time.Time) lent {
		return lent{Lease: lease, Account: "a-" + lease, Expires: until}
	}
	issued := func(s *story, lease string, until time.Time) *story {
		return s.op("lease.issue", lent{}, 0, 9, ok, got(lease, until))
	}
	here := func(leases ...string) standing {
		s := standing{Now: now}
		for _, l := range leases {
			s.Leases, s.Accounts, s.In = append(s.Leases, got(l, hour)), append(s.Accounts, "a-"+l), append(s.In, "a-"+l)
		}
		return s
	}
	rest := func(s *story, is standing) { s.found("lease.rest", "", is) }
	caught(t, newLease(), map[string]lie{
		"nothing is wrong": {func(s *story) {
			issued(s, "x", hour).op("lease.login", got("x", hour), 10, 11, ok, lent{In: true})
			issued(s, "y", hour).op("lease.revoke", got("y", hour), 10, 12, ok, lent{}).op("lease.login", got("y", hour), 13, 14, ok, lent{})
			issued(s, "z", past)
			rest(s, here("x"))
		}, ""},
		"refused is not given": {func(s *story) {
			issued(s, "x", hour).op("lease.issue", lent{}, 10, 11, ok, lent{Refused: sdk.NotFound})
			rest(s, here("x"))
		}, ""},
		"unknown, and there": {func(s *story) {
			issued(s, "x", hour).op("lease.issue", lent{}, 10, 11, info, nil)
			rest(s, here("x", "y"))
		}, ""},
		"it does not log in": {func(s *story) {
			issued(s, "x", hour).op("lease.login", got("x", hour), 10, 11, ok, lent{})
			rest(s, here("x"))
		}, "lease"},
		"one account twice": {func(s *story) {
			issued(s, "x", hour).op("lease.issue", lent{}, 10, 11, ok, lent{Lease: "y", Account: "a-x", Expires: hour})
			rest(s, here("x"))
		}, "lease"},
		"a revoked one lives": {func(s *story) {
			issued(s, "x", hour).op("lease.revoke", got("x", hour), 10, 12, ok, lent{})
			rest(s, here("x"))
		}, "lease"},
		"an expired one lives": {func(s *story) {
			is := here()
			is.Accounts = []string{"a-x"}
			issued(s, "x", past)
			rest(s, is)
		}, "lease"},
		"an acknowledged one is lost": {func(s *story) {
			issued(s, "x", hour)
			rest(s, here())
		}, "lease"},
		"it has another password": {func(s *story) {
			is := here("x")
			is.In = nil
			issued(s, "x", hour)
			rest(s, is)
		}, "lease"},
		"a stray": {func(s *story) {
			is := here("x")
			is.Strays = []string{"a-s"}
			issued(s, "x", hour)
			rest(s, is)
		}, "lease"},
		"a lease without its account": {func(s *story) {
			is := here("x", "y")
			is.Accounts = []string{"a-x"}
			issued(s, "x", hour)
			rest(s, is)
		}, "lease"},
		"something is owed": {func(s *story) {
			is := here("x")
			is.Owed = 1
			issued(s, "x", hour)
			rest(s, is)
		}, "lease"},
		"nobody has looked": {func(s *story) { issued(s, "x", hour) }, "lease"},
	})
}
