package api

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKMIPCAsStandInAnOrderForPeople: by kind, and within it the oldest first, whatever their UIDs are.
func TestKMIPCAsStandInAnOrderForPeople(t *testing.T) {
	b := newBench(t)
	kmipServer(b)
	b.put("/kmip/ca/external/z-first", b.root, partner.body()).is(200)
	kmipCAs(b)
	for range 6 {
		b.post("/kmip/ca/rotate", b.root, `{"algorithm":"ec-p256"}`).is(200)
	}
	for _, name := range []string{"m-second", "a-third"} {
		b.put("/kmip/ca/external/"+name, b.root, newCertified(name).body()).is(200)
	}
	b.post("/kmip/server/rotate", b.root, `{"delay":"0s","algorithm":"ec-p256"}`).is(200)
	var got []any
	for _, i := range b.get("/kmip/ca", b.root).is(200).reply()["items"].([]any) {
		ca := i.(map[string]any)
		got = append(got, ca["kind"], ca["generation"], ca["name"])
	}
	var want []any
	for g := range 7 {
		want = append(want, "client", float64(g+1), nil)
	}
	want = append(want, "external", nil, "z-first", "external", nil, "m-second", "external", nil, "a-third", "server", 1.0, nil, "server", 2.0, nil)
	require.Equal(t, want, got)
}
