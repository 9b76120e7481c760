package ttlv_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

var everythingJSON = strings.NewReplacer("\n", "", "\t", "").Replace(`{"tag":"RequestMessage","value":[
	{"tag":"CryptographicUsageMask","type":"Integer","value":"Encrypt|Decrypt"},
	{"tag":"BatchCount","type":"Integer","value":-1},
	{"tag":"UsageLimitsTotal","type":"LongInteger","value":"0x8000000000000000"},
	{"tag":"Modulus","type":"BigInteger","value":"0xfffffffe7116f0093c8c1f11b1c0f52e"},
	{"tag":"ObjectType","type":"Enumeration","value":"SymmetricKey"},
	{"tag":"OpaqueDataType","type":"Enumeration","value":"0x80000001"},
	{"tag":"Fresh","type":"Boolean","value":true},
	{"tag":"NameValue","type":"TextString","value":"a <&> \"b\" \\ Ω\u000a\u0009"},
	{"tag":"Comment","type":"TextString","value":""},
	{"tag":"KeyMaterial","type":"ByteString","value":"000102ff0405060708"},
	{"tag":"Salt","type":"ByteString","value":""},
	{"tag":"ActivationDate","type":"DateTime","value":"1970-01-01T00:00:01+00:00"},
	{"tag":"DestroyDate","type":"DateTime","value":"0x4000000000000000"},
	{"tag":"LeaseTime","type":"Interval","value":4294967295},
	{"tag":"SubmissionDate","type":"DateTimeExtended","value":"1969-12-31T23:59:59.999999+00:00"},
	{"tag":"RequestPayload","value":[]},
	{"tag":"VendorExtension","value":[
	{"tag":"0x540001","type":"TextString","value":"na"},
	{"tag":"0x54ffff","value":[{"tag":"Fresh","type":"Boolean","value":false}]}]},
	{"tag":"Attribute","value":[
	{"tag":"AttributeName","type":"TextString","value":"Cryptographic Algorithm"},
	{"tag":"AttributeValue","type":"Enumeration","value":"DES3"}]},
	{"tag":"Attribute","value":[
	{"tag":"AttributeName","type":"TextString","value":"Cryptographic Usage Mask"},
	{"tag":"AttributeValue","type":"Integer","value":"`)

func TestJSONOfEveryType(t *testing.T) {
	message := everything()
	b, err := ttlv.MarshalJSON(&message, ttlv.Limits{})
	require.NoError(t, err)
	require.True(t, json.Valid(b))
	require.Equal(t, everythingJSON, string(b[:len(everythingJSON)]))
	requireRoundTrips(t, &message)
}

func TestLongIntegersBeyondFloatingPointAreStrings(t *testing.T) {
	for n, want := range map[int64]string{
		1 << 53: `9007199254740992`, 1<<53 + 1: `"0x0020000000000001"`, -1 << 53: `-9007199254740992`, -1<<53 - 1: `"0xffdfffffffffffff"`,
	} {
		it := ttlv.LongInteger(ttlv.TagUsageLimitsCount, n)
		b, err := ttlv.MarshalJSON(&it, ttlv.Limits{})
		require.NoError(t, err)
		require.Equal(t, `{"tag":"UsageLimitsCount","type":"LongInteger","value":`+want+`}`, string(b))
		requireRoundTrips(t, &it)
	}
}

func object(typ, value string) string {
	return fmt.Sprintf(`{"tag":"AttributeValue","type":"%s","value":%s}`, typ, value)
}

func TestJSONValues(t *testing.T) {
	v := ttlv.TagAttributeValue
	for text, want := range map[string]ttlv.Item{
		object("Integer", `"0xffffffff"`):                                                        ttlv.Integer(v, -1),
		object("0x02", `7`):                                                                      ttlv.Integer(v, 7),
		object("LongInteger", `-9007199254740993`):                                               ttlv.LongInteger(v, -9007199254740993),
		object("BigInteger", `-2`):                                                               ttlv.BigInteger(v, bigInt("-2")),
		object("BigInteger", `"0x00000000000000ff"`):                                             ttlv.BigInteger(v, bigInt("255")),
		object("Enumeration", `3`):                                                               ttlv.Enumeration(v, 3),
		object("Boolean", `"0x0000000000000001"`):                                                ttlv.Boolean(v, true),
		object("TextString", `"\u0041\ud83d\ude00\/\b\f\n\r\t\"\\ é"`):                           ttlv.TextString(v, "A😀/\b\f\n\r\t\"\\ é"),
		object("DateTime", `"2001-01-01T00:00:00Z"`):                                             ttlv.DateTime(v, 978307200),
		object("Interval", `"0x00000010"`):                                                       ttlv.Interval(v, 16),
		object("Structure", `[]`):                                                                ttlv.Structure(v),
		" {\t\"value\" :\n[ ] ,\r\"tag\" : \"0x42000b\" } ":                                      ttlv.Structure(v),
		`{"value":"AES","type":"Enumeration","tag":"CryptographicAlgorithm"}`:                    ttlv.Enumeration(ttlv.TagCryptographicAlgorithm, 3),
		`{"value":[{"value":true,"tag":"D","type":"Boolean"}],"\u0074ag":"Attribute\u0056alue"}`: ttlv.Structure(v, ttlv.Boolean(ttlv.TagD, true)),
	} {
		got, err := ttlv.ParseJSON([]byte(text), ttlv.Options{})
		require.NoError(t, err, text)
		require.True(t, got.Equal(&want), text)
	}
}

func TestJSONThatIsRefused(t *testing.T) {
	for _, text := range []string{
		``, ` `, `null`, `[]`, `{}`, `{`, `{"tag"`, `{"tag":`, `{"tag":"D"`, `{"tag":"D"}`, `{"tag":"D","value":[]`, `{"tag":"D","value":[]}x`,
		`{"tag":"D","value":[]}{}`, `{"tag":"D","value":[],}`, `{"tag":"D","value":[{}]}`, `{"tag":"D","value":[,]}`, `{"tag":"D","value":[1]}`,
		`{"tag":"D","value":[{"tag":"D","value":[]},]}`, `{"tag":"D","tag":"D","value":[]}`, `{"tag":"D","value":[],"value":[]}`,
		`{"tag":"D","other":1,"value":[]}`, `{"tag":"NoTag","value":[]}`, `{"tag":1,"value":[]}`, `{"tag":"D","type":"NoType","value":[]}`,
		`{"tag":"D","type":1,"value":[]}`, `{"tag":"D","type":"Structure","value":"x"}`, `{"tag":"D","type":"Boolean","value":[]}`,
		`{"value":[]}`, `{"tag":"D","value":{}}`, `{"tag":"D","value":null}`, "{\"tag\":\"D\xff\",\"value\":[]}", "{'tag':'D'}",
		object("Integer", `1.0`), object("Integer", `1e3`), object("Integer", `01`), object("Integer", `-`), object("Integer", `+1`),
		object("Integer", `2147483648`), object("Integer", `true`), object("LongInteger", `9223372036854775808`), object("BigInteger", `"12"`),
		object("BigInteger", `9223372036854775808`), object("Enumeration", `-1`), object("Enumeration", `AES`), object("Boolean", `1`),
		object("Boolean", `"TRUE"`), object("TextString", `1`), object("TextString", `true`), object("TextString", "\"\n\""), object("TextString", `"\x"`),
		object("TextString", `"\ud83d"`), object("TextString", `"\ud83d\u0041"`), object("TextString", `"\ude00"`), object("TextString", `"\u12"`), object("TextString", "\"\\t\n\""),
		object("TextString", `"\`), object("TextString", `"\"`), object("ByteString", `00`), object("ByteString", `"0"`), object("DateTime", `978307200`),
		object("DateTime", `"yesterday"`), object("Interval", `-1`), object("Interval", `"1s"`),
	} {
		_, err := ttlv.ParseJSON([]byte(text), ttlv.Options{})
		require.Equal(t, ttlv.Malformed, ttlv.KindOf(err), "%s: %v", text, err)
	}
	_, err := ttlv.ParseJSON([]byte(`{"tag":"Attribute","value":[{"tag":"Fresh","type":"Boolean","value":"secret"}]}`), ttlv.Options{})
	require.EqualError(t, err, "malformed at byte 28 in Attribute/Fresh: the value is no Boolean")
}
