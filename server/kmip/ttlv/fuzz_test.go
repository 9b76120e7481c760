package ttlv_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// seeds are small messages; every fuzzer also gets the first half of each.
func seeds() []ttlv.Item {
	return []ttlv.Item{
		everything(), getResponse(), ttlv.Structure(0x54abcd), ttlv.Boolean(ttlv.TagFresh, false), ttlv.Integer(ttlv.TagCryptographicUsageMask, 0),
		ttlv.Structure(ttlv.TagAttribute, ttlv.TextString(ttlv.TagAttributeName, "State"), ttlv.Enumeration(ttlv.TagAttributeValue, 1)),
		ttlv.Structure(ttlv.TagAttribute, ttlv.Structure(ttlv.TagAttribute, ttlv.Structure(ttlv.TagAttribute))),
	}
}

func FuzzParse(f *testing.F) {
	for _, it := range seeds() {
		b, err := ttlv.Marshal(&it, ttlv.Limits{})
		require.NoError(f, err)
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Add(nested(40))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var it *ttlv.Item
		var err error
		requireFrugal(t, len(b), func() { it, err = ttlv.Parse(bytes.Clone(b), ttlv.Limits{}) })
		read, readErr := ttlv.Read(bytes.NewReader(b), ttlv.Limits{})
		if err != nil {
			require.NotZero(t, ttlv.KindOf(err))
			require.Nil(t, it)
			return
		}
		require.NoError(t, readErr)
		require.True(t, read.Equal(it))
		written, err := ttlv.Marshal(it, ttlv.Limits{})
		require.NoError(t, err)
		require.Equal(t, b, written, "there is one encoding of a tree")
		requireOtherEncodings(t, it)
	})
}

func FuzzXML(f *testing.F) {
	for _, it := range seeds() {
		b, err := ttlv.MarshalXML(&it, ttlv.Limits{})
		require.NoError(f, err)
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Add([]byte(`<!DOCTYPE k [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><Name type="TextString" value="&c;"/>`))
	f.Add([]byte("<KMIP># TIME 0 <Fresh type='Boolean' value='true'/><!-- x --></KMIP>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		requireFrugal(t, len(b), func() { _, _ = ttlv.ParseXMLDocument(b, ttlv.Options{}) })
		if it, err := ttlv.ParseXML(b, ttlv.Options{}); err == nil {
			requireOtherEncodings(t, it)
		} else {
			require.NotZero(t, ttlv.KindOf(err))
		}
	})
}

func FuzzJSON(f *testing.F) {
	for _, it := range seeds() {
		b, err := ttlv.MarshalJSON(&it, ttlv.Limits{})
		require.NoError(f, err)
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Add([]byte(`{"value":"\ud83d\ude00\\\"","tag":"Name","type":"TextString"}`))
	f.Add([]byte(`{"tag":"0x540001","type":"0x03","value":-9223372036854775808}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var it *ttlv.Item
		var err error
		requireFrugal(t, len(b), func() { it, err = ttlv.ParseJSON(bytes.Clone(b), ttlv.Options{}) })
		if err != nil {
			require.NotZero(t, ttlv.KindOf(err))
			return
		}
		requireOtherEncodings(t, it)
	})
}

// requireOtherEncodings fails unless it is the same after every encoding that has a form for it.
func requireOtherEncodings(t *testing.T, it *ttlv.Item) {
	t.Helper()
	large := ttlv.Limits{Size: 1 << 30} // the text of a message is longer than its bytes
	b, err := ttlv.Marshal(it, large)
	require.NoError(t, err)
	got, err := ttlv.Parse(b, large)
	require.NoError(t, err)
	require.True(t, got.Equal(it))

	b, err = ttlv.MarshalJSON(it, large)
	require.NoError(t, err)
	require.LessOrEqual(t, len(b), ttlv.XMLBound(it))
	got, err = ttlv.ParseJSON(b, ttlv.Options{Limits: large})
	require.NoError(t, err, "%s", b)
	require.True(t, got.Equal(it), "%s", b)

	if b, err = ttlv.MarshalXML(it, large); err == nil {
		require.LessOrEqual(t, len(b), ttlv.XMLBound(it))
		got, err = ttlv.ParseXML(b, ttlv.Options{Limits: large})
		require.NoError(t, err, "%s", b)
		require.True(t, got.Equal(it), "%s", b)
	}
}

// requireFrugal fails if f allocates far more than the n bytes that it is about; the rest is for what else runs meanwhile.
func requireFrugal(t *testing.T, n int, f func()) {
	t.Helper()
	require.Less(t, allocated(f), uint64(32*n+256<<10))
}
