package backendtest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
)

func (r *rig) grants() {
	r.must("Verify", r.session.Verify(r.limit(patience)))
	a := r.made()
	c := r.in(a)
	if c.Forbidden(r.limit(patience)) == nil {
		r.Fatal("the account does what its role does not grant")
	}
	r.refusedWith(forged(a, r.of(a)))
	r.endOf(a)
}

// forged has another secret than the target has given out.
func forged(a backend.Account, m backend.Made) (backend.Account, backend.Made) {
	a.Password, m.Fields = append(bytes.Clone(a.Password), 'x'), slices.Clone(m.Fields)
	for i, f := range m.Fields {
		f.Value = bytes.Clone(f.Value)
		slices.Reverse(f.Value)
		m.Fields[i] = f
	}
	return a, m
}

func (r *rig) longNames() {
	limit := r.subject.Backend.NameLimit()
	a := r.named(r.prefix + strings.Repeat("x", limit-len(r.prefix)-1) + "1")
	b := r.named(a.Name[:limit-1] + "2") // they differ in the last byte
	r.must("Create", r.create(a))
	r.must("Create", r.create(b))
	r.in(a)
	r.in(b)
	r.endOf(a)
	r.refused(a)
	r.in(b)
	r.endOf(b)
}

func (r *rig) twoAtOnce() {
	both := []backend.Account{r.account(), r.account(), r.account(), r.account()}
	r.each(both, r.create)
	for _, a := range both {
		r.in(a)
	}
	r.each(both, func(a backend.Account) error { return r.saw(r.session.End(r.limit(patience), a.Name, a.Role)) })
	for _, a := range both {
		r.refused(a)
	}
}

// each calls f for all at once.
func (r *rig) each(all []backend.Account, f func(backend.Account) error) {
	r.Helper()
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, a := range all {
		wg.Go(func() { errs[i] = f(a) })
	}
	wg.Wait()
	r.must("all at once", errors.Join(errs...))
}

func (r *rig) found(prefix string) []backend.Found {
	r.Helper()
	all, err := r.session.List(r.limit(patience), prefix)
	r.must("List", err)
	return all
}

func (r *rig) list() {
	a, other := r.made(), r.named(strings.TrimSuffix(r.prefix, "_")+"xother") // an underscore is no wildcard
	r.must("Create", r.create(other))
	switch all := r.found(r.prefix); {
	case len(all) != 1 || all[0].Name != a.Name:
		r.Errorf("List returns %v, not %s alone", all, a.Name)
	case r.subject.Ends && all[0].Until.Sub(a.Until).Abs() > time.Second:
		r.Errorf("%s ends at %s, not %s", a.Name, all[0].Until, a.Until)
	}
	r.endOf(a)
	r.endOf(other)
}

func (r *rig) extend() {
	a := r.account()
	a.Until = time.Now().Add(3 * time.Second)
	r.must("Create", r.create(a))
	if !r.of(a).Until.IsZero() {
		r.endOf(a)
		r.Skip("this target does not move ends")
	}
	until := time.Now().Add(2 * time.Hour)
	r.must("Extend", r.session.Extend(r.limit(patience), a.Name, until))
	if all := r.found(a.Name); r.subject.Ends && (len(all) != 1 || all[0].Until.Sub(until).Abs() > time.Second) {
		r.Errorf("List returns %v, not %s until %s", all, a.Name, until)
	}
	time.Sleep(time.Until(a.Until) + 200*time.Millisecond) // until the first end is over
	r.in(a)
	r.endOf(a)
}

func (r *rig) expire() {
	if !r.subject.Ends {
		r.Skip("this target knows no ends")
	}
	past, soon := r.account(), r.account()
	past.Until, soon.Until = time.Now().Add(-time.Hour), time.Now().Add(2*time.Second)
	r.must("Create", r.create(past))
	r.must("Create", r.create(soon))
	r.refused(past)
	r.in(soon)
	r.within(time.Until(soon.Until)+2*time.Second, "the target refuses the account by itself", func() error {
		c, err := r.login(soon)
		if err != nil {
			return nil
		}
		return errors.Join(errors.New("it is let in"), c.Close()) // accounts may have few sessions
	})
	if early := time.Until(soon.Until); early > 0 {
		r.Errorf("the account is refused %s before its end", early)
	}
	r.endOf(past)
	r.endOf(soon)
}

func (r *rig) end() {
	a, b := r.made(), r.made()
	first, second, other := r.in(a), r.in(a), r.in(b)
	r.endOf(a)
	r.refused(a)
	for _, c := range []Client{first, second} {
		if c.Alive(r.limit(patience)) == nil {
			r.Error("a session outlives its account")
		}
	}
	r.must("another account's session goes on", other.Alive(r.limit(patience)))
	r.endOf(b)
}

func (r *rig) endAgain() {
	a := r.made()
	r.endOf(a)
	r.endOf(a)
	r.endOf(r.account())
	again, first := r.named(a.Name), r.of(a) // a name may be used again
	r.must("Create", r.create(again))
	r.refusedWith(a, first)
	r.in(again)
	again.Role = backend.Role{} // its role was deleted meanwhile
	r.endOf(again)
	r.refused(again)
}

func (r *rig) leave() {
	if r.subject.Leave == nil {
		r.Skip("accounts own nothing at this target")
	}
	a := r.made()
	check := r.subject.Leave(r.T, r.in(a), a.Name)
	r.endSurely(a)
	r.refused(a)
	check(r.T)
}

// nothingLeft is how every check ends.
func (r *rig) nothingLeft() {
	r.Helper()
	if r.Skipped() {
		return
	}
	if all := r.found(r.prefix); len(all) > 0 {
		r.Errorf("the target still has %v", all)
	}
}

// noSecrets looks at every error that the backend gave out.
func (r *rig) noSecrets() {
	r.Helper()
	for _, err := range r.errors {
		for _, s := range r.secrets {
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), string(s)) {
				r.Error("an error has a password in it") // and is not shown
			}
		}
	}
}
