package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

// TestAnOlderBinaryReadsTheStatusOfANewerNode: it refuses what it does not know, and would take the node for dead.
func TestAnOlderBinaryReadsTheStatusOfANewerNode(t *testing.T) {
	s := Status{Node: "n1", State: "leader", Term: 2, Applied: 3, Commit: 4, Sealed: true, Version: "v", Leader: "n1", LowSpace: true, Expires: 5, Address: "a:1",
		Agreed: 2, Readable: 2, Unfit: "why", Last: 9, Digests: []Point{{}}}
	old, err := fsm.Encode(struct {
		Address string `cbor:"1,keyasint"`
	}{"b:2"})
	require.NoError(t, err)
	var asked hello
	require.NoError(t, fsm.Decode(old, &asked))
	b, err := fsm.Encode(s.asOf(asked.Readable))
	require.NoError(t, err)
	var read firstStatus
	require.NoError(t, fsm.Decode(b, &read))
	require.Equal(t, s.asOf(1), read)

	b, err = fsm.Encode(s.asOf(Version))
	require.NoError(t, err)
	var whole Status
	require.NoError(t, fsm.Decode(b, &whole))
	require.Equal(t, s, whole)
}
