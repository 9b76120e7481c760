package fsm_test

import (
	"bytes"
	"cmp"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

// TestKeysSortAsTheirPartsDo lists keys in the order that scans must have.
func TestKeysSortAsTheirPartsDo(t *testing.T) {
	inOrder := []fsm.Key{
		fsm.K(),
		fsm.K(uint64(0)), fsm.K(uint64(0), "a"), fsm.K(uint64(1)), fsm.K(uint64(255)), fsm.K(uint64(256)), fsm.K(uint64(math.MaxUint64)),
		fsm.K(fsm.UID{}), fsm.K(fsm.UID{15: 1}), fsm.K(fsm.UID{15: 1}, ""), fsm.K(fsm.UID{15: 1}, "a"), fsm.K(fsm.UID{1}),
		fsm.K(""), fsm.K("", ""), fsm.K("\x00"), fsm.K("\x00\x00"), fsm.K("\x00\x01"), fsm.K("\x00a"), fsm.K("\x01"),
		fsm.K("a"), fsm.K("a", uint64(1)), fsm.K("a", uint64(2)), fsm.K("a", ""), fsm.K("a", "b"), fsm.K("a\x00"), fsm.K("a\x00b"), fsm.K("a\x01"),
		fsm.K("a-b"), fsm.K("a/b"), fsm.K("a/b", uint64(1)), fsm.K("ab"), fsm.K("b"), fsm.K("\xff"), fsm.K("\xff\xff"),
	}
	for i := 1; i < len(inOrder); i++ {
		require.Negative(t, bytes.Compare(inOrder[i-1], inOrder[i]), "%d: %x is not before %x", i, inOrder[i-1], inOrder[i])
	}
	require.Equal(t, fsm.K(uint64(7)), fsm.K(fsm.Time(7)))
	require.Equal(t, fsm.K("a\x00b"), fsm.K([]byte("a\x00b")))
	require.Panics(t, func() { fsm.K(7) }, "an int has no place in a key")
}

func FuzzKey(f *testing.F) {
	f.Add("a", uint64(1), "b", "a", uint64(1), "b")
	f.Add("a", uint64(1), "", "a\x00", uint64(0), "")
	f.Add("", uint64(0), "\x00\x01", "", uint64(0), "\x00\xff")
	f.Add("abc", uint64(1), "", "ab", uint64(1), "")
	f.Add("a\x00c", uint64(1), "", "a\x00", uint64(1), "")
	f.Add("abc", uint64(1), "", "", uint64(1), "")
	f.Add("a\x00\xff", uint64(256), "x", "a\x00\x01", uint64(255), "xy")
	f.Fuzz(func(t *testing.T, s1 string, n1 uint64, b1 string, s2 string, n2 uint64, b2 string) {
		want := cmp.Or(strings.Compare(s1, s2), cmp.Compare(n1, n2), strings.Compare(b1, b2))
		one, two := fsm.K(fsm.UID{1}, s1, n1, []byte(b1)), fsm.K(fsm.UID{1}, s2, n2, []byte(b2))
		require.Equal(t, want, bytes.Compare(one, two), "%x %x", one, two)
		if s1 != s2 {
			require.False(t, bytes.HasPrefix(fsm.K(s1, n1), fsm.K(s2)), "a key is no prefix of one with another first part")
		}
		require.Equal(t, strings.HasPrefix(s1, s2), bytes.HasPrefix(fsm.K(n1, s1, b1), fsm.StringPrefix(s2, n1)))
		require.Equal(t, strings.HasPrefix(s1, s2) && n1 == n2, bytes.HasPrefix(fsm.K(n1, s1), fsm.StringPrefix(s2, n2)))
		uid, ok := one.UID()
		require.True(t, ok)
		require.Equal(t, fsm.UID{1}, uid)
		_, ok = fsm.K(s1).UID()
		require.False(t, ok, "a string is no tenant")
	})
}
