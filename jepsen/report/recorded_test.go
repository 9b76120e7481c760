package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/jepsen/history"
)

func TestWhatIsOnRecordCanBeRead(t *testing.T) {
	r, err := Last()
	require.NoError(t, err)
	require.NotZero(t, r.Summary.Runs)
	require.NotContains(t, r.String(), "\n")
}

func TestOnlyRunsThatWereWellAreRecorded(t *testing.T) {
	well := Entry{Run: Run{Commit: "a", Verdicts: []history.Verdict{{Checker: "x", OK: true, Checked: 1}}}}
	other, bad := well, well
	other.Commit = "b"
	bad.Verdicts = []history.Verdict{{Checker: "x", Checked: 1}}
	b, err := Record([]Entry{well, other, well})
	require.NoError(t, err)
	require.True(t, bytes.HasSuffix(b, []byte("}\n")))
	require.True(t, strings.Contains(string(b), `"runs": 3`))
	var r Recorded
	require.NoError(t, json.Unmarshal(b, &r))
	require.Equal(t, []string{"a", "b"}, r.Commits)
	_, err = Record([]Entry{well, bad})
	require.ErrorContains(t, err, "runs on record are OK")
}
