package ttlv_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

func BenchmarkGetResponse(b *testing.B) {
	message := getResponse()
	binary, err := ttlv.Marshal(&message, ttlv.Limits{})
	require.NoError(b, err)
	text, err := ttlv.MarshalXML(&message, ttlv.Limits{})
	require.NoError(b, err)
	object, err := ttlv.MarshalJSON(&message, ttlv.Limits{})
	require.NoError(b, err)
	reader, room := bytes.NewReader(nil), make([]byte, 0, 4<<10)
	for name, run := range map[string]func() error{
		"parse":  func() error { return second(ttlv.Parse(binary, ttlv.Limits{})) },
		"read":   func() error { reader.Reset(binary); return second(ttlv.Read(reader, ttlv.Limits{})) },
		"append": func() error { return second(ttlv.Append(room, &message, ttlv.Limits{})) },
		"build and marshal": func() error {
			message := getResponse()
			return second(ttlv.Marshal(&message, ttlv.Limits{}))
		},
		"parse XML":   func() error { return second(ttlv.ParseXML(text, ttlv.Options{})) },
		"append XML":  func() error { return second(ttlv.AppendXML(room, &message, ttlv.Limits{})) },
		"parse JSON":  func() error { return second(ttlv.ParseJSON(object, ttlv.Options{})) },
		"append JSON": func() error { return second(ttlv.AppendJSON(room, &message, ttlv.Limits{})) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestDecodingAllocatesTheTreeOnce keeps the figures of the benchmark from growing unseen.
func TestDecodingAllocatesTheTreeOnce(t *testing.T) {
	message := getResponse()
	binary, err := ttlv.Marshal(&message, ttlv.Limits{})
	require.NoError(t, err)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = ttlv.Parse(binary, ttlv.Limits{}) }), 2.0)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = ttlv.Read(bytes.NewReader(binary), ttlv.Limits{}) }), 5.0)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _ = ttlv.Marshal(&message, ttlv.Limits{}) }), 2.0)
}
