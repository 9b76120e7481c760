package sdk

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// seen is what a fake node was asked.
type seen struct {
	method, target, key, index, tenant, authorization string
}

// fake is a node whose answers are scripted: the last one is repeated.
type fake struct {
	*httptest.Server
	mu     sync.Mutex
	script []http.HandlerFunc // under mu
	asked  []seen             // under mu
}

func newFake(t *testing.T, script ...http.HandlerFunc) *fake {
	f := &fake{script: script}
	f.Server = httptest.NewTLSServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := r.Header
	f.mu.Lock()
	f.asked = append(f.asked, seen{r.Method, r.URL.RequestURI(), h.Get("Idempotency-Key"), h.Get(indexHeader), h.Get("X-Trstctl-Tenant"), h.Get("Authorization")})
	next := f.script[0]
	if len(f.script) > 1 {
		f.script = f.script[1:]
	}
	f.mu.Unlock()
	next(w, r)
}

func (f *fake) requests() []seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]seen(nil), f.asked...)
}

func client(t *testing.T, fakes ...*fake) *Client {
	o := Options{Token: Secret("trs.test"), Timeout: 5 * time.Second}
	for _, f := range fakes {
		o.Addresses = append(o.Addresses, f.URL)
		o.CACert = append(o.CACert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})...)
	}
	c, err := New(o)
	require.NoError(t, err)
	return c
}

func answer(v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(v) }
}

func refuse(status int, kind Kind, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(problem{Kind: kind, Detail: "because", RequestID: "r-1"})
	}
}

// hangUp ends the connection without an answer, after the request was read.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
