package api

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestARotationThatIsUnderWayHasNoEnd(t *testing.T) {
	b := newBench(t)
	began := b.post("/sys/rotate/root", b.root, `{}`).is(200).reply()
	require.NotEmpty(t, began["began_at"])
	require.NotContains(t, began, "ended_at")
	items := b.get("/sys/rotate", b.root).is(200).reply()["items"].([]any)
	require.Len(t, items, 1)
	require.NotContains(t, items[0], "ended_at")
}
