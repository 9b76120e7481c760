package api

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/admit"
)

// stuck is a caller who asks and reads nothing until released.
type stuck struct {
	*httptest.ResponseRecorder
	writes   chan struct{}
	released chan struct{}
	deadline time.Time
}

func (s *stuck) Write(b []byte) (int, error) {
	s.writes <- struct{}{}
	<-s.released
	return s.ResponseRecorder.Write(b)
}

func (s *stuck) SetWriteDeadline(t time.Time) error {
	s.deadline = t
	return nil
}

// ignore asks and returns once the answer waits to be read; release lets it go.
func (b *bench) ignore(q *ask) (s *stuck, release func()) {
	s = &stuck{httptest.NewRecorder(), make(chan struct{}, 100), make(chan struct{}), time.Time{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.handler.ServeHTTP(s, q.build())
	}()
	select {
	case <-s.writes:
	case <-time.After(10 * time.Second):
		b.t.Fatal("the request was not answered")
	}
	return s, func() { close(s.released); <-done }
}

func TestWhoDoesNotReadHoldsNobodyUp(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Limits = Limits{Reads: 1, Bulk: 1, Operator: 1, Writes: 1} })
	has("a")(b)
	for _, url := range []string{"/sys/openapi.json", "/secrets/store/a", "/secrets/list", "/sys/members"} {
		for range publicPlaces + 1 {
			s, release := b.ignore(req("GET", base+url, b.root, ""))
			require.WithinDuration(t, time.Now().Add(patience), s.deadline, 10*time.Second)
			defer release()
		}
	}
	for _, url := range []string{"/sys/openapi.json", "/secrets/store/a", "/secrets/list", "/sys/members"} {
		b.get(url, b.root).is(200)
	}
}

func TestWhatNeedsNoTokenDoesNotDelayOperators(t *testing.T) {
	b := newBench(t)
	b.api.queues[public] = admit.NewQueue("public", 1, 0)
	held, err := b.api.queues[public].Enter(t.Context())
	require.NoError(t, err)
	b.get("/sys/openapi.json", "").refused(fault.NotDone, "")
	b.get("/sys/members", b.root).is(200)
	b.post("/tokens/self/revoke", b.token("x read"), "").is(200)
	held.Leave()
}

func TestASlowExportHasADeadlineAPageAndLeavesRoom(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Limits.Bulk = 4 })
	s, release := b.ignore(req("GET", base+"/audit/export", b.root, ""))
	require.WithinDuration(t, time.Now().Add(patience), s.deadline, 10*time.Second)
	b.get("/audit/export", b.root).refused(fault.NotDone, "")
	b.get("/secrets/list", b.root).is(200)
	release()
	b.get("/audit/export", b.root).is(200)
}

func TestATenantTakesThreeQuartersOfAQueue(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Limits = Limits{Reads: 4, Operator: 4, Writes: 4} })
	acme := b.tenant("acme")
	uid, err := fsm.ParseUID(b.get("/tenants/acme", b.root).reply()["uid"].(string))
	require.NoError(t, err)
	hold := func(surface int, owner fsm.UID) (release func()) {
		var places []*admit.Place
		for range 3 {
			p, err := b.api.queues[surface].Enter(t.Context())
			require.NoError(t, err)
			require.NoError(t, p.Charge(string(owner[:])))
			places = append(places, p)
		}
		return func() {
			for _, p := range places {
				p.Leave()
			}
		}
	}
	release := hold(reads, uid)
	require.Contains(t, b.get("/tokens/self", acme).refused(fault.NotDone, "").reply()["detail"], "share")
	b.get("/tokens/self", b.root).is(200)
	release()
	b.get("/tokens/self", acme).is(200)
	release = hold(operator, fsm.RootTenant)
	b.get("/sys/members", b.root).is(200)
	release()
	b.cluster.follows = true
	b.cluster.forward = func(*http.Request, []byte) (*http.Response, error) { return nil, errors.New("was forwarded") }
	release = hold(writes, uid)
	b.put("/secrets/store/a", acme, `{"value":"v"}`).refused(fault.NotDone, "")
	release()
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestALargeBodyIsReadFromKnownTokensOnly(t *testing.T) {
	b := newBench(t)
	ask := func(token string, length int64, body io.Reader) answer {
		r := req("PUT", base+"/secrets/store/a", token, "x").build()
		r.Body, r.ContentLength = io.NopCloser(body), length
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		return answer{t, w.Code, w.Header(), w.Body.Bytes()}
	}
	nobodys := "trs." + strings.Repeat("A", 43)
	large := `{"value":"` + strings.Repeat("x", 100<<10) + `"}`
	ask("", 10, unread{t}).refused(fault.Unauthenticated, "")
	b.cluster.wants = nil
	ask(nobodys, int64(len(large)), unread{t}).refused(fault.Unauthenticated, "")
	require.Equal(t, []Want{{Linearizable, MaxStale, 0}}, b.cluster.wants, "a node that has not heard of a token asks first")
	ask(nobodys, -1, unread{t}).refused(fault.Unauthenticated, "")
	ask(b.root, int64(len(large)), strings.NewReader(large)).is(200)
	ask(b.root, -1, strings.NewReader(large)).is(200)
}

func TestBodiesAreBoundedTogether(t *testing.T) {
	b := newBench(t)
	b.api.bodies = admit.NewBytes("bodies", 1<<20, 128<<10)
	large := `{"value":"` + strings.Repeat("x", 200<<10) + `"}`
	require.NotEmpty(t, b.put("/secrets/store/a", b.root, large).refused(fault.NotDone, "").header.Get("Retry-After"))
	b.put("/secrets/store/a", b.root, `{"value":"v"}`).is(200)
	require.NoError(t, b.api.bodies.Take("192.0.2.1", 128<<10), "all was given back")
}

func TestLargeAnswersThatNobodyReadsAreBoundedTogether(t *testing.T) {
	b := newBench(t)
	b.api.answers = admit.NewBytes("answers", 1<<20, 300<<10)
	b.put("/secrets/store/a", b.root, `{"value":"`+strings.Repeat("x", 200<<10)+`"}`).is(200)
	_, release := b.ignore(req("GET", base+"/secrets/store/a", b.root, ""))
	b.get("/secrets/store/a", b.root).refused(fault.NotDone, "")
	release()
	b.get("/secrets/store/a", b.root).is(200)
}
