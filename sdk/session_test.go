package sdk

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func at(index string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(indexHeader, index)
		answer(map[string]any{"path": "a", "version": 1, "value": ""})(w, r)
	}
}

func TestSessionNeverGoesBack(t *testing.T) {
	f := newFake(t, at("1.50"), at("1.40"), at("nonsense"), at("2.7"), at("1.90"), at("2.8"))
	c := client(t, f)
	for range 6 {
		_, err := c.Get(t.Context(), "a", GetOptions{})
		require.NoError(t, err)
	}
	var sent []string
	for _, r := range f.requests() {
		sent = append(sent, r.index)
	}
	require.Equal(t, []string{"", "1.50", "1.50", "1.50", "2.7", "2.7"}, sent)
}

func TestLevelsAreSentAsAsked(t *testing.T) {
	f := newFake(t, at("1.50"))
	c := client(t, f)
	for _, r := range []Read{{}, {}, {At: Linearizable}, {At: Stale, MaxStale: 3 * time.Second}} {
		_, err := c.Reading(r).Get(t.Context(), "a", GetOptions{Version: 2})
		require.NoError(t, err)
	}
	var targets []string
	for _, r := range f.requests() {
		targets = append(targets, r.target)
	}
	require.Equal(t, []string{
		"/api/v1/secrets/store/a?version=2",
		"/api/v1/secrets/store/a?at=session&version=2",
		"/api/v1/secrets/store/a?at=linearizable&version=2",
		"/api/v1/secrets/store/a?at=stale&max_stale=3s&version=2",
	}, targets)
}

func FuzzParsePosition(f *testing.F) {
	for _, s := range []string{"1.2", "", ".", "1.", "18446744073709551615.1", "-1.2", "1.2.3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, ok := parsePosition(s); ok {
			again, ok := parsePosition(p.String())
			require.True(t, ok)
			require.Equal(t, p, again)
		}
	})
}
