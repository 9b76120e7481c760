package ttlv_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// TestExamplesOfTheSpecification are those of KMIP 1.4 section 9.1.2.
func TestExamplesOfTheSpecification(t *testing.T) {
	huge := "1234567890000000000000000000"
	for encoding, want := range map[string]ttlv.Item{
		"42 00 20 | 02 | 00 00 00 04 | 00 00 00 08 00 00 00 00": ttlv.Integer(ttlv.TagCompromiseDate, 8),
		"42 00 20 | 03 | 00 00 00 08 | 01 B6 9B 4B A5 74 92 00": ttlv.LongInteger(ttlv.TagCompromiseDate, 123456789000000000),
		"42 00 20 | 04 | 00 00 00 10 | 00 00 00 00 03 FD 35 EB 6B C2 DF 46 18 08 00 00": ttlv.BigInteger(ttlv.TagCompromiseDate,
			bigInt(huge)),
		"42 00 20 | 05 | 00 00 00 04 | 00 00 00 FF 00 00 00 00": ttlv.Enumeration(ttlv.TagCompromiseDate, 255),
		"42 00 20 | 06 | 00 00 00 08 | 00 00 00 00 00 00 00 01": ttlv.Boolean(ttlv.TagCompromiseDate, true),
		"42 00 20 | 07 | 00 00 00 0B | 48 65 6C 6C 6F 20 57 6F 72 6C 64 00 00 00 00 00": ttlv.TextString(ttlv.TagCompromiseDate,
			"Hello World"),
		"42 00 20 | 08 | 00 00 00 03 | 01 02 03 00 00 00 00 00": ttlv.ByteString(ttlv.TagCompromiseDate, []byte{1, 2, 3}),
		"42 00 20 | 09 | 00 00 00 08 | 00 00 00 00 47 DA 67 F8": ttlv.DateTime(ttlv.TagCompromiseDate, 1205495800),
		"42 00 20 | 0A | 00 00 00 04 | 00 0D 2F 00 00 00 00 00": ttlv.Interval(ttlv.TagCompromiseDate, 864000),
		"42 00 20 | 01 | 00 00 00 20 | 42 00 04 | 05 | 00 00 00 04 | 00 00 00 FE 00 00 00 00 | 42 00 05 | 02 | 00 00 00 04 | 00 00 00 FF 00 00 00 00": ttlv.Structure(
			ttlv.TagCompromiseDate, ttlv.Enumeration(ttlv.TagApplicationSpecificInformation, 254), ttlv.Integer(ttlv.TagArchiveDate, 255)),
	} {
		b := unhex(t, encoding)
		got, err := ttlv.Parse(bytes.Clone(b), ttlv.Limits{})
		require.NoError(t, err, encoding)
		require.True(t, got.Equal(&want), "%v is not %v", got, want)
		written, err := ttlv.Marshal(got, ttlv.Limits{})
		require.NoError(t, err)
		require.Equal(t, b, written)
	}
}

func TestWhatIsMalformedSaysWhereAndWhy(t *testing.T) {
	for name, c := range map[string]struct {
		digits, want string
	}{
		"nothing":                {"", "malformed at byte 0: the bytes end inside a header"},
		"half a header":          {"42007801", "malformed at byte 0: the bytes end inside a header"},
		"tag 0":                  {"000000 01 00000000", "malformed at byte 0: the tag is neither the protocol's nor a vendor's"},
		"the tag before":         {"420000 01 00000000", "malformed at byte 0: the tag is neither the protocol's nor a vendor's"},
		"a tag between":          {"430000 01 00000000", "malformed at byte 0: the tag is neither the protocol's nor a vendor's"},
		"the tag behind":         {"550000 01 00000000", "malformed at byte 0: the tag is neither the protocol's nor a vendor's"},
		"HTTP":                   {hexOf("GET / HTTP/1.1\r\n"), "malformed at byte 0: the tag is neither the protocol's nor a vendor's"},
		"TLS":                    {"16030100 f4010000", "malformed at byte 0: the tag is neither the protocol's nor a vendor's"},
		"type 0":                 {"420078 00 00000000", "malformed at byte 0 in RequestMessage: the type 0x00 is not defined"},
		"type 12":                {"420078 0c 00000000", "malformed at byte 0 in RequestMessage: the type 0x0c is not defined"},
		"type 255":               {"420078 ff 00000000", "malformed at byte 0 in RequestMessage: the type 0xff is not defined"},
		"Integer of 0":           {"42000d 02 00000000", "malformed at byte 0 in BatchCount: the length does not fit the type Integer"},
		"Integer of 3":           {"42000d 02 00000003 0000000000000000", "malformed at byte 0 in BatchCount: the length does not fit the type Integer"},
		"Integer of 8":           {"42000d 02 00000008 0000000000000000", "malformed at byte 0 in BatchCount: the length does not fit the type Integer"},
		"LongInteger of 4":       {"42000d 03 00000004 0000000000000000", "malformed at byte 0 in BatchCount: the length does not fit the type LongInteger"},
		"BigInteger of 0":        {"420052 04 00000000", "malformed at byte 0 in Modulus: the length of a BigInteger is no multiple of 8"},
		"BigInteger of 4":        {"420052 04 00000004 0000000000000000", "malformed at byte 0 in Modulus: the length of a BigInteger is no multiple of 8"},
		"Enumeration of 8":       {"42005c 05 00000008 0000000000000000", "malformed at byte 0 in Operation: the length does not fit the type Enumeration"},
		"Boolean of 1":           {"420007 06 00000001 0100000000000000", "malformed at byte 0 in AsynchronousIndicator: the length does not fit the type Boolean"},
		"Boolean 2":              {"420007 06 00000008 0000000000000002", "malformed at byte 0 in AsynchronousIndicator: a Boolean is neither 0 nor 1"},
		"DateTime of 4":          {"420092 09 00000004 0000000000000000", "malformed at byte 0 in TimeStamp: the length does not fit the type DateTime"},
		"Interval of 8":          {"420049 0a 00000008 0000000000000000", "malformed at byte 0 in LeaseTime: the length does not fit the type Interval"},
		"DateTimeExtended of 16": {"420174 0b 00000010 0000000000000000", "malformed at byte 0 in SubmissionDate: the length does not fit the type DateTimeExtended"},
		"text not UTF-8":         {"420055 07 00000002 c328000000000000", "malformed at byte 0 in NameValue: the text is not UTF-8"},
		"padding":                {"420055 07 00000002 6162000000000001", "malformed at byte 0 in NameValue: the padding is not zero"},
		"padding of a number":    {"42000d 02 00000004 0000000100000100", "malformed at byte 0 in BatchCount: the padding is not zero"},
		"no value":               {"42000d 02 00000004", "malformed at byte 0 in BatchCount: the value is longer than what is around it"},
		"no padding":             {"42000d 02 00000004 00000001", "malformed at byte 0 in BatchCount: the value is longer than what is around it"},
		"4 GiB":                  {"420055 08 ffffffff 0000000000000000", "malformed at byte 0 in NameValue: the value is longer than what is around it"},
		"4 GiB of structure":     {"420055 01 fffffff8 0000000000000000", "malformed at byte 0 in NameValue: the value is longer than what is around it"},
		"structure of 4":         {"420078 01 00000004 00000000 00000000", "malformed at byte 0 in RequestMessage: the length of a Structure is no multiple of 8"},
		"bytes behind":           {"42000d 02 00000004 0000000100000000 00", "malformed at byte 16: bytes follow the item"},
		"an item longer than its structure": {"420078 01 00000008 42000d 02 00000004",
			"malformed at byte 8 in RequestMessage/BatchCount: the value is longer than what is around it"},
		"an item behind its structure": {"420078 01 00000008 420077 01 00000000 42000d 02 00000004 0000000100000000",
			"malformed at byte 16: bytes follow the item"},
		"an inner structure longer than the outer": {"420078 01 00000008 420077 01 00000010 42000d 02 00000004 0000000100000000",
			"malformed at byte 8 in RequestMessage/RequestHeader: the value is longer than what is around it"},
		"the second of two": {"420078 01 00000018 42000d 02 00000004 0000000100000000 42000d 02 00000008",
			"malformed at byte 24 in RequestMessage/BatchCount: the length does not fit the type Integer"},
		"deep inside": {"420078 01 00000018 420077 01 00000010 420069 01 00000008 42006a 02 00000000",
			"malformed at byte 24 in RequestMessage/RequestHeader/ProtocolVersion/ProtocolVersionMajor: the length does not fit the type Integer"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ttlv.Parse(unhex(t, c.digits), ttlv.Limits{})
			require.Equal(t, ttlv.Malformed, ttlv.KindOf(err))
			require.EqualError(t, err, c.want)
		})
	}
}

func TestAMessageThatEndsAtAnyByteIsRefused(t *testing.T) {
	message := getResponse()
	b, err := ttlv.Marshal(&message, ttlv.Limits{})
	require.NoError(t, err)
	for n := range b {
		_, err := ttlv.Parse(bytes.Clone(b[:n]), ttlv.Limits{})
		require.Equal(t, ttlv.Malformed, ttlv.KindOf(err), "%d of %d bytes: %v", n, len(b), err)
		_, err = ttlv.Read(bytes.NewReader(b[:n]), ttlv.Limits{})
		if n == 0 {
			require.Equal(t, ttlv.Closed, ttlv.KindOf(err))
			require.ErrorIs(t, err, io.EOF)
			continue
		}
		require.Equal(t, ttlv.Broken, ttlv.KindOf(err), "%d of %d bytes: %v", n, len(b), err)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	}
}

func TestReadTakesOneMessageAndNoByteMore(t *testing.T) {
	message, other := getResponse(), everything()
	b, err := ttlv.Append(nil, &message, ttlv.Limits{})
	require.NoError(t, err)
	b, err = ttlv.Append(b, &other, ttlv.Limits{})
	require.NoError(t, err)
	for _, r := range []io.Reader{bytes.NewReader(b), iotest.OneByteReader(bytes.NewReader(b)), iotest.DataErrReader(bytes.NewReader(b))} {
		for _, want := range []ttlv.Item{message, other} {
			got, err := ttlv.Read(r, ttlv.Limits{})
			require.NoError(t, err)
			require.True(t, got.Equal(&want))
		}
		_, err = ttlv.Read(r, ttlv.Limits{})
		require.Equal(t, ttlv.Closed, ttlv.KindOf(err))
	}
}

func TestReadKeepsTheErrorOfTheConnection(t *testing.T) {
	reset := errors.New("connection reset by peer")
	for _, sent := range []string{"", "420078", "420078 01 00000010 42000d"} {
		_, err := ttlv.Read(io.MultiReader(bytes.NewReader(unhex(t, sent)), iotest.ErrReader(reset)), ttlv.Limits{})
		require.Equal(t, ttlv.Broken, ttlv.KindOf(err), sent)
		require.ErrorIs(t, err, reset)
	}
}

func TestALargeMessageGrowsAndReads(t *testing.T) {
	material := bytes.Repeat([]byte("0123456789abcdef"), 60000)
	message := ttlv.Structure(ttlv.TagResponseMessage, ttlv.ByteString(ttlv.TagData, material))
	b, err := ttlv.Marshal(&message, ttlv.Limits{})
	require.NoError(t, err)
	got, err := ttlv.Read(iotest.HalfReader(bytes.NewReader(b)), ttlv.Limits{})
	require.NoError(t, err)
	require.True(t, got.Equal(&message))
}

// TestWhatIsDeclaredIsNotAllocated sends the beginning of a message that is far larger than what arrives.
func TestWhatIsDeclaredIsNotAllocated(t *testing.T) {
	for _, c := range []struct {
		length uint32
		kind   ttlv.Kind
	}{{0xfffffff8, ttlv.TooLarge}, {0x7ffffff8, ttlv.TooLarge}, {1 << 20, ttlv.TooLarge}, {1<<20 - 8, ttlv.Broken}} {
		header := binary.BigEndian.AppendUint32(unhex(t, "420078 01"), c.length)
		spent := allocated(func() {
			_, err := ttlv.Read(bytes.NewReader(append(header, 0x42, 0)), ttlv.Limits{})
			require.Equal(t, c.kind, ttlv.KindOf(err), "%v", err)
		})
		require.Less(t, spent, uint64(32<<10), "%d bytes declared", c.length)
	}
}

func TestDeepAndWideMessagesFailFast(t *testing.T) {
	deepest := nested(ttlv.DefaultDepth)
	_, err := ttlv.Parse(deepest, ttlv.Limits{})
	require.NoError(t, err)
	wide := ttlv.Structure(ttlv.TagRequestMessage)
	for range ttlv.DefaultItems {
		wide.Add(ttlv.Structure(ttlv.TagBatchItem))
	}
	tooWide, err := ttlv.Marshal(&wide, ttlv.Limits{Items: 1 << 20})
	require.NoError(t, err)
	for name, b := range map[string][]byte{"one too deep": nested(ttlv.DefaultDepth + 1), "100,000 deep": nested(100_000), "wide": tooWide} {
		start := time.Now()
		spent := allocated(func() {
			_, err := ttlv.Parse(b, ttlv.Limits{})
			require.Equal(t, ttlv.TooComplex, ttlv.KindOf(err), name)
		})
		require.Less(t, spent, uint64(32<<10), name)
		require.Less(t, time.Since(start), time.Second, name)
	}
	_, err = ttlv.Parse(tooWide, ttlv.Limits{Items: ttlv.DefaultItems + 1})
	require.NoError(t, err)
	_, err = ttlv.Parse(nested(100_000), ttlv.Limits{Depth: 100_000, Items: 100_000})
	require.NoError(t, err, "a caller may allow it")
}

func TestLimitsOfSize(t *testing.T) {
	message := getResponse()
	b, err := ttlv.Marshal(&message, ttlv.Limits{})
	require.NoError(t, err)
	for size, kind := range map[int]ttlv.Kind{len(b): 0, len(b) - 1: ttlv.TooLarge, 16: ttlv.TooLarge, 4: ttlv.TooLarge} {
		l := ttlv.Limits{Size: size}
		_, err := ttlv.Parse(bytes.Clone(b), l)
		require.Equal(t, kind, ttlv.KindOf(err), size)
		_, err = ttlv.Read(bytes.NewReader(b), l)
		require.Equal(t, kind, ttlv.KindOf(err), size)
		_, err = ttlv.Marshal(&message, l)
		require.Equal(t, kind, ttlv.KindOf(err), size)
	}
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func hexOf(s string) string { return fmt.Sprintf("%x", s) }
