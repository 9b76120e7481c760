package kmip

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

func method(m uint32) ttlv.Item { return ttlv.Enumeration(ttlv.TagDerivationMethod, m) }

func derivationItem(items ...ttlv.Item) ttlv.Item {
	return ttlv.Structure(ttlv.TagDerivationParameters, items...)
}

var sha256Item = ttlv.Structure(ttlv.TagCryptographicParameters, ttlv.Enumeration(ttlv.TagHashingAlgorithm, ttlv.HashingAlgorithmSHA256))

// password is secret data.
func passwordItem(s string) ttlv.Item {
	return ttlv.Structure(ttlv.TagSecretData, ttlv.Enumeration(ttlv.TagSecretDataType, ttlv.SecretDataTypePassword),
		blockItem(ttlv.KeyFormatTypeOpaque, 0, 0, rawItem([]byte(s))))
}

func TestDeriveKey(t *testing.T) {
	for _, v := range both {
		k := newClerk(t, v)
		base := k.register(managedkey.SymmetricKey, aesItem(t, knownAES), k.active(managedkey.UseDerive)...)
		aes := k.with(algorithm(suite.AES), bits(128), usage(managedkey.UseEncrypt), group("derived"))
		id := k.made(ttlv.OperationDeriveKey, typed(managedkey.SymmetricKey), idItem(base), method(ttlv.DerivationMethodHASH), derivationItem(sha256Item), aes)
		require.Equal(t, "a8faed6abbf35c12a4b26e40f6feb19d", hexOf(t, k.material(id)), "the published case TC-DERIVEKEY-1-10")
		require.Equal(t, []any{managedkey.Link{Type: baseLink, Target: base}}, k.values(id, managedkey.AttrLink))
		require.Equal(t, []any{managedkey.Link{Type: derivedLink, Target: id}}, k.values(base, managedkey.AttrLink))
		require.Equal(t, []any{"derived"}, k.values(id, managedkey.AttrGroup))

		password := k.register(managedkey.SecretData, passwordItem("password"), k.active(managedkey.UseDerive)...)
		sha1 := ttlv.Structure(ttlv.TagCryptographicParameters, ttlv.Enumeration(ttlv.TagHashingAlgorithm, ttlv.HashingAlgorithmSHA1))
		id = k.made(ttlv.OperationDeriveKey, typed(managedkey.SecretData), idItem(password), method(ttlv.DerivationMethodPBKDF2),
			derivationItem(sha1, ttlv.ByteString(ttlv.TagSalt, []byte("salt")), ttlv.Integer(ttlv.TagIterationCount, 2)), k.with(bits(160)))
		require.Equal(t, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957", hexOf(t, k.material(id)), "RFC 6070")
	}
}

// TestDerivationDataOfSecretData derives the same with the data in the request and with an object that has it.
func TestDerivationDataOfSecretData(t *testing.T) {
	k := newClerk(t, ttlv.V14)
	base := k.register(managedkey.SymmetricKey, aesItem(t, knownAES), k.active(managedkey.UseDerive)...)
	data := k.register(managedkey.SecretData, passwordItem("some data"), k.active(managedkey.UseDerive)...)
	ask := func(parameters ttlv.Item, ids ...string) []ttlv.Item {
		out := []ttlv.Item{typed(managedkey.SymmetricKey), method(ttlv.DerivationMethodHMAC), parameters, k.with(algorithm(suite.AES), bits(256))}
		for _, id := range ids {
			out = append(out, idItem(id))
		}
		return out
	}
	with := derivationItem(sha256Item, ttlv.ByteString(ttlv.TagDerivationData, []byte("some data")))
	one, two := k.made(ttlv.OperationDeriveKey, ask(with, base)...), k.made(ttlv.OperationDeriveKey, ask(derivationItem(sha256Item), base, data)...)
	require.True(t, k.material(one).Equal(k.material(two)))
	k.refused(ttlv.ResultReasonInvalidField, ttlv.OperationDeriveKey, ask(with, base, data)...)
	k.refused(ttlv.ResultReasonInvalidField, ttlv.OperationDeriveKey, ask(with, base, base)...)
}

func TestAgreement(t *testing.T) {
	k := newClerk(t, ttlv.V14)
	var ids [2][2]string
	for i := range ids {
		secret, open, err := suite.GeneratePair(suite.Wanted{Algorithm: suite.EC, Curve: suite.P256})
		require.NoError(t, err)
		ids[i][private] = k.register(managedkey.PrivateKey, keyItem(t, secret, suite.PKCS8), k.active(managedkey.UseDerive)...)
		ids[i][public] = k.register(managedkey.PublicKey, keyItem(t, open, suite.X509), k.active(managedkey.UseDerive)...)
	}
	ask := func(a, b string) []ttlv.Item {
		return []ttlv.Item{typed(managedkey.SymmetricKey), idItem(a), idItem(b), method(ttlv.DerivationMethodAsymmetricKey), k.with(algorithm(suite.AES), bits(256))}
	}
	one, other := k.made(ttlv.OperationDeriveKey, ask(ids[0][private], ids[1][public])...), k.made(ttlv.OperationDeriveKey, ask(ids[0][public], ids[1][private])...)
	require.True(t, k.material(one).Equal(k.material(other)))
	k.refused(ttlv.ResultReasonInvalidField, ttlv.OperationDeriveKey, ask(ids[0][private], ids[1][private])...)
}

func TestWhatIsNotDerived(t *testing.T) {
	for _, v := range both {
		k := newClerk(t, v)
		base := k.register(managedkey.SymmetricKey, aesItem(t, knownAES), k.active(managedkey.UseDerive)...)
		idle := k.register(managedkey.SymmetricKey, aesItem(t, knownAES), k.active(managedkey.UseEncrypt)...)
		der, _ := certificate(t)
		cert := k.register(managedkey.Certificate, certificateOf(der), k.active(managedkey.UseDerive)...)
		aes, hash := k.with(algorithm(suite.AES), bits(128)), method(ttlv.DerivationMethodHASH)
		older := func(o, n Reason) Reason { return map[bool]Reason{false: o, true: n}[v >= ttlv.V20] }
		for name, c := range map[string]struct {
			reason Reason
			of     managedkey.ObjectType
			in     []ttlv.Item
		}{
			"no base":            {ttlv.ResultReasonInvalidMessage, managedkey.SymmetricKey, []ttlv.Item{hash, derivationItem(sha256Item), aes}},
			"no such base":       {older(ttlv.ResultReasonItemNotFound, ttlv.ResultReasonObjectNotFound), managedkey.SymmetricKey, []ttlv.Item{idItem("nobody"), hash, derivationItem(sha256Item), aes}},
			"a public key":       {older(ttlv.ResultReasonInvalidField, ttlv.ResultReasonInvalidObjectType), managedkey.PublicKey, []ttlv.Item{idItem(base), hash, derivationItem(sha256Item), aes}},
			"no method":          {ttlv.ResultReasonInvalidMessage, managedkey.SymmetricKey, []ttlv.Item{idItem(base), derivationItem(sha256Item), aes}},
			"a method of nobody": {ttlv.ResultReasonInvalidField, managedkey.SymmetricKey, []ttlv.Item{idItem(base), method(99), derivationItem(sha256Item), aes}},
			"no length":          {ttlv.ResultReasonInvalidField, managedkey.SymmetricKey, []ttlv.Item{idItem(base), hash, derivationItem(sha256Item), k.with(algorithm(suite.AES))}},
			"no algorithm":       {ttlv.ResultReasonInvalidField, managedkey.SymmetricKey, []ttlv.Item{idItem(base), hash, derivationItem(sha256Item), k.with(bits(128))}},
			"bits":               {ttlv.ResultReasonInvalidField, managedkey.SymmetricKey, []ttlv.Item{idItem(base), hash, derivationItem(sha256Item), k.with(algorithm(suite.AES), bits(129))}},
			"no such key":        {ttlv.ResultReasonInvalidField, managedkey.SymmetricKey, []ttlv.Item{idItem(base), hash, derivationItem(sha256Item), k.with(algorithm(suite.AES), bits(136))}},
			"too long":           {ttlv.ResultReasonInvalidField, managedkey.SecretData, []ttlv.Item{idItem(base), hash, derivationItem(sha256Item), k.with(bits(512))}},
			"no hash":            {older(ttlv.ResultReasonInvalidField, ttlv.ResultReasonUnsupportedCryptographicParameters), managedkey.SymmetricKey, []ttlv.Item{idItem(base), hash, aes}},
			"not for it": {older(ttlv.ResultReasonPermissionDenied, ttlv.ResultReasonIncompatibleCryptographicUsageMask), managedkey.SymmetricKey,
				[]ttlv.Item{idItem(idle), hash, derivationItem(sha256Item), aes}},
			"a certificate": {older(ttlv.ResultReasonIllegalOperation, ttlv.ResultReasonIllegalObjectType), managedkey.SymmetricKey,
				[]ttlv.Item{idItem(cert), hash, derivationItem(sha256Item), aes}},
		} {
			t.Run(name, func(t *testing.T) {
				k.t = t
				k.refused(c.reason, ttlv.OperationDeriveKey, append([]ttlv.Item{typed(c.of)}, c.in...)...)
			})
		}
	}
}
