package kmip

import (
	"testing"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// FuzzHandle wants an answer that can be read to whatever is a message at all.
func FuzzHandle(f *testing.F) {
	a := item(ttlv.OperationGet, "a")
	for _, m := range []*ttlv.Item{ask(a), ask(a, item(ttlv.OperationGet, "missing")), ask(extended(a, true)), askIn(ttlv.V21, option(ttlv.BatchErrorContinuationOptionUndo), a),
		askIn(ttlv.V12, []ttlv.Item{ttlv.Structure(ttlv.TagAuthentication, ttlv.Structure(ttlv.TagCredential, ttlv.Enumeration(ttlv.TagCredentialType, 1),
			ttlv.Structure(ttlv.TagCredentialValue, ttlv.TextString(ttlv.TagUsername, "u"))))}, a)} {
		b, err := ttlv.Marshal(m, ttlv.Limits{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ttlv.Parse(b, ttlv.Limits{})
		if err != nil {
			return
		}
		raw, err := Handle(t.Context(), m, (&stage{}).run, now)
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		if _, err := ttlv.Parse(raw, ttlv.Limits{}); err != nil {
			t.Fatalf("an answer that cannot be read: %v", err)
		}
	})
}
