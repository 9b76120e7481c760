package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trstctl/trstctl/engines/auth"
	"github.com/trstctl/trstctl/engines/rbac"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/engines/secret"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// drill is a seed's run: what the engines answer beside what the model says that they must.
type drill struct {
	v     *vault
	m     *model
	d     dice
	root  *mToken
	past  []*action // that were carried out, for repetition
	steps int
	trace *trace
	problems
}

// action is one mutation: the same function is asked again when it is repeated.
type action struct {
	name   string
	lane   string   // nobody else may hold it while it decides
	on     []string // what it reads and changes
	by     *mToken
	in     *mTenant
	need   int // 0: life is enough
	key    string
	engine func(req fsm.Request) (string, error)
	model  func() string
	made   *mToken // by a creation
	idle   bool    // it changed nothing: such an answer is a read, and leaves no receipt (PROTOCOL 4)
}

const steps = 200

func runEngines(t *testing.T, file seal.Seal, seed uint64, wrong func(*model)) (out problems, tr *trace, missed int) {
	reseed(t, seed)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		v, err := begin(ctx, file)
		if err != nil {
			out.add("found: %v", err)
			return
		}
		d := &drill{v: v, m: &model{receipts: map[string]*mReceipt{}}, d: roll(seed, "drill"), trace: newTrace("engines", seed)}
		defer d.trace.close()
		if wrong != nil {
			wrong(d.m)
		}
		top := &mTenant{name: "root", uid: fsm.RootTenant, paths: map[string]*mSecret{}, policies: map[string]int{}}
		d.m.tenants = []*mTenant{top}
		d.look(func(at *fsm.View) error {
			s, err := v.tokens.Authenticate(at, v.root, at.Now())
			d.root = &mToken{tenant: top, accessor: s.Accessor, secret: v.root, policy: "root", expires: s.Expires, last: s.MaxExpires}
			return err
		})
		d.m.tokens = []*mToken{d.root}
		d.tick()
		for d.steps = range steps {
			d.step()
			if d.steps%40 == 39 {
				d.compare()
			}
			if len(d.found) > 0 {
				break
			}
		}
		v.stop()
		if err := v.audit(d.d); err != nil && len(d.found) == 0 {
			d.add("%v", err)
		}
		v.keys.Close()
		if err := v.store.Close(); err != nil {
			d.add("close: %v", err)
		}
		out, tr, missed = d.problems, d.trace, v.log.missed
	})
	return out, tr, missed
}

// tick lets time pass, and has the model know it.
func (d *drill) tick() {
	pause := d.d.between(time.Millisecond, 2*time.Second)
	switch d.d.IntN(40) {
	case 0:
		pause = d.d.between(time.Minute, 20*time.Minute)
	case 1:
		if d.d.often(20) {
			pause = d.d.between(time.Hour, 26*time.Hour)
		}
	}
	if pause > time.Minute { // what runs would look around ten times a second
		d.restart(pause)
	}
	time.Sleep(pause % time.Minute)
	synctest.Wait()
	d.m.now = fsm.At(time.Now())
}

func (d *drill) step() {
	d.tick()
	switch n := d.d.IntN(100); {
	case n < 2:
		d.restart(d.d.between(time.Millisecond, time.Second))
	case n < 5:
		d.rotate()
	case n < 12 && len(d.past) > 0:
		d.repeat()
	case n < 16 && len(d.past) > 0:
		d.reuse()
	case n < 26:
		d.use()
	default:
		d.do(d.some())
	}
}

func (d *drill) restart(pause time.Duration) {
	if err := d.v.restart(d.d.often(50), pause, d.d); err != nil {
		d.add("step %d: restart: %v", d.steps, err)
	}
}

func (d *drill) some() *action {
	switch n := d.d.IntN(100); {
	case n < 62:
		return d.secret()
	case n < 78:
		return d.token()
	case n < 86:
		return d.policy()
	case n < 92 && len(d.active()) < 4 || len(d.active()) == 1:
		return d.newTenant()
	case n < 94:
		return d.dropTenant()
	default:
		return d.create()
	}
}

func (d *drill) active() (out []*mTenant) {
	for _, t := range d.m.tenants {
		if !t.gone {
			out = append(out, t)
		}
	}
	return out
}

func (d *drill) tenant() *mTenant { return pick(d.d, d.active()...) }

// bearer returns a token: most often one that may act in the tenant.
func (d *drill) bearer(in *mTenant) *mToken {
	if d.d.often(25) {
		return d.root
	}
	var theirs []*mToken
	for _, t := range d.m.tokens {
		if d.remembered(t) && (t.tenant == in || d.d.often(10)) {
			theirs = append(theirs, t)
		}
	}
	if len(theirs) == 0 {
		return d.root
	}
	return pick(d.d, theirs...)
}

// remembered leaves out tokens that have been dead for so long that they may be forgotten.
func (d *drill) remembered(t *mToken) bool {
	for at := t; at != nil; at = at.parent {
		if d.m.now.Sub(at.expires) > 20*time.Hour || at.ended {
			return t == at && d.m.now.Sub(at.expires) <= 20*time.Hour && d.d.often(30)
		}
	}
	return true
}

// request is what the server would make of an action: who, where, under which key, and who may.
func (d *drill) request(a *action, key string, what string) fsm.Request {
	h := hash(a.by.accessor, "|", key)
	acting := ""
	if a.in != a.by.tenant {
		acting = a.in.name
	}
	return fsm.Request{ID: fsm.UID(h[:16]), Tenant: a.in.uid, Actor: fsm.Actor{Identity: "sim", Accessor: a.by.accessor},
		Receipt: &fsm.ReceiptKey{Key: h, Request: hash(what)},
		Authorize: func(v *fsm.View) ([]fsm.Guard, error) {
			s, err := d.v.access.Authenticate(v, a.by.secret, acting, max(v.Now(), fsm.At(time.Now())))
			if err != nil {
				return nil, err
			}
			if s.Acting.UID != a.in.uid {
				return nil, fault.New(fault.NotFound, "another tenant of that name")
			}
			for _, c := range []struct {
				bit  int
				path rbac.Capability
			}{{mayRead, rbac.Read}, {mayWrite, rbac.Write}, {mayDelete, rbac.Delete}} {
				if a.need&c.bit != 0 {
					if err := s.Check("secrets/x", c.path); err != nil {
						return nil, err
					}
				}
			}
			return s.Guards(v)
		}}
}

// answer puts an engine's answer into the model's words.
func answerOf(done string, err error) string {
	if err != nil {
		return refused(fault.KindOf(err))
	}
	return done
}

// do carries out an action on both sides. Now and then something else comes in between its decision and its entry.
func (d *drill) do(a *action) {
	a.key = fmt.Sprint("k", d.steps, ".", len(d.past), ".", d.d.IntN(1000))
	if d.d.often(25) {
		if other := d.rival(a); other != nil {
			d.v.log.mu.Lock()
			d.v.log.meet = func() {
				other.key = fmt.Sprint("between ", a.key)
				d.perform(other)
			}
			d.v.log.mu.Unlock()
		}
	}
	d.perform(a)
	d.v.log.mu.Lock()
	d.v.log.meet = nil
	d.v.log.mu.Unlock()
}

// rival is an action that changes what another rests on, if one is found, and does not wait for it.
func (d *drill) rival(a *action) (out *action) {
	for range 12 {
		other := d.some()
		if other.lane == a.lane || strings.HasPrefix(other.lane, "tenant-name") {
			continue
		}
		out = other
		for _, o := range other.on {
			if slices.Contains(a.on, o) || o == "token "+a.by.accessor {
				return other
			}
		}
	}
	return out
}

func (d *drill) perform(a *action) {
	could := d.m.allows(a.by, a.in, a.need)
	done, err := a.engine(d.request(a, a.key, a.name))
	got := answerOf(done, err)
	want := d.m.allows(a.by, a.in, a.need)
	if want == rDenied && could == "" && err == nil {
		// A policy became narrower between the decision and its entry. Entries guard token, tenant and what they change, not the policies that allowed
		// them (PROTOCOL 1 and 5), so that it stands as if it had come before.
		want = ""
	}
	if want == "" {
		want = a.model()
	}
	d.trace.note("%s: %s", a.name, got)
	if got != want {
		d.add("step %d: %s by %s: %s (%v), must be %s", d.steps, a.name, a.by.accessor, got, err, want)
	}
	if err != nil || a.idle {
		return
	}
	if a.made != nil {
		d.m.tokens = append(d.m.tokens, a.made)
	}
	d.past = append(d.past, a)
	d.m.receipts[a.in.uid.String()+a.by.accessor+a.key] = &mReceipt{request: a.name, answer: got, at: d.m.now, token: a.made}
}

// repeat asks for something again under the same key: the same answer, and nothing happens.
func (d *drill) repeat() {
	a := pick(d.d, d.past...)
	r := d.m.receipts[a.in.uid.String()+a.by.accessor+a.key]
	if d.m.now.Sub(r.at) > 20*time.Hour {
		return
	}
	seq := d.seq()
	done, err := a.engine(d.request(a, a.key, a.name))
	got, want := answerOf(done, err), r.answer
	if r.token != nil && (d.m.now.Sub(r.at) > 15*time.Minute || r.token.ended || a.in.gone) {
		want = rConflict
	}
	if d.m.forgets {
		want = a.model()
	}
	if got != want {
		d.add("step %d: %s, again: %s (%v), must be %s", d.steps, a.name, got, err, want)
	}
	if now := d.seq(); now != seq {
		d.add("step %d: %s, again: %d records more", d.steps, a.name, now-seq)
	}
}

// reuse asks for something else under a key that was used.
func (d *drill) reuse() {
	a := pick(d.d, d.past...)
	r := d.m.receipts[a.in.uid.String()+a.by.accessor+a.key]
	if d.m.now.Sub(r.at) > 20*time.Hour {
		return
	}
	seq := d.seq()
	done, err := a.engine(d.request(a, a.key, a.name+" and more"))
	if got := answerOf(done, err); got != rReused {
		d.add("step %d: another request under the key of %s: %s (%v), must be %s", d.steps, a.name, got, err, rReused)
	}
	if now := d.seq(); now != seq {
		d.add("step %d: another request under the key of %s: %d records more", d.steps, a.name, now-seq)
	}
}

func (d *drill) look(f func(v *fsm.View) error) {
	v, err := d.v.store.View()
	if err == nil {
		err = errors.Join(f(v), v.Close())
	}
	if err != nil {
		d.add("step %d: %v", d.steps, err)
	}
}

func (d *drill) seq() (seq uint64) {
	d.look(func(v *fsm.View) error { seq, _ = v.Head(); return nil })
	return seq
}

// use reads a secret with a token, as a request does.
func (d *drill) use() {
	in := d.tenant()
	by, path := d.bearer(in), d.path()
	number := uint64(d.d.IntN(int(in.at(path).last()) + 2))
	want := d.m.allows(by, in, mayRead)
	if want == "" {
		want = rNotFound
		if v, n, ok := d.m.get(in, path, number); ok {
			want = fmt.Sprint("done ", n, " ", v.value)
		}
	}
	var got string
	var err error
	d.look(func(v *fsm.View) error {
		if _, err = d.request(&action{by: by, in: in, need: mayRead}, "", "").Authorize(v); err == nil {
			var out secret.Value
			out, err = d.v.secrets.Get(v, in.uid, path, number, d.m.now)
			got = fmt.Sprint("done ", out.Version, " ", string(out.Value))
		}
		return nil
	})
	if got = answerOf(got, err); got != want {
		d.add("step %d: read of %s version %d in %s by %s: %s (%v), must be %s", d.steps, path, number, in.name, by.accessor, got, err, want)
	}
}

func (d *drill) path() string { return pick(d.d, "a", "a-b", "a/b", "a/b/c", "a0") }

func numbers(w []secret.Written, err error) (string, error) {
	var out []uint64
	for _, one := range w {
		out = append(out, one.Version)
	}
	return made(out...), err
}

func number1(w secret.Written, err error) (string, error) { return made(w.Version), err }

// secret makes a random mutation of secrets.
func (d *drill) secret() *action {
	in := d.tenant()
	path, other := d.path(), d.path()
	n := uint64(d.d.IntN(int(in.at(path).last()) + 2))
	value := mVersion{value: fmt.Sprint("value ", d.steps, d.d.IntN(1000))}
	if d.d.often(15) {
		value.expires = d.m.now.Add(time.Duration(d.d.IntN(100)-10) * time.Second)
	}
	cas := func(p string) *uint64 {
		if d.d.often(65) {
			return nil
		}
		at := in.at(p).last()
		at -= min(at, uint64(d.d.IntN(2)))
		return &at
	}
	item := func(p string, v mVersion, cas *uint64) secret.Item {
		return secret.Item{Path: p, Value: []byte(v.value), Cas: cas, Attributes: secret.Attributes{Expires: v.expires}}
	}
	a := &action{by: d.bearer(in), in: in, need: mayWrite, lane: "secret/" + path, on: []string{in.name + "/" + path}}
	e, ctx := func() *secret.Engine { return d.v.secrets }, d.v.ctx
	switch kind := d.d.IntN(12); {
	case kind < 4:
		c := cas(path)
		a.name = fmt.Sprintf("put %s in %s, %+v, %v", path, in.name, value, said(c))
		a.engine = func(r fsm.Request) (string, error) {
			w, _, err := e().Put(ctx, r, item(path, value, c))
			return number1(w, err)
		}
		a.model = func() string { return d.m.put(in, path, value, c) }
	case kind == 4:
		c := cas(path)
		a.need, a.name = mayDelete, fmt.Sprintf("delete %s in %s, %v", path, in.name, said(c))
		a.engine = func(r fsm.Request) (string, error) {
			w, _, err := e().Delete(ctx, r, path, c)
			return number1(w, err)
		}
		a.model = func() string { return d.m.delete(in, path, c) }
	case kind == 5:
		a.name = fmt.Sprintf("undelete %s in %s", path, in.name)
		a.engine = func(r fsm.Request) (string, error) {
			w, _, err := e().Undelete(ctx, r, path)
			return number1(w, err)
		}
		a.model = func() string { return d.m.undelete(in, path) }
	case kind == 6:
		if d.d.often(75) {
			n = max(n, 1)
		}
		a.need, a.name = mayDelete, fmt.Sprintf("purge %s %d in %s", path, n, in.name)
		a.engine = func(r fsm.Request) (string, error) {
			w, _, err := e().Purge(ctx, r, path, n)
			return number1(w, err)
		}
		a.model = func() string { return d.m.purge(in, path, n) }
	case kind == 7:
		c := cas(path)
		n = max(n, 1)
		a.name = fmt.Sprintf("rollback %s %d in %s, %v", path, n, in.name, said(c))
		a.engine = func(r fsm.Request) (string, error) {
			w, _, err := e().Rollback(ctx, r, path, n, c)
			return number1(w, err)
		}
		a.model = func() string { return d.m.copy(in, path, n, path, c, false) }
	case kind < 10 && other != path:
		c, move := cas(other), d.d.often(50)
		if move {
			n = 0
		}
		a.lane, a.on = "secret/"+other, append(a.on, in.name+"/"+other)
		a.name = fmt.Sprintf("move (%v) %s %d to %s in %s, %v", move, path, n, other, in.name, said(c))
		a.engine = func(r fsm.Request) (string, error) {
			if move {
				w, _, err := e().Move(ctx, r, path, other, c)
				return number1(w, err)
			}
			w, _, err := e().Copy(ctx, r, path, n, other, c)
			return number1(w, err)
		}
		a.model = func() string { return d.m.copy(in, path, n, other, c, move) }
	default:
		var items []secret.Item
		var paths []string
		var values []mVersion
		var all []*uint64
		for _, p := range []string{"a", "a-b", "a/b", "a0"}[d.d.IntN(3):] {
			v, c := mVersion{value: value.value + p, expires: value.expires}, cas(p)
			a.on = append(a.on, in.name+"/"+p)
			items, paths, values, all = append(items, item(p, v, c)), append(paths, p), append(values, v), append(all, c)
		}
		a.lane = "import"
		a.name = fmt.Sprintf("import %v in %s, %v", paths, in.name, value)
		for _, c := range all {
			a.name += said(c)
		}
		a.engine = func(r fsm.Request) (string, error) {
			w, _, err := e().Import(ctx, r, items)
			return numbers(w, err)
		}
		a.model = func() string { return d.m.putAll(in, paths, values, all) }
	}
	return a
}

func said(cas *uint64) string {
	if cas == nil {
		return "no cas"
	}
	return fmt.Sprint("cas ", *cas)
}

// create makes a token.
func (d *drill) create() *action {
	in := d.tenant()
	by := d.bearer(in)
	policy := pick(d.d, "p0", "p1", "p2", "admin")
	orphan := d.d.often(20)
	ttl := d.d.between(time.Second, time.Hour)
	if d.d.often(50) {
		ttl = d.d.between(time.Hour, 700*time.Hour)
	}
	yes := d.d.often(80)
	grant := auth.Grant{Policies: []string{policy}, TTL: ttl, Renewable: &yes, Orphan: orphan}
	home := by.tenant
	a := &action{by: by, in: home, lane: "", name: fmt.Sprintf("create token %s in %s for %v, renewable %v, orphan %v, by %s", policy, in.name, ttl, yes, orphan, by.accessor)}
	if in != home && by.policy != "root" {
		in = home
	}
	a.on = []string{in.name + " policy " + policy, "token " + by.accessor}
	var made *auth.Created
	a.engine = func(r fsm.Request) (string, error) {
		c, _, err := d.v.tokens.Create(d.v.ctx, r, auth.Session{Token: auth.Token{Tenant: home.uid, Accessor: by.accessor}}, grant, a.key, in.uid)
		if err != nil {
			return "", err
		}
		if made == nil {
			made = &c
			a.made = &mToken{tenant: in, accessor: c.Accessor, secret: slices.Clone(c.Secret), policy: policy, expires: c.Expires, last: c.MaxExpires, life: ttl, renewable: yes}
			if !orphan {
				a.made.parent = by
			}
		}
		return fmt.Sprint("token ", c.Accessor, " ", string(c.Secret), " until ", int64(c.Expires)), nil
	}
	a.model = func() string {
		if no := d.m.child(by, in, policy, orphan); no != "" {
			return no
		}
		until, last := d.m.now.Add(ttl), d.m.now.Add(auth.MaxTTL)
		if !orphan {
			last = min(last, by.last)
			until = min(until, last, by.expires)
		}
		if !yes {
			last = until
		}
		if made == nil || made.Expires != until || made.MaxExpires != last {
			return fmt.Sprintf("until %d, at most %d", until, last)
		}
		return fmt.Sprint("token ", made.Accessor, " ", string(made.Secret), " until ", int64(until))
	}
	return a
}

// token renews or revokes one.
func (d *drill) token() *action {
	if len(d.m.tokens) < 2 || d.d.often(35) {
		return d.create()
	}
	t := d.m.tokens[1+d.d.IntN(len(d.m.tokens)-1)]
	for try := 0; try < 10 && (t.tenant.gone || !d.remembered(t)); try++ {
		t = d.m.tokens[1+d.d.IntN(len(d.m.tokens)-1)]
	}
	if t.tenant.gone || !d.remembered(t) {
		return d.create()
	}
	ref := auth.Ref{Tenant: t.tenant.uid, Accessor: t.accessor}
	a := &action{by: d.root, in: t.tenant, lane: "token/" + t.accessor, on: []string{"token " + t.accessor, t.tenant.name + " policy " + t.policy}}
	if d.d.often(40) {
		a.by = t
	}
	if d.d.often(35) {
		a.name = "revoke " + t.accessor
		a.engine = func(r fsm.Request) (string, error) { return "done", d.v.tokens.Revoke(d.v.ctx, r, ref) }
		a.model = func() string { return d.m.revoke(t) }
		return a
	}
	ttl := d.d.between(time.Second, 700*time.Hour)
	if d.d.often(30) {
		ttl = 0
	}
	a.name = fmt.Sprintf("renew %s for %v", t.accessor, ttl)
	a.engine = func(r fsm.Request) (string, error) {
		out, err := d.v.tokens.Renew(d.v.ctx, r, ref, ttl)
		return fmt.Sprint("done until ", int64(out.Expires)), err
	}
	a.model = func() string {
		before := t.expires
		out := d.m.renew(t, ttl)
		a.idle = t.expires == before
		return out
	}
	return a
}

func (d *drill) policy() *action {
	in := d.tenant()
	if in == d.root.tenant && d.d.often(80) {
		in = d.tenant()
	}
	by, name := d.bearer(in), pick(d.d, "p0", "p1", "p2")
	a := &action{by: by, in: in, lane: "policy/" + name, on: []string{in.name + " policy " + name}}
	if d.d.often(20) {
		a.name = fmt.Sprintf("delete policy %s of %s", name, in.name)
		a.engine = func(r fsm.Request) (string, error) {
			return "done", d.v.rules.Delete(d.v.ctx, r, name, rbac.Bound{Tenant: by.tenant.uid, Policies: []string{by.policy}})
		}
		a.model = func() string { return d.m.deletePolicy(in, name) }
		return a
	}
	mask := pick(d.d, mayRead, mayRead|mayWrite, mayAll)
	capability := rbac.Capability(0)
	for bit, c := range map[int]rbac.Capability{mayRead: rbac.Read, mayWrite: rbac.Write, mayDelete: rbac.Delete} {
		if mask&bit != 0 {
			capability |= c
		}
	}
	a.name = fmt.Sprintf("write policy %s of %s: %v", name, in.name, capability)
	a.engine = func(r fsm.Request) (string, error) {
		_, err := d.v.rules.Write(d.v.ctx, r, name, []rbac.Rule{{Path: "secrets/*", Capabilities: capability}}, rbac.Bound{Tenant: by.tenant.uid, Policies: []string{by.policy}})
		return "done", err
	}
	a.model = func() string { return d.m.writePolicy(by, in, name, mask) }
	return a
}

func (d *drill) newTenant() *action {
	name := pick(d.d, "t0", "t1", "t2", "t3")
	a := &action{by: d.root, in: d.root.tenant, lane: "tenant-name/" + name, name: "create tenant " + name}
	var uid fsm.UID
	a.engine = func(r fsm.Request) (string, error) {
		t, err := d.v.tenants.Create(d.v.ctx, r, name)
		if err == nil {
			uid = t.UID
		}
		return fmt.Sprint("tenant ", t.UID), err
	}
	a.model = func() string {
		if d.m.named(name) != nil {
			return rConflict
		}
		d.m.tenants = append(d.m.tenants, &mTenant{name: name, uid: uid, paths: map[string]*mSecret{}, policies: map[string]int{"admin": admin}})
		return fmt.Sprint("tenant ", uid)
	}
	return a
}

func (d *drill) dropTenant() *action {
	name := pick(d.d, "t0", "t1", "t2", "t3")
	a := &action{by: d.root, in: d.root.tenant, lane: "tenant-name/" + name, name: "delete tenant " + name}
	a.engine = func(r fsm.Request) (string, error) { return "done", d.v.tenants.Delete(d.v.ctx, r, name) }
	a.model = func() string {
		t := d.m.named(name)
		if t == nil {
			return rNotFound
		}
		t.gone = true
		return "done"
	}
	return a
}

// rotate begins a rotation, which the worker carries out step by step. While one is under way another is refused.
func (d *drill) rotate() {
	req := fsm.Request{Tenant: fsm.RootTenant, Actor: fsm.Actor{Identity: "sim"}}
	var err error
	if d.d.often(50) {
		_, err = d.v.rotator.Root(d.v.ctx, req, d.d.often(30))
	} else {
		_, err = d.v.rotator.Tenant(d.v.ctx, req, d.tenant().uid)
	}
	d.trace.note("rotate: %v", err)
	if err != nil && !fault.Is(err, fault.Conflict) {
		d.add("step %d: rotate: %v", d.steps, err)
	}
}

// compare reads everything that can be read and holds it against the model.
func (d *drill) compare() {
	d.look(func(v *fsm.View) error {
		for _, t := range d.active() {
			d.compareSecrets(v, t)
		}
		for _, t := range d.m.tokens {
			_, err := d.v.access.Authenticate(v, t.secret, "", d.m.now)
			if alive := d.m.alive(t); alive != (err == nil) {
				d.add("step %d: token %s: alive %v, must be %v (%v)", d.steps, t.accessor, err == nil, alive, err)
			}
		}
		return nil
	})
}

func (d *drill) compareSecrets(v *fsm.View, t *mTenant) {
	var listed []string
	for _, path := range []string{"a", "a-b", "a/b", "a/b/c", "a0"} {
		s := t.at(path)
		if _, _, ok := d.m.get(t, path, 0); ok {
			listed = append(listed, path)
		}
		history, _, err := d.v.secrets.Versions(v, t.uid, path, 0, 1000)
		if (err == nil) != (s.last() > 0) || len(history.Items) != int(s.last()) || history.Latest != s.last() || history.Deleted != s.deleted {
			d.add("step %d: history of %s in %s: %+v (%v), must be %+v", d.steps, path, t.name, history, err, s)
			continue
		}
		for n := range s.last() {
			if at := history.Items[s.last()-n-1]; at.Version != n+1 {
				d.add("step %d: version %d of %s in %s is called %d", d.steps, n+1, path, t.name, at.Version)
			}
			want, _, ok := d.m.get(t, path, n+1)
			got, err := d.v.secrets.Get(v, t.uid, path, n+1, d.m.now)
			if ok != (err == nil) || ok && string(got.Value) != want.value {
				d.add("step %d: version %d of %s in %s: %q (%v), must be %+v", d.steps, n+1, path, t.name, got.Value, err, want)
			}
		}
	}
	page, err := d.v.secrets.List(v, t.uid, secret.Query{Limit: 100, Now: d.m.now})
	var got []string
	for _, it := range page.Items {
		got = append(got, it.Path)
	}
	slices.Sort(listed)
	if err != nil || !slices.Equal(got, listed) {
		d.add("step %d: list of %s: %v (%v), must be %v", d.steps, t.name, got, err, listed)
	}
}

func TestEngines(t *testing.T) {
	alone(t)
	file := openSeal(t)
	from, to := seeds(t, 30)
	began, lines, missed := time.Now(), 0, 0
	for seed := from; seed < to; seed++ {
		found, tr, n := runEngines(t, file, seed, nil)
		missed += n
		if tr != nil {
			lines += tr.lines
		}
		if len(found.found) > 0 {
			t.Errorf("seed %d (again: TRSTCTL_SIM_SEED=%d go test ./jepsen/sim -run TestEngines):\n%s", seed, seed, &found)
		}
	}
	t.Logf("%d seeds, %d answers, %d guards missed, in %v", to-from, lines, missed, time.Since(began).Round(time.Millisecond))
	if missed == 0 && to-from > 5 {
		t.Error("no guard was ever missed")
	}
}
