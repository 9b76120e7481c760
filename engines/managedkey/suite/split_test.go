package suite

import (
	"encoding/hex"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

// The figures are those of TC-SJ-2-12, TC-SJ-3-12 and TC-SJ-4-12.
func TestPublishedParts(t *testing.T) {
	part := func(id int, text string) Part { return Part{id, unhex(t, text)} }
	poly := []Part{part(1, "66c46a7754f94de420c7b1a7fff5ec56"), part(2, "cf93d1e2a7e593cd5b8d6247f4e5d49c"), part(3, "a855b891f61ad9217240d8ec061e37da"),
		part(4, "803dbad55cdd329fad19d99ae2c5a415")}
	s := Split{Method: GF256, Parts: 4, Threshold: 2}
	for _, pick := range [][]int{{0, 1}, {0, 2}, {3, 1}, {2, 3, 0}, {0, 1, 2, 3}} {
		var parts []Part
		for _, i := range pick {
			parts = append(parts, poly[i])
		}
		got, err := JoinKey(parts, s)
		require.NoError(t, err, pick)
		require.Equal(t, "0102030405060708090a0b0c0d0e0f10", hex.EncodeToString(got))
	}
	_, err := JoinKey(poly[1:2], s)
	require.Equal(t, ErrFailed, err)
	xor := []Part{part(4, "d429bd9e23e192aa47c4a497d1e8df3f"), part(3, "3478ddd2e1f89f2005011d26d9fff37c"), part(2, "35ea4f615686230c7b11538693674e89"),
		part(1, "d4b92c299199298e30dee13b967e6dda")}
	got, err := JoinKey(xor, Split{Method: XOR, Parts: 4, Threshold: 4})
	require.NoError(t, err)
	require.Equal(t, "0102030405060708090a0b0c0d0e0f10", hex.EncodeToString(got))
	_, err = JoinKey(xor[1:], Split{Method: XOR, Parts: 4, Threshold: 4})
	require.Equal(t, ErrFailed, err)
}

func splits() []Split {
	return []Split{{Method: XOR, Parts: 3, Threshold: 3}, {Method: GF256, Parts: 5, Threshold: 3}, {Method: GF65536, Parts: 5, Threshold: 3}, {Method: PrimeField, Parts: 5, Threshold: 3},
		{Method: GF256, Parts: 255, Threshold: 2}, {Method: GF65536, Parts: 255, Threshold: 2}}
}

func TestWhatIsSplitIsJoined(t *testing.T) {
	for _, s := range splits() {
		for _, size := range []int{2, 16, 24, 32, 50, 1192} {
			key := random(size)
			parts, prime, err := SplitKey(key, s)
			require.NoError(t, err)
			require.Len(t, parts, s.Parts)
			j := s
			j.Prime, j.Size = prime, size
			got, err := JoinKey(parts, j)
			require.NoError(t, err)
			require.Equal(t, key, got)
			slices.Reverse(parts)
			got, err = JoinKey(parts[:s.Threshold], j)
			require.NoError(t, err)
			require.Equal(t, key, got)
			_, err = JoinKey(parts[:s.Threshold-1], j)
			require.Equal(t, ErrFailed, err)
			if s.Threshold < s.Parts {
				parts[0].Data[size-1] ^= 1
				_, err = JoinKey(parts[:s.Threshold+1], j)
				require.Equal(t, ErrFailed, err, "they disagree")
			}
		}
	}
}

// TestFewerPartsFitEveryKey is what "say nothing" means: whatever the key, there is a last part that goes with the others.
func TestFewerPartsFitEveryKey(t *testing.T) {
	f := fields[GF256]
	parts, _, err := SplitKey([]byte{0x5a}, Split{Method: GF256, Parts: 3, Threshold: 3})
	require.NoError(t, err)
	seen := map[byte]bool{}
	for last := range 256 {
		got := f.interpolate([]Part{parts[0], parts[1], {3, []byte{byte(last)}}}, 0)
		seen[got[0]] = true
	}
	require.Len(t, seen, 256)
}

// TestPartsAreSpread finds parts that do not look random: each of 256 values is expected 16 times in 4096.
func TestPartsAreSpread(t *testing.T) {
	for _, s := range []Split{{Method: XOR, Parts: 2, Threshold: 2}, {Method: GF256, Parts: 2, Threshold: 2}, {Method: GF65536, Parts: 2, Threshold: 2}} {
		parts, _, err := SplitKey(make([]byte, 4096), s)
		require.NoError(t, err)
		for _, p := range parts {
			counts := [256]int{}
			for _, b := range p.Data {
				counts[b]++
			}
			require.Less(t, slices.Max(counts[:]), 64)
		}
	}
}

func TestFields(t *testing.T) {
	require.Equal(t, byte(0xc1), mul8(0x57, 0x83, inGF65536)) // FIPS 197, section 4.2
	for _, f := range fields {
		for a := 1; a <= f.order; a += 1 + f.order/512 {
			require.EqualValues(t, 1, f.mul(uint16(a), f.inverse(uint16(a))), a)
			b, c := uint16(a*7+3)&uint16(f.order), uint16(a*31+5)&uint16(f.order)
			require.Equal(t, f.mul(uint16(a), b^c), f.mul(uint16(a), b)^f.mul(uint16(a), c))
			require.Equal(t, f.mul(f.mul(uint16(a), b), c), f.mul(uint16(a), f.mul(b, c)))
		}
	}
	require.EqualValues(t, 0x013a, mul65536(0x0100, 0x0100)) // y*y = y + m
}

func TestSplitsThatDoNotFit(t *testing.T) {
	for _, c := range []struct {
		field string
		s     Split
	}{
		{"split_key_method", Split{Method: 9, Parts: 2, Threshold: 2}},
		{"split_key_method", Split{Method: GF65536, Parts: 2, Threshold: 2}},
		{"split_key_parts", Split{Method: GF256, Parts: 1, Threshold: 1}},
		{"split_key_parts", Split{Method: GF65536, Parts: 256, Threshold: 2}},
		{"split_key_threshold", Split{Method: GF256, Parts: 2, Threshold: 1}},
		{"split_key_threshold", Split{Method: GF256, Parts: 2, Threshold: 3}},
		{"split_key_threshold", Split{Method: XOR, Parts: 3, Threshold: 2}},
	} {
		_, _, err := SplitKey([]byte("odd"), c.s)
		bad(t, c.field, err, "%+v", c.s)
	}
	s := Split{Method: GF256, Parts: 3, Threshold: 2}
	for _, ids := range [][]int{{0, 1}, {1, 1}, {1, 4}, {-1, 2}} {
		_, err := JoinKey([]Part{{ids[0], []byte{1}}, {ids[1], []byte{1}}}, s)
		bad(t, "key_part_identifier", err)
	}
	_, err := JoinKey([]Part{{1, []byte{1}}, {2, []byte{1, 2}}}, s)
	require.Equal(t, ErrFailed, err)
	s.Method = PrimeField
	two := []Part{{1, []byte{1}}, {2, []byte{1}}}
	_, err = JoinKey(two, s)
	bad(t, "prime_field_size", err)
	s.Prime = []byte{0, 251}
	_, err = JoinKey(two, s)
	bad(t, "cryptographic_length", err)
	s.Size = 1
	got, err := JoinKey(two, s)
	require.NoError(t, err)
	require.Equal(t, []byte{1}, got)
	two[0].Data[0] = 252
	_, err = JoinKey(two, s)
	require.Equal(t, ErrFailed, err)
}

func TestSplitsThatTakeTooLong(t *testing.T) {
	for _, s := range []Split{{Method: GF256, Parts: 255, Threshold: 128}, {Method: GF65536, Parts: 255, Threshold: 128}, {Method: PrimeField, Parts: 100, Threshold: 90}} {
		_, _, err := SplitKey(make([]byte, 1192), s)
		require.True(t, fault.Is(err, fault.TooLarge))
		parts := make([]Part, s.Parts)
		for i := range parts {
			parts[i] = Part{i + 1, make([]byte, 1192)}
		}
		s.Prime, s.Size = integer(primeFor(1192)), 1192
		_, err = JoinKey(parts, s)
		require.True(t, fault.Is(err, fault.TooLarge))
	}
}
