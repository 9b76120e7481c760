// Package egress dials what the node reaches out to on someone's word: a bucket for backups now, backends and webhooks when they come.
//
// The address that a name resolves to is what is checked, and what is then dialed, so that a name cannot answer one thing to the check and another
// to the connection. This machine and what is beside it (loopback, link-local, unspecified, multicast) and the ports of the cluster are refused
// unless the operator's list names them. Redirects are not followed.
package egress

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Rules say where connections may go.
type Rules struct {
	Allow   []netip.Prefix            // what would be refused otherwise
	Cluster func(netip.AddrPort) bool // reports whether an address is a member's cluster port; nil: none is known
}

// Parse reads a list of addresses and networks.
func Parse(list []string) (out []netip.Prefix, err error) {
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if a, e := netip.ParseAddr(s); err != nil && e == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", s)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// Check refuses an address that nobody outside should make the node talk to.
func (r Rules) Check(at netip.AddrPort) error {
	ip := at.Addr().Unmap().WithZone("")
	if r.Cluster != nil && r.Cluster(netip.AddrPortFrom(ip, at.Port())) {
		return fault.New(fault.Denied, "%s is a port of the cluster itself: nothing else connects to it", at)
	}
	for _, p := range r.Allow {
		if p.Contains(ip) {
			return nil
		}
	}
	if ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast() || ip.IsMulticast() || ip.IsUnspecified() || !ip.IsValid() {
		return fault.New(fault.Denied, "%s is this machine or beside it: name it in egress.allow if that is meant", ip)
	}
	return nil
}

// Dialer keeps to the rules, whichever address a name resolves to.
func (r Rules) Dialer() *net.Dialer {
	return &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return r.Check(at)
	}}
}

// Client is an HTTP client that keeps to the rules. Proxies of the environment are not used: they would be dialed in the place of what is checked.
func (r Rules) Client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{DialContext: r.Dialer().DialContext, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: time.Minute, IdleConnTimeout: time.Minute,
			ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 8},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
