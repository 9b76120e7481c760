package transit

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/transit/primitive"
)

func fresh(t testing.TB) *primitive.Key {
	k, err := primitive.Generate(primitive.AES128GCM)
	require.NoError(t, err)
	return k
}

// usable reports whether a key was not wiped.
func usable(k *primitive.Key) bool {
	b, err := k.Marshal()
	clear(b)
	return !errors.Is(err, primitive.ErrWiped)
}

func TestAVersionIsUnwrappedOnceAndWipedWhenNobodyUsesIt(t *testing.T) {
	r, opened := newRing(10), 0
	open := func() (*primitive.Key, error) {
		opened++
		return fresh(t), nil
	}
	k, letGo, err := r.use(place{version: 1}, 1, open)
	require.NoError(t, err)
	same, letGoToo, err := r.use(place{version: 1}, 1, open)
	require.NoError(t, err)
	require.Same(t, k, same)
	require.Equal(t, 1, opened)
	letGo()
	r.drop(func(p place) bool { return p.version == 1 })
	require.Empty(t, slices.Collect(maps.Keys(r.places())))
	require.True(t, usable(k), "somebody is using it")
	letGoToo()
	require.False(t, usable(k))
	other, letGo, err := r.use(place{version: 1}, 1, open)
	require.NoError(t, err)
	require.NotSame(t, k, other, "what was dropped is unwrapped anew, if it still is there")
	letGo()
	require.True(t, usable(other))
}

func TestTheRingKeepsWhatWasUsedLast(t *testing.T) {
	r := newRing(2)
	take := func(version uint64) *primitive.Key {
		k, letGo, err := r.use(place{version: version}, 1, func() (*primitive.Key, error) { return fresh(t), nil })
		require.NoError(t, err)
		letGo()
		return k
	}
	one, two := take(1), take(2)
	take(1)
	three := take(3)
	require.Equal(t, [3]bool{true, false, true}, [3]bool{usable(one), usable(two), usable(three)})
	require.ElementsMatch(t, []place{{version: 1}, {version: 3}}, slices.Collect(maps.Keys(r.places())))
	_, _, err := r.use(place{version: 4}, 1, func() (*primitive.Key, error) { return nil, errors.New("sealed") })
	require.ErrorContains(t, err, "sealed")
	require.Len(t, slices.Collect(maps.Keys(r.places())), 2)
}

// TestWhoIsSecondToUnwrapWipesItsOwn, also while others drop and push out.
func TestWhoIsSecondToUnwrapWipesItsOwn(t *testing.T) {
	r, all := newRing(3), sync.Map{}
	var work sync.WaitGroup
	var unusable atomic.Int64
	for i := range 8 {
		work.Go(func() {
			for n := range 200 {
				k, letGo, err := r.use(place{version: uint64((i + n) % 5)}, 1, func() (*primitive.Key, error) {
					k := fresh(t)
					all.Store(k, true)
					return k, nil
				})
				if err != nil || !usable(k) {
					unusable.Add(1)
				}
				letGo()
				if n%50 == 0 {
					r.drop(func(p place) bool { return p.version == uint64(i%5) })
				}
			}
		})
	}
	work.Wait()
	require.Zero(t, unusable.Load(), "what the ring gives out is good until it is let go")
	r.drop(func(place) bool { return true })
	all.Range(func(k, _ any) bool {
		require.False(t, usable(k.(*primitive.Key)))
		return true
	})
}

// TestWhatIsUnwrappedDuringAWipeIsNotKept: its node is sealed.
func TestWhatIsUnwrappedDuringAWipeIsNotKept(t *testing.T) {
	r := newRing(2)
	k, letGo, err := r.use(place{version: 1}, 1, func() (*primitive.Key, error) {
		r.wipe()
		return fresh(t), nil
	})
	require.NoError(t, err)
	require.Empty(t, r.places())
	_, err = k.Marshal()
	require.NoError(t, err, "who borrowed it has it")
	letGo()
	_, err = k.Marshal()
	require.ErrorIs(t, err, primitive.ErrWiped)
}
