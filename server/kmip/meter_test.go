package kmip

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/armon/go-metrics"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// measured is a meter with what it has counted.
type measured struct {
	*Meter
	t    testing.TB
	sink *metrics.InmemSink
}

func newMeasured(t testing.TB) *measured {
	sink := metrics.NewInmemSink(time.Hour, 24*time.Hour)
	c := metrics.DefaultConfig("")
	c.EnableHostname, c.EnableRuntimeMetrics = false, false
	to, err := metrics.New(c, sink)
	require.NoError(t, err)
	return &measured{NewMeter(to), t, sink}
}

// counted are the counters with their labels, such as "kmip.operations.total;operation=Get;reason=Success".
func (m *measured) counted() map[string]int {
	out := map[string]int{}
	for _, interval := range m.sink.Data() {
		interval.RLock()
		for name, c := range interval.Counters {
			out[name] += int(c.Sum)
		}
		interval.RUnlock()
	}
	return out
}

// timings are the operations of which it knows how long they took, with how many messages there were.
func (m *measured) timings() map[string]int {
	out := map[string]int{}
	for _, interval := range m.sink.Data() {
		interval.RLock()
		for name, s := range interval.Samples {
			out[strings.TrimPrefix(name, "kmip.request_seconds;operation=")] += s.Count
		}
		interval.RUnlock()
	}
	return out
}

func op(operation, reason string) string {
	return "kmip.operations.total;operation=" + operation + ";reason=" + reason
}

func TestWhatClientsAreToldIsCounted(t *testing.T) {
	b, m, leaders := newBranch(t), newMeasured(t), newMeasured(t)
	b.office.Meter, b.cluster.leader.Meter = m.Meter, leaders.Meter
	l := b.follower.as(b.enrol(b.tenant(), "array", ""))
	id := made(t, l.ask(creates("disk"))[0])
	l.ask(asks(ttlv.OperationGet, id)) // passed on as well: it is the first, after which the key is not fresh any more
	l.ask(asks(ttlv.OperationGet, id), asks(ttlv.OperationGetAttributes, id), asks(ttlv.OperationGet, "none"))
	b.follower.as(certified(t, "nobody")).ask(asks(ttlv.OperationGet, id))
	b.cluster.lost = fault.New(fault.NotDone, "there is no leader at the moment: try again")
	l.ask(creates("other"))
	require.Equal(t, map[string]int{op("Create", "Success"): 1, op("Get", "Success"): 2, op("GetAttributes", "Success"): 1, op("Get", "ItemNotFound"): 1,
		op("none", "AuthenticationNotSuccessful"): 1, op("none", "GeneralFailure"): 1, "kmip.passed.total;outcome=answered": 2, "kmip.passed.total;outcome=not-done": 1,
		"kmip.handshakes_refused.total": 0}, m.counted())
	require.Equal(t, map[string]int{"Create": 1, "Get": 1, "batch": 1, "none": 2}, m.timings())
	require.Empty(t, leaders.timings(), "a message counts where its client is")
}

// TestNoClientMakesALabel: a thousand operations and an identifier of its choice come to a handful of counters.
func TestNoClientMakesALabel(t *testing.T) {
	b, m := newBranch(t), newMeasured(t)
	b.office.Meter = m.Meter
	l := b.follower.as(b.enrol(b.tenant(), "array", ""))
	for n := range uint32(500) {
		l.ask(asks(1000+n, "id-of-mine"))
		l.ask(asks(0x80000000|n<<8, "id-of-mine"))
	}
	require.Equal(t, map[string]int{op("unknown", "OperationNotSupported"): 1000, "kmip.handshakes_refused.total": 0}, m.counted())
	require.Equal(t, map[string]int{"unknown": 1000}, m.timings())
	for name := range m.counted() {
		require.NotContains(t, name, "mine")
		require.NotContains(t, name, "array")
	}
}

// TestOutcomesAreThoseOfTheAnswer holds them against the parser.
func TestOutcomesAreThoseOfTheAnswer(t *testing.T) {
	r := &Request{Version: ttlv.V14, Items: []Item{{Operation: ttlv.OperationGet, ID: []byte{1}}, {Operation: ttlv.OperationLocate}, {Operation: 0x8000abcd}, {}}}
	results := []Result{{Payload: payload("id")}, {Undone: true}, {Refused: refuse(ttlv.ResultReasonOperationNotSupported, "no")}, {Refused: refuse(0x8000abcd, "no")}}
	m := answer(r, results, time.Unix(0, 0))
	raw, err := ttlv.Marshal(&m, ttlv.Limits{})
	require.NoError(t, err)
	var got []outcome
	for o := range outcomesOf(raw) {
		got = append(got, o)
	}
	require.Equal(t, []outcome{{"Get", "Success"}, {"Locate", "Undone"}, {"unknown", "OperationNotSupported"}, {"none", "unknown"}}, got)
	for n := range raw { // whatever it is cut to, nothing is read that is not there
		for range outcomesOf(raw[:n]) {
		}
	}
	for range outcomesOf(raw) {
		break
	}
}

func TestWhatWasLostIsCounted(t *testing.T) {
	m := newMeasured(t)
	_, err := m.timed(func() ([]byte, error) { return nil, errors.New("lost") })
	require.EqualError(t, err, "lost")
	require.Equal(t, 1, m.counted()[op("none", "Unanswered")])
	o := &Office{Meter: m.Meter} // whose every field is missed
	_, err = o.Answer(t.Context(), Peer{}, &ttlv.Item{})
	require.ErrorContains(t, err, "panic")
	require.Equal(t, 2, m.counted()[op("none", "Unanswered")])
	var none *Meter
	_, err = none.timed(func() ([]byte, error) { return nil, nil })
	require.NoError(t, err)
	require.Empty(t, none.count(nil))
	none.entered()()
}

func TestConnectionsAndHandshakesAreCounted(t *testing.T) {
	m, own := newMeasured(t), certified(t, "server")
	config := TLS(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &own, nil }, false)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	s := &Server{TLS: config, Backend: backendFunc(echo), Meter: m.Meter, Log: slog.New(slog.DiscardHandler)}
	go func() { done <- s.Serve(ctx, l) }()
	h := httptest.NewUnstartedServer(Handler(backendFunc(echo), Patience{}, m.Meter, slog.New(slog.DiscardHandler)))
	h.TLS, h.Config.ConnState, h.Config.ErrorLog = config, m.ConnState, log.New(io.Discard, "", 0)
	h.StartTLS()
	refused := 0
	for _, at := range []string{l.Addr().String(), h.Listener.Addr().String()} {
		c, err := tls.Dial("tcp", at, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{certified(t, "client")}})
		require.NoError(t, err)
		m.eventually(1, refused)
		plain, err := net.Dial("tcp", at)
		require.NoError(t, err)
		m.eventually(2, refused)
		_, err = plain.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
		require.NoError(t, err)
		refused++
		m.eventually(1, refused)
		require.NoError(t, plain.Close())
		require.NoError(t, c.Close())
		m.eventually(0, refused)
	}
	h.Close()
	cancel()
	require.NoError(t, <-done)
}

// eventually waits for a number of connections, and of handshakes that were refused.
func (m *measured) eventually(open, refused int) {
	m.t.Helper()
	require.Eventually(m.t, func() bool {
		return int(m.Open()) == open && m.counted()["kmip.handshakes_refused.total"] == refused
	}, 10*time.Second, time.Millisecond)
}

func TestWhatCannotBeReadIsCounted(t *testing.T) {
	m := newMeasured(t)
	h := Handler(backendFunc(echo), Patience{}, m.Meter, slog.New(slog.DiscardHandler))
	r := httptest.NewRequest(http.MethodPost, Path, strings.NewReader("no message"))
	r.Header.Set("Content-Type", "application/octet-stream")
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certified(t, "client").Leaf}}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, 1, m.counted()[op("none", "InvalidMessage")])
}
