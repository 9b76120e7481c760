package api

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/trstctl/trstctl/server/journal"
)

// forgetful keeps no journal.
type forgetful struct{}

func (forgetful) Append(...journal.Record) error { return nil }

// BenchmarkGet is a read of a value as the API answers it, with the node's journal and without it: everything but network and Raft.
func BenchmarkGet(b *testing.B) {
	for name, change := range map[string]func(*Options){"journal": func(*Options) {}, "none": func(o *Options) { o.Journal = forgetful{} }} {
		b.Run(name, func(b *testing.B) {
			n := newBench(b, change, func(o *Options) {
				o.Limits.AddressPerSecond, o.Limits.TokenPerSecond = -1, -1
				o.Log = nil
			})
			n.put("/secrets/store/a", n.root, `{"value":"x"}`).is(200)
			for b.Loop() {
				w := httptest.NewRecorder()
				n.handler.ServeHTTP(w, req("GET", base+"/secrets/store/a", n.root, "").build())
				if w.Code != http.StatusOK {
					b.Fatalf("%d: %s", w.Code, w.Body)
				}
			}
		})
	}
}
