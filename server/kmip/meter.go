package kmip

import (
	"cmp"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/armon/go-metrics"

	"github.com/trstctl/trstctl/fsm/fault"
)

// Meter measures what comes to the KMIP ports of one node. Its labels are names that this server has, whatever a client sends, and never say whose a request is.
// A nil one measures nothing.
type Meter struct {
	to   *metrics.Metrics
	open atomic.Int64
}

// NewMeter counts with to. What may never move is there from the start, so that an alert sees it rise.
func NewMeter(to *metrics.Metrics) *Meter {
	m := &Meter{to: to}
	m.handshakesRefused(0)
	return m
}

// Open is how many connections there are.
func (m *Meter) Open() int64 { return m.open.Load() }

// entered counts a connection until what it returns is called.
func (m *Meter) entered() (left func()) {
	if m == nil {
		return func() {}
	}
	m.open.Add(1)
	return func() { m.open.Add(-1) }
}

// handshakesRefused counts connections on which TLS did not come about.
func (m *Meter) handshakesRefused(n float32) {
	if m != nil {
		m.to.IncrCounter([]string{"kmip", "handshakes_refused", "total"}, n)
	}
}

// ConnState counts the connections of an http.Server over TLS.
func (m *Meter) ConnState(c net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		m.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		m.open.Add(-1)
		if t, ok := c.(*tls.Conn); ok && !t.ConnectionState().HandshakeComplete {
			m.handshakesRefused(1)
		}
	}
}

// passed counts a message that went to the leader.
func (m *Meter) passed(err error) {
	if m == nil {
		return
	}
	outcome := "answered"
	if err != nil {
		outcome = fault.KindOf(err).String()
	}
	m.to.IncrCounterWithLabels([]string{"kmip", "passed", "total"}, 1, []metrics.Label{{Name: "outcome", Value: outcome}})
}

// timed answers a message, and counts what its client was told and how long that took.
func (m *Meter) timed(answer func() ([]byte, error)) ([]byte, error) {
	began := time.Now()
	out, err := answer()
	if m == nil {
		return out, err
	}
	operation := m.count(out)
	if err != nil {
		m.item(outcome{labelNone, labelLost})
	}
	m.to.AddSampleWithLabels([]string{"kmip", "request_seconds"}, float32(time.Since(began).Seconds()), []metrics.Label{{Name: "operation", Value: operation}})
	return out, err
}

// count counts the items of an answer, and returns the operation of all of them.
func (m *Meter) count(answer []byte) (operation string) {
	if m == nil {
		return ""
	}
	for o := range outcomesOf(answer) {
		m.item(o)
		if operation != "" && operation != o.operation {
			o.operation = labelBatch
		}
		operation = o.operation
	}
	return cmp.Or(operation, labelNone)
}

func (m *Meter) item(o outcome) {
	m.to.IncrCounterWithLabels([]string{"kmip", "operations", "total"}, 1, []metrics.Label{{Name: "operation", Value: o.operation}, {Name: "reason", Value: o.reason}})
}
