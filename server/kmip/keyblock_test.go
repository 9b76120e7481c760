package kmip

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// generated are keys of all families.
func generated(t testing.TB) (all []*suite.Key) {
	symmetric, err := suite.GenerateSymmetric(suite.AES, 256)
	require.NoError(t, err)
	triple, err := suite.GenerateSymmetric(suite.TripleDES, 168)
	require.NoError(t, err)
	all = append(all, symmetric, triple)
	for _, w := range []suite.Wanted{{Algorithm: suite.RSA, Length: 2048}, {Algorithm: suite.EC, Curve: suite.P256}, {Algorithm: suite.ECDSA, Length: 521},
		{Algorithm: suite.EC, Curve: suite.SECP256K1}, {Algorithm: suite.Ed25519}} {
		private, public, err := suite.GeneratePair(w)
		require.NoError(t, err)
		all = append(all, private, public)
	}
	return all
}

// keyItem is an object around a key in a format.
func keyItem(t testing.TB, key *suite.Key, f suite.Format) ttlv.Item {
	b, err := key.Block(f)
	require.NoError(t, err)
	k, material, err := stored(&b)
	require.NoError(t, err)
	value, err := keyValueItem(&k, material)
	require.NoError(t, err)
	return ttlv.Structure(kinds[managedkey.ObjectType(key.Class())].tag, keyBlockItem(&k, &value, nil))
}

func TestKeysComeBackInEveryFormat(t *testing.T) {
	k := newClerk(t, ttlv.V14)
	for _, key := range generated(t) {
		object := managedkey.ObjectType(key.Class())
		for _, f := range key.Formats() {
			if _, err := key.Block(f); err != nil {
				continue
			}
			id := k.register(object, keyItem(t, key, f))
			asIs, want := k.get(id), keyItem(t, key, f)
			require.True(t, asIs.Find(want.Tag).Equal(&want), "%s %#x", key.Algorithm(), f)
			for _, other := range key.Formats() {
				if _, err := key.Block(other); err != nil { // of ECDH, for an ECDSA key
					k.refused(ttlv.ResultReasonKeyFormatTypeNotSupported, ttlv.OperationGet, idItem(id), ttlv.Enumeration(ttlv.TagKeyFormatType, uint32(other)))
					continue
				}
				got, want := k.get(id, ttlv.Enumeration(ttlv.TagKeyFormatType, uint32(other))), keyItem(t, key, other)
				require.True(t, got.Find(want.Tag).Equal(&want), "%s %#x as %#x", key.Algorithm(), f, other)
			}
			require.Equal(t, []any{managedkey.Algorithm(key.Algorithm())}, k.values(id, managedkey.AttrAlgorithm))
			require.Equal(t, []any{uint32(key.Length())}, k.values(id, managedkey.AttrLength))
		}
	}
}

func integer(tag ttlv.Tag, n int64) ttlv.Item { return ttlv.BigInteger(tag, big.NewInt(n)) }

func TestKeysThatNobodyReadsComeBackAsTheyCame(t *testing.T) {
	k := newClerk(t, ttlv.V14)
	dsa := valueItem(ttlv.Structure(ttlv.TagKeyMaterial, integer(ttlv.TagP, 23), integer(ttlv.TagQ, 11), integer(ttlv.TagG, 4), integer(ttlv.TagX, 7)))
	item := ttlv.Structure(ttlv.TagPrivateKey, blockItem(ttlv.KeyFormatTypeTransparentDSAPrivateKey, ttlv.CryptographicAlgorithmDSA, 1024, dsa))
	id := k.register(managedkey.PrivateKey, item)
	got := k.get(id)
	require.True(t, got.Find(item.Tag).Equal(&item))
	for _, f := range []uint32{ttlv.KeyFormatTypePKCS8, ttlv.KeyFormatTypeRaw, ttlv.KeyFormatTypeTransparentDSAPublicKey} {
		k.refused(ttlv.ResultReasonKeyFormatTypeNotSupported, ttlv.OperationGet, idItem(id), ttlv.Enumeration(ttlv.TagKeyFormatType, f))
	}
	item.Tag = ttlv.TagPublicKey
	k.refused(ttlv.ResultReasonInvalidField, ttlv.OperationRegister, typed(managedkey.PublicKey), item)

	sealed := rawItem(unhex(t, "301430060604"+"2a030405"+"040a00112233445566778899")[:22])
	item = ttlv.Structure(ttlv.TagPrivateKey, blockItem(ttlv.KeyFormatTypePKCS8, ttlv.CryptographicAlgorithmEC, 256, sealed))
	id = k.register(managedkey.PrivateKey, item)
	got = k.get(id)
	require.True(t, got.Find(item.Tag).Equal(&item))
	k.refused(ttlv.ResultReasonKeyFormatTypeNotSupported, ttlv.OperationGet, idItem(id), ttlv.Enumeration(ttlv.TagKeyFormatType, ttlv.KeyFormatTypeECPrivateKey))
}

func TestAVersionGetsAFormatThatItHas(t *testing.T) {
	k := newClerk(t, ttlv.V14)
	private, _, err := suite.GeneratePair(suite.Wanted{Algorithm: suite.ECDSA, Curve: suite.P256})
	require.NoError(t, err)
	older := k.register(managedkey.PrivateKey, keyItem(t, private, suite.TransparentECDSAPrivate))
	newer := k.register(managedkey.PrivateKey, keyItem(t, private, suite.TransparentECPrivate))
	want := keyItem(t, private, suite.TransparentECPrivate)
	got := k.in(ttlv.V21).get(older)
	require.True(t, got.Find(want.Tag).Equal(&want))
	want = keyItem(t, private, suite.TransparentECDSAPrivate)
	got = k.in(ttlv.V12).get(newer)
	require.True(t, got.Find(want.Tag).Equal(&want))
	k.in(ttlv.V21).refused(ttlv.ResultReasonKeyFormatTypeNotSupported, ttlv.OperationGet, idItem(older),
		ttlv.Enumeration(ttlv.TagKeyFormatType, ttlv.KeyFormatTypeTransparentECDSAPrivateKey))
}

func TestAttributesInAKeyValueAreGiven(t *testing.T) {
	for _, v := range []ttlv.Version{ttlv.V14, ttlv.V21} {
		k := newClerk(t, v)
		inside := k.with(usage(managedkey.UseEncrypt), titled("inside"))
		value := rawItem(unhex(t, knownAES))
		if v < ttlv.V20 {
			value.Add(inside.Items()...)
		} else {
			value.Add(inside)
		}
		item := ttlv.Structure(ttlv.TagSymmetricKey, blockItem(ttlv.KeyFormatTypeRaw, ttlv.CryptographicAlgorithmAES, 128, value))
		id := k.register(managedkey.SymmetricKey, item, usage(managedkey.UseDecrypt), titled("outside"))
		require.Equal(t, []any{managedkey.UseDecrypt}, k.values(id, managedkey.AttrUsage))
		require.Len(t, k.values(id, managedkey.AttrName), 2)
		got := k.get(id)
		require.Len(t, got.Find(ttlv.TagSymmetricKey).Find(ttlv.TagKeyBlock).Find(ttlv.TagKeyValue).Items(), 1, "attributes come back when they are asked for")
	}
}

func TestAKeyWhoseValueIsElsewhere(t *testing.T) {
	k := newClerk(t, ttlv.V12)
	item := ttlv.Structure(ttlv.TagSymmetricKey, blockItem(ttlv.KeyFormatTypeRaw, ttlv.CryptographicAlgorithmAES, 128, ttlv.Item{}))
	id := k.register(managedkey.SymmetricKey, item, managedkey.Value{Attribute: managedkey.AttrLocation, Value: managedkey.Location{Value: "HSM", Type: 1}})
	got := k.get(id)
	require.True(t, got.Find(item.Tag).Equal(&item))
	k.in(ttlv.V11).refused(ttlv.ResultReasonInvalidMessage, ttlv.OperationRegister, typed(managedkey.SymmetricKey), item)
}

func TestBlocksThatAreNone(t *testing.T) {
	k := newClerk(t, ttlv.V14)
	raw := rawItem(unhex(t, knownAES))
	symmetric := func(b ttlv.Item) []ttlv.Item {
		return []ttlv.Item{typed(managedkey.SymmetricKey), ttlv.Structure(ttlv.TagSymmetricKey, b)}
	}
	transparentRSA := func(items ...ttlv.Item) []ttlv.Item {
		value := valueItem(ttlv.Structure(ttlv.TagKeyMaterial, items...))
		return []ttlv.Item{typed(managedkey.PublicKey), ttlv.Structure(ttlv.TagPublicKey, blockItem(ttlv.KeyFormatTypeTransparentRSAPublicKey, ttlv.CryptographicAlgorithmRSA, 0, value))}
	}
	for name, c := range map[string]struct {
		reason Reason
		in     []ttlv.Item
	}{
		"no type":               {ttlv.ResultReasonInvalidMessage, nil},
		"no object":             {ttlv.ResultReasonInvalidMessage, []ttlv.Item{typed(managedkey.SymmetricKey)}},
		"another object":        {ttlv.ResultReasonInvalidMessage, []ttlv.Item{typed(managedkey.PublicKey), aesItem(t, knownAES)}},
		"no block":              {ttlv.ResultReasonInvalidMessage, []ttlv.Item{typed(managedkey.SymmetricKey), ttlv.Structure(ttlv.TagSymmetricKey)}},
		"a type of 2.0":         {ttlv.ResultReasonInvalidField, []ttlv.Item{typed(managedkey.CertificateRequest)}},
		"a type of nobody":      {ttlv.ResultReasonInvalidField, []ttlv.Item{typed(99)}},
		"no format":             {ttlv.ResultReasonInvalidMessage, symmetric(ttlv.Structure(ttlv.TagKeyBlock, raw))},
		"a format of 2.0":       {ttlv.ResultReasonKeyFormatTypeNotSupported, symmetric(blockItem(ttlv.KeyFormatTypePKCS10, ttlv.CryptographicAlgorithmAES, 128, raw))},
		"a format of others":    {ttlv.ResultReasonKeyFormatTypeNotSupported, symmetric(blockItem(ttlv.KeyFormatTypePKCS8, ttlv.CryptographicAlgorithmAES, 128, raw))},
		"a format for nothing":  {ttlv.ResultReasonKeyFormatTypeNotSupported, symmetric(blockItem(999, ttlv.CryptographicAlgorithmAES, 128, raw))},
		"no algorithm":          {ttlv.ResultReasonInvalidField, symmetric(blockItem(ttlv.KeyFormatTypeRaw, 0, 128, raw))},
		"another algorithm":     {ttlv.ResultReasonInvalidField, symmetric(blockItem(ttlv.KeyFormatTypeRaw, ttlv.CryptographicAlgorithmRSA, 128, raw))},
		"another length":        {ttlv.ResultReasonInvalidField, symmetric(blockItem(ttlv.KeyFormatTypeRaw, ttlv.CryptographicAlgorithmAES, 256, raw))},
		"a negative length":     {ttlv.ResultReasonInvalidField, symmetric(blockItem(ttlv.KeyFormatTypeRaw, ttlv.CryptographicAlgorithmAES, -128, raw))},
		"no material":           {ttlv.ResultReasonInvalidMessage, symmetric(blockItem(ttlv.KeyFormatTypeRaw, ttlv.CryptographicAlgorithmAES, 128, ttlv.Structure(ttlv.TagKeyValue)))},
		"empty material":        {ttlv.ResultReasonInvalidField, symmetric(blockItem(ttlv.KeyFormatTypeRaw, ttlv.CryptographicAlgorithmAES, 0, rawItem(nil)))},
		"bytes in clear":        {ttlv.ResultReasonInvalidMessage, symmetric(blockItem(ttlv.KeyFormatTypeRaw, ttlv.CryptographicAlgorithmAES, 128, hexItem(t, ttlv.TagKeyValue, knownAES)))},
		"bytes for a structure": {ttlv.ResultReasonInvalidMessage, symmetric(blockItem(ttlv.KeyFormatTypeTransparentSymmetricKey, ttlv.CryptographicAlgorithmAES, 128, raw))},
		"a structure for bytes": {ttlv.ResultReasonInvalidMessage, symmetric(blockItem(ttlv.KeyFormatTypeRaw, ttlv.CryptographicAlgorithmAES, 128, valueItem(ttlv.Structure(ttlv.TagKeyMaterial))))},
		"a field too few":       {ttlv.ResultReasonInvalidField, transparentRSA(integer(ttlv.TagModulus, 3))},
		"a field too many":      {ttlv.ResultReasonInvalidField, transparentRSA(integer(ttlv.TagModulus, 3), integer(ttlv.TagPublicExponent, 3), integer(ttlv.TagP, 3))},
		"a field twice":         {ttlv.ResultReasonInvalidField, transparentRSA(integer(ttlv.TagModulus, 3), integer(ttlv.TagModulus, 3), integer(ttlv.TagPublicExponent, 3))},
		"a field of a type":     {ttlv.ResultReasonInvalidField, transparentRSA(ttlv.Integer(ttlv.TagModulus, 3), integer(ttlv.TagPublicExponent, 3))},
		"a key that is none":    {ttlv.ResultReasonInvalidField, transparentRSA(integer(ttlv.TagModulus, 3), integer(ttlv.TagPublicExponent, 3))},
		"another attribute":     {ttlv.ResultReasonInvalidField, []ttlv.Item{typed(managedkey.SymmetricKey), k.with(bits(256)), aesItem(t, knownAES)}},
	} {
		t.Run(name, func(t *testing.T) {
			k.t = t
			k.refused(c.reason, ttlv.OperationRegister, c.in...)
			require.False(t, k.stage.Changed())
		})
	}
}
