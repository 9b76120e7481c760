package ttlv_test

import (
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// unhex reads hexadecimal digits with spaces and bars between them.
func unhex(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "|", "", "\n", "", "\t", "").Replace(digits))
	require.NoError(t, err)
	return b
}

// everything is one item of each type, and the parts of an attribute.
func everything() ttlv.Item {
	huge, _ := new(big.Int).SetString("-123456789012345678901234567890", 10)
	return ttlv.Structure(ttlv.TagRequestMessage,
		ttlv.Integer(ttlv.TagCryptographicUsageMask, ttlv.UsageEncrypt|ttlv.UsageDecrypt),
		ttlv.Integer(ttlv.TagBatchCount, -1),
		ttlv.LongInteger(ttlv.TagUsageLimitsTotal, -1<<63),
		ttlv.BigInteger(ttlv.TagModulus, huge),
		ttlv.Enumeration(ttlv.TagObjectType, ttlv.ObjectTypeSymmetricKey),
		ttlv.Enumeration(ttlv.TagOpaqueDataType, 0x80000001),
		ttlv.Boolean(ttlv.TagFresh, true),
		ttlv.TextString(ttlv.TagNameValue, "a <&> \"b\" \\ Ω\n\t"),
		ttlv.TextString(ttlv.TagComment, ""),
		ttlv.ByteString(ttlv.TagKeyMaterial, []byte{0, 1, 2, 0xff, 4, 5, 6, 7, 8}),
		ttlv.ByteString(ttlv.TagSalt, nil),
		ttlv.DateTime(ttlv.TagActivationDate, 1),
		ttlv.DateTime(ttlv.TagDestroyDate, 1<<62),
		ttlv.Interval(ttlv.TagLeaseTime, 1<<32-1),
		ttlv.DateTimeExtended(ttlv.TagSubmissionDate, -1),
		ttlv.Structure(ttlv.TagRequestPayload),
		ttlv.Structure(ttlv.TagVendorExtension, ttlv.TextString(0x540001, "na"), ttlv.Structure(0x54ffff, ttlv.Boolean(ttlv.TagFresh, false))),
		ttlv.Structure(ttlv.TagAttribute,
			ttlv.TextString(ttlv.TagAttributeName, "Cryptographic Algorithm"),
			ttlv.Enumeration(ttlv.TagAttributeValue, ttlv.CryptographicAlgorithmDES3)),
		ttlv.Structure(ttlv.TagAttribute,
			ttlv.TextString(ttlv.TagAttributeName, "Cryptographic Usage Mask"),
			ttlv.Integer(ttlv.TagAttributeValue, -1)),
		ttlv.Enumeration(ttlv.TagAttributeReference, uint32(ttlv.TagState)),
	)
}

// getResponse is what a server answers to Get of a 256-bit key.
func getResponse() ttlv.Item {
	return ttlv.Structure(ttlv.TagResponseMessage,
		ttlv.Structure(ttlv.TagResponseHeader,
			ttlv.Structure(ttlv.TagProtocolVersion,
				ttlv.Integer(ttlv.TagProtocolVersionMajor, 1), ttlv.Integer(ttlv.TagProtocolVersionMinor, 4)),
			ttlv.DateTime(ttlv.TagTimeStamp, 1_600_000_000),
			ttlv.Integer(ttlv.TagBatchCount, 1)),
		ttlv.Structure(ttlv.TagBatchItem,
			ttlv.Enumeration(ttlv.TagOperation, ttlv.OperationGet),
			ttlv.Enumeration(ttlv.TagResultStatus, ttlv.ResultStatusSuccess),
			ttlv.Structure(ttlv.TagResponsePayload,
				ttlv.Enumeration(ttlv.TagObjectType, ttlv.ObjectTypeSymmetricKey),
				ttlv.TextString(ttlv.TagUniqueIdentifier, "1ee4da4f-6a2b-4e0e-8f3c-9a5d2c7b1e00"),
				ttlv.Structure(ttlv.TagSymmetricKey, ttlv.Structure(ttlv.TagKeyBlock,
					ttlv.Enumeration(ttlv.TagKeyFormatType, ttlv.KeyFormatTypeRaw),
					ttlv.Structure(ttlv.TagKeyValue, ttlv.ByteString(ttlv.TagKeyMaterial, make([]byte, 32))),
					ttlv.Enumeration(ttlv.TagCryptographicAlgorithm, ttlv.CryptographicAlgorithmAES),
					ttlv.Integer(ttlv.TagCryptographicLength, 256))))))
}

// nested is n structures, each in the one before.
func nested(n int) []byte {
	b := make([]byte, 0, 8*n)
	for i := n - 1; i >= 0; i-- {
		b = append(b, 0x42, 0, 0x78, 1, byte(8*i>>24), byte(8*i>>16), byte(8*i>>8), byte(8*i))
	}
	return b
}
