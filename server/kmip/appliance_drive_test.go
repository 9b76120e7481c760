package kmip

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// TestApplianceDrive is a storage array with self-encrypting drives, as the profile has it (KMIP Profiles 1.4 section 5.10): the PIN of a drive is secret data, which is
// found by the application that it is for.
func TestApplianceDrive(t *testing.T) {
	a := newAppliance(t, ttlv.V12, ttlv.OperationLocate, ttlv.OperationDestroy, ttlv.OperationGet, ttlv.OperationRegister, ttlv.OperationGetAttributes,
		ttlv.OperationGetAttributeList, ttlv.OperationAddAttribute)
	a.ask(ttlv.OperationQuery, queryFunctions(ttlv.QueryFunctionQueryOperations, ttlv.QueryFunctionQueryObjects, ttlv.QueryFunctionQueryServerInformation)...)
	pin, drive := bytes.Repeat([]byte{0x2a}, 32), applicationAttribute("StorageArray", "drive 0001")
	find := func(by ttlv.Item) *ttlv.Item {
		return a.ask(ttlv.OperationLocate, by, typeAttribute(managedkey.SecretData))
	}
	a.located(find(nameAttribute("drive-0001")))
	custom := []ttlv.Item{textAttribute("x-CustomAttribute1", "CustomValue1"), textAttribute("x-CustomAttribute2", "CustomValue2")}
	register := []ttlv.Item{typed(managedkey.SecretData), templateOf(textAttribute("Object Group", "array-1"), custom[0], custom[1], drive, nameAttribute("drive-0001")),
		secretItem(ttlv.SecretDataTypePassword, ttlv.KeyFormatTypeOpaque, pin)}
	made := a.ask(ttlv.OperationRegister, register...)
	a.laidOut("UniqueIdentifier", made)
	id := a.id(made)
	for _, by := range []ttlv.Item{nameAttribute("drive-0001"), drive, textAttribute("Object Group", "array-1"), custom[1]} {
		a.located(find(by), id)
	}
	a.located(find(applicationAttribute("StorageArray", "drive 0002")))
	a.located(a.ask(ttlv.OperationLocate, drive, typeAttribute(managedkey.SymmetricKey)))
	for _, c := range custom {
		name, err := c.Items()[0].TextString()
		require.NoError(t, err)
		a.have(a.ask(ttlv.OperationGetAttributes, idItem(id), attributeName(name)), id, c)
	}
	a.ask(ttlv.OperationGetAttributeList, idItem(id))
	require.Equal(t, pin, a.material(a.ask(ttlv.OperationGet, idItem(id)), secretLayout))

	a.denied(ttlv.ResultReasonInvalidField, ttlv.OperationRegister, register...) // the name is taken
	a.neighbour().denied(ttlv.ResultReasonItemNotFound, ttlv.OperationDestroy, idItem(id))
	a.neighbour().located(a.neighbour().ask(ttlv.OperationLocate, drive))
	a.located(a.ask(ttlv.OperationDestroy, idItem(id)), id)
	a.denied(ttlv.ResultReasonItemNotFound, ttlv.OperationGet, idItem(id))
	a.located(find(drive))
	require.NotEqual(t, id, a.id(a.ask(ttlv.OperationRegister, register...))) // the drive is used again
}

// tape is a library, which works in batches that leave the object unnamed (KMIP Profiles 1.4 section 5.11).
type tape struct{ *appliance }

func newTape(t *testing.T, v ttlv.Version) tape {
	a := newAppliance(t, v, ttlv.OperationLocate, ttlv.OperationDestroy, ttlv.OperationGet, ttlv.OperationCreate, ttlv.OperationGetAttributes,
		ttlv.OperationGetAttributeList, ttlv.OperationAddAttribute, ttlv.OperationModifyAttribute, ttlv.OperationDeleteAttribute, ttlv.OperationActivate,
		ttlv.OperationRevoke, ttlv.OperationCheck)
	a.header = []ttlv.Item{ttlv.Boolean(ttlv.TagBatchOrderOption, true)}
	return tape{a}
}

func cartridge(data string) ttlv.Item { return applicationAttribute("LIBRARY-LTO", data) }

// attributes are those of the key of a cartridge.
func (l tape) attributes(data, name string) []ttlv.Item {
	out := append([]ttlv.Item{textAttribute("x-ID", "TL"), nameAttribute(name)}, keyAttributes(256)...)
	return append(out, cartridge(data), textAttribute("x-Barcode", "XXA012A1"), attributeOf("x-VendorAttribute2", ttlv.Integer(0, 0)),
		attributeOf("x-VendorAttribute3", ttlv.DateTime(0, 1_700_000_000)))
}

// made creates a key and gets it in the same batch.
func (l tape) made(data, name string) (id string, material []byte) {
	l.t.Helper()
	out := l.send(itemAsked(ttlv.OperationCreate, "\x01", typed(managedkey.SymmetricKey), templateOf(l.attributes(data, name)...)),
		itemAsked(ttlv.OperationGet, "\x02"))
	l.laidOut("ObjectType UniqueIdentifier", out.payload(0))
	id = l.id(out.payload(0))
	require.Equal(l.t, id, l.id(out.payload(1)))
	return id, l.material(out.payload(1), symmetricLayout)
}

// found looks a cartridge's key up, and carries out what comes behind it in the batch.
func (l tape) found(data string, then ...ttlv.Item) *batchAnswer {
	l.t.Helper()
	return l.send(append([]ttlv.Item{itemAsked(ttlv.OperationLocate, "\x01", typeAttribute(managedkey.SymmetricKey), cartridge(data))}, then...)...)
}

// TestApplianceTape is a cartridge's life, in the versions that libraries speak.
func TestApplianceTape(t *testing.T) {
	for _, v := range []ttlv.Version{ttlv.V10, ttlv.V12, ttlv.V14} {
		t.Run(v.String(), func(t *testing.T) { newTape(t, v).life() })
	}
}

func (l tape) life() {
	id, material := l.made("0001", "AAAAAAA1A1AA12345678901234567")
	require.Len(l.t, material, 32)
	got := l.found("0001", itemAsked(ttlv.OperationGet, "\x02"))
	l.located(got.payload(0), id)
	require.Equal(l.t, material, l.material(got.payload(1), symmetricLayout))
	l.found("0001", itemAsked(ttlv.OperationGetAttributeList, "\x02")).payload(1)
	l.found("0001", itemAsked(ttlv.OperationGetAttributes, "\x02")).payload(1)

	used := attributeOf("x-VendorAttribute2", ttlv.Integer(0, 1))
	at := attributeOf("x-VendorAttribute3", ttlv.DateTime(0, 1_700_000_001))
	changed := l.found("0001", itemAsked(ttlv.OperationModifyAttribute, "\x02", at), itemAsked(ttlv.OperationModifyAttribute, "\x03", used))
	l.have(changed.payload(1), id, at)
	l.have(changed.payload(2), id, used)

	l.located(l.found("0001", itemAsked(ttlv.OperationActivate, "\x02")).payload(1), id)
	refused := l.found("0001", itemAsked(ttlv.OperationDestroy, "\x02")) // it is active
	refused.failed(1, ttlv.ResultReasonPermissionDenied)
	ended := l.found("0001", itemAsked(ttlv.OperationRevoke, "\x02", revocationItem(ttlv.RevocationReasonCodeUnspecified)), itemAsked(ttlv.OperationDestroy, "\x03"))
	l.located(ended.payload(1), id)
	l.located(ended.payload(2), id)
	l.located(l.found("0001").payload(0))
}

// TestApplianceTapeRefused is a batch whose first search leaves no object, or no single one: nothing is given that was not asked for.
func TestApplianceTapeRefused(t *testing.T) {
	l := newTape(t, ttlv.V14)
	first, _ := l.made("0001", "one")
	none := l.found("0002", itemAsked(ttlv.OperationGet, "\x02"))
	l.located(none.payload(0))
	none.failed(1, ttlv.ResultReasonItemNotFound)

	other := l.found("0001", itemAsked(ttlv.OperationLocate, "\x02", cartridge("0002")), itemAsked(ttlv.OperationDestroy, "\x03"))
	l.located(other.payload(0), first)
	other.failed(2, ttlv.ResultReasonItemNotFound) // the object of the first search is not that of the second

	second, _ := l.made("0001", "two")
	both := l.found("0001", itemAsked(ttlv.OperationDestroy, "\x02"))
	l.located(both.payload(0), second, first)
	both.failed(1, ttlv.ResultReasonItemNotFound)
	twice := l.send(itemAsked(ttlv.OperationCreate, "\x01", typed(managedkey.SymmetricKey), templateOf(l.attributes("0003", "one")...)), itemAsked(ttlv.OperationGet, "\x02"))
	require.Len(t, twice.items, 1)
	twice.failed(0, ttlv.ResultReasonInvalidField) // the name is taken, and nothing is got

	// What 1.2 has brought a library of 1.0 cannot set.
	alternative := attributeOf("Alternative Name", ttlv.Structure(0, ttlv.TextString(ttlv.TagAlternativeNameValue, "XXA012A1"),
		ttlv.Enumeration(ttlv.TagAlternativeNameType, ttlv.AlternativeNameTypeUninterpretedTextString)))
	l.have(l.ask(ttlv.OperationAddAttribute, idItem(first), alternative), first, alternative)
	l.in(ttlv.V10).denied(ttlv.ResultReasonInvalidField, ttlv.OperationAddAttribute, idItem(first), alternative)
	l.in(ttlv.V10).ask(ttlv.OperationGetAttributes, idItem(first)) // and is not shown, which send checks
}

// TestApplianceDriveArray is an array of drives that asks for all at once, in 1.0: what the server can do, where the key of this array is, the key itself as opaque bytes,
// and some of what is known of it. When nothing is located nothing is got, and what comes behind is not carried out.
func TestApplianceDriveArray(t *testing.T) {
	a := newAppliance(t, ttlv.V10, ttlv.OperationRegister, ttlv.OperationLocate, ttlv.OperationGet, ttlv.OperationGetAttributes)
	resource, system := textAttribute("x-ResourceID", "san01 351538/351539"), textAttribute("x-SystemID", "351538")
	batch := []ttlv.Item{itemAsked(ttlv.OperationQuery, "1", queryFunctions(ttlv.QueryFunctionQueryOperations, ttlv.QueryFunctionQueryObjects,
		ttlv.QueryFunctionQueryServerInformation, ttlv.QueryFunctionQueryApplicationNamespaces)...),
		itemAsked(ttlv.OperationLocate, "2", resource, system),
		itemAsked(ttlv.OperationGet, "3", ttlv.Enumeration(ttlv.TagKeyFormatType, ttlv.KeyFormatTypeOpaque)),
		itemAsked(ttlv.OperationGetAttributes, "4", attributeName("Unique Identifier"), attributeName("Object Type"), attributeName("State"),
			attributeName("x-SystemID"))}
	none := a.send(batch...)
	require.Len(t, none.items, 3)
	a.located(none.payload(1))
	none.failed(2, ttlv.ResultReasonItemNotFound)

	id := a.id(a.ask(ttlv.OperationRegister, typed(managedkey.SecretData), templateOf(resource, system),
		secretItem(ttlv.SecretDataTypePassword, ttlv.KeyFormatTypeRaw, []byte("drive key"))))
	got := a.send(batch...)
	a.located(got.payload(1), id)
	require.Equal(t, []byte("drive key"), a.material(got.payload(2), secretLayout))
	require.Equal(t, ttlv.KeyFormatTypeOpaque, a.number(got.payload(2).Items()[2].Find(ttlv.TagKeyBlock), ttlv.TagKeyFormatType))
	a.have(got.payload(3), id, textAttribute("Unique Identifier", id), typeAttribute(managedkey.SecretData),
		attributeOf("State", ttlv.Enumeration(0, ttlv.StatePreActive)), system)
}
