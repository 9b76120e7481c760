package kmip

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// TestApplianceMySQL is the life of a master key: the server draws it, and the database gives it back in the end.
func TestApplianceMySQL(t *testing.T) {
	a := newAppliance(t, ttlv.V11, ttlv.OperationCreate, ttlv.OperationActivate, ttlv.OperationGet, ttlv.OperationGetAttributes, ttlv.OperationRevoke,
		ttlv.OperationDestroy)
	a.header = libkmip()
	made := a.ask(ttlv.OperationCreate, typed(managedkey.SymmetricKey), templateOf(append(keyAttributes(256), nameAttribute("INNODBKey-1"))...))
	a.laidOut("ObjectType UniqueIdentifier", made)
	id := a.id(made)
	a.located(a.ask(ttlv.OperationActivate, idItem(id)), id)
	require.Len(t, a.material(a.ask(ttlv.OperationGet, idItem(id)), symmetricLayout), 32)
	a.denied(ttlv.ResultReasonPermissionDenied, ttlv.OperationDestroy, idItem(id)) // it is active
	a.neighbour().denied(ttlv.ResultReasonItemNotFound, ttlv.OperationGet, idItem(id))

	// libkmip sends an occurrence of 0 with every revocation, and a message.
	why := revocationItem(ttlv.RevocationReasonCodeCessationOfOperation)
	why.Add(ttlv.TextString(ttlv.TagRevocationMessage, "Deleting the key"))
	a.located(a.ask(ttlv.OperationRevoke, idItem(id), why, ttlv.DateTime(ttlv.TagCompromiseOccurrenceDate, 0)), id)
	a.state(id, ttlv.StateDeactivated)
	a.located(a.ask(ttlv.OperationDestroy, idItem(id)), id)
	a.state(id, ttlv.StateDestroyed)
	a.denied(ttlv.ResultReasonItemNotFound, ttlv.OperationGet, idItem(id))
	a.denied(ttlv.ResultReasonPermissionDenied, ttlv.OperationLocate) // which its role has not
}

// TestAppliancePerconaMongoDB registers a key that the database drew, and polls its state. Its library reads a response of Get Attributes with one attribute, and takes
// "item not found" alone to mean that there is no key.
func TestAppliancePerconaMongoDB(t *testing.T) {
	a := newAppliance(t, ttlv.V10, ttlv.OperationRegister, ttlv.OperationActivate, ttlv.OperationGetAttributes, ttlv.OperationGet)
	a.header = libkmip()
	template := templateOf(append(keyAttributes(256), nameAttribute("/tenant/mongod"), textAttribute("Object Group", "percona"))...)
	key := aesItem(t, knownAES+knownAES)
	made := a.ask(ttlv.OperationRegister, typed(managedkey.SymmetricKey), template, key)
	a.laidOut("UniqueIdentifier", made)
	id := a.id(made)
	a.state(id, ttlv.StatePreActive)
	a.located(a.ask(ttlv.OperationActivate, idItem(id)), id)
	a.state(id, ttlv.StateActive)
	require.Equal(t, unhex(t, knownAES+knownAES), a.material(a.ask(ttlv.OperationGet, idItem(id)), symmetricLayout))

	// All attributes: none that 1.0 has not, such as Fresh, which send checks.
	all := a.ask(ttlv.OperationGetAttributes, idItem(id))
	require.NotContains(t, layout(*all), "AttributeIndex")

	a.denied(ttlv.ResultReasonItemNotFound, ttlv.OperationGet, idItem("4711"))
	a.denied(ttlv.ResultReasonPermissionDenied, ttlv.OperationActivate, idItem(id))                                // it is active
	a.denied(ttlv.ResultReasonInvalidField, ttlv.OperationRegister, typed(managedkey.SymmetricKey), template, key) // the name is taken
	short := templateOf(attributeOf("Cryptographic Length", ttlv.Integer(0, 128)))
	a.denied(ttlv.ResultReasonInvalidField, ttlv.OperationRegister, typed(managedkey.SymmetricKey), short, key) // the key is as long as it is
}

// TestApplianceMongoDBFieldEncryption registers the 96 bytes that client-side field level encryption keeps its data keys under, with an empty template. The message has one
// item, which has an id all the same.
func TestApplianceMongoDBFieldEncryption(t *testing.T) {
	a := newAppliance(t, ttlv.V14, ttlv.OperationRegister, ttlv.OperationActivate, ttlv.OperationGet)
	material := bytes.Repeat([]byte{0x5a, 0, 0xff}, 32)
	seed := secretItem(ttlv.SecretDataTypeSeed, ttlv.KeyFormatTypeRaw, material)
	made := a.send(itemAsked(ttlv.OperationRegister, "A", typed(managedkey.SecretData), templateOf(), seed)).payload(0)
	a.laidOut("UniqueIdentifier", made)
	id := a.id(made)
	a.located(a.ask(ttlv.OperationActivate, idItem(id)), id)
	got := a.ask(ttlv.OperationGet, idItem(id))
	require.Equal(t, material, a.material(got, secretLayout))
	require.Equal(t, ttlv.SecretDataTypeSeed, a.number(&got.Items()[2], ttlv.TagSecretDataType))
	require.Equal(t, ttlv.KeyFormatTypeRaw, a.number(got.Items()[2].Find(ttlv.TagKeyBlock), ttlv.TagKeyFormatType))

	a.denied(ttlv.ResultReasonItemNotFound, ttlv.OperationGet, idItem("4711"))
	a.neighbour().denied(ttlv.ResultReasonItemNotFound, ttlv.OperationGet, idItem(id))
	a.denied(ttlv.ResultReasonPermissionDenied, ttlv.OperationActivate, idItem(id)) // it is active
	a.denied(ttlv.ResultReasonInvalidMessage, ttlv.OperationRegister, typed(managedkey.SecretData), templateOf())
}

// TestAppliancePgTDE registers in 1.4 what it locates and gets in 1.0. It has a key only if exactly one has the name.
func TestAppliancePgTDE(t *testing.T) {
	a := newAppliance(t, ttlv.V14, ttlv.OperationRegister, ttlv.OperationLocate, ttlv.OperationGet)
	a.header = libkmip()
	old := a.in(ttlv.V10)
	locate := func(name string) *ttlv.Item {
		return old.ask(ttlv.OperationLocate, ttlv.Integer(ttlv.TagMaximumItems, 16), typeAttribute(managedkey.SymmetricKey), nameAttribute(name))
	}
	register := []ttlv.Item{typed(managedkey.SymmetricKey), templateOf(append(keyAttributes(128), nameAttribute("principal-key_1"))...), aesItem(t, knownAES)}
	old.located(locate("principal-key_1"))
	made := a.ask(ttlv.OperationRegister, register...)
	a.laidOut("UniqueIdentifier", made)
	id := a.id(made)
	second := append(keyAttributes(128), nameAttribute("principal-key_10"))
	a.ask(ttlv.OperationRegister, typed(managedkey.SymmetricKey), templateOf(second...), aesItem(t, knownAES))

	old.located(locate("principal-key_1"), id)
	old.denied(ttlv.ResultReasonItemNotFound, ttlv.OperationGet) // what a message has located no other one has
	require.Equal(t, unhex(t, knownAES), old.material(old.ask(ttlv.OperationGet, idItem(id)), symmetricLayout))

	old.located(locate("principal-key_"))
	old.neighbour().denied(ttlv.ResultReasonItemNotFound, ttlv.OperationGet, idItem(id))
	a.denied(ttlv.ResultReasonInvalidField, ttlv.OperationRegister, register...) // the name is taken
	old.located(locate("principal-key_1"), id)
}

// TestAppliancePerconaServer lists all keys of a group, 16 at a time in 1.0, and stops when a page is empty: a server that did not know the offset there would be asked
// for ever. Secrets are registered in 1.4, and are read in 1.0 if they are opaque.
func TestAppliancePerconaServer(t *testing.T) {
	a := newAppliance(t, ttlv.V14, ttlv.OperationRegister, ttlv.OperationLocate, ttlv.OperationGet, ttlv.OperationGetAttributes)
	a.header = libkmip()
	old, group := a.in(ttlv.V10), textAttribute("Object Group", "mysqld")
	want := map[string]bool{}
	for i := range 20 {
		name := nameAttribute("key " + string(rune('a'+i)))
		want[a.id(a.ask(ttlv.OperationRegister, typed(managedkey.SymmetricKey), templateOf(append(keyAttributes(128), name, group)...), aesItem(t, knownAES)))] = true
	}
	listed := map[string]bool{}
	for pages := 0; ; pages++ {
		require.LessOrEqual(t, pages, 2)
		items := []ttlv.Item{ttlv.Integer(ttlv.TagMaximumItems, 16)}
		if len(listed) > 0 { // libkmip leaves an offset of 0 out
			items = append(items, ttlv.Integer(ttlv.TagOffsetItems, int32(len(listed))))
		}
		page := old.ask(ttlv.OperationLocate, append(items, typeAttribute(managedkey.SymmetricKey), group)...)
		if len(page.Items()) == 0 {
			break
		}
		for i := range page.Items() {
			id, err := page.Items()[i].TextString()
			require.NoError(t, err)
			listed[id] = true
		}
	}
	require.Equal(t, want, listed)
	first := a.ask(ttlv.OperationLocate, ttlv.Integer(ttlv.TagMaximumItems, 1), typeAttribute(managedkey.SymmetricKey), group)
	a.laidOut("LocatedItems UniqueIdentifier", first) // since 1.3 the count stands in front
	name := old.ask(ttlv.OperationGetAttributes, first.Items()[1], attributeName("Name"))
	old.laidOut("UniqueIdentifier "+nameLayout, name)

	const export = managedkey.UsageMask(1 << 6)
	template := templateOf(maskAttribute(managedkey.UseEncrypt|managedkey.UseDecrypt|export), nameAttribute("secret"), group)
	made := a.ask(ttlv.OperationRegister, typed(managedkey.SecretData), template,
		secretItem(ttlv.SecretDataTypePassword, ttlv.KeyFormatTypeOpaque, []byte("a secret")))
	secret := a.id(made)
	old.located(old.ask(ttlv.OperationLocate, ttlv.Integer(ttlv.TagMaximumItems, 16), typeAttribute(managedkey.SecretData), group), secret)
	got := old.ask(ttlv.OperationGet, idItem(secret))
	require.Equal(t, []byte("a secret"), old.material(got, secretLayout))
	require.Equal(t, ttlv.KeyFormatTypeOpaque, old.number(got.Items()[2].Find(ttlv.TagKeyBlock), ttlv.TagKeyFormatType))
	old.denied(ttlv.ResultReasonItemNotFound, ttlv.OperationGet, idItem("4711"))
}
