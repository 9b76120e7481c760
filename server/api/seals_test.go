package api

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

// TestARepeatedChangeOfSealsHasItsAnswer: whoever did not get the new shares asks with the shares that were good before.
func TestARepeatedChangeOfSealsHasItsAnswer(t *testing.T) {
	for name, q := range map[string]struct{ path, body, other string }{
		"rekey":  {"/sys/shares/rekey", `{"shares":3,"threshold":2,"quorum":["good","good"]}`, `{"shares":4,"threshold":2,"quorum":["good","good"]}`},
		"remove": {"/sys/seals/second/remove", `{"quorum":["good","good"]}`, `{"quorum":["bad","good"]}`},
		"add":    {"/sys/seals/third", `{"quorum":["good","good"]}`, `{"quorum":["bad","good"]}`},
	} {
		b := newBench(t)
		post := func(key, body string) answer {
			return b.send(req("POST", base+q.path, b.root, body).with(idempotencyKey, key))
		}
		first := post("once", q.body).is(200)
		b.cluster.rekeyed = true
		again := post("once", q.body).is(200)
		require.Equal(t, string(first.body), string(again.body), name)
		require.Equal(t, "true", again.header.Get(replayedHeader), name)
		post("twice", q.body).refused(fault.Invalid, "quorum")
		post("once", q.other).refused(fault.Invalid, "quorum")
	}
}

func TestARotationThatIsUnderWayHasNoEnd(t *testing.T) {
	b := newBench(t)
	began := b.post("/sys/rotate/root", b.root, `{}`).is(200).reply()
	require.NotEmpty(t, began["began_at"])
	require.NotContains(t, began, "ended_at")
	items := b.get("/sys/rotate", b.root).is(200).reply()["items"].([]any)
	require.Len(t, items, 1)
	require.NotContains(t, items[0], "ended_at")
}
