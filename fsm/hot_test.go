package fsm

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"
)

func put64(t testing.TB, s *Store, key []byte, n uint64) {
	tx := newTx(s.db)
	defer tx.b.Close()
	require.NoError(t, tx.set(key, binary.BigEndian.AppendUint64(nil, n)))
	got, found, err := tx.get(key)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, n, binary.BigEndian.Uint64(got), "a transaction reads what it wrote")
	require.NoError(t, tx.publish(pebble.NoSync))
}

func get64(t testing.TB, v *View, key []byte) uint64 {
	b, found, err := v.get(key)
	require.NoError(t, err)
	if !found {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func hotStore(t *testing.T) *Store {
	s, err := Open(t.TempDir(), NewRegistry(), Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestHotRowsAreAsOldAsTheirReader(t *testing.T) {
	s, key := hotStore(t), append([]byte{spaceTables}, "row"...)
	put64(t, s, key, 1)
	old, err := s.View()
	require.NoError(t, err)
	defer old.Close()
	require.EqualValues(t, 1, get64(t, old, key))
	put64(t, s, key, 2)
	require.EqualValues(t, 1, get64(t, old, key), "a view does not move")
	now, err := s.View()
	require.NoError(t, err)
	defer now.Close()
	require.EqualValues(t, 2, get64(t, now, key))
	require.EqualValues(t, 2, get64(t, now, key))
	require.EqualValues(t, 1, get64(t, old, key), "nor by what another has read")

	tx := newTx(s.db)
	require.NoError(t, tx.delete(key))
	_, found, err := tx.get(key)
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, tx.publish(pebble.NoSync))
	require.NoError(t, tx.b.Close())
	after, err := s.View()
	require.NoError(t, err)
	defer after.Close()
	require.Zero(t, get64(t, after, key))
	require.EqualValues(t, 2, get64(t, now, key))
}

// TestHotRowsAgreeWithTheSnapshot: pairs of rows always come, change and go together, so no reader may see two that differ, nor go back.
func TestHotRowsAgreeWithTheSnapshot(t *testing.T) {
	s := hotStore(t)
	pair := func(i int) (a, b []byte) {
		return append([]byte{spaceTables, 'a'}, byte(i)), append([]byte{spaceStreams, 'b'}, byte(i))
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			var last [8]uint64
			for {
				select {
				case <-done:
					return
				default:
				}
				i := rand.IntN(len(last))
				a, b := pair(i)
				v, err := s.View()
				if err != nil {
					t.Error(err)
					return
				}
				x, y := get64(t, v, a), get64(t, v, b)
				if v.Close(); x != y || x != 0 && x < last[i] {
					t.Errorf("rows %d and %d, after %d", x, y, last[i])
					return
				}
				last[i] = max(last[i], x)
			}
		})
	}
	for n := range uint64(4000) {
		a, b := pair(int(n % 8))
		tx := newTx(s.db)
		for _, k := range [][]byte{a, b} {
			if n%5 == 0 {
				require.NoError(t, tx.delete(k))
				continue
			}
			require.NoError(t, tx.set(k, binary.BigEndian.AppendUint64(nil, n+1)))
		}
		require.NoError(t, tx.publish(pebble.NoSync))
		require.NoError(t, tx.b.Close())
	}
	close(done)
	readers.Wait()
}

func TestHotRowsAreBounded(t *testing.T) {
	s := hotStore(t)
	hit, big := []byte{spaceTables, 'h'}, []byte{spaceTables, 'b'}
	put64(t, s, hit, 7)
	tx := newTx(s.db)
	require.NoError(t, tx.set(big, make([]byte, hotBytes+1)))
	require.NoError(t, tx.publish(pebble.NoSync))
	require.NoError(t, tx.b.Close())
	v, err := s.View()
	require.NoError(t, err)
	defer v.Close()
	for i := range uint64(3 * hotRows) {
		key := binary.BigEndian.AppendUint64([]byte{spaceTables, 'x'}, i)
		s.db.hot.put(v.number, key, []byte{1})
		get64(t, v, hit)
	}
	_, _, err = v.get(big)
	require.NoError(t, err)
	_, kept := s.db.hot.get(v.number, hit)
	require.True(t, kept, "what is asked for again and again")
	_, kept = s.db.hot.get(v.number, big)
	require.False(t, kept)
	require.LessOrEqual(t, len(s.db.hot.young)+len(s.db.hot.old), 2*hotRows)
}
