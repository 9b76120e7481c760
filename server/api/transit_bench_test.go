package api

import (
	"encoding/base64"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkEncrypt is a request through all gates, without TLS and the connection.
func BenchmarkEncrypt(b *testing.B) {
	n := newBench(b)
	key("k", "")(n)
	one := `{"plaintext":"` + base64.StdEncoding.EncodeToString(make([]byte, 1024)) + `"}`
	hundred := `{"items":[` + strings.Repeat(one+",", 99) + one + `]}`
	for name, body := range map[string]string{"single": one, "batch of 100": hundred} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				n.handler.ServeHTTP(w, req("POST", base+"/transit/encrypt/k", n.root, body).build())
				if w.Code != 200 {
					b.Fatal(w.Body.String())
				}
			}
		})
	}
	b.Run("no-op", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w := httptest.NewRecorder()
			n.handler.ServeHTTP(w, req("GET", base+"/tokens/self", n.root, "").build())
		}
	})
}
