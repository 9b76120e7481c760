package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

func projectedSealed(t *testing.T, text string) fsm.Sealed {
	s, err := fsm.NewSealed(fsmtest.Blob(fsm.KEKID{Scope: fsm.RootTenant, Version: 1}, text))
	require.NoError(t, err)
	return s
}

func projectedMember(n byte) Member {
	id := fmt.Sprint("n", n)
	return Member{ID: id, Cluster: id + ":8201", API: id + ":8200", Gossip: id + ":8301", PublicKey: [32]byte{n}, Version: "dev", Readable: 1}
}

// projectedToken is the entry that issues a join token, its answer sealed.
func projectedToken(t *testing.T, n byte, expires fsm.Time) *fsm.Entry {
	e := fsmtest.Entry(fsm.RootTenant, TokenIssued{Hash: [32]byte{n}, Node: fmt.Sprint("n", n), Expires: expires})
	e.Receipt = &fsm.ReceiptKey{Key: [32]byte{n}, Request: [32]byte{n}}
	e.Reply.Secret = projectedSealed(t, fmt.Sprint("join token ", n))
	return e
}

// TestTheProjectionKeepsItsPromises founds a cluster, lets nodes join, move and leave, and raises the version.
func TestTheProjectionKeepsItsPromises(t *testing.T) {
	moved := projectedMember(2)
	moved.Cluster = "elsewhere:8201"
	old, fresh := fsmtest.Start.Add(-25*time.Hour), fsmtest.Start.Add(tokenLife)
	entries := []*fsm.Entry{
		fsmtest.Entry(fsm.RootTenant,
			Founded{Cluster: fsm.UID{7}, CA: []byte("der"), CAKey: projectedSealed(t, "CA key"), GossipKey: projectedSealed(t, "gossip key")},
			Announced{projectedMember(1)}),
		projectedToken(t, 9, fresh), projectedToken(t, 10, fresh), fsmtest.Entry(fsm.RootTenant, Granted{[32]byte{9}, projectedMember(9)}),
		fsmtest.Entry(fsm.RootTenant, MembersReplaced{Members: []Member{projectedMember(1)}, Proof: []byte("signature")}), // and no token of before admits anyone
		projectedToken(t, 2, fresh), fsmtest.Entry(fsm.RootTenant, Granted{[32]byte{2}, projectedMember(2)}),
		projectedToken(t, 3, fresh), fsmtest.Entry(fsm.RootTenant, Granted{[32]byte{3}, projectedMember(3)}),
		fsmtest.Entry(fsm.RootTenant, Announced{moved}),
		fsmtest.Entry(fsm.RootTenant, Removed{"n3"}),
		fsmtest.Entry(fsm.RootTenant, VersionRaised{2}),
		fsmtest.Entry(fsm.RootTenant, GossipKeyMade{2, projectedSealed(t, "second gossip key")}),
		fsmtest.Entry(fsm.RootTenant, GossipKeyTaken{2}),
		fsmtest.Entry(fsm.RootTenant, GossipKeysRetired{2}),
		fsmtest.Entry(fsm.RootTenant, GossipKeyMade{3, projectedSealed(t, "third gossip key")}),
	}
	for n := byte(20); n < 26; n++ { // issued more than a day ago
		entries = append(entries, projectedToken(t, n, old.Add(-time.Duration(n)*time.Minute)))
	}
	entries = append(entries, projectedToken(t, 4, fresh), projectedToken(t, 5, fresh))
	v := fsmtest.Check(t, Register, entries...)

	all, err := Members(v)
	require.NoError(t, err)
	require.Equal(t, []Member{projectedMember(1), moved}, all)
	for id, want := range map[string]bool{"n1": false, "n2": false, "n3": true, "n9": true} {
		gone, err := wasRemoved(v, id)
		require.NoError(t, err)
		require.Equal(t, want, gone, id)
	}
	proof, _, err := proofs.Get(v, fsm.K())
	require.NoError(t, err)
	require.Equal(t, "signature", string(proof))
	row, known, err := genesis(v)
	require.NoError(t, err)
	require.True(t, known)
	require.EqualValues(t, 2, row.Version)
	require.Equal(t, fsm.UID{7}, row.Founded.Cluster)
	key, there, err := fsm.Load(v, row.Founded.CAKey)
	require.NoError(t, err)
	require.True(t, there, "the CA's key")
	require.Equal(t, projectedSealed(t, "CA key").Bytes(), key.Bytes())

	gossip, err := gossipRowOf(v)
	require.NoError(t, err)
	require.Equal(t, gossipRow{Oldest: 2, Primary: 2, Newest: 3}, gossip)
	_, there, err = fsm.Load(v, row.Founded.GossipKey)
	require.NoError(t, err)
	require.False(t, there, "the first gossip key is destroyed")
	second, err := sealedGossipKey(v, 2)
	require.NoError(t, err)
	_, there, err = fsm.Load(v, second)
	require.NoError(t, err)
	require.True(t, there, "the second is written with")

	held := map[byte]joinRow{}
	require.NoError(t, joins.Scan(v, fsm.Span{}, func(k fsm.Key, j joinRow) (bool, error) {
		held[k[1]] = j
		return true, nil
	}))
	require.Len(t, held, 4, "tokens that expired more than a day ago are forgotten")
	for n, spent := range map[byte]bool{2: true, 3: true, 4: false, 5: false} {
		want := joinRow{Node: fmt.Sprint("n", n), Expires: fresh, Spent: spent}
		if spent {
			want.Key = [32]byte{n}
		}
		require.Equal(t, want, held[n])
	}
	waiting := 0
	require.NoError(t, dues.Scan(v, fsm.Span{}, func(fsm.Key, [32]byte) (bool, error) { waiting++; return true, nil }))
	require.Equal(t, len(held), waiting, "each token has one place among the expiries")
}
