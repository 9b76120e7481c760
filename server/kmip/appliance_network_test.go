package kmip

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// The batch item ids of vCenter's library.
const (
	vCenter1 = "QLKC\x01\x00\x00\x00"
	vCenter2 = "QLKC\x02\x00\x00\x00"
	vCenter3 = "QLKC\x03\x00\x00\x00"
)

func newVCenter(t *testing.T) *appliance {
	return newAppliance(t, ttlv.V11, ttlv.OperationCreate, ttlv.OperationGet, ttlv.OperationGetAttributes, ttlv.OperationAddAttribute)
}

// vCenterKey creates one as vCenter does.
func vCenterKey(a *appliance) string {
	made := a.send(itemAsked(ttlv.OperationCreate, vCenter1, typed(managedkey.SymmetricKey), templateOf(
		attributeOf("Cryptographic Algorithm", ttlv.Enumeration(0, ttlv.CryptographicAlgorithmAES)),
		maskAttribute(managedkey.UseEncrypt|managedkey.UseDecrypt),
		attributeOf("Cryptographic Length", ttlv.Integer(0, 256))))).payload(0)
	a.laidOut("ObjectType UniqueIdentifier", made)
	return a.id(made)
}

// TestApplianceVCenter asks what the server speaks, creates a key, marks it as its own in one batch and gets it.
func TestApplianceVCenter(t *testing.T) {
	a := newVCenter(t)
	newest, own := versionItem(versions[0]), versionItem(ttlv.V11)
	spoken := a.ask(ttlv.OperationDiscoverVersions)
	require.Len(t, spoken.Items(), len(versions))
	require.True(t, spoken.Items()[0].Equal(&newest))
	offered := a.ask(ttlv.OperationDiscoverVersions, own)
	require.Len(t, offered.Items(), 1)
	require.True(t, offered.Items()[0].Equal(&own))
	query := a.send(itemAsked(ttlv.OperationQuery, vCenter1, queryFunctions(ttlv.QueryFunctionQueryServerInformation)...)).payload(0)
	a.laidOut("VendorIdentification ServerInformation()", query)
	every := *a
	every.caller.Operations = nil
	every.ask(ttlv.OperationQuery, queryFunctions(ttlv.QueryFunctionQueryOperations, ttlv.QueryFunctionQueryObjects)...) // those of 1.1 alone, which send checks

	id := vCenterKey(a)
	asked := func(names ...string) *ttlv.Item {
		items := []ttlv.Item{idItem(id)}
		for _, n := range names {
			items = append(items, attributeName(n))
		}
		return a.send(itemAsked(ttlv.OperationGetAttributes, vCenter1, items...)).payload(0)
	}
	a.have(asked("x-Product_Version"), id) // it has none, which is no failure
	version, vendor := textAttribute("x-Product_Version", "8.0.1 build-21560480"), textAttribute("x-Vendor", "VMware, Inc.")
	product := textAttribute("x-Product", "VMware vSphere")
	added := a.send(itemAsked(ttlv.OperationAddAttribute, vCenter1, idItem(id), version), itemAsked(ttlv.OperationAddAttribute, vCenter2, idItem(id), vendor),
		itemAsked(ttlv.OperationAddAttribute, vCenter3, idItem(id), product))
	for i, want := range []ttlv.Item{version, vendor, product} {
		a.have(added.payload(i), id, want)
	}
	a.have(asked("x-Product_Version", "x-Vendor", "State"), id, attributeOf("State", ttlv.Enumeration(0, ttlv.StatePreActive)), version, vendor)
	a.ask(ttlv.OperationGetAttributes, idItem(id)) // none that 1.1 has not, which send checks

	got := a.send(itemAsked(ttlv.OperationGet, vCenter1, idItem(id))).payload(0)
	require.Len(t, a.material(got, symmetricLayout), 32)
	a.have(a.ask(ttlv.OperationGetAttributes, idItem(id), attributeName("Fresh")), id, attributeOf("Fresh", ttlv.Boolean(0, false)))
}

// TestApplianceVCenterRefused is what vCenter is told of keys that are not there or not its own, and of a batch that fails on its way.
func TestApplianceVCenterRefused(t *testing.T) {
	a := newVCenter(t)
	id := vCenterKey(a)
	a.denied(ttlv.ResultReasonItemNotFound, ttlv.OperationGet, idItem("4711"))
	a.neighbour().denied(ttlv.ResultReasonItemNotFound, ttlv.OperationGet, idItem(id))
	a.denied(ttlv.ResultReasonPermissionDenied, ttlv.OperationDestroy, idItem(id))
	a.denied(ttlv.ResultReasonItemNotFound, ttlv.OperationGetAttributes, idItem("4711"), attributeName("State"))

	vendor := textAttribute("x-Vendor", "VMware, Inc.")
	stopped := a.send(itemAsked(ttlv.OperationAddAttribute, vCenter1, idItem(id), vendor), itemAsked(ttlv.OperationAddAttribute, vCenter2, idItem("4711"), vendor),
		itemAsked(ttlv.OperationAddAttribute, vCenter3, idItem(id), textAttribute("x-Product", "VMware vSphere")))
	require.Len(t, stopped.items, 2)
	a.have(stopped.payload(0), id, vendor)
	stopped.failed(1, ttlv.ResultReasonItemNotFound)
	a.have(a.ask(ttlv.OperationGetAttributes, idItem(id), attributeName("x-Vendor"), attributeName("x-Product")), id, vendor)
}

// fortiGate is a firewall which has its user name and its password in every header.
func fortiGate(t *testing.T) *appliance {
	a := newAppliance(t, ttlv.V10, ttlv.OperationRegister, ttlv.OperationActivate, ttlv.OperationLocate, ttlv.OperationGet)
	a.header = []ttlv.Item{ttlv.Integer(ttlv.TagMaximumResponseSize, 65536),
		ttlv.Structure(ttlv.TagAuthentication, ttlv.Structure(ttlv.TagCredential, ttlv.Enumeration(ttlv.TagCredentialType, ttlv.CredentialTypeUsernameAndPassword),
			ttlv.Structure(ttlv.TagCredentialValue, ttlv.TextString(ttlv.TagUsername, "fg-client"), ttlv.TextString(ttlv.TagPassword, "correct horse")))),
		ttlv.Enumeration(ttlv.TagBatchErrorContinuationOption, ttlv.BatchErrorContinuationOptionContinue), ttlv.Boolean(ttlv.TagBatchOrderOption, true)}
	return a
}

// The keys of a tunnel: names that have all but their ends in common.
var tunnel = []string{"fw1-fw2-ENC-AES-16", "fw2-fw1-ENC-AES-16", "fw1-fw2-AUTH-SHA1-20", "fw2-fw1-AUTH-SHA1-20"}

// locating is a Locate of one name, in a Template-Attribute.
func locating(id, name string) ttlv.Item {
	return itemAsked(ttlv.OperationLocate, id, ttlv.Integer(ttlv.TagMaximumItems, 1), templateOf(nameAttribute(name)))
}

// fortiKeys registers the keys of the tunnel, and returns their identifiers.
func fortiKeys(a *appliance) (ids []string) {
	for i, name := range tunnel {
		object, attributes := typed(managedkey.SymmetricKey), append(keyAttributes(128), nameAttribute(name))
		key := aesItem(a.t, knownAES)
		if i >= 2 {
			object, attributes = typed(managedkey.SecretData), []ttlv.Item{maskAttribute(managedkey.UseVerify), nameAttribute(name)}
			key = secretItem(ttlv.SecretDataTypeSeed, ttlv.KeyFormatTypeOpaque, []byte("twenty bytes of seed"))
		}
		id := a.id(a.ask(ttlv.OperationRegister, object, templateOf(attributes...), key))
		a.located(a.ask(ttlv.OperationActivate, idItem(id)), id)
		ids = append(ids, id)
	}
	return ids
}

// TestApplianceFortiGate finds the keys of a tunnel in one batch, each by its name, and gets them in another.
func TestApplianceFortiGate(t *testing.T) {
	a := fortiGate(t)
	ids := fortiKeys(a)
	var searches, gets []ttlv.Item
	for i, name := range tunnel {
		word := "\xb9\x00\x00\x00" + string(rune('1'+i)) + "\x00\x00\x00"
		searches, gets = append(searches, locating(word, name)), append(gets, itemAsked(ttlv.OperationGet, word, idItem(ids[i])))
	}
	found := a.send(searches...)
	for i, id := range ids {
		a.located(found.payload(i), id)
	}
	got := a.send(gets...)
	require.Equal(t, unhex(t, knownAES), a.material(got.payload(0), symmetricLayout))
	require.Equal(t, []byte("twenty bytes of seed"), a.material(got.payload(2), secretLayout))
	require.NotContains(t, string(mustMarshal(t, got.items)), "correct horse")

	// One name that nobody has is found nowhere, and one object that is not there fails alone.
	found = a.send(locating("1", "fw1-fw2-ENC-AES-1"), locating("2", tunnel[3]))
	a.located(found.payload(0))
	a.located(found.payload(1), ids[3])
	got = a.send(itemAsked(ttlv.OperationGet, "1", idItem("4711")), gets[2], itemAsked(ttlv.OperationDestroy, "3", idItem(ids[2])))
	got.failed(0, ttlv.ResultReasonItemNotFound)
	require.Equal(t, []byte("twenty bytes of seed"), a.material(got.payload(1), secretLayout))
	got.failed(2, ttlv.ResultReasonPermissionDenied)
}

func mustMarshal(t *testing.T, items []ttlv.Item) []byte {
	m := ttlv.Structure(ttlv.TagResponseMessage, items...)
	raw, err := ttlv.Marshal(&m, ttlv.Limits{})
	require.NoError(t, err)
	return raw
}

// TestApplianceFortiGateCredential is what the server takes out of the header, and that a kind of credential that it does not know is none.
func TestApplianceFortiGateCredential(t *testing.T) {
	a := fortiGate(t)
	given := func() ([]kmipclient.Credential, error) {
		a.send(locating("", tunnel[0]))
		m, err := ttlv.Parse(a.sent, ttlv.Limits{})
		require.NoError(t, err)
		r, bad := parse(m)
		require.Nil(t, bad)
		return credentials(r)
	}
	got, err := given()
	require.NoError(t, err)
	require.Equal(t, []kmipclient.Credential{kmipclient.Password{Username: "fg-client", Password: []byte("correct horse")}}, got)
	a.header[1].Find(ttlv.TagCredential).Items()[0] = ttlv.Enumeration(ttlv.TagCredentialType, 0x80000001)
	_, err = given()
	require.True(t, fault.Is(err, fault.Unauthenticated))
}
