package kmip

import (
	"testing"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// FuzzCrypto wants an answer or a refusal of every operation to whatever is a payload at all, and an answer that can be written.
func FuzzCrypto(f *testing.F) {
	l := newLab(f, Caller{PKCS1v15: true})
	id := l.aes(knownKey, anyUse)
	seeds := [][]ttlv.Item{
		{paramsItem(cbc...), hexItem(f, ttlv.TagData, oneBlock), hexItem(f, ttlv.TagIVCounterNonce, oneBlock)},
		{paramsItem(gcm...), hexItem(f, ttlv.TagData, oneBlock), hexItem(f, ttlv.TagIVCounterNonce, "00"), hexItem(f, ttlv.TagAuthenticatedEncryptionTag, oneBlock)},
		{ttlv.Integer(ttlv.TagDataLength, 3), ttlv.Boolean(ttlv.TagInitIndicator, true), ttlv.Boolean(ttlv.TagFinalIndicator, true)},
		{paramsItem(ttlv.TagHashingAlgorithm, ttlv.HashingAlgorithmSHA256), hexItem(f, ttlv.TagDigestedData, oneBlock), hexItem(f, ttlv.TagCorrelationValue, "00")},
	}
	for op := range cryptoOperations {
		seeds = append(seeds, request(f, op))
	}
	for _, items := range seeds {
		in := ttlv.Structure(ttlv.TagRequestPayload, items...)
		b, err := ttlv.Marshal(&in, ttlv.Limits{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := ttlv.Parse(b, ttlv.Limits{})
		if err != nil {
			return
		}
		l.placeholder = id
		for op, o := range cryptoOperations {
			out, err := o.do(&call{l.session, t.Context(), ttlv.V14, in})
			if (out == nil) == (err == nil) {
				t.Fatalf("operation %#x: neither an answer nor a refusal", op)
			}
			if err != nil {
				continue
			}
			if _, err := ttlv.Marshal(out, ttlv.Limits{}); err != nil {
				t.Fatalf("operation %#x: %v", op, err)
			}
		}
	})
}
