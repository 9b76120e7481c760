package kmip

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

func splitItem(parts, threshold int32, method uint32) []ttlv.Item {
	return []ttlv.Item{typed(managedkey.SplitKey), ttlv.Integer(ttlv.TagSplitKeyParts, parts), ttlv.Integer(ttlv.TagSplitKeyThreshold, threshold),
		ttlv.Enumeration(ttlv.TagSplitKeyMethod, method)}
}

// parts are the identifiers in an answer.
func (k *clerk) parts(items ...ttlv.Item) (ids []string) {
	k.t.Helper()
	out := k.do(ttlv.OperationCreateSplitKey, items...)
	for it := range out.All(ttlv.TagUniqueIdentifier) {
		id, err := it.TextString()
		require.NoError(k.t, err)
		ids = append(ids, id)
	}
	return ids
}

func joinItems(of managedkey.ObjectType, ids ...string) []ttlv.Item {
	out := []ttlv.Item{typed(of)}
	for _, id := range ids {
		out = append(out, idItem(id))
	}
	return out
}

func TestSplitKeysAreJoined(t *testing.T) {
	for _, v := range both {
		k := newClerk(t, v)
		id := k.register(managedkey.SymmetricKey, aesItem(t, knownAES))
		for _, c := range []struct {
			method           uint32
			parts, threshold int32
		}{{ttlv.SplitKeyMethodXOR, 3, 3}, {ttlv.SplitKeyMethodPolynomialSharingGF28, 5, 3}, {ttlv.SplitKeyMethodPolynomialSharingGF216, 4, 2},
			{ttlv.SplitKeyMethodPolynomialSharingPrimeField, 3, 2}} {
			ids := k.parts(append(splitItem(c.parts, c.threshold, c.method), idItem(id), k.with(group("parts")))...)
			require.Len(t, ids, int(c.parts))
			require.Equal(t, ids[0], k.placeholder)
			require.Equal(t, []any{"parts"}, k.values(ids[1], managedkey.AttrGroup))
			joined := k.made(ttlv.OperationJoinSplitKey, append(joinItems(managedkey.SymmetricKey, ids[len(ids)-int(c.threshold):]...), k.with(usage(managedkey.UseEncrypt)))...)
			require.True(t, k.material(id).Equal(k.material(joined)))
			require.Equal(t, []any{managedkey.AES}, k.values(joined, managedkey.AttrAlgorithm))
			k.refused(ttlv.ResultReasonCryptographicFailure, ttlv.OperationJoinSplitKey, joinItems(managedkey.SymmetricKey, ids[:c.threshold-1]...)...)
			others := k.parts(append(splitItem(c.parts, c.threshold, c.method), idItem(k.register(managedkey.SymmetricKey, aesItem(t, knownAES+knownAES))))...)
			k.refused(ttlv.ResultReasonCryptographicFailure, ttlv.OperationJoinSplitKey, joinItems(managedkey.SymmetricKey, append(ids[:1:1], others[1:c.threshold]...)...)...)
		}
	}
}

func TestOtherKeysAreSplitToo(t *testing.T) {
	k := newClerk(t, ttlv.V14)
	secret, _, err := suite.GeneratePair(suite.Wanted{Algorithm: suite.EC, Curve: suite.P256})
	require.NoError(t, err)
	for _, c := range []struct {
		of   managedkey.ObjectType
		item ttlv.Item
	}{{managedkey.PrivateKey, keyItem(t, secret, suite.PKCS8)}, {managedkey.SecretData, passwordItem("letmein")}} {
		id := k.register(c.of, c.item)
		ids := k.parts(append(splitItem(3, 2, ttlv.SplitKeyMethodPolynomialSharingGF28), idItem(id))...)
		out := k.get(k.made(ttlv.OperationJoinSplitKey, joinItems(c.of, ids[0], ids[2])...))
		require.True(t, out.Find(c.item.Tag).Equal(&c.item))
	}
	transparent := keyItem(t, secret, suite.TransparentECPrivate)
	ids := k.parts(append(splitItem(2, 2, ttlv.SplitKeyMethodXOR), idItem(k.register(managedkey.PrivateKey, transparent)))...)
	id := k.made(ttlv.OperationJoinSplitKey, joinItems(managedkey.PrivateKey, ids...)...)
	out := k.get(id, ttlv.Enumeration(ttlv.TagKeyFormatType, ttlv.KeyFormatTypeTransparentECPrivateKey))
	require.True(t, out.Find(transparent.Tag).Equal(&transparent))
}

// TestAKeyIsDrawnToBeSplit has no key that is split: one is drawn, and only its parts are kept.
func TestAKeyIsDrawnToBeSplit(t *testing.T) {
	k := newClerk(t, ttlv.V14)
	ids := k.parts(append(splitItem(3, 2, ttlv.SplitKeyMethodPolynomialSharingGF28), k.with(algorithm(suite.AES), bits(256)))...)
	id := k.made(ttlv.OperationJoinSplitKey, joinItems(managedkey.SymmetricKey, ids...)...)
	require.Equal(t, []any{uint32(256)}, k.values(id, managedkey.AttrLength))
}

func TestWhatIsNotSplitNorJoined(t *testing.T) {
	for _, v := range both {
		k := newClerk(t, v)
		older := func(o, n Reason) Reason { return map[bool]Reason{false: o, true: n}[v >= ttlv.V20] }
		id := k.register(managedkey.SymmetricKey, aesItem(t, knownAES))
		der, _ := certificate(t)
		cert := k.register(managedkey.Certificate, certificateOf(der))
		sensitive := k.register(managedkey.SymmetricKey, aesItem(t, knownAES), managedkey.Value{Attribute: managedkey.AttrSensitive, Value: true})
		good := splitItem(3, 2, ttlv.SplitKeyMethodPolynomialSharingGF28)
		for name, c := range map[string]struct {
			reason Reason
			in     []ttlv.Item
		}{
			"another type":     {older(ttlv.ResultReasonInvalidField, ttlv.ResultReasonInvalidObjectType), append([]ttlv.Item{typed(managedkey.SymmetricKey), idItem(id)}, good[1:]...)},
			"one part":         {ttlv.ResultReasonInvalidField, append(splitItem(1, 1, ttlv.SplitKeyMethodXOR), idItem(id))},
			"many parts":       {ttlv.ResultReasonInvalidField, append(splitItem(1<<30, 2, ttlv.SplitKeyMethodPolynomialSharingGF28), idItem(id))},
			"a negative":       {ttlv.ResultReasonInvalidField, append(splitItem(-3, 2, ttlv.SplitKeyMethodPolynomialSharingGF28), idItem(id))},
			"another method":   {ttlv.ResultReasonInvalidField, append(splitItem(3, 2, 99), idItem(id))},
			"no method":        {ttlv.ResultReasonInvalidMessage, append(good[:3:3], idItem(id))},
			"a certificate":    {older(ttlv.ResultReasonIllegalOperation, ttlv.ResultReasonIllegalObjectType), append(good[:4:4], idItem(cert))},
			"a sensitive key":  {ttlv.ResultReasonSensitive, append(good[:4:4], idItem(sensitive))},
			"nothing":          {ttlv.ResultReasonInvalidField, good},
			"one name for all": {older(ttlv.ResultReasonInvalidField, ttlv.ResultReasonNonUniqueNameAttribute), append(good[:4:4], idItem(id), k.with(titled("part")))},
		} {
			t.Run(name, func(t *testing.T) {
				k := k.on(t)
				k.refused(c.reason, ttlv.OperationCreateSplitKey, c.in...)
			})
		}
		k.refused(older(ttlv.ResultReasonIllegalOperation, ttlv.ResultReasonIllegalObjectType), ttlv.OperationJoinSplitKey, joinItems(managedkey.SymmetricKey, id)...)
		k.refused(ttlv.ResultReasonInvalidMessage, ttlv.OperationJoinSplitKey, typed(managedkey.SymmetricKey))
		ids := k.parts(append(good[:4:4], idItem(id))...)
		k.refused(ttlv.ResultReasonInvalidField, ttlv.OperationJoinSplitKey, joinItems(managedkey.SymmetricKey, ids[0], ids[0])...)
		k.refused(ttlv.ResultReasonInvalidMessage, ttlv.OperationJoinSplitKey, joinItems(managedkey.SecretData, ids...)...)
		k.refused(ttlv.ResultReasonInvalidField, ttlv.OperationJoinSplitKey, joinItems(managedkey.PrivateKey, ids...)...)
	}
}
