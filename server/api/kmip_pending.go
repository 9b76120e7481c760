package api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"slices"
	"time"

	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Bounds of a window in which certificates that nobody knows may present themselves.
const (
	defaultWindow = 10 * time.Minute
	leastWindow   = time.Minute
	mostWindow    = time.Hour
)

// Waiting knows which certificates that nobody knows have presented themselves to the nodes, while a tenant waits for one.
type Waiting interface {
	// Open has every member that answers wait for d from now on; 0 ends it.
	Open(ctx context.Context, tenant fsm.UID, d time.Duration) ([]WaitingRoom, error)
	// Rooms asks every member what waits with it.
	Rooms(ctx context.Context, tenant fsm.UID) ([]WaitingRoom, error)
}

// WaitingRoom is what waits with a member.
type WaitingRoom struct {
	Node   string
	Until  fsm.Time // 0: no window is open there for the tenant
	Seen   []WaitingCertificate
	Missed uint64
	Error  error // it did not answer
}

// WaitingCertificate is a certificate whose sender has its key.
type WaitingCertificate struct {
	Certificate *x509.Certificate
	Key         kmipclient.Fingerprint // of its SubjectPublicKeyInfo
	Address     string
	Nodes       []string
	First, Last fsm.Time
	Requests    uint64
}

type kmipWindowBody struct {
	For span `json:"for" doc:"a minute to an hour; nothing: ten minutes"`
}

func (b *kmipWindowBody) check() error {
	if d := time.Duration(b.For); d != 0 && (d < leastWindow || d > mostWindow) {
		return fault.Bad("for", "a window is open for a minute to an hour")
	}
	return nil
}

// kmipWindow says where certificates that nobody knows may present themselves.
type kmipWindow struct {
	Until   fsm.Time `json:"open_until,omitempty" doc:"left out: no window is open"`
	Nodes   []string `json:"nodes" doc:"where it is open"`
	Missing []string `json:"missing" doc:"members that did not answer, or where it is not open while it is elsewhere"`
}

// kmipPendingAnswer deliberately has no fingerprint of a key: whoever accepts a certificate reads that off the device.
type kmipPendingAnswer struct {
	kmipWindow
	Pending int           `json:"pending" doc:"certificates that wait"`
	Missed  uint64        `json:"missed" doc:"requests with certificates for which there was no room"`
	Items   []kmipPending `json:"items" doc:"the certificates, for tokens of the root tenant alone: nobody knows yet whose they are"`
}

type kmipPending struct {
	Subject  string   `json:"subject"`
	Issuer   string   `json:"issuer"`
	Serial   string   `json:"serial_number" doc:"in hexadecimal digits"`
	Key      string   `json:"key_algorithm"`
	Address  string   `json:"address" doc:"from which it came last"`
	Nodes    []string `json:"nodes" doc:"to which it came"`
	First    fsm.Time `json:"first_seen_at"`
	Last     fsm.Time `json:"last_seen_at"`
	Requests uint64   `json:"requests"`
	Expires  fsm.Time `json:"expires_at,omitempty" doc:"left out: not before the year 2262"`
}

func openKMIPWindow(c *call) (any, error) {
	d := time.Duration(c.body.(*kmipWindowBody).For)
	if d == 0 {
		d = defaultWindow
	}
	rooms, err := c.api.opt.Waiting.Open(c.ctx, c.session.Acting.UID, d)
	return windowOf(rooms), err
}

func closeKMIPWindow(c *call) (any, error) {
	rooms, err := c.api.opt.Waiting.Open(c.ctx, c.session.Acting.UID, 0)
	return windowOf(rooms), err
}

func windowOf(rooms []WaitingRoom) kmipWindow {
	w := kmipWindow{Nodes: []string{}, Missing: []string{}}
	for _, r := range rooms {
		w.Until = max(w.Until, r.Until)
	}
	for _, r := range rooms {
		switch {
		case r.Until > 0:
			w.Nodes = append(w.Nodes, r.Node)
		case r.Error != nil || w.Until > 0:
			w.Missing = append(w.Missing, r.Node)
		}
	}
	return w
}

func listKMIPPending(c *call) (any, error) {
	rooms, err := c.api.opt.Waiting.Rooms(c.ctx, c.session.Acting.UID)
	if err != nil {
		return nil, err
	}
	all, err := unknown(c.view, rooms)
	out := kmipPendingAnswer{kmipWindow: windowOf(rooms), Pending: len(all), Items: []kmipPending{}}
	for _, r := range rooms {
		out.Missed += r.Missed
	}
	if c.session.Home.UID == fsm.RootTenant {
		for _, w := range all {
			out.Items = append(out.Items, pendingOf(w))
		}
	}
	return out, err
}

func pendingOf(w WaitingCertificate) kmipPending {
	crt := w.Certificate
	return kmipPending{Subject: crt.Subject.String(), Issuer: crt.Issuer.String(), Serial: crt.SerialNumber.Text(16), Key: crt.PublicKeyAlgorithm.String(), Address: w.Address,
		Nodes: w.Nodes, First: w.First, Last: w.Last, Requests: w.Requests, Expires: kmipclient.NotAfter(crt)}
}

// unknown is what waits at all nodes together and has not been bound meanwhile, oldest first.
func unknown(at *fsm.View, rooms []WaitingRoom) (all []WaitingCertificate, err error) {
	now := max(at.Now(), fsm.At(chaos.Now()))
	for _, r := range rooms {
		for _, w := range r.Seen {
			still, err := kmipclient.Unknown(at, w.Certificate, now)
			if err != nil {
				return nil, err
			}
			if still {
				all = together(all, w)
			}
		}
	}
	slices.SortFunc(all, func(a, b WaitingCertificate) int { return cmp.Compare(a.First, b.First) })
	return all, nil
}

func together(all []WaitingCertificate, w WaitingCertificate) []WaitingCertificate {
	i := slices.IndexFunc(all, func(o WaitingCertificate) bool { return bytes.Equal(o.Certificate.Raw, w.Certificate.Raw) })
	if i < 0 {
		return append(all, w)
	}
	o := &all[i]
	if w.Last > o.Last {
		o.Last, o.Address = w.Last, w.Address
	}
	o.First, o.Requests, o.Nodes = min(o.First, w.First), o.Requests+w.Requests, append(o.Nodes, w.Nodes...)
	return all
}

// waitingFor is the certificate with that key that came last to a node where the tenant has a window; nil if there is none.
func (c *call) waitingFor(key kmipclient.Fingerprint) ([]byte, error) {
	rooms, err := c.api.opt.Waiting.Rooms(c.ctx, c.session.Acting.UID)
	var found *WaitingCertificate
	for _, r := range rooms {
		for i, w := range r.Seen {
			if w.Key == key && (found == nil || w.Last > found.Last) {
				found = &r.Seen[i]
			}
		}
	}
	if found == nil || err != nil {
		return nil, err
	}
	return found.Certificate.Raw, nil
}
