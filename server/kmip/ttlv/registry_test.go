package ttlv_test

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// TestNamesAreThoseOfTheProfiles has one case for every rule of "Normalizing Names", as the published test cases spell them.
func TestNamesAreThoseOfTheProfiles(t *testing.T) {
	for title, name := range map[string]string{
		"3DES": "DES3", "AES": "AES", "PKCS#1": "PKCS_1", "PKCS#12 Certificate Link": "PKCS_12CertificateLink", "X.509": "X_509",
		"Re-key": "ReKey", "Re-key Key Pair": "ReKeyKeyPair", "Re-certify": "ReCertify", "Pre-Active": "PreActive", "SHA-256": "SHA_256",
		"SHA-256 with RSA Encryption": "SHA_256WithRSAEncryption", "ECDSA with SHA256": "ECDSAWithSHA256", "HMAC-SHA256": "HMAC_SHA256",
		"ANSI X9.31": "ANSIX9_31", "On-line storage": "OnLineStorage", "Polynomial Sharing GF (2^8)": "PolynomialSharingGF2_8",
		"IV/Counter/Nonce": "IVCounterNonce", "MAC/Signature Key Information": "MACSignatureKeyInformation",
		"Template-Attribute": "TemplateAttribute", "Username and Password": "UsernameAndPassword", "NISTKeyWrap": "NISTKeyWrap",
		"Tape Library Server KMIP v1.4": "TapeLibraryServerKMIPV1_4", "Cessation of Operation": "CessationOfOperation",
		"MAC/sign then encrypt": "MACSignThenEncrypt", "PKCS1 v1.5": "PKCS1V1_5", "SHA-512/224": "SHA_512_224", "RSASSA-PSS": "RSASSA_PSS",
		"GOST R 34.10-2012": "GOSTR34_10_2012", "NIST800-108-DPI": "NIST800_108_DPI", "": "", "D": "D",
	} {
		require.Equal(t, name, ttlv.Camel(title), title)
	}
}

// TestNumbersThatOthersPublish are read off several independent implementations and the specifications.
func TestNumbersThatOthersPublish(t *testing.T) {
	for tag, name := range map[ttlv.Tag]string{
		0x420001: "ActivationDate", 0x42000f: "BatchItem", 0x420028: "CryptographicAlgorithm", 0x42002c: "CryptographicUsageMask",
		0x420043: "KeyMaterial", 0x42004d: "MACSignature", 0x420057: "ObjectType", 0x42005c: "Operation", 0x420069: "ProtocolVersion",
		0x420078: "RequestMessage", 0x42007b: "ResponseMessage", 0x420083: "KeyRoleType", 0x420094: "UniqueIdentifier", 0x4200a0: "Y",
		0x4200a1: "Password", 0x4200a3: "EncodingOption", 0x4200b0: "DeviceSerialNumber", 0x4200b5: "X_509CertificateIdentifier",
		0x4200bd: "PGPKey", 0x4200c2: "Data", 0x4200d3: "AttestationCapableIndicator", 0x4200d6: "CorrelationValue",
		0x4200eb: "ProfileInformation", 0x4200f7: "CapabilityInformation", 0x4200f8: "KeyWrapType", 0x4200fb: "PKCS_12FriendlyName",
		0x4200ff: "AuthenticatedEncryptionTag", 0x420102: "MaskGeneratorHashingAlgorithm", 0x420105: "ClientCorrelationValue",
		0x42011f: "CertificateIssuerDNQualifier", 0x420124: "ReplaceExisting", 0x420125: "Attributes", 0x420136: "ShortUniqueIdentifier",
		0x42013b: "AttributeReference", 0x420140: "CertificateRequestValue", 0x420149: "Ticket", 0x420154: "Ephemeral",
		0x420159: "PKCS_11Interface", 0x42015e: "ProtectionStorageMask", 0x420162: "AdjustmentValue", 0x420165: "PublicProtectionStorageMasks",
		0x420166: "ObjectGroups", 0x420171: "RotateNameType", 0x420176: "AsynchronousCorrelationValues",
		0x420137: "0x420137", 0x42013e: "0x42013e", 0x420177: "0x420177", 0x540001: "0x540001",
	} {
		require.Equal(t, name, tag.String())
		parsed, ok := ttlv.ParseTag(name)
		require.True(t, ok)
		require.Equal(t, tag, parsed)
	}
	for _, name := range []string{"", "0x", "0x410001", "0x1420001", "Unique Identifier", "uniqueIdentifier", "420001", "0x+20001"} {
		_, ok := ttlv.ParseTag(name)
		require.False(t, ok, name)
	}
}

func TestEveryTableIsWhole(t *testing.T) {
	seen := map[ttlv.Tag]map[string]uint32{}
	ttlv.Tables(func(tag ttlv.Tag, value uint32, title, name string) {
		if seen[tag] == nil {
			seen[tag] = map[string]uint32{}
		}
		require.NotContains(t, seen[tag], name, "%s has %s twice", tag, name)
		for other, n := range seen[tag] {
			require.NotEqual(t, n, value, "%s: %s and %s have one number", tag, other, name)
		}
		seen[tag][name] = value
		require.Regexp(t, `^[A-Z][A-Za-z0-9_]*$`, name)
		require.Equal(t, strings.TrimSpace(title), title)
	})
	require.Equal(t, 62, len(seen))
	known := 0
	for tag := ttlv.Tag(0x420001); tag < 0x420200; tag++ {
		if title := tag.Title(); title != "" {
			known++
			found, ok := ttlv.AttributeTag(strings.ReplaceAll(title, " ", "   "))
			require.True(t, ok)
			require.Equal(t, tag, found)
		}
	}
	require.Equal(t, 371, known)
}

func TestVersionsGateWhatIsDefined(t *testing.T) {
	for tag, want := range map[ttlv.Tag]ttlv.Span{
		ttlv.TagUniqueIdentifier: {Since: ttlv.V10}, ttlv.TagPassword: {Since: ttlv.V10}, ttlv.TagTemplateAttribute: {Since: ttlv.V10, Until: ttlv.V14},
		ttlv.TagAttributeIndex: {Since: ttlv.V10, Until: ttlv.V14}, ttlv.TagAttributeName: {Since: ttlv.V10}, ttlv.TagFresh: {Since: ttlv.V11},
		ttlv.TagAlternativeName: {Since: ttlv.V12}, ttlv.TagRandomNumberGenerator: {Since: ttlv.V13}, ttlv.TagSensitive: {Since: ttlv.V14},
		ttlv.TagAttributes: {Since: ttlv.V20}, ttlv.TagRotateInterval: {Since: ttlv.V21},
	} {
		span, ok := tag.Span()
		require.True(t, ok)
		require.Equal(t, want, span, tag)
	}
	_, ok := ttlv.Tag(0x540001).Span()
	require.False(t, ok)

	operations := map[ttlv.Version]int{ttlv.V10: 28, ttlv.V11: 30, ttlv.V12: 41, ttlv.V13: 41, ttlv.V14: 43, ttlv.V20: 53, ttlv.V21: 59}
	objects := map[ttlv.Version]int{ttlv.V10: 8, ttlv.V11: 8, ttlv.V12: 9, ttlv.V13: 9, ttlv.V14: 9, ttlv.V20: 9, ttlv.V21: 9}
	for v, n := range operations {
		require.Len(t, ttlv.EnumValues(ttlv.TagOperation, v), n, v)
		require.Len(t, ttlv.EnumValues(ttlv.TagObjectType, v), objects[v], v)
		parsed, ok := ttlv.VersionOf(int32(v.Major()), int32(v.Minor()))
		require.True(t, ok)
		require.Equal(t, v, parsed)
	}
	span, ok := ttlv.EnumSpan(ttlv.TagObjectType, ttlv.ObjectTypeTemplate)
	require.True(t, ok)
	require.True(t, span.Has(ttlv.V14))
	require.False(t, span.Has(ttlv.V20))
	_, ok = ttlv.EnumSpan(ttlv.TagObjectType, 99)
	require.False(t, ok)
	_, ok = ttlv.EnumSpan(ttlv.TagName, 1)
	require.False(t, ok)
	require.Nil(t, ttlv.EnumValues(ttlv.TagName, ttlv.V14))
	_, ok = ttlv.VersionOf(9, 31)
	require.False(t, ok)
	require.Equal(t, "2.1", ttlv.V21.String())

	require.Equal(t, int32(0xfffff), ttlv.MaskBits(ttlv.TagCryptographicUsageMask, ttlv.V14))
	require.Equal(t, int32(0xf03bbf), ttlv.MaskBits(ttlv.TagCryptographicUsageMask, ttlv.V21))
	require.Equal(t, int32(3), ttlv.MaskBits(ttlv.TagStorageStatusMask, ttlv.V14))
	require.Zero(t, ttlv.MaskBits(ttlv.TagProtectionStorageMask, ttlv.V14))
	require.Zero(t, ttlv.MaskBits(ttlv.TagName, ttlv.V14))
}

func TestNamesOfValues(t *testing.T) {
	for name, want := range map[string]uint32{"DES3": 2, "AES": 3, "0x00000003": 3, "0x3": 3, "3": 3, "0x80000001": 0x80000001} {
		got, ok := ttlv.ParseEnum(ttlv.TagCryptographicAlgorithm, name)
		require.True(t, ok, name)
		require.Equal(t, want, got)
	}
	for _, name := range []string{"", "3DES", "aes", "0x", "0x123456789", "-1", "+1", "1_0", "4294967296", " 3"} {
		_, ok := ttlv.ParseEnum(ttlv.TagCryptographicAlgorithm, name)
		require.False(t, ok, name)
	}
	for tag, name := range map[ttlv.Tag]string{
		ttlv.TagResultReason: "NotAuthorised", ttlv.TagMaskGenerator: "MFG1", ttlv.TagHashingAlgorithm: "SHA_3_256",
		ttlv.TagAttributeReference: "State", ttlv.TagMaskGeneratorHashingAlgorithm: "SHA_256",
	} {
		_, ok := ttlv.ParseEnum(tag, name)
		require.True(t, ok, name)
	}
	for names, want := range map[string]int32{
		"Decrypt Encrypt": 12, "Decrypt   Encrypt": 12, "Encrypt|Decrypt": 12, "0x0000000c": 12, "Sign 0x80000000": -1<<31 + 1,
	} {
		got, ok := ttlv.ParseMask(ttlv.TagCryptographicUsageMask, names)
		require.True(t, ok, names)
		require.Equal(t, want, got)
	}
	for _, names := range []string{"", " ", "|", "Encrypt,Decrypt", "encrypt", "12"} {
		_, ok := ttlv.ParseMask(ttlv.TagCryptographicUsageMask, names)
		require.False(t, ok, names)
	}
	all, ok := ttlv.MaskNames(ttlv.TagCryptographicUsageMask, -1, " ")
	require.True(t, ok)
	require.Contains(t, all, "Sign Verify Encrypt Decrypt WrapKey UnwrapKey Export MACGenerate")
	require.Contains(t, all, "FPEDecrypt 0xff000000")
}

// TestConstantsAgreeWithTheTables reads the source: a constant is called as its value is, without underscores, and has its number.
func TestConstantsAgreeWithTheTables(t *testing.T) {
	want := map[string]uint64{}
	for tag := ttlv.Tag(0x420001); tag < 0x420200; tag++ {
		if tag.Title() != "" {
			want["Tag"+strings.ReplaceAll(tag.String(), "_", "")] = uint64(tag)
		}
	}
	prefixes := map[ttlv.Tag]string{ttlv.TagCryptographicUsageMask: "Usage", ttlv.TagStorageStatusMask: "Storage", ttlv.TagProtectionStorageMask: "Protection"}
	ttlv.Tables(func(tag ttlv.Tag, value uint32, _, name string) {
		prefix, mask := prefixes[tag]
		if !mask {
			prefix = tag.String()
		}
		if tag == ttlv.TagStorageStatusMask {
			name = strings.TrimSuffix(name, "Storage")
		}
		want[strings.ReplaceAll(prefix+name, "_", "")] = uint64(value)
	})
	checked := 0
	for name, value := range constants(t) {
		if n, ok := want[name]; ok {
			require.Equal(t, n, value, name)
			checked++
			continue
		}
		require.Regexp(t, `^(V\d\d|Type[A-Z]\w+|Default[A-Z]\w+|[a-z]\w+|Closed|Broken|TooLarge|TooComplex|Malformed|Missing|Mismatch)$`, name)
	}
	require.Equal(t, 910, checked)
}

// constants returns the whole numbers among the package's constants. What the files import is not looked at.
func constants(t *testing.T) map[string]uint64 {
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") {
			f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			files = append(files, f)
		}
	}
	checked, _ := (&types.Config{Error: func(error) {}}).Check("ttlv", fset, files, nil)
	found := map[string]uint64{}
	for _, name := range checked.Scope().Names() {
		if c, ok := checked.Scope().Lookup(name).(*types.Const); ok && c.Val().Kind() == constant.Int {
			found[name], _ = constant.Uint64Val(c.Val())
		}
	}
	return found
}
