package kmip

import (
	"crypto/rsa"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// diskStation is a Synology NAS, which keeps the passphrase of a volume under a digest and then under the volume's UUID.
type diskStation struct{ *appliance }

func newDiskStation(t *testing.T) diskStation {
	return diskStation{newAppliance(t, ttlv.V12, ttlv.OperationRegister, ttlv.OperationLocate, ttlv.OperationModifyAttribute, ttlv.OperationActivate, ttlv.OperationGet,
		ttlv.OperationGetAttributes, ttlv.OperationGetAttributeList, ttlv.OperationRevoke, ttlv.OperationDestroy)}
}

func (d diskStation) registered(name string, passphrase []byte) string {
	d.t.Helper()
	made := d.ask(ttlv.OperationRegister, typed(managedkey.SecretData), templateOf(maskAttribute(managedkey.UseVerify),
		textAttribute("Operation Policy Name", "default"), nameAttribute(name)), secretItem(ttlv.SecretDataTypePassword, ttlv.KeyFormatTypeOpaque, passphrase))
	d.laidOut("UniqueIdentifier", made)
	return d.id(made)
}

// renaming is a Modify Attribute of the first name.
func (d diskStation) renaming(id, name string) []ttlv.Item {
	return d.renamingAt(id, name, 0)
}

func (d diskStation) renamingAt(id, name string, index int32) []ttlv.Item {
	to := nameAttribute(name)
	return []ttlv.Item{idItem(id), ttlv.Structure(ttlv.TagAttribute, to.Items()[0], ttlv.Integer(ttlv.TagAttributeIndex, index), to.Items()[1])}
}

const (
	volume = "2e043205-f1e7-48bb-a615-d331f2f84751"
	digest = "2847051dc248189fb64543b646860f6b92a6ab65a95927988f6b4dc77ecf5096d6ebe2b5ffb63925679bc3648ba738c70a8966acf3ab2c2b85e30ed273a158c6"
)

// TestApplianceSynology is an encrypted volume's life.
func TestApplianceSynology(t *testing.T) {
	d := newDiskStation(t)
	passphrase := unhex(t, "eb70fe2c8034279ba6322b35c2835d1c4560f4dc00b7b8df")
	d.ask(ttlv.OperationQuery, queryFunctions(ttlv.QueryFunctionQueryOperations, ttlv.QueryFunctionQueryObjects, ttlv.QueryFunctionQueryServerInformation,
		ttlv.QueryFunctionQueryApplicationNamespaces, ttlv.QueryFunctionQueryExtensionList, ttlv.QueryFunctionQueryExtensionMap)...)
	d.located(d.ask(ttlv.OperationLocate, nameAttribute(volume)))
	id := d.registered(digest, passphrase)

	d.have(d.ask(ttlv.OperationModifyAttribute, d.renaming(id, volume)...), id, nameAttribute(volume)) // what it now is comes back, value and all
	d.located(d.ask(ttlv.OperationLocate, nameAttribute(digest)))
	d.located(d.ask(ttlv.OperationLocate, nameAttribute(volume)), id)
	d.located(d.ask(ttlv.OperationActivate, idItem(id)), id)
	d.ask(ttlv.OperationGetAttributeList, idItem(id))
	d.have(d.ask(ttlv.OperationGetAttributes, idItem(id), attributeName("Operation Policy Name"), attributeName("Name")), id, nameAttribute(volume),
		textAttribute("Operation Policy Name", "default"))
	got := d.ask(ttlv.OperationGet, idItem(id))
	require.Equal(t, passphrase, d.material(got, secretLayout))
	require.Equal(t, ttlv.KeyFormatTypeOpaque, d.number(got.Items()[2].Find(ttlv.TagKeyBlock), ttlv.TagKeyFormatType))

	// The vault is reset: the old key goes out of the way, under a name that says so, while it is active.
	aside := volume + "-deprecated-1774255453"
	d.have(d.ask(ttlv.OperationModifyAttribute, d.renaming(id, aside)...), id, nameAttribute(aside))
	d.registered(volume, passphrase)
	d.located(d.ask(ttlv.OperationRevoke, idItem(id), revocationItem(ttlv.RevocationReasonCodeCessationOfOperation)), id)
	d.located(d.ask(ttlv.OperationDestroy, idItem(id)), id)
	d.located(d.ask(ttlv.OperationLocate, nameAttribute(aside)))
}

// TestApplianceSynologyRefused is a name that is taken, one that the object has not, and an object that is not there.
func TestApplianceSynologyRefused(t *testing.T) {
	d := newDiskStation(t)
	id := d.registered(digest, []byte("one"))
	d.registered(volume, []byte("two"))
	d.denied(ttlv.ResultReasonInvalidField, ttlv.OperationModifyAttribute, d.renaming(id, volume)...)
	d.denied(ttlv.ResultReasonIndexOutOfBounds, ttlv.OperationModifyAttribute, d.renamingAt(id, "other", 1)...)
	d.denied(ttlv.ResultReasonItemNotFound, ttlv.OperationModifyAttribute, d.renaming("4711", "other")...)
	d.neighbour().denied(ttlv.ResultReasonItemNotFound, ttlv.OperationModifyAttribute, d.renaming(id, "other")...)
	d.located(d.ask(ttlv.OperationLocate, nameAttribute(digest)), id)
	d.denied(ttlv.ResultReasonInvalidField, ttlv.OperationRegister, typed(managedkey.SecretData), templateOf(nameAttribute(volume)),
		secretItem(ttlv.SecretDataTypePassword, ttlv.KeyFormatTypeOpaque, []byte("three")))
}

// pairLayout is that of one half of a pair.
func pairLayout(half ttlv.Tag) string {
	return half.String() + "(KeyBlock(KeyFormatType KeyValue(KeyMaterial) CryptographicAlgorithm CryptographicLength))"
}

// TestApplianceVeeam has a pair made and gets both halves. An attribute in the key value ends its session.
func TestApplianceVeeam(t *testing.T) {
	a := newAppliance(t, ttlv.V14, ttlv.OperationCreateKeyPair, ttlv.OperationGet, ttlv.OperationDestroy)
	rsaOf := func(length int32) []ttlv.Item {
		common := templateOf(attributeOf("Cryptographic Algorithm", ttlv.Enumeration(0, ttlv.CryptographicAlgorithmRSA)),
			attributeOf("Cryptographic Length", ttlv.Integer(0, length)))
		secret, open := templateOf(maskAttribute(managedkey.UseSign)), templateOf(maskAttribute(managedkey.UseVerify))
		common.Tag, secret.Tag, open.Tag = ttlv.TagCommonTemplateAttribute, ttlv.TagPrivateKeyTemplateAttribute, ttlv.TagPublicKeyTemplateAttribute
		return []ttlv.Item{common, secret, open}
	}
	made := a.ask(ttlv.OperationCreateKeyPair, rsaOf(2048)...)
	a.laidOut("PrivateKeyUniqueIdentifier PublicKeyUniqueIdentifier", made)
	secretID, err := made.Items()[0].TextString()
	require.NoError(t, err)
	openID, err := made.Items()[1].TextString()
	require.NoError(t, err)

	got := a.ask(ttlv.OperationGet, idItem(openID))
	open := rsaPublicOf(t, a.number(got.Items()[2].Find(ttlv.TagKeyBlock), ttlv.TagKeyFormatType), a.material(got, pairLayout(ttlv.TagPublicKey)))
	pkcs8 := ttlv.Enumeration(ttlv.TagKeyFormatType, ttlv.KeyFormatTypePKCS8)
	parsed, err := x509.ParsePKCS8PrivateKey(a.material(a.ask(ttlv.OperationGet, idItem(secretID), pkcs8), pairLayout(ttlv.TagPrivateKey)))
	require.NoError(t, err)
	require.True(t, parsed.(*rsa.PrivateKey).PublicKey.Equal(open))
	a.material(a.ask(ttlv.OperationGet, idItem(secretID)), pairLayout(ttlv.TagPrivateKey))

	a.denied(ttlv.ResultReasonItemNotFound, ttlv.OperationGet, idItem("4711"))
	a.denied(ttlv.ResultReasonKeyFormatTypeNotSupported, ttlv.OperationGet, idItem(openID), ttlv.Enumeration(ttlv.TagKeyFormatType, ttlv.KeyFormatTypeECPrivateKey))
	a.denied(ttlv.ResultReasonInvalidField, ttlv.OperationCreateKeyPair, rsaOf(1024)...) // which its role does not allow
	for _, id := range []string{secretID, openID} {
		a.located(a.ask(ttlv.OperationDestroy, idItem(id)), id)
		a.denied(ttlv.ResultReasonItemNotFound, ttlv.OperationGet, idItem(id))
	}
}

// rsaPublicOf reads a public key in the format that the server has chosen.
func rsaPublicOf(t *testing.T, format uint32, material []byte) *rsa.PublicKey {
	if format == ttlv.KeyFormatTypePKCS1 {
		key, err := x509.ParsePKCS1PublicKey(material)
		require.NoError(t, err)
		return key
	}
	require.Equal(t, ttlv.KeyFormatTypeX509, format)
	key, err := x509.ParsePKIXPublicKey(material)
	require.NoError(t, err)
	return key.(*rsa.PublicKey)
}

const vastKey = "VAST_EKM_KEY_2_9a1f7f7c-0d6e-4f3e-9a55-0d8a5a2d8a11_0"

// newVAST is a VAST cluster, with a key that is created and then named, grouped and given the policy that it has anyway, as that is how PyKMIP's users do it.
func newVAST(t *testing.T) (a *appliance, id string) {
	a = newAppliance(t, ttlv.V14, ttlv.OperationCreate, ttlv.OperationAddAttribute, ttlv.OperationActivate, ttlv.OperationLocate, ttlv.OperationGet,
		ttlv.OperationGetAttributes, ttlv.OperationReKey, ttlv.OperationRevoke, ttlv.OperationDestroy)
	a.ask(ttlv.OperationDiscoverVersions, versionItem(ttlv.V14))
	made := a.ask(ttlv.OperationCreate, typed(managedkey.SymmetricKey), templateOf(keyAttributes(256)...))
	a.laidOut("ObjectType UniqueIdentifier", made)
	id = a.id(made)
	for _, add := range []ttlv.Item{nameAttribute(vastKey), textAttribute("Object Group", "9a1f7f7c"), textAttribute("Operation Policy Name", "default")} {
		a.have(a.ask(ttlv.OperationAddAttribute, idItem(id), add), id, add)
	}
	a.located(a.ask(ttlv.OperationActivate, idItem(id)), id)
	return a, id
}

// TestApplianceVAST rotates a key: its successor has another identifier and other material, the name, and is active as it was.
func TestApplianceVAST(t *testing.T) {
	a, id := newVAST(t)
	locate := func() *ttlv.Item { return a.ask(ttlv.OperationLocate, nameAttribute(vastKey)) }
	polled := func(id string) {
		t.Helper()
		p := a.ask(ttlv.OperationGetAttributes, idItem(id), attributeName("State"), attributeName("Activation Date"))
		a.laidOut("UniqueIdentifier "+attributeLayout+" "+attributeLayout, p)
		active := attributeOf("State", ttlv.Enumeration(0, ttlv.StateActive))
		require.True(t, p.Items()[1].Equal(&active))
	}
	a.located(locate(), id)
	before := a.material(a.ask(ttlv.OperationGet, idItem(id)), symmetricLayout)
	polled(id)

	made := a.ask(ttlv.OperationReKey, idItem(id))
	a.laidOut("UniqueIdentifier", made)
	next := a.id(made)
	require.NotEqual(t, id, next)
	a.located(locate(), next)
	after := a.material(a.ask(ttlv.OperationGet, idItem(next)), symmetricLayout)
	require.Len(t, after, 32)
	require.NotEqual(t, before, after)
	polled(next)
	polled(id) // the old one still opens what it closed
	a.have(a.ask(ttlv.OperationGetAttributes, idItem(next), attributeName("Object Group")), next, textAttribute("Object Group", "9a1f7f7c"))

	a.denied(ttlv.ResultReasonPermissionDenied, ttlv.OperationReKey, idItem(id)) // it was replaced
	for _, id := range []string{id, next} {
		a.denied(ttlv.ResultReasonPermissionDenied, ttlv.OperationDestroy, idItem(id)) // it is active
		a.located(a.ask(ttlv.OperationRevoke, idItem(id), revocationItem(ttlv.RevocationReasonCodeCessationOfOperation)), id)
		a.located(a.ask(ttlv.OperationDestroy, idItem(id)), id)
	}
	a.located(locate())
}

// TestApplianceVASTPolicy is a policy that a key had from the beginning and is given once more, and one that it has not.
func TestApplianceVASTPolicy(t *testing.T) {
	a, id := newVAST(t)
	policy := textAttribute("Operation Policy Name", "default")
	made := a.ask(ttlv.OperationCreate, typed(managedkey.SymmetricKey), templateOf(append(keyAttributes(256), policy)...))
	own := a.id(made)
	a.have(a.ask(ttlv.OperationAddAttribute, idItem(own), policy), own, policy)
	a.have(a.ask(ttlv.OperationGetAttributes, idItem(own), attributeName("Operation Policy Name")), own, policy)
	next := a.id(a.ask(ttlv.OperationReKey, idItem(own)))
	a.have(a.ask(ttlv.OperationGetAttributes, idItem(next), attributeName("Operation Policy Name")), next, policy)

	other := textAttribute("Operation Policy Name", "public")
	a.denied(ttlv.ResultReasonPermissionDenied, ttlv.OperationAddAttribute, idItem(own), other)
	a.denied(ttlv.ResultReasonPermissionDenied, ttlv.OperationAddAttribute, idItem(id), other)
	a.denied(ttlv.ResultReasonItemNotFound, ttlv.OperationAddAttribute, idItem("4711"), policy)
	a.neighbour().denied(ttlv.ResultReasonItemNotFound, ttlv.OperationAddAttribute, idItem(own), policy)
	a.denied(ttlv.ResultReasonInvalidField, ttlv.OperationAddAttribute, idItem(own), nameAttribute(vastKey)) // the name is taken
	a.ask(ttlv.OperationDestroy, idItem(own))
	a.denied(ttlv.ResultReasonItemNotFound, ttlv.OperationAddAttribute, idItem(own), policy)
}

// TestApplianceVASTWrapped gets a key that another wraps, and says no word of how: its library unwraps as of RFC 3394.
func TestApplianceVASTWrapped(t *testing.T) {
	a := newAppliance(t, ttlv.V14, ttlv.OperationCreate, ttlv.OperationActivate, ttlv.OperationGet)
	created := func(mask managedkey.UsageMask) string {
		attributes := append(keyAttributes(256)[:2], maskAttribute(mask))
		id := a.id(a.ask(ttlv.OperationCreate, typed(managedkey.SymmetricKey), templateOf(attributes...)))
		a.located(a.ask(ttlv.OperationActivate, idItem(id)), id)
		return id
	}
	kek, dek := created(managedkey.UseWrap|managedkey.UseUnwrap), created(managedkey.UseEncrypt|managedkey.UseDecrypt)
	wrappedBy := func(id string) ttlv.Item {
		return ttlv.Structure(ttlv.TagKeyWrappingSpecification, ttlv.Enumeration(ttlv.TagWrappingMethod, ttlv.WrappingMethodEncrypt),
			ttlv.Structure(ttlv.TagEncryptionKeyInformation, idItem(id)), noEncoding)
	}
	got := a.ask(ttlv.OperationGet, idItem(dek), wrappedBy(kek))
	block := got.Items()[2].Find(ttlv.TagKeyBlock)
	require.Equal(t, "KeyBlock(KeyFormatType KeyValue CryptographicAlgorithm CryptographicLength KeyWrappingData(WrappingMethod EncryptionKeyInformation("+
		"UniqueIdentifier CryptographicParameters(BlockCipherMode)) EncodingOption))", layout(*block))
	wrapped, err := block.Find(ttlv.TagKeyValue).ByteString()
	require.NoError(t, err)
	require.Len(t, wrapped, 40)
	key, err := suite.Parse(suite.Block{Class: suite.SymmetricKey, Format: suite.Raw, Algorithm: suite.AES, Length: 256,
		Material: a.material(a.ask(ttlv.OperationGet, idItem(kek)), symmetricLayout)})
	require.NoError(t, err)
	plain, err := suite.Unwrap(key, suite.Encrypted, suite.Params{Mode: suite.NISTKeyWrap}, wrapped)
	require.NoError(t, err)
	require.Equal(t, a.material(a.ask(ttlv.OperationGet, idItem(dek)), symmetricLayout), plain)

	a.denied(ttlv.ResultReasonItemNotFound, ttlv.OperationGet, idItem(dek), wrappedBy("4711"))
	a.denied(ttlv.ResultReasonPermissionDenied, ttlv.OperationGet, idItem(kek), wrappedBy(dek)) // which is not for wrapping
}
