package ttlv_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

func bigInt(s string) *big.Int {
	n, _ := new(big.Int).SetString(s, 10)
	return n
}

func TestWhatIsWrittenReadsBack(t *testing.T) {
	for _, message := range []ttlv.Item{everything(), getResponse(), ttlv.Structure(0x54abcd)} {
		b, err := ttlv.Marshal(&message, ttlv.Limits{})
		require.NoError(t, err)
		size, err := ttlv.Size(&message, ttlv.Limits{})
		require.NoError(t, err)
		require.Len(t, b, size)
		require.Equal(t, len(b), cap(b), "no larger than needed")
		got, err := ttlv.Parse(b, ttlv.Limits{})
		require.NoError(t, err)
		require.True(t, got.Equal(&message))
	}
}

func TestAccessorsReturnWhatTheConstructorsTook(t *testing.T) {
	message := everything()
	it, err := message.Need(ttlv.TagBatchCount)
	require.NoError(t, err)
	integer, err := it.Integer()
	require.NoError(t, err)
	require.Equal(t, int32(-1), integer)
	long, err := message.Find(ttlv.TagUsageLimitsTotal).LongInteger()
	require.NoError(t, err)
	require.Equal(t, int64(math.MinInt64), long)
	enumeration, err := message.Find(ttlv.TagOpaqueDataType).Enumeration()
	require.NoError(t, err)
	require.Equal(t, uint32(0x80000001), enumeration)
	fresh, err := message.Find(ttlv.TagFresh).Boolean()
	require.NoError(t, err)
	require.True(t, fresh)
	text, err := message.Find(ttlv.TagComment).TextString()
	require.NoError(t, err)
	require.Empty(t, text)
	material, err := message.Find(ttlv.TagKeyMaterial).ByteString()
	require.NoError(t, err)
	require.Len(t, material, 9)
	date, err := message.Find(ttlv.TagDestroyDate).DateTime()
	require.NoError(t, err)
	require.Equal(t, int64(1<<62), date)
	lease, err := message.Find(ttlv.TagLeaseTime).Interval()
	require.NoError(t, err)
	require.Equal(t, uint32(math.MaxUint32), lease)
	submitted, err := message.Find(ttlv.TagSubmissionDate).DateTimeExtended()
	require.NoError(t, err)
	require.Equal(t, int64(-1), submitted)
	items, err := message.Find(ttlv.TagVendorExtension).Structure()
	require.NoError(t, err)
	require.Len(t, items, 2)
	require.Len(t, slices.Collect(message.All(ttlv.TagAttribute)), 2)
	for range message.All(ttlv.TagAttribute) {
		break // a loop may end early
	}
}

func TestAccessorsNeverPanic(t *testing.T) {
	message := everything()
	items := []*ttlv.Item{nil, {}, message.Find(ttlv.TagOffset)}
	for i := range message.Items() {
		items = append(items, &message.Items()[i])
	}
	for _, it := range items {
		succeeded := 0
		for _, err := range []error{
			second(it.Structure()), second(it.Integer()), second(it.LongInteger()), second(it.BigInteger()), second(it.Enumeration()),
			second(it.Boolean()), second(it.TextString()), second(it.ByteString()), second(it.DateTime()), second(it.Interval()),
			second(it.DateTimeExtended()),
		} {
			if err == nil {
				succeeded++
				continue
			}
			require.Contains(t, []ttlv.Kind{ttlv.Missing, ttlv.Mismatch}, ttlv.KindOf(err))
		}
		require.LessOrEqual(t, succeeded, 1)
		require.Nil(t, it.Find(ttlv.TagOffset))
		_, err := it.Need(ttlv.TagOffset)
		require.Error(t, err)
		require.Empty(t, slices.Collect(it.All(ttlv.TagOffset)))
	}
	_, err := message.Need(ttlv.TagOffset)
	require.EqualError(t, err, "missing in RequestMessage/Offset: there is no such item")
	require.EqualError(t, second(message.Find(ttlv.TagFresh).Integer()), "mismatch in Fresh: the type is Boolean, not Integer")
}

func second[T any](_ T, err error) error { return err }

func TestBigIntegersOfAllSizes(t *testing.T) {
	one := big.NewInt(1)
	for _, shift := range []uint{0, 1, 7, 8, 62, 63, 64, 65, 126, 127, 128, 2048} {
		power := new(big.Int).Lsh(one, shift)
		for _, n := range []*big.Int{power, new(big.Int).Neg(power), new(big.Int).Sub(power, one), new(big.Int).Not(power), nil} {
			it := ttlv.BigInteger(ttlv.TagModulus, n)
			b, err := ttlv.Marshal(&it, ttlv.Limits{})
			require.NoError(t, err)
			got, err := ttlv.Parse(b, ttlv.Limits{})
			require.NoError(t, err)
			value, err := got.BigInteger()
			require.NoError(t, err)
			if n == nil {
				n = new(big.Int)
			}
			require.Zero(t, n.Cmp(value), "%v became %v", n, value)
			require.LessOrEqual(t, len(b), 8+(int(shift)+2+63)/64*8, "the fewest bytes")
		}
	}
}

func TestWhatCannotBeWrittenIsRefused(t *testing.T) {
	deep := ttlv.Structure(ttlv.TagAttribute)
	for range ttlv.DefaultDepth {
		deep = ttlv.Structure(ttlv.TagAttribute, deep)
	}
	wide := ttlv.Structure(ttlv.TagAttribute, make([]ttlv.Item, ttlv.DefaultItems)...)
	for i := range wide.Items() {
		wide.Items()[i] = ttlv.Boolean(ttlv.TagFresh, true)
	}
	for _, c := range []struct {
		kind ttlv.Kind
		it   ttlv.Item
	}{
		{ttlv.Malformed, ttlv.Item{}},
		{ttlv.Malformed, ttlv.Item{Tag: ttlv.TagFresh}},
		{ttlv.Malformed, ttlv.Boolean(0x420000, true)},
		{ttlv.Malformed, ttlv.Boolean(0x1420001, true)},
		{ttlv.Malformed, ttlv.Structure(ttlv.TagAttribute, ttlv.TextString(ttlv.TagAttributeName, "\xff"))},
		{ttlv.TooComplex, deep},
		{ttlv.TooComplex, wide},
		{ttlv.TooLarge, ttlv.ByteString(ttlv.TagData, make([]byte, ttlv.DefaultSize))},
	} {
		before := []byte("before")
		for _, write := range []func([]byte, *ttlv.Item, ttlv.Limits) ([]byte, error){ttlv.Append, ttlv.AppendXML, ttlv.AppendJSON} {
			b, err := write(before, &c.it, ttlv.Limits{})
			require.Equal(t, c.kind, ttlv.KindOf(err), "%v: %v", c.it, err)
			require.Equal(t, before, b)
		}
	}
	_, err := ttlv.Marshal(nil, ttlv.Limits{})
	require.Equal(t, ttlv.Missing, ttlv.KindOf(err))
}

func TestWipeEndsAllValues(t *testing.T) {
	secret := []byte("a very secret key value 0123456789")
	message := ttlv.Structure(ttlv.TagKeyBlock, ttlv.Structure(ttlv.TagKeyValue, ttlv.ByteString(ttlv.TagKeyMaterial, bytes.Clone(secret)),
		ttlv.TextString(ttlv.TagPassword, string(secret)), ttlv.BigInteger(ttlv.TagPrivateExponent, new(big.Int).SetBytes(secret))))
	b, err := ttlv.Marshal(&message, ttlv.Limits{})
	require.NoError(t, err)
	got, err := ttlv.Parse(b, ttlv.Limits{})
	require.NoError(t, err)
	value := got.Find(ttlv.TagKeyValue)
	material := value.Find(ttlv.TagKeyMaterial)
	got.Wipe()
	require.NotContains(t, string(b), "secret", "nor in the message it was read from")
	require.Error(t, second(material.ByteString()), "what was wiped is no value")
	for _, it := range []*ttlv.Item{got, value, material} {
		_, err = ttlv.Marshal(it, ttlv.Limits{})
		require.Equal(t, ttlv.Malformed, ttlv.KindOf(err), "and is not sent in the place of one")
	}
	(*ttlv.Item)(nil).Wipe()
}

func TestAddLeavesTheNeighboursAlone(t *testing.T) {
	b, err := ttlv.Marshal(ptr(ttlv.Structure(ttlv.TagRequestMessage,
		ttlv.Structure(ttlv.TagRequestHeader, ttlv.Integer(ttlv.TagBatchCount, 1)),
		ttlv.Structure(ttlv.TagBatchItem, ttlv.Integer(ttlv.TagOffset, 2)))), ttlv.Limits{})
	require.NoError(t, err)
	got, err := ttlv.Parse(b, ttlv.Limits{})
	require.NoError(t, err)
	got.Find(ttlv.TagRequestHeader).Add(ttlv.Integer(ttlv.TagMaximumItems, 3))
	offset, err := got.Find(ttlv.TagBatchItem).Find(ttlv.TagOffset).Integer()
	require.NoError(t, err)
	require.Equal(t, int32(2), offset)
}

func ptr[T any](v T) *T { return &v }

func TestNoWayOfPrintingShowsAValue(t *testing.T) {
	it := ttlv.Structure(ttlv.TagCredential, ttlv.TextString(ttlv.TagPassword, "hunter2"), ttlv.Integer(ttlv.TagOffset, 4711))
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("request", "item", it, "pointer", &it, "all", it.Items())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&log, verb, it)
		fmt.Fprintf(&log, verb, &it)
		fmt.Fprintf(&log, verb, it.Items())
	}
	for _, value := range []string{"hunter2", "4711", hexOf("hunter2"), "104 117"} {
		require.NotContains(t, log.String(), value)
	}
	require.Equal(t, "Credential Structure of 2", fmt.Sprint(it))
	require.Equal(t, "Password TextString of 7 bytes", fmt.Sprint(it.Items()[0]))
	require.Equal(t, "Offset Integer", fmt.Sprint(it.Items()[1]))
}

func TestEqualTellsTreesApart(t *testing.T) {
	same := func() ttlv.Item {
		return ttlv.Structure(ttlv.TagName, ttlv.TextString(ttlv.TagNameValue, "a"), ttlv.Enumeration(ttlv.TagNameType, 1))
	}
	one, other := same(), same()
	require.True(t, one.Equal(&other))
	for _, it := range []ttlv.Item{
		{}, ttlv.Structure(ttlv.TagName), ttlv.Structure(ttlv.TagLink, one.Items()...), ttlv.TextString(ttlv.TagName, "a"),
		ttlv.Structure(ttlv.TagName, ttlv.TextString(ttlv.TagNameValue, "b"), ttlv.Enumeration(ttlv.TagNameType, 1)),
		ttlv.Structure(ttlv.TagName, ttlv.TextString(ttlv.TagNameValue, "a"), ttlv.Enumeration(ttlv.TagNameType, 2)),
	} {
		require.False(t, one.Equal(&it), "%v", it)
	}
	require.False(t, one.Equal(nil))
	require.True(t, (*ttlv.Item)(nil).Equal(nil))
	require.Equal(t, "unclassified", ttlv.Kind(0).String())
	require.Zero(t, ttlv.KindOf(nil))
}
