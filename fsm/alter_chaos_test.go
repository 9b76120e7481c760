//go:build chaos

package fsm

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAlterChangesOneValueThatCanStillBeRead(t *testing.T) {
	type inner struct {
		Name  string            `cbor:"1,keyasint"`
		Marks map[string]string `cbor:"2,keyasint,omitempty"`
	}
	type row struct {
		Sum   [32]byte `cbor:"1,keyasint"`
		Size  uint32   `cbor:"2,keyasint"`
		Dead  bool     `cbor:"3,keyasint"`
		Inner inner    `cbor:"4,keyasint"`
		List  []uint64 `cbor:"5,keyasint"`
	}
	in := row{Size: 23, Inner: inner{"name", map[string]string{"a": "b"}}, List: []uint64{24, 255, 256, 1 << 40}}
	b, err := Encode(in)
	require.NoError(t, err)
	seen := map[string]bool{}
	for seed := range uint64(200) {
		next, where := alterRow(b, seed)
		require.Len(t, next, len(b))
		require.NotEqual(t, b, next)
		var out row
		require.NoError(t, Decode(next, &out), where)
		require.NotEqual(t, in, out)
		seen[where] = true
	}
	require.Len(t, seen, 9, "each of the values: %v", seen)
}

func TestAlterIsSeenByTheDigest(t *testing.T) {
	dir := t.TempDir()
	table := NewTable[uint64]("test.alter")
	s, err := Open(dir, NewRegistry(), Options{})
	require.NoError(t, err)
	write := func(n uint64) {
		h, err := s.acquire()
		require.NoError(t, err)
		defer h.refs.Done()
		tx := newTx(h)
		defer tx.b.Close()
		require.NoError(t, table.Put(tx, K(n), n))
		require.NoError(t, commit(tx, nil))
	}
	digest := func() [32]byte {
		v, err := s.View()
		require.NoError(t, err)
		defer v.Close()
		d, err := Digest(t.Context(), v)
		require.NoError(t, err)
		return d
	}
	for n := range uint64(20) {
		write(n)
	}
	before := digest()
	require.NoError(t, s.Close())
	_, err = Alter(dir, "test.none", 1)
	require.ErrorContains(t, err, "no row")
	what, err := Alter(dir, "test.alter", 1)
	require.NoError(t, err)
	require.Contains(t, what, "test.alter")
	s, err = Open(dir, NewRegistry(), Options{})
	require.NoError(t, err)
	defer s.Close()
	require.NotEqual(t, before, digest())
}
