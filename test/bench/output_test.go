package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func someRows() []Row {
	took := []time.Duration{2 * time.Millisecond, 4 * time.Millisecond, 90 * time.Millisecond}
	w := Row{What: "write", LogStore: "wal", Clients: 64, PerSecond: 2999, Failed: map[string]int{"not-done": 2, "conflict": 1}}.times(took)
	m := Row{What: "memory", Value: new(1234.0), Unit: "MiB", Note: "n1 1,234 MiB"}
	return []Row{w.judge(atLeast(3000, ">= 3,000/s")), m.judge(below(2000, "< 2,000 MiB"))}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, show(&b, "table", someRows()))
	require.Equal(t, strings.TrimPrefix(`
             clients  per second  p50 ms  p99 ms  max ms  p50/fsync  node µs/op  client µs/op  other CPU      value  target
write (wal)       64       2,999    4.00    90.0    90.0                                                             >= 3,000/s   MISSED
memory                                                                                                    1,234 MiB  < 2,000 MiB  met

write (wal), 64 clients: FAILED: 1 conflict, 2 not-done
memory: n1 1,234 MiB
`, "\n"), b.String())
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, show(&b, "json", someRows()))
	var rows []map[string]any
	require.NoError(t, json.Unmarshal(b.Bytes(), &rows))
	require.Equal(t, map[string]any{"what": "write", "log_store": "wal", "clients": 64.0, "count": 3.0, "per_second": 2999.0, "p50_ms": 4.0, "p99_ms": 90.0,
		"max_ms": 90.0, "failed": map[string]any{"not-done": 2.0, "conflict": 1.0}, "target": ">= 3,000/s", "met": false}, rows[0])

	b.Reset()
	require.NoError(t, show(&b, "json", nil))
	require.Equal(t, "[]\n", b.String())
}

func TestALineOfProgressHoldsTheFigures(t *testing.T) {
	require.Equal(t, "write (wal), 64 clients:  2,999/s  p50 4.00 ms  p99 90.0 ms  max 90.0 ms  MISSED  FAILED: 1 conflict, 2 not-done", someRows()[0].line())
	require.Equal(t, "memory:  1,234 MiB  met", someRows()[1].line())
}

func TestTargets(t *testing.T) {
	both := within(time.Second, 2*time.Second, "")
	require.True(t, both.met(Row{P50: 999, Max: 1999}))
	require.False(t, both.met(Row{P50: 1000, Max: 1999}))
	require.False(t, both.met(Row{P50: 999, Max: 2000}))
	require.True(t, within(time.Second, 0, "").met(Row{P50: 999, Max: 1e6}))
	require.Nil(t, Row{}.judge(nil).Met)
}

func TestFewRoundsHaveAMedianAndAWorst(t *testing.T) {
	r := Row{}.rounds([]time.Duration{time.Second, 2 * time.Second})
	require.Equal(t, Row{Count: 2, P50: 1500, Max: 2000}, r)
}

func TestGrouped(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", -123: "-123"} {
		require.Equal(t, want, grouped(v))
	}
}
