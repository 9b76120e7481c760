package sdk

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var written = Written{Path: "a/b", Version: 3}

func TestFailoverKeepsTheKey(t *testing.T) {
	for name, broken := range map[string]http.HandlerFunc{
		"not done":        refuse(503, NotDone),
		"sealed":          refuse(503, Sealed),
		"outcome unknown": refuse(504, OutcomeUnknown),
		"cut":             hangUp,
		"bare 503":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
		"bare 502":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) },
	} {
		t.Run(name, func(t *testing.T) {
			first, second := newFake(t, broken), newFake(t, answer(written))
			c := client(t, first, second)
			w, err := c.Put(t.Context(), Item{Path: "a/b", Value: []byte("x")})
			require.NoError(t, err)
			require.Equal(t, written, w)
			key := second.requests()[0].key
			require.NotEmpty(t, key)
			for _, r := range first.requests() {
				require.Equal(t, key, r.key)
			}
			_, err = c.Put(t.Context(), Item{Path: "a/b", Value: []byte("x")})
			require.NoError(t, err)
			require.Len(t, second.requests(), 2, "the node that answered goes first")
			require.NotEqual(t, key, second.requests()[1].key, "another call has another key")
		})
	}
}

func TestARefusedConnectionGoesToTheNextNode(t *testing.T) {
	dead, alive := newFake(t, hangUp), newFake(t, answer(written))
	c := client(t, dead, alive)
	dead.Close()
	_, err := c.Put(t.Context(), Item{Path: "a/b"})
	require.NoError(t, err)
	require.Empty(t, dead.requests())
}

func TestRefusalsAreNotRepeated(t *testing.T) {
	for _, c := range []struct {
		status int
		kind   Kind
	}{{400, Invalid}, {401, Unauthenticated}, {403, Denied}, {404, NotFound}, {409, Conflict}, {413, TooLarge}, {422, KeyReused}, {507, NoSpace}, {500, Internal}} {
		t.Run(string(c.kind), func(t *testing.T) {
			first, second := newFake(t, refuse(c.status, c.kind)), newFake(t, answer(written))
			_, err := client(t, first, second).Put(t.Context(), Item{Path: "a/b"})
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, Error{Status: c.status, Kind: c.kind, Detail: "because", RequestID: "r-1", Address: first.URL}, *e)
			require.Len(t, first.requests(), 1)
			require.Empty(t, second.requests())
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) })
	_, err := client(t, f).Get(t.Context(), "a", GetOptions{})
	require.Equal(t, Internal, KindOf(err))
	require.Len(t, f.requests(), 1)
}

func TestTheDeadlineTellsUnknownFromNotDone(t *testing.T) {
	for name, c := range map[string]struct {
		script []http.HandlerFunc
		kind   Kind
	}{
		"never done":                  {[]http.HandlerFunc{refuse(503, NotDone)}, NotDone},
		"always unknown":              {[]http.HandlerFunc{hangUp}, OutcomeUnknown},
		"unknown once, then not done": {[]http.HandlerFunc{refuse(504, OutcomeUnknown), refuse(503, NotDone)}, OutcomeUnknown},
		"unknown, then 401":           {[]http.HandlerFunc{refuse(504, OutcomeUnknown), refuse(401, Unauthenticated)}, OutcomeUnknown},
		"unknown, then conflict":      {[]http.HandlerFunc{refuse(504, OutcomeUnknown), refuse(409, Conflict)}, OutcomeUnknown},
		"unknown, then another's key": {[]http.HandlerFunc{refuse(504, OutcomeUnknown), refuse(422, KeyReused)}, KeyReused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(WithKey(t.Context(), "my-key"), 2*time.Second)
			defer cancel()
			_, err := client(t, newFake(t, c.script...)).Put(ctx, Item{Path: "a/b"})
			require.Equal(t, c.kind, KindOf(err), "%v", err)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.kind == OutcomeUnknown, e.Key == "my-key")
		})
	}
}

func TestWhatANodeSaysIsWorthMoreThanADeadConnection(t *testing.T) {
	told, dead := newFake(t, refuse(503, NotDone)), newFake(t, hangUp)
	c := client(t, told, dead)
	dead.Close()
	require.Eventually(t, func() bool { // the deadline may come before one of the two was asked
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := c.Put(ctx, Item{Path: "a"})
		return KindOf(err) == NotDone && strings.Contains(err.Error(), "because (and no connection to "+dead.URL)
	}, 30*time.Second, time.Millisecond)
}

func TestAReadIsNeverInDoubt(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := client(t, newFake(t, hangUp)).Get(ctx, "a", GetOptions{})
	require.Equal(t, NotDone, KindOf(err))
}

func TestAReadThatTheDeadlineCutSaysWhatItWasToldBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := newFake(t, refuse(503, NotDone), func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := client(t, f).Get(ctx, "a", GetOptions{})
	require.Equal(t, NotDone, KindOf(err))
	require.ErrorContains(t, err, "because (and no answer from "+f.URL)
}

func TestACancelledMutationIsInDoubt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := newFake(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the caller has gone
		cancel()
		<-r.Context().Done()
	})
	_, err := client(t, f).Put(ctx, Item{Path: "a/b"})
	require.Equal(t, OutcomeUnknown, KindOf(err))
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, f.requests(), 1)
}

func TestEveryNodeSealedEndsTheCall(t *testing.T) {
	a, b := newFake(t, refuse(503, Sealed)), newFake(t, refuse(503, Sealed))
	_, err := client(t, a, b).Get(t.Context(), "a", GetOptions{})
	require.Equal(t, Sealed, KindOf(err))
	require.Len(t, a.requests(), 1)
	require.Len(t, b.requests(), 1)
}

func TestAForeignCertificateEndsTheCall(t *testing.T) {
	f := newFake(t, answer(written))
	c, err := New(Options{Addresses: []string{f.URL}})
	require.NoError(t, err)
	_, err = c.Get(t.Context(), "a", GetOptions{})
	require.ErrorContains(t, err, "TRSTCTL_CACERT")
	require.Equal(t, NotDone, KindOf(err))
	require.Empty(t, f.requests())
}

func TestAPauseBeyondTheDeadlineIsNotWaitedFor(t *testing.T) {
	f := newFake(t, refuse(503, RateLimited, "Retry-After", "3600"))
	_, err := client(t, f).Put(t.Context(), Item{Path: "a/b"})
	require.Equal(t, RateLimited, KindOf(err))
	require.Len(t, f.requests(), 1)
}

func TestObservationsAreMadeOnce(t *testing.T) {
	f, other := newFake(t, refuse(503, NotDone)), newFake(t, answer(Status{Node: "n2"}))
	_, err := client(t, f, other).Status(t.Context())
	require.Error(t, err)
	require.Len(t, f.requests(), 1)
	n, err := client(t, f, other).Node(other.URL)
	require.NoError(t, err)
	s, err := n.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "n2", s.Node)
}

func TestAnAnswerThatIsNotJSONIsAnError(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) })
	_, err := client(t, f).Get(t.Context(), "a", GetOptions{})
	require.Equal(t, Internal, KindOf(err))
}

func TestAnEndlessErrorBodyIsCut(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		_, _ = w.Write(make([]byte, 2*maxProblem))
	})
	_, err := client(t, f).Put(t.Context(), Item{Path: "a"})
	require.Equal(t, Conflict, KindOf(err))
}

func TestErrorsDoNotShowThePathOfTheURL(t *testing.T) {
	f := newFake(t, hangUp)
	c := client(t, f)
	f.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := c.Get(ctx, "hush", GetOptions{})
	require.NotContains(t, err.Error(), "hush")
	require.NotNil(t, errors.Unwrap(err))
}
