package ttlv_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

const everythingXML = `<RequestMessage>
  <CryptographicUsageMask type="Integer" value="Encrypt Decrypt"/>
  <BatchCount type="Integer" value="-1"/>
  <UsageLimitsTotal type="LongInteger" value="-9223372036854775808"/>
  <Modulus type="BigInteger" value="fffffffe7116f0093c8c1f11b1c0f52e"/>
  <ObjectType type="Enumeration" value="SymmetricKey"/>
  <OpaqueDataType type="Enumeration" value="0x80000001"/>
  <Fresh type="Boolean" value="true"/>
  <NameValue type="TextString" value="a &#60;&#38;&#62; &#34;b&#34; \ Ω&#10;&#9;"/>
  <Comment type="TextString" value=""/>
  <KeyMaterial type="ByteString" value="000102ff0405060708"/>
  <Salt type="ByteString" value=""/>
  <ActivationDate type="DateTime" value="1970-01-01T00:00:01+00:00"/>
  <DestroyDate type="DateTime" value="0x4000000000000000"/>
  <LeaseTime type="Interval" value="4294967295"/>
  <SubmissionDate type="DateTimeExtended" value="1969-12-31T23:59:59.999999+00:00"/>
  <RequestPayload/>
  <VendorExtension>
    <TTLV tag="0x540001" type="TextString" value="na"/>
    <TTLV tag="0x54ffff">
      <Fresh type="Boolean" value="false"/>
    </TTLV>
  </VendorExtension>
  <Attribute>
    <AttributeName type="TextString" value="Cryptographic Algorithm"/>
    <AttributeValue type="Enumeration" value="DES3"/>
  </Attribute>
  <Attribute>
    <AttributeName type="TextString" value="Cryptographic Usage Mask"/>
    <AttributeValue type="Integer" value="Sign Verify Encrypt Decrypt WrapKey UnwrapKey Export MACGenerate MACVerify DeriveKey ContentCommitment KeyAgreement CertificateSign CRLSign GenerateCryptogram ValidateCryptogram TranslateEncrypt TranslateDecrypt TranslateWrap TranslateUnwrap Authenticate Unrestricted FPEEncrypt FPEDecrypt 0xff000000"/>
  </Attribute>
  <AttributeReference type="Enumeration" value="State"/>
</RequestMessage>
`

func TestXMLOfEveryType(t *testing.T) {
	message := everything()
	b, err := ttlv.MarshalXML(&message, ttlv.Limits{})
	require.NoError(t, err)
	require.Equal(t, everythingXML, string(b))
	requireRoundTrips(t, &message)
}

// element puts a value into an item of a type.
func element(typ, value string) string {
	return fmt.Sprintf(`<AttributeValue type="%s" value="%s"/>`, typ, value)
}

func TestXMLValues(t *testing.T) {
	v := ttlv.TagAttributeValue
	for text, want := range map[string]ttlv.Item{
		element("Integer", "0xffffffff"):                                         ttlv.Integer(v, -1),
		element("0x02", "7"):                                                     ttlv.Integer(v, 7),
		element("LongInteger", "0xffffffffffffffff"):                             ttlv.LongInteger(v, -1),
		element("BigInteger", "0x00000000000000ff"):                              ttlv.BigInteger(v, bigInt("255")),
		element("BigInteger", "ffffffffffffff00"):                                ttlv.BigInteger(v, bigInt("-256")),
		element("Enumeration", "0x0000000A"):                                     ttlv.Enumeration(v, 10),
		element("Boolean", "0x0000000000000001"):                                 ttlv.Boolean(v, true),
		element("Boolean", "false"):                                              ttlv.Boolean(v, false),
		element("ByteString", "00aAFf"):                                          ttlv.ByteString(v, []byte{0, 0xaa, 0xff}),
		element("DateTime", "2001-01-01T10:00:00+10:00"):                         ttlv.DateTime(v, 978307200),
		element("DateTime", "2001-01-01T00:00:00Z"):                              ttlv.DateTime(v, 978307200),
		element("DateTime", "0x000000003a4fc880"):                                ttlv.DateTime(v, 978307200),
		element("DateTimeExtended", "2001-01-01T00:00:00.000001Z"):               ttlv.DateTimeExtended(v, 978307200000001),
		element("Interval", "0x00000010"):                                        ttlv.Interval(v, 16),
		`<AttributeValue type="TextString"/>`:                                    ttlv.TextString(v, ""),
		`<AttributeValue type="Structure"></AttributeValue>`:                     ttlv.Structure(v),
		`<TTLV tag="0x42000b" name="x" type="TextString" value="y"/>`:            ttlv.TextString(v, "y"),
		`<?xml version="1.0"?><!-- c --><AttributeValue xmlns="urn:x"/><!-- -->`: ttlv.Structure(v),
		"<AttributeValue>\n<!-- c -->\n<D type='Boolean' value='true'></D></AttributeValue>": ttlv.Structure(v,
			ttlv.Boolean(ttlv.TagD, true)),
	} {
		got, err := ttlv.ParseXML([]byte(text), ttlv.Options{})
		require.NoError(t, err, text)
		require.True(t, got.Equal(&want), text)
	}
}

func TestXMLThatIsRefused(t *testing.T) {
	for _, text := range []string{
		"", " ", "text", "<", "<Fresh", "<Fresh/><Fresh/>", "<Fresh/>text", "text<Fresh/>", "<KMIP><Fresh/></KMIP>", "<Fresh></Salt>", "<Attribute><Fresh/>",
		"<NoTag/>", `<TTLV/>`, `<TTLV tag="0x410001"/>`, `<TTLV tag="x"/>`, `<Fresh tag="0x540001" type="NoType" value=""/>`,
		`<Fresh value="x"/>`, `<Fresh type="Boolean"/>`, `<Fresh type="Boolean" value="true"><D/></Fresh>`, "<Fresh>text</Fresh>",
		`<Fresh type="Boolean" type="Boolean" value="true"/>`, `<Fresh type="Boolean" value="true" other="x"/>`,
		`<Fresh type="Boolean" value="&amp;true"/>`, `<Name type="TextString" value="&unknown;"/>`, `<Name type="TextString" value="&#0;"/>`,
		"<!DOCTYPE KMIP><Fresh/>", `<!DOCTYPE k [<!ENTITY a "true">]><Fresh type="Boolean" value="&a;"/>`,
		`<?xml version="1.0" encoding="utf-16"?><Fresh/>`, "<Name type='TextString' value='\xff'/>",
		element("Integer", ""), element("Integer", "2147483648"), element("Integer", "1.0"), element("Integer", "Encrypt"), element("Integer", "0x1ffffffff"),
		element("LongInteger", "9223372036854775808"), element("LongInteger", "x"), element("BigInteger", ""), element("BigInteger", "00"),
		element("BigInteger", "0x"), element("BigInteger", "000000000000000g"), element("Enumeration", "AES"), element("Enumeration", ""),
		element("Enumeration", "-1"), element("Boolean", "TRUE"), element("Boolean", "1"), element("Boolean", "0x2"), element("ByteString", "0"),
		element("ByteString", "0x00"), element("DateTime", "now"), element("DateTime", "2001-01-01"), element("DateTime", "2001-01-01T00:00:00.5Z"),
		element("DateTime", "978307200"), element("DateTimeExtended", "2001-01-01T00:00:00.0000001Z"), element("Interval", "-1"),
		element("Interval", "4294967296"), element("Interval", "1s"), element("Structure", ""),
	} {
		_, err := ttlv.ParseXML([]byte(text), ttlv.Options{})
		require.Equal(t, ttlv.Malformed, ttlv.KindOf(err), "%s: %v", text, err)
	}
	_, err := ttlv.ParseXML([]byte(`<Attribute><Fresh type="Boolean" value="secret"/></Attribute>`), ttlv.Options{})
	require.EqualError(t, err, "malformed at byte 11 in Attribute/Fresh: the value is no Boolean")
	for _, text := range []string{"\x00", "a\x1f", "\uffff"} {
		it := ttlv.TextString(ttlv.TagComment, text)
		_, err := ttlv.MarshalXML(&it, ttlv.Limits{})
		require.Equal(t, ttlv.Malformed, ttlv.KindOf(err), "XML has no form for it")
	}
}

func TestLimitsOfXMLAndJSON(t *testing.T) {
	deep := func(n int, open, end string) []byte { return []byte(strings.Repeat(open, n) + strings.Repeat(end, n)) }
	wide := func(n int, open, each, end string) []byte {
		return []byte(open + strings.Repeat(each, n)[1:] + end)
	}
	const d, dEnd = `{"tag":"D","value":[`, `]}`
	parseXML := func(b []byte, o ttlv.Options) (*ttlv.Item, error) { return ttlv.ParseXML(b, o) }
	for name, c := range map[string]struct {
		text  []byte
		parse func([]byte, ttlv.Options) (*ttlv.Item, error)
		kind  ttlv.Kind
	}{
		"XML as deep as allowed":  {deep(32, "<D>", "</D>"), parseXML, 0},
		"XML too deep":            {deep(33, "<D>", "</D>"), parseXML, ttlv.TooComplex},
		"XML 100,000 deep":        {deep(100_000, "<D>", "</D>"), parseXML, ttlv.TooComplex},
		"XML too wide":            {wide(1<<15, "<D>", " <D/>", "</D>"), parseXML, ttlv.TooComplex},
		"XML attributes":          {[]byte("<D" + strings.Repeat(" a='='", 17) + "/>"), parseXML, ttlv.TooComplex},
		"XML too large":           {wide(1<<18, "<D>", "     ", "</D>"), parseXML, ttlv.TooLarge},
		"JSON as deep as allowed": {deep(32, d, dEnd), ttlv.ParseJSON, 0},
		"JSON too deep":           {deep(33, d, dEnd), ttlv.ParseJSON, ttlv.TooComplex},
		"JSON 40,000 deep":        {deep(40_000, d, dEnd), ttlv.ParseJSON, ttlv.TooComplex},
		"JSON too wide":           {wide(1<<15, d, `,`+d+dEnd, dEnd), ttlv.ParseJSON, ttlv.TooComplex},
		"JSON too large":          {wide(1<<18, d, "     ", dEnd), ttlv.ParseJSON, ttlv.TooLarge},
	} {
		start := time.Now()
		_, err := c.parse(c.text, ttlv.Options{})
		require.Equal(t, c.kind, ttlv.KindOf(err), "%s: %v", name, err)
		require.Less(t, time.Since(start), 5*time.Second, name)
	}
}

// TestTextDoesNotMultiplyInMemory feeds what makes the most of each byte.
func TestTextDoesNotMultiplyInMemory(t *testing.T) {
	const n = 1 << 20
	fill := func(open, each string) []byte { return []byte(open + strings.Repeat(each, (n-len(open))/len(each))) }
	for name, c := range map[string]struct {
		text  []byte
		parse func([]byte, ttlv.Options) (*ttlv.Item, error)
		times uint64
	}{
		"attributes":        {fill("<D", " a=''"), ttlv.ParseXML, 30},
		"elements":          {fill("<D>", "<D/>"), ttlv.ParseXML, 30},
		"comments":          {fill("<D>", "<!---->"), ttlv.ParseXML, 30},
		"references":        {fill("<D v='", "&#9;"), ttlv.ParseXML, 30},
		"objects":           {fill(`{"tag":"D","value":[`, `{"tag":"D","value":[]},`), ttlv.ParseJSON, 20},
		"escapes":           {fill(`{"tag":"D","value":"`, `\t`), ttlv.ParseJSON, 20},
		"strings of escape": {fill(`{"tag":"D","value":[`, `{"tag":"\u0044","value":[]},`), ttlv.ParseJSON, 20},
		"arrays":            {fill(`{"tag":"D","value":`, `[`), ttlv.ParseJSON, 20},
	} {
		spent := allocated(func() {
			_, err := c.parse(c.text, ttlv.Options{})
			require.Error(t, err, name)
		})
		t.Logf("%s: %d times", name, spent/n)
		require.Less(t, spent, c.times*n, name)
	}
}

func TestTheHookSeesEveryValue(t *testing.T) {
	const text = `<Name><NameValue type="TextString" value="$NAME"/><NameType type="Enumeration" value="$TYPE"/></Name>`
	const same = `{"tag":"Name","value":[{"tag":"NameValue","type":"TextString","value":"$NAME"},{"tag":"NameType","type":"Enumeration","value":"$TYPE"}]}`
	o := ttlv.Options{Value: func(tag ttlv.Tag, typ ttlv.Type, raw string) (string, error) {
		return map[string]string{"NameValue TextString $NAME": "a name", "NameType Enumeration $TYPE": "URI"}[fmt.Sprint(tag, " ", typ, " ", raw)], nil
	}}
	want := ttlv.Structure(ttlv.TagName, ttlv.TextString(ttlv.TagNameValue, "a name"), ttlv.Enumeration(ttlv.TagNameType, ttlv.NameTypeURI))
	got, err := ttlv.ParseXML([]byte(text), o)
	require.NoError(t, err)
	require.True(t, got.Equal(&want))
	got, err = ttlv.ParseJSON([]byte(same), o)
	require.NoError(t, err)
	require.True(t, got.Equal(&want))

	unbound := errors.New("nothing is bound to it yet")
	o.Value = func(ttlv.Tag, ttlv.Type, string) (string, error) { return "", unbound }
	_, err = ttlv.ParseXML([]byte(text), o)
	require.ErrorIs(t, err, unbound)
	_, err = ttlv.ParseJSON([]byte(same), o)
	require.ErrorIs(t, err, unbound)
}
