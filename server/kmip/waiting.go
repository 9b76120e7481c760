package kmip

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"sync"
	"time"

	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/fsm"
)

// Bounds of what waits on one node (SECURITY 25): half a MiB in all.
const (
	maxWaiting     = 64      // certificates
	maxFrom        = 8       // of them from one address
	maxCertificate = 8 << 10 // bytes
)

// Waiting has the certificates that nobody knows and that presented themselves to this node while a tenant waited for one: in memory, and gone when the last window has
// closed. TLS has shown that whoever presented one has its key. Its zero value waits for nothing.
type Waiting struct {
	mu     sync.Mutex           // guards the rest
	until  map[fsm.UID]fsm.Time // when a tenant's window closes
	seen   map[kmipclient.Fingerprint]*Presented
	missed uint64
}

// Presented is a certificate that waits.
type Presented struct {
	Certificate []byte   `cbor:"1,keyasint"` // DER
	Address     string   `cbor:"2,keyasint"` // from where it came last
	First       fsm.Time `cbor:"3,keyasint"`
	Last        fsm.Time `cbor:"4,keyasint"`
	Requests    uint64   `cbor:"5,keyasint"`
}

// Room is what waits on a node, as one tenant asks for it.
type Room struct {
	Until  fsm.Time    `cbor:"1,keyasint"` // the tenant's window closes; 0: it has none, and nothing is shown
	Seen   []Presented `cbor:"2,keyasint"` // oldest first
	Missed uint64      `cbor:"3,keyasint"` // requests whose certificates were not kept, for want of room
}

// Open opens a tenant's window for d from now on, instead of the one that it has; 0 closes it.
func (w *Waiting) Open(tenant fsm.UID, d time.Duration, now fsm.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.until == nil {
		w.until, w.seen = map[fsm.UID]fsm.Time{}, map[kmipclient.Fingerprint]*Presented{}
	}
	w.until[tenant] = now.Add(d)
	w.tidy(now)
}

// tidy closes what is over, and forgets everything with the last window.
func (w *Waiting) tidy(now fsm.Time) {
	for tenant, until := range w.until {
		if until <= now {
			delete(w.until, tenant)
		}
	}
	if len(w.until) == 0 {
		clear(w.seen)
		w.missed = 0
	}
}

// Room returns what waits for a tenant.
func (w *Waiting) Room(tenant fsm.UID, now fsm.Time) (r Room) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tidy(now)
	if r.Until = w.until[tenant]; r.Until == 0 {
		return r
	}
	for _, p := range w.seen {
		r.Seen = append(r.Seen, *p)
	}
	slices.SortFunc(r.Seen, func(a, b Presented) int { return cmp.Compare(a.First, b.First) })
	r.Missed = w.missed
	return r
}

// note keeps a certificate that presented itself, if anybody waits for one.
func (w *Waiting) note(c *x509.Certificate, address string, now fsm.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tidy(now); len(w.until) == 0 {
		return
	}
	sum := sha256.Sum256(c.Raw)
	p := w.seen[sum]
	if p == nil {
		if !w.fits(c, address) {
			w.missed++
			return
		}
		p = &Presented{Certificate: slices.Clone(c.Raw), First: now}
		w.seen[sum] = p
	}
	p.Address, p.Last = address, now
	p.Requests++
}

// fits keeps one address from taking all the room; who came first keeps its place.
func (w *Waiting) fits(c *x509.Certificate, address string) bool {
	from := 0
	for _, p := range w.seen {
		if p.Address == address {
			from++
		}
	}
	return len(w.seen) < maxWaiting && from < maxFrom && len(c.Raw) <= maxCertificate
}

// awaited reports whether anybody waits.
func (w *Waiting) awaited() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.until) > 0
}
