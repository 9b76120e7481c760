package workload

import (
	"slices"
	"time"

	"github.com/trstctl/trstctl/jepsen/history"
)

// lifeTold is a lease as its history tells.
type lifeTold struct {
	account string
	expires time.Time // the latest that was acknowledged
	open    bool      // a renewal whose outcome nobody knows
	made    time.Duration
	revoked gone
}

func (*lease) Check(h *history.History) []history.Verdict {
	all := h.Ops("lease")
	v := leasesHold(h, all)
	return []history.Verdict{v, answered("lease", all)}
}

func leasesHold(h *history.History, all []history.Op) history.Verdict {
	lives := map[string]*lifeTold{}
	accounts := map[string]string{}
	for _, o := range all {
		in, out := decode[lent](o.In), decode[lent](o.Out)
		if o.F == "lease.issue" && o.Type == history.OK && out.Refused == "" {
			if other, twice := accounts[out.Account]; twice || lives[out.Lease] != nil {
				return bad("lease", len(all), "account %s was given out as %s and as %s", out.Account, other, out.Lease)
			}
			accounts[out.Account], lives[out.Lease] = out.Lease, &lifeTold{out.Account, out.Expires, false, o.Return, staying()}
		}
		if l := lives[in.Lease]; l != nil {
			l.note(o, out)
		}
	}
	for _, o := range all {
		in, out := decode[lent](o.In), decode[lent](o.Out)
		l := lives[in.Lease]
		if o.F == "lease.login" && l != nil && !out.In && o.Return < l.revoked.begun && o.Return < l.made+shortLease/2 {
			return bad("lease", len(all), "%s was acknowledged, and its account %s is not let in at %s", in.Lease, in.Account, o.Call.Round(time.Millisecond))
		}
	}
	for _, e := range h.Of(history.Settler, "lease.rest") {
		if v := atLast(decode[standing](e.Value), lives, len(all)); v != nil {
			return *v
		}
		return good("lease", len(lives))
	}
	return bad("lease", len(all), "nobody has looked at the target at rest")
}

// note takes up what becomes of a lease.
func (l *lifeTold) note(o history.Op, out lent) {
	switch {
	case o.F == "lease.revoke" && o.Type != history.Fail:
		l.revoked.note(o)
	case o.F == "lease.renew" && o.Type == history.Info:
		l.open = true
	case o.F == "lease.renew" && o.Type == history.OK && out.Refused == "":
		if out.Expires.After(l.expires) {
			l.expires = out.Expires
		}
	}
}

// atLast holds what is there at rest against what was acknowledged.
func atLast(r standing, lives map[string]*lifeTold, n int) *history.Verdict {
	say := func(format string, args ...any) *history.Verdict {
		v := bad("lease", n, format, args...)
		return &v
	}
	if r.Ending > 0 || r.Owed > 0 {
		return say("at rest %d leases have not ended at their target, and %d messages are owed", r.Ending, r.Owed)
	}
	if len(r.Strays) > 0 {
		return say("account %s has neither a lease nor an open intent", r.Strays[0])
	}
	active := map[string]bool{}
	for _, a := range r.Leases {
		if active[a.Lease] = true; !slices.Contains(r.Accounts, a.Account) {
			return say("lease %s is active, and the target has no account %s", a.Lease, a.Account)
		}
	}
	for id, l := range lives {
		there, in := slices.Contains(r.Accounts, l.account), slices.Contains(r.In, l.account)
		switch {
		case l.revoked.acked != forever && (there || active[id]):
			return say("lease %s was revoked, and its account %s lives", id, l.account)
		case l.revoked.begun == forever && l.expires.After(r.Now.Add(2*shortLease)) && !(in && active[id]):
			return say("lease %s was acknowledged until %s and nobody has revoked it: at %s it is active: %t, its account lets in: %t", id, l.expires.Format(time.TimeOnly), r.Now.Format(time.TimeOnly), active[id], in)
		case l.expires.Before(r.Now) && !l.open && there:
			return say("lease %s expired at %s, and its account %s lives at %s", id, l.expires.Format(time.TimeOnly), l.account, r.Now.Format(time.TimeOnly))
		}
	}
	return nil
}
