package kmip

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// material is that of a key, as Get gives it out.
func (k *clerk) material(id string) *ttlv.Item {
	k.t.Helper()
	out := k.get(id)
	return out.Items()[2].Find(ttlv.TagKeyBlock).Find(ttlv.TagKeyValue).Find(ttlv.TagKeyMaterial)
}

func TestReKey(t *testing.T) {
	for _, v := range both {
		k := newClerk(t, v)
		id := k.register(managedkey.SymmetricKey, aesItem(t, knownAES), k.active(managedkey.UseEncrypt, titled("key"))...)
		next := k.made(ttlv.OperationReKey, idItem(id), ttlv.Interval(ttlv.TagOffset, 3600), k.with(group("again")))
		require.Equal(t, next, k.placeholder)
		require.False(t, k.material(id).Equal(k.material(next)))
		require.Equal(t, []any{managedkey.UseEncrypt}, k.values(next, managedkey.AttrUsage))
		require.Equal(t, []any{"again"}, k.values(next, managedkey.AttrGroup))
		require.Equal(t, []any{uint32(128)}, k.values(next, managedkey.AttrLength))
		require.Len(t, k.values(next, managedkey.AttrName), 1)
		o, err := k.stage.Object(next)
		require.NoError(t, err)
		require.Equal(t, o.Dates.Initial.Add(time.Hour), o.Dates.Activation)
		require.Equal(t, "clerk", o.Owner)

		reason := map[bool]Reason{false: ttlv.ResultReasonItemNotFound, true: ttlv.ResultReasonObjectNotFound}[v >= ttlv.V20]
		k.refused(reason, ttlv.OperationReKey, idItem("nobody"))
		k.refused(ttlv.ResultReasonInvalidMessage, ttlv.OperationReKey, idItem(next), ttlv.Integer(ttlv.TagOffset, 3600))
		reason = map[bool]Reason{false: ttlv.ResultReasonInvalidField, true: ttlv.ResultReasonInvalidAttributeValue}[v >= ttlv.V20]
		k.refused(reason, ttlv.OperationReKey, idItem(next), k.with(bits(256)))
		der, _ := certificate(t)
		reason = map[bool]Reason{false: ttlv.ResultReasonIllegalOperation, true: ttlv.ResultReasonIllegalObjectType}[v >= ttlv.V20]
		k.refused(reason, ttlv.OperationReKey, idItem(k.register(managedkey.Certificate, certificateOf(der))))
	}
}

func TestReKeyKeyPair(t *testing.T) {
	for _, v := range both {
		k := newClerk(t, v)
		for _, common := range [][]managedkey.Value{{algorithm(suite.RSA), bits(2048)}, {algorithm(suite.EC), curveIs(suite.SECP256K1)}, {algorithm(suite.Ed25519)}} {
			private, public := k.madePair(ttlv.OperationCreateKeyPair, k.pair(common, nil, nil)...)
			items := append([]ttlv.Item{ttlv.TextString(ttlv.TagPrivateKeyUniqueIdentifier, private)}, k.pair(nil, []managedkey.Value{group("p")}, nil)...)
			nextPrivate, nextPublic := k.madePair(ttlv.OperationReKeyKeyPair, items...)
			require.Equal(t, nextPrivate, k.placeholder)
			require.Equal(t, []any{"p"}, k.values(nextPrivate, managedkey.AttrGroup))
			require.Empty(t, k.values(nextPublic, managedkey.AttrGroup))
			for _, a := range []managedkey.Attribute{managedkey.AttrAlgorithm, managedkey.AttrLength, managedkey.AttrDomain} {
				require.Equal(t, k.values(private, a), k.values(nextPrivate, a))
				require.Equal(t, k.values(public, a), k.values(nextPublic, a))
			}
			require.False(t, k.material(public).Equal(k.material(nextPublic)))
		}
		reason := map[bool]Reason{false: ttlv.ResultReasonIllegalOperation, true: ttlv.ResultReasonIllegalObjectType}[v >= ttlv.V20]
		aes := k.register(managedkey.SymmetricKey, aesItem(t, knownAES))
		k.refused(reason, ttlv.OperationReKeyKeyPair, ttlv.TextString(ttlv.TagPrivateKeyUniqueIdentifier, aes))
	}
}

// TestAPairIsOnTheSameCurve re-keys one that was registered, and says of its curve nothing but its length.
func TestAPairIsOnTheSameCurve(t *testing.T) {
	k := newClerk(t, ttlv.V14)
	secret, open, err := suite.GeneratePair(suite.Wanted{Algorithm: suite.EC, Curve: suite.SECP256K1})
	require.NoError(t, err)
	public := k.register(managedkey.PublicKey, keyItem(t, open, suite.X509))
	alone := k.register(managedkey.PrivateKey, keyItem(t, secret, suite.PKCS8), managedkey.Value{Attribute: managedkey.AttrExtractable, Value: false})
	name := ttlv.TextString(ttlv.TagPrivateKeyUniqueIdentifier, alone)
	k.refused(ttlv.ResultReasonIllegalOperation, ttlv.OperationReKeyKeyPair, name)
	_, err = k.stage.AddAttribute(alone, managedkey.AttrLink, managedkey.Link{Type: managedkey.PublicKeyLink, Target: public})
	require.NoError(t, err)
	_, next := k.madePair(ttlv.OperationReKeyKeyPair, name)
	curve, err := (&call{session: k.session}).publicCurve(next)
	require.NoError(t, err)
	require.Equal(t, suite.SECP256K1, curve)
}
