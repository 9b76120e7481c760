package backendtest

import (
	"math/rand/v2"
	"time"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
)

// cuts is at how many bytes of a call, and direction, it is cut or stalled.
const cuts = 12

// points are bytes of a call, spread over it by chance, and its last one.
func points(draw *rand.Rand, total int) (all []int) {
	for i := range cuts {
		from, to := total*i/cuts, total*(i+1)/cuts
		all = append(all, 1+from+draw.IntN(max(to-from, 1)))
	}
	return append(all, total)
}

// faults are those of a call that sends and gets so many bytes.
func (r *rig) faults(sent, got int, stalls bool) (all []fault) {
	seed := rand.Uint64()
	r.Logf("%d bytes sent, %d got, seed %d", sent, got, seed)
	draw := rand.New(rand.NewPCG(seed, 0))
	for _, at := range points(draw, sent) {
		all = append(all, fault{sent: at})
	}
	for _, at := range points(draw, got) {
		all = append(all, fault{got: at})
	}
	for _, at := range points(draw, sent) {
		if stalls {
			all = append(all, fault{sent: at, stall: true})
		}
	}
	return all
}

// fresh is a session that nothing has happened to.
func (r *rig) fresh() {
	r.Helper()
	_ = r.session.Close() // what was cut may complain
	r.session = r.open(r.target())
}

// measure returns how many bytes a call takes.
func (r *rig) measure(call func()) (sent, got int) {
	r.wire.plan(fault{})
	call()
	return r.wire.count()
}

func (r *rig) cutCreate() {
	a := r.account()
	r.fresh()
	sent, got := r.measure(func() { r.must("Create", r.create(a)) })
	r.endOf(a)
	for _, f := range r.faults(sent, got, true) {
		a := r.account()
		r.fresh()
		r.wire.plan(f)
		if r.createWithin(f, a) == nil {
			r.in(a)
		}
		if !f.stall {
			r.wire.mend()
		}
		r.endSurely(a)
		r.wire.mend() // what was stalled arrives now
		r.gone(a, f)
	}
}

func (r *rig) createWithin(f fault, a backend.Account) error {
	d := patience
	if f.stall {
		d = time.Second / 2
	}
	return r.createBy(r.limit(d), a)
}

func (r *rig) cutEnd() {
	a := r.made()
	r.in(a)
	r.fresh()
	sent, got := r.measure(func() { r.endOf(a) })
	for _, f := range r.faults(sent, got, false) {
		a = r.made()
		open := r.in(a)
		r.fresh()
		r.wire.plan(f)
		_ = r.saw(r.session.End(r.limit(patience), a.Name, a.Role)) // it may have been done
		r.wire.mend()
		r.endSurely(a)
		r.gone(a, f)
		if open.Alive(r.limit(patience)) == nil {
			r.Fatalf("%+v: a session outlives its account", f)
		}
	}
}

// gone fails unless an account is, now and a moment later.
func (r *rig) gone(a backend.Account, f fault) {
	r.Helper()
	for range 2 {
		r.refused(a)
		if all := r.found(a.Name); len(all) > 0 {
			r.Fatalf("%+v: End returned nil, and the target has %v", f, all)
		}
		if !f.stall {
			return
		}
		time.Sleep(100 * time.Millisecond) // for what arrived late
	}
}
