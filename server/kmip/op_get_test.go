package kmip

import (
	"encoding/hex"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

const knownKEK = "000102030405060708090a0b0c0d0e0f"

// kek registers a key that wraps and unwraps.
func (k *clerk) kek(m managedkey.UsageMask, more ...managedkey.Value) string {
	k.t.Helper()
	return k.register(managedkey.SymmetricKey, aesItem(k.t, knownKEK), k.active(m, more...)...)
}

// wrappingItem is how a key is to be wrapped, or was.
func wrappingItem(tag ttlv.Tag, kek string, more ...ttlv.Item) ttlv.Item {
	out := ttlv.Structure(tag, ttlv.Enumeration(ttlv.TagWrappingMethod, ttlv.WrappingMethodEncrypt),
		ttlv.Structure(ttlv.TagEncryptionKeyInformation, idItem(kek), paramsItem(ttlv.TagBlockCipherMode, ttlv.BlockCipherModeNISTKeyWrap)))
	out.Add(more...)
	return out
}

func specification(kek string, more ...ttlv.Item) ttlv.Item {
	return wrappingItem(ttlv.TagKeyWrappingSpecification, kek, more...)
}

var noEncoding = ttlv.Enumeration(ttlv.TagEncodingOption, ttlv.EncodingOptionNoEncoding)

func unwrapped(t testing.TB, wrapped []byte) []byte {
	kek, err := suite.Parse(suite.Block{Class: suite.SymmetricKey, Format: suite.Raw, Algorithm: suite.AES, Material: unhex(t, knownKEK)})
	require.NoError(t, err)
	value, err := suite.Unwrap(kek, suite.Encrypted, suite.Params{Mode: suite.NISTKeyWrap}, wrapped)
	require.NoError(t, err)
	return value
}

func TestAKeyLeavesWrapped(t *testing.T) {
	for _, v := range both {
		k := newClerk(t, v)
		kek := k.kek(managedkey.UseWrap)
		id := k.register(managedkey.SymmetricKey, aesItem(t, knownAES), usage(managedkey.UseEncrypt))
		out := k.get(id, specification(kek, noEncoding))
		value := hexItem(t, ttlv.TagKeyValue, "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5") // RFC 3394, section 4.1
		want := ttlv.Structure(ttlv.TagSymmetricKey, blockItem(ttlv.KeyFormatTypeRaw, ttlv.CryptographicAlgorithmAES, 128, value,
			wrappingItem(ttlv.TagKeyWrappingData, kek, noEncoding)))
		require.True(t, out.Find(want.Tag).Equal(&want))

		name := ttlv.TextString(ttlv.TagAttributeName, string(managedkey.AttrUsage))
		if v >= ttlv.V20 {
			name = ttlv.Enumeration(ttlv.TagAttributeReference, uint32(ttlv.TagCryptographicUsageMask))
		}
		out = k.get(id, specification(kek, name))
		wrapped, err := out.Find(want.Tag).Find(ttlv.TagKeyBlock).Find(ttlv.TagKeyValue).ByteString()
		require.NoError(t, err)
		got, err := ttlv.Parse(unwrapped(t, wrapped), ttlv.Limits{})
		require.NoError(t, err)
		inside := rawItem(unhex(t, knownAES))
		inside.Add(attributesItems(v, []managedkey.Instance{{Attribute: managedkey.AttrUsage, Value: managedkey.UseEncrypt}})...)
		require.True(t, got.Equal(&inside))
	}
}

func TestAKeyLeavesUnderAnRSAKey(t *testing.T) {
	k := newClerk(t, ttlv.V14)
	secret, open, err := suite.GeneratePair(suite.Wanted{Algorithm: suite.RSA, Length: 2048})
	require.NoError(t, err)
	kek := k.register(managedkey.PublicKey, keyItem(t, open, suite.X509), k.active(managedkey.UseWrap)...)
	id := k.register(managedkey.SymmetricKey, aesItem(t, knownAES))
	by := func(parts ...any) ttlv.Item {
		return ttlv.Structure(ttlv.TagKeyWrappingSpecification, ttlv.Enumeration(ttlv.TagWrappingMethod, ttlv.WrappingMethodEncrypt),
			ttlv.Structure(ttlv.TagEncryptionKeyInformation, idItem(kek), paramsItem(parts...)), noEncoding)
	}
	out := k.get(id, by(ttlv.TagPaddingMethod, ttlv.PaddingMethodOAEP, ttlv.TagHashingAlgorithm, ttlv.HashingAlgorithmSHA256))
	wrapped, err := out.Find(ttlv.TagSymmetricKey).Find(ttlv.TagKeyBlock).Find(ttlv.TagKeyValue).ByteString()
	require.NoError(t, err)
	value, err := suite.Unwrap(secret, suite.Encrypted, suite.Params{Padding: suite.OAEP, Hash: suite.SHA256}, wrapped)
	require.NoError(t, err)
	require.Equal(t, unhex(t, knownAES), value)
	k.in(ttlv.V21).refused(ttlv.ResultReasonUnsupportedCryptographicParameters, ttlv.OperationGet, idItem(id), by())
}

func TestAnEncryptionKeyWithoutAModeSaysWhichItWas(t *testing.T) {
	k := newClerk(t, ttlv.V14)
	kek, id := k.kek(managedkey.UseWrap), k.register(managedkey.SymmetricKey, aesItem(t, knownAES))
	bare := ttlv.Structure(ttlv.TagKeyWrappingSpecification, ttlv.Enumeration(ttlv.TagWrappingMethod, ttlv.WrappingMethodEncrypt),
		ttlv.Structure(ttlv.TagEncryptionKeyInformation, idItem(kek)), noEncoding)
	out := k.get(id, bare)
	want := wrappingItem(ttlv.TagKeyWrappingData, kek, noEncoding)
	require.True(t, out.Find(ttlv.TagSymmetricKey).Find(ttlv.TagKeyBlock).Find(want.Tag).Equal(&want))
}

func TestWhatIsNotWrapped(t *testing.T) {
	der, _ := certificate(t)
	for _, v := range both {
		k := newClerk(t, v)
		kek := k.kek(managedkey.UseWrap)
		id := k.register(managedkey.SymmetricKey, aesItem(t, knownAES))
		fields := valueItem(ttlv.Structure(ttlv.TagKeyMaterial, hexItem(t, ttlv.TagKey, knownAES)))
		structured := k.register(managedkey.SymmetricKey, ttlv.Structure(ttlv.TagSymmetricKey,
			blockItem(ttlv.KeyFormatTypeTransparentSymmetricKey, ttlv.CryptographicAlgorithmAES, 128, fields)))
		cert := k.register(managedkey.Certificate, certificateOf(der))
		mac := specification(kek)
		mac.Items()[0] = ttlv.Enumeration(ttlv.TagWrappingMethod, ttlv.WrappingMethodMACSign)
		older := func(o, n Reason) Reason { return map[bool]Reason{false: o, true: n}[v >= ttlv.V20] }
		for name, c := range map[string]struct {
			reason Reason
			id     string
			by     ttlv.Item
		}{
			"a structure without an encoding": {ttlv.ResultReasonEncodingOptionError, structured, specification(kek, noEncoding)},
			"no such key":                     {older(ttlv.ResultReasonItemNotFound, ttlv.ResultReasonWrappingObjectNotFound), id, specification("nobody")},
			"a key that may not":              {older(ttlv.ResultReasonPermissionDenied, ttlv.ResultReasonIncompatibleCryptographicUsageMask), id, specification(k.kek(managedkey.UseEncrypt))},
			"a key that is not active":        {older(ttlv.ResultReasonPermissionDenied, ttlv.ResultReasonWrongKeyLifecycleState), id, specification(id)},
			"a certificate":                   {older(ttlv.ResultReasonIllegalOperation, ttlv.ResultReasonIllegalObjectType), cert, specification(kek)},
			"a MAC":                           {ttlv.ResultReasonFeatureNotSupported, id, mac},
			"no key":                          {ttlv.ResultReasonInvalidMessage, id, ttlv.Structure(ttlv.TagKeyWrappingSpecification, mac.Items()[0])},
			"an encoding of nobody":           {ttlv.ResultReasonInvalidField, id, specification(kek, ttlv.Enumeration(ttlv.TagEncodingOption, 9))},
		} {
			t.Run(name, func(t *testing.T) {
				k := k.on(t)
				if name == "no key" {
					c.by.Items()[0] = ttlv.Enumeration(ttlv.TagWrappingMethod, ttlv.WrappingMethodEncrypt)
				}
				k.refused(c.reason, ttlv.OperationGet, idItem(c.id), c.by)
			})
		}
	}
	k := newClerk(t, ttlv.V14)
	kek, id := k.kek(managedkey.UseWrap), k.register(managedkey.SymmetricKey, aesItem(t, knownAES))
	k.refused(ttlv.ResultReasonEncodingOptionError, ttlv.OperationGet, idItem(id),
		specification(kek, ttlv.TextString(ttlv.TagAttributeName, string(managedkey.AttrUsage)), noEncoding))
	require.Equal(t, []any{true}, k.values(id, managedkey.AttrFresh), "what was refused was given to nobody")
	k.get(id)
	require.Equal(t, []any{false}, k.values(id, managedkey.AttrFresh))
}

// foreign registers a key that its client has wrapped, the value as a byte string or in a structure.
func (k *clerk) foreign(kek string, value ttlv.Item, more ...ttlv.Item) (string, ttlv.Item) {
	k.t.Helper()
	item := ttlv.Structure(ttlv.TagSymmetricKey, blockItem(ttlv.KeyFormatTypeRaw, ttlv.CryptographicAlgorithmAES, 128, value,
		wrappingItem(ttlv.TagKeyWrappingData, kek, more...)))
	return k.register(managedkey.SymmetricKey, item), item
}

func TestAKeyThatCameWrapped(t *testing.T) {
	k := newClerk(t, ttlv.V14)
	kek := k.kek(managedkey.UseWrap | managedkey.UseUnwrap)
	wrapped := "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"
	kept := ttlv.Enumeration(ttlv.TagKeyWrapType, ttlv.KeyWrapTypeAsRegistered)
	open := ttlv.Enumeration(ttlv.TagKeyWrapType, ttlv.KeyWrapTypeNotWrapped)
	plain := aesItem(t, knownAES)
	for _, value := range []ttlv.Item{hexItem(t, ttlv.TagKeyValue, wrapped), rawItem(unhex(t, wrapped))} {
		id, item := k.foreign(kek, value, noEncoding)
		for _, out := range []ttlv.Item{k.get(id), k.get(id, kept)} {
			require.True(t, out.Find(item.Tag).Equal(&item))
		}
		out := k.get(id, open)
		require.True(t, out.Find(item.Tag).Equal(&plain))
		out = k.get(id, open, specification(kek, noEncoding))
		require.Equal(t, wrapped, hexOf(t, out.Find(item.Tag).Find(ttlv.TagKeyBlock).Find(ttlv.TagKeyValue)))
		k.refused(ttlv.ResultReasonIllegalOperation, ttlv.OperationGet, idItem(id), specification(kek))
		k.refused(ttlv.ResultReasonKeyFormatTypeNotSupported, ttlv.OperationGet, idItem(id), ttlv.Enumeration(ttlv.TagKeyFormatType, ttlv.KeyFormatTypeOpaque))
		k.refused(ttlv.ResultReasonFeatureNotSupported, ttlv.OperationGet, idItem(id), ttlv.Enumeration(ttlv.TagKeyWrapType, 9))
		require.Equal(t, [][]any{{managedkey.AES}, {uint32(128)}}, [][]any{k.values(id, managedkey.AttrAlgorithm), k.values(id, managedkey.AttrLength)})
	}
	other := hexItem(t, ttlv.TagKeyValue, wrapped)
	id, _ := k.foreign(kek, other) // in TTLV, it says, which it is not
	k.refused(ttlv.ResultReasonCryptographicFailure, ttlv.OperationGet, idItem(id), open)
	id, _ = k.foreign("elsewhere", other, noEncoding)
	k.refused(ttlv.ResultReasonItemNotFound, ttlv.OperationGet, idItem(id), open)
	id, _ = k.foreign(k.kek(managedkey.UseWrap), other, noEncoding)
	k.refused(ttlv.ResultReasonPermissionDenied, ttlv.OperationGet, idItem(id), open)
}

// TestAWrappedKeyOfTheServersOwnIsReadAgain has what Get wraps in TTLV be registered and unwrapped.
func TestAWrappedKeyOfTheServersOwnIsReadAgain(t *testing.T) {
	k := newClerk(t, ttlv.V14)
	kek := k.kek(managedkey.UseWrap | managedkey.UseUnwrap)
	for _, key := range generated(t) {
		formats := slices.DeleteFunc(key.Formats(), func(f suite.Format) bool { _, err := key.Block(f); return err != nil })
		item, of := keyItem(t, key, formats[len(formats)-1]), managedkey.ObjectType(key.Class())
		out := k.get(k.register(of, item), specification(kek))
		id := k.register(of, *out.Find(item.Tag))
		out = k.get(id, ttlv.Enumeration(ttlv.TagKeyWrapType, ttlv.KeyWrapTypeNotWrapped))
		require.True(t, out.Find(item.Tag).Equal(&item), "%s", key.Algorithm())
	}
}

func hexOf(t testing.TB, it *ttlv.Item) string {
	b, err := it.ByteString()
	require.NoError(t, err)
	return hex.EncodeToString(b)
}

func TestWhoMayLeave(t *testing.T) {
	for _, v := range both {
		k := newClerk(t, v)
		kek := k.kek(managedkey.UseWrap)
		sensitive := k.register(managedkey.SymmetricKey, aesItem(t, knownAES), managedkey.Value{Attribute: managedkey.AttrSensitive, Value: true})
		k.refused(ttlv.ResultReasonSensitive, ttlv.OperationGet, idItem(sensitive))
		k.get(sensitive, specification(kek))
		bound := k.register(managedkey.SymmetricKey, aesItem(t, knownAES), managedkey.Value{Attribute: managedkey.AttrExtractable, Value: false})
		k.refused(ttlv.ResultReasonNotExtractable, ttlv.OperationGet, idItem(bound), specification(kek))
		gone := k.register(managedkey.SymmetricKey, aesItem(t, knownAES))
		require.NoError(t, k.stage.Archive(gone))
		k.refused(ttlv.ResultReasonObjectArchived, ttlv.OperationGet, idItem(gone))
		require.NoError(t, k.stage.Recover(gone))
		require.NoError(t, k.stage.Destroy(gone))
		reason := map[bool]Reason{false: ttlv.ResultReasonItemNotFound, true: ttlv.ResultReasonObjectDestroyed}[v >= ttlv.V20]
		k.refused(reason, ttlv.OperationGet, idItem(gone))
		k.refused(ttlv.ResultReasonKeyCompressionTypeNotSupported, ttlv.OperationGet, idItem(kek),
			ttlv.Enumeration(ttlv.TagKeyCompressionType, ttlv.KeyCompressionTypeECPublicKeyTypeUncompressed))
	}
}

func TestAPublicKeyIsNotCompressed(t *testing.T) {
	k := newClerk(t, ttlv.V14)
	_, public, err := suite.GeneratePair(suite.Wanted{Algorithm: suite.EC, Curve: suite.P256})
	require.NoError(t, err)
	id := k.register(managedkey.PublicKey, keyItem(t, public, suite.X509))
	k.get(id, ttlv.Enumeration(ttlv.TagKeyCompressionType, ttlv.KeyCompressionTypeECPublicKeyTypeUncompressed))
	k.refused(ttlv.ResultReasonKeyCompressionTypeNotSupported, ttlv.OperationGet, idItem(id),
		ttlv.Enumeration(ttlv.TagKeyCompressionType, ttlv.KeyCompressionTypeECPublicKeyTypeX962CompressedPrime))
}
