package cluster

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

func TestProtocolsHaveTheEpochInTheirNames(t *testing.T) {
	for _, proto := range []string{protoRaft, protoRPC} {
		require.Equal(t, proto, inEpoch(proto, 1), "binaries that know no epochs go on")
		require.NotEqual(t, inEpoch(proto, 2), inEpoch(proto, 3))
		require.NotEqual(t, inEpoch(protoRaft, 2), inEpoch(protoRPC, 2))
		for _, epoch := range []uint32{1, 2, 3, 1 << 31} {
			require.Equal(t, proto, baseOf(inEpoch(proto, epoch)))
		}
	}
	require.Equal(t, protoEpoch, baseOf(protoEpoch))
	require.Equal(t, protoJoin, baseOf(protoJoin))
}

// TestOnlyTheCASaysThatAnEpochHasBegun: a member, or one who stole its certificate, cannot end the others with a number.
func TestOnlyTheCASaysThatAnEpochHasBegun(t *testing.T) {
	id, other := fsm.UID{1}, fsm.UID{2}
	key, ca, err := newCA(id, time.Now())
	require.NoError(t, err)
	foreign, foreignCA, err := newCA(id, time.Now())
	require.NoError(t, err)
	node := &trust{id: &Identity{Cluster: id, ca: ca}}
	sign := func(i issuer, epoch uint32) []byte {
		sig, err := i.proveEpoch(epoch)
		require.NoError(t, err)
		return sig
	}
	good := sign(issuer{id, ca, key}, 7)
	require.True(t, node.proved(statement{7, good}))
	bent := append([]byte(nil), good...)
	bent[len(bent)-1] ^= 1
	for name, s := range map[string]statement{
		"nothing": {7, nil}, "another epoch": {8, good}, "another CA": {7, sign(issuer{id, foreignCA, foreign}, 7)}, "another cluster": {7, sign(issuer{other, ca, key}, 7)}, "a flipped bit": {7, bent},
	} {
		require.False(t, node.proved(s), name)
	}
}

func TestStatementsAreExchangedAndBounded(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	got := make(chan statement, 1)
	go func() {
		s, err := exchange(far, statement{2, []byte("two")})
		if err == nil {
			got <- s
		}
		close(got)
	}()
	s, err := exchange(near, statement{Epoch: 1})
	require.NoError(t, err)
	require.Equal(t, statement{2, []byte("two")}, s)
	require.Equal(t, uint32(1), (<-got).Epoch)

	near, far = net.Pipe()
	defer near.Close()
	go func() {
		_, _ = far.Read(make([]byte, 64)) // what the other side says
		_, _ = far.Write([]byte{0xff, 0xff, 1, 2, 3})
		far.Close()
	}()
	_, err = exchange(near, statement{Epoch: 1})
	require.Error(t, err)
}
