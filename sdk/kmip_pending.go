package sdk

import (
	"context"
	"net/http"
	"time"
)

// KMIPWindow says where certificates that nobody knows may present themselves.
type KMIPWindow struct {
	OpenUntil time.Time `json:"open_until,omitzero"` // zero: no window is open
	Nodes     []string  `json:"nodes"`               // where it is open
	Missing   []string  `json:"missing"`             // members that did not answer, or where it is not open while it is elsewhere
}

// KMIPPendings are the certificates that nobody knows and that presented themselves while a window was open.
type KMIPPendings struct {
	KMIPWindow
	Pending int               `json:"pending"` // how many wait
	Missed  uint64            `json:"missed"`  // requests with certificates for which there was no room
	Items   []KMIPPendingCert `json:"items"`   // for tokens of the root tenant alone: nobody knows yet whose they are
}

// KMIPPendingCert is one of them. Its fingerprint is not told: whoever accepts it reads that off the device.
type KMIPPendingCert struct {
	Subject      string    `json:"subject"`
	Issuer       string    `json:"issuer"`
	SerialNumber string    `json:"serial_number"` // hexadecimal
	KeyAlgorithm string    `json:"key_algorithm"`
	Address      string    `json:"address"` // from which it came last
	Nodes        []string  `json:"nodes"`   // to which it came
	FirstSeenAt  time.Time `json:"first_seen_at"`
	LastSeenAt   time.Time `json:"last_seen_at"`
	Requests     uint64    `json:"requests"`
	ExpiresAt    time.Time `json:"expires_at,omitzero"` // zero: not before the year 2262
}

// OpenKMIPWindow has every node remember the certificates that nobody knows, for a minute to an hour; 0 stands for ten minutes. One of them is accepted by
// EnrolKMIPClient with KMIPPresented. A window is in the nodes' memory: one that restarts has closed it.
func (c *Client) OpenKMIPWindow(ctx context.Context, d time.Duration) (w KMIPWindow, err error) {
	body := struct {
		For string `json:"for,omitempty"`
	}{span(d)}
	err = c.do(ctx, request{method: http.MethodPost, path: api + "/kmip/pending", body: body, kind: mutates}, &w)
	return w, err
}

// CloseKMIPWindow closes it before its time.
func (c *Client) CloseKMIPWindow(ctx context.Context) (w KMIPWindow, err error) {
	err = c.do(ctx, request{method: http.MethodDelete, path: api + "/kmip/pending", kind: mutates}, &w)
	return w, err
}

// KMIPPending says what waits.
func (c *Client) KMIPPending(ctx context.Context) (p KMIPPendings, err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: api + "/kmip/pending", kind: reads}, &p)
	return p, err
}
