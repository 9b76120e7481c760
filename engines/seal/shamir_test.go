package seal

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

// TestTheFieldIsThatOfAES uses the examples of FIPS 197, section 4.2, and the inverse pair of section 4.2 of its first edition.
func TestTheFieldIsThatOfAES(t *testing.T) {
	require.Equal(t, byte(0xc1), gfMul(0x57, 0x83))
	require.Equal(t, byte(0xfe), gfMul(0x57, 0x13))
	require.Equal(t, byte(0xca), gfInverse(0x53))
	require.Equal(t, byte(0), gfInverse(0))
	for a := 1; a < 256; a++ {
		require.Equal(t, byte(1), gfMul(byte(a), gfInverse(byte(a))), "%d", a)
	}
}

// TestAKnownPolynomial: 0x42 + 0x53x + 0x7x² at 1, 2, 3, computed by hand.
func TestAKnownPolynomial(t *testing.T) {
	c := []byte{0x42, 0x53, 0x07}
	ys := [][]byte{{evaluate(c, 1)}, {evaluate(c, 2)}, {evaluate(c, 3)}}
	require.Equal(t, [][]byte{{0x16}, {0xf8}, {0xac}}, ys)
	require.Equal(t, []byte{0x42}, combine([]byte{1, 2, 3}, ys))
}

func TestAnySharesUpToTheThresholdOpenAndFewerTellNothing(t *testing.T) {
	pub, shares, err := NewShares("people", 5, 3)
	require.NoError(t, err)
	wrapped, err := pub.Wrap(t.Context(), []byte("root"), []byte("ctx"))
	require.NoError(t, err)
	_, err = pub.Unwrap(t.Context(), wrapped, []byte("ctx"))
	require.True(t, fault.Is(err, fault.Sealed), "%v", err)
	again, err := ForShares("people", pub.Public())
	require.NoError(t, err)
	opened := 0
	for set := range 1 << 5 {
		var some []Share
		for i, s := range shares {
			if set>>i&1 == 1 {
				some = append(some, s)
			}
		}
		s, err := again.WithShares(some)
		if len(some) != 3 {
			require.True(t, fault.Is(err, fault.Denied), "%d shares: %v", len(some), err)
			continue
		}
		require.NoError(t, err)
		got, err := s.Unwrap(t.Context(), wrapped, []byte("ctx"))
		require.NoError(t, err)
		require.Equal(t, "root", string(got))
		_, err = s.Unwrap(t.Context(), wrapped, []byte("other"))
		require.ErrorIs(t, err, ErrWrongKey)
		opened++
	}
	require.Equal(t, 10, opened)
}

func TestAWrongShareIsNotNamed(t *testing.T) {
	pub, shares, err := NewShares("people", 3, 2)
	require.NoError(t, err)
	_, others, err := NewShares("people", 3, 2)
	require.NoError(t, err)
	bent := shares[1]
	bent.y[7] ^= 1
	forged := others[1]
	forged.Set = shares[0].Set
	messages := map[string]bool{}
	for name, set := range map[string][]Share{
		"changed": {shares[0], bent}, "of another set": {shares[0], others[1]}, "of another set under this one's name": {forged, shares[0]},
		"twice the same": {shares[0], shares[0]}, "too few": {shares[0]}, "none": nil, "too many": shares,
	} {
		_, err := pub.WithShares(set)
		require.True(t, fault.Is(err, fault.Denied), "%s: %v", name, err)
		messages[err.Error()] = true
	}
	require.Len(t, messages, 1, "nothing says which share was wrong")
}

func TestAWrapOfSharesIsNotChanged(t *testing.T) {
	pub, shares, err := NewShares("people", 1, 1)
	require.NoError(t, err)
	s, err := pub.WithShares(shares)
	require.NoError(t, err)
	wrapped, err := s.Wrap(t.Context(), []byte("root"), nil)
	require.NoError(t, err)
	for i := 0; i < len(wrapped); i += 7 {
		bad := bytes.Clone(wrapped)
		bad[i] ^= 1
		_, err := s.Unwrap(t.Context(), bad, nil)
		require.ErrorIs(t, err, ErrWrongKey, "byte %d", i)
		_, err = s.Unwrap(t.Context(), wrapped[:i], nil)
		require.ErrorIs(t, err, ErrWrongKey, "cut at %d", i)
	}
}

func TestAShareIsReadAsItIsWritten(t *testing.T) {
	_, shares, err := NewShares("people", 2, 2)
	require.NoError(t, err)
	text := shares[1].Text()
	for _, form := range [][]byte{text, bytes.ToUpper(text), []byte(" " + string(text[:20]) + "\n" + string(text[20:]) + "\r\n")} {
		got, err := ParseShare(form)
		require.NoError(t, err)
		require.Equal(t, shares[1].y, got.y)
		require.Equal(t, shares[1].X, got.X)
	}
	for i := range text {
		typo := bytes.Clone(text)
		if typo[i]++; bytes.Equal(bytes.ToLower(typo), text) {
			continue
		}
		_, err := ParseShare(typo)
		require.True(t, fault.Is(err, fault.Invalid), "character %d: %v", i, err)
		require.NotContains(t, err.Error(), string(typo[5:15]))
	}
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", shares[1], shares, shares[1], shares[1]), string(text[20:30]))
	require.Equal(t, "[redacted]", fmt.Sprintf("%x", shares[1]))
}

func TestThresholdsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, c := range [][2]int{{0, 0}, {3, 0}, {3, 4}, {MaxShares + 1, 2}, {5, 1}, {-1, -1}} {
		_, _, err := NewShares("people", c[0], c[1])
		require.True(t, fault.Is(err, fault.Invalid), "%v: %v", c, err)
	}
}

func FuzzParseShare(f *testing.F) {
	_, shares, err := NewShares("people", 2, 2)
	require.NoError(f, err)
	f.Add(shares[0].Text())
	f.Add([]byte("trss-"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ParseShare(b); err == nil {
			again, err := ParseShare(s.Text())
			require.NoError(t, err)
			require.Equal(t, s.y, again.y)
		}
	})
}
