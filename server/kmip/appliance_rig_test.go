package kmip

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// appliance is a device that speaks KMIP as its maker wrote it. What it sends and gets are bytes, and each message comes on a connection of its own.
type appliance struct {
	t       *testing.T
	desk    *desk
	tenant  fsm.UID
	caller  Caller
	version ttlv.Version
	header  []ttlv.Item // what it puts between the version and the batch count
	sent    []byte      // its last message
}

// newAppliance makes a device of a tenant of its own, which sees what it made and may do some operations.
func newAppliance(t *testing.T, v ttlv.Version, operations ...uint32) *appliance {
	d := newDesk(t)
	return &appliance{t: t, desk: d, tenant: d.tenant(), caller: Caller{ID: "device", Operations: operations}, version: v}
}

// in is the same device, whose library sends some requests in another version.
func (a *appliance) in(v ttlv.Version) *appliance {
	b := *a
	b.version = v
	return &b
}

// neighbour is another client of the tenant, of the same role.
func (a *appliance) neighbour() *appliance {
	b := *a
	b.caller.ID = "neighbour"
	return &b
}

// libkmip is the header of that library: its largest message, and the time.
func libkmip() []ttlv.Item {
	return []ttlv.Item{ttlv.Integer(ttlv.TagMaximumResponseSize, 8192), ttlv.DateTime(ttlv.TagTimeStamp, time.Now().Unix())}
}

// batchAnswer is what a device got for a batch.
type batchAnswer struct {
	*appliance
	items []ttlv.Item
}

// ask plays a batch of one item that succeeds, and returns its payload. Devices that send one at a time give it no id.
func (a *appliance) ask(op uint32, items ...ttlv.Item) *ttlv.Item {
	a.t.Helper()
	return a.send(itemAsked(op, "", items...)).payload(0)
}

// denied plays a batch of one item that fails.
func (a *appliance) denied(want Reason, op uint32, items ...ttlv.Item) {
	a.t.Helper()
	a.send(itemAsked(op, "", items...)).failed(0, want)
}

// itemAsked makes a batch item, with an id unless that is empty.
func itemAsked(op uint32, id string, items ...ttlv.Item) ttlv.Item {
	out := ttlv.Structure(ttlv.TagBatchItem, ttlv.Enumeration(ttlv.TagOperation, op))
	if id != "" {
		out.Add(ttlv.ByteString(ttlv.TagUniqueBatchItemID, []byte(id)))
	}
	out.Add(ttlv.Structure(ttlv.TagRequestPayload, items...))
	return out
}

// send plays a batch, and holds the frame of the answer against it: the version, the header's fields in their order, and of each item the operation and the id.
func (a *appliance) send(batch ...ttlv.Item) *batchAnswer {
	a.t.Helper()
	head := ttlv.Structure(ttlv.TagRequestHeader, versionItem(a.version))
	head.Add(a.header...)
	head.Add(ttlv.Integer(ttlv.TagBatchCount, int32(len(batch))))
	m := ttlv.Structure(ttlv.TagRequestMessage, append([]ttlv.Item{head}, batch...)...)
	raw, err := ttlv.Marshal(&m, ttlv.Limits{})
	require.NoError(a.t, err)
	a.sent = slices.Clone(raw)
	raw, err = a.desk.answer(a.t.Context(), a.tenant, a.caller, raw)
	require.NoError(a.t, err)
	out, err := ttlv.Parse(raw, ttlv.Limits{})
	require.NoError(a.t, err)
	items := a.framed(out)
	require.LessOrEqual(a.t, len(items), len(batch))
	for i := range items {
		require.True(a.t, items[i].Find(ttlv.TagOperation).Equal(batch[i].Find(ttlv.TagOperation)))
		require.True(a.t, items[i].Find(ttlv.TagUniqueBatchItemID).Equal(batch[i].Find(ttlv.TagUniqueBatchItemID)))
	}
	return &batchAnswer{a, items}
}

// framed returns the items of an answer.
func (a *appliance) framed(m *ttlv.Item) []ttlv.Item {
	a.t.Helper()
	require.Equal(a.t, ttlv.TagResponseMessage, m.Tag)
	a.spoken(m)
	head := &m.Items()[0]
	require.Equal(a.t, "ResponseHeader(ProtocolVersion(ProtocolVersionMajor ProtocolVersionMinor) TimeStamp BatchCount)", layout(*head))
	version := versionItem(a.version)
	require.True(a.t, head.Find(ttlv.TagProtocolVersion).Equal(&version), "another version than that of the request")
	count, err := number(head, ttlv.TagBatchCount)
	require.NoError(a.t, err)
	items := m.Items()[1:]
	require.Len(a.t, items, int(count))
	return items
}

// spoken wants nothing in an answer that its version has not: no tag, no value of an enumeration and no attribute.
func (a *appliance) spoken(it *ttlv.Item) {
	a.t.Helper()
	span, found := it.Tag.Span()
	require.True(a.t, found && span.Has(a.version), "version %s has no %s", a.version, it.Tag)
	if n, err := it.Enumeration(); err == nil {
		span, found := ttlv.EnumSpan(it.Tag, n)
		require.True(a.t, it.Tag == ttlv.TagAttributeValue || found && span.Has(a.version), "version %s has no %s of %d", a.version, it.Tag, n)
	}
	if it.Tag == ttlv.TagAttributeName {
		name, err := it.TextString()
		require.NoError(a.t, err)
		require.NoError(a.t, known(managedkey.Attribute(name), a.version))
	}
	for i := range it.Items() {
		a.spoken(&it.Items()[i])
	}
}

// payload is that of an item which succeeded.
func (b *batchAnswer) payload(i int) *ttlv.Item {
	b.t.Helper()
	require.Greater(b.t, len(b.items), i)
	it := &b.items[i]
	message, _ := it.Find(ttlv.TagResultMessage).TextString()
	require.Equal(b.t, "BatchItem("+identified(it)+"ResultStatus ResponsePayload)", outline(it), message)
	require.Equal(b.t, ttlv.ResultStatusSuccess, b.number(it, ttlv.TagResultStatus))
	return it.Find(ttlv.TagResponsePayload)
}

// failed wants an item to have failed for a reason, which it says in words too.
func (b *batchAnswer) failed(i int, want Reason) {
	b.t.Helper()
	require.Greater(b.t, len(b.items), i)
	it := &b.items[i]
	require.Equal(b.t, "BatchItem("+identified(it)+"ResultStatus ResultReason ResultMessage)", outline(it))
	require.Equal(b.t, ttlv.ResultStatusOperationFailed, b.number(it, ttlv.TagResultStatus))
	message, err := it.Find(ttlv.TagResultMessage).TextString()
	require.NoError(b.t, err)
	require.NotEmpty(b.t, message)
	wanted, _ := ttlv.EnumName(ttlv.TagResultReason, want)
	got, _ := ttlv.EnumName(ttlv.TagResultReason, b.number(it, ttlv.TagResultReason))
	require.Equal(b.t, wanted, got, message)
}

func identified(it *ttlv.Item) string {
	if it.Find(ttlv.TagUniqueBatchItemID) == nil {
		return "Operation "
	}
	return "Operation UniqueBatchItemID "
}

// outline is layout, of the first level.
func outline(it *ttlv.Item) string {
	var parts []string
	for i := range it.Items() {
		parts = append(parts, it.Items()[i].Tag.String())
	}
	return it.Tag.String() + "(" + strings.Join(parts, " ") + ")"
}

// layout names the fields of an item in their order: decoders of devices take this order and no other.
func layout(it ttlv.Item) string {
	if it.Type() != ttlv.TypeStructure {
		return it.Tag.String()
	}
	var parts []string
	for _, inner := range it.Items() {
		parts = append(parts, layout(inner))
	}
	return it.Tag.String() + "(" + strings.Join(parts, " ") + ")"
}

// laidOut wants the fields of a payload.
func (a *appliance) laidOut(want string, payload *ttlv.Item) {
	a.t.Helper()
	require.Equal(a.t, strings.TrimSuffix("ResponsePayload("+want, " ")+")", layout(*payload))
}

// id is the identifier in a payload that begins with it.
func (a *appliance) id(payload *ttlv.Item) string {
	a.t.Helper()
	id, err := payload.Find(ttlv.TagUniqueIdentifier).TextString()
	require.NoError(a.t, err)
	require.NotEmpty(a.t, id)
	require.LessOrEqual(a.t, len(id), 64) // what libkmip has room for
	return id
}

func (a *appliance) number(in *ttlv.Item, tag ttlv.Tag) uint32 {
	a.t.Helper()
	n, err := in.Find(tag).Enumeration()
	require.NoError(a.t, err)
	return n
}

// have wants a payload to be an identifier and these attributes, in this order.
func (a *appliance) have(payload *ttlv.Item, id string, attributes ...ttlv.Item) {
	a.t.Helper()
	want := ttlv.Structure(ttlv.TagResponsePayload, append([]ttlv.Item{idItem(id)}, attributes...)...)
	require.Equal(a.t, layout(want), layout(*payload))
	require.True(a.t, want.Equal(payload), "the attributes have other values")
}

// located wants exactly these objects, and nothing else in the payload.
func (a *appliance) located(payload *ttlv.Item, ids ...string) {
	a.t.Helper()
	want := ttlv.Structure(ttlv.TagResponsePayload)
	for _, id := range ids {
		want.Add(idItem(id))
	}
	require.Equal(a.t, layout(want), layout(*payload))
	require.True(a.t, want.Equal(payload), "other objects were found")
}

// state wants an object to be in a state, as a device asks for it.
func (a *appliance) state(id string, want uint32) {
	a.t.Helper()
	a.have(a.ask(ttlv.OperationGetAttributes, idItem(id), attributeName("State")), id, attributeOf("State", ttlv.Enumeration(0, want)))
}

// material is that of a key block in a payload of Get, whose fields are as one writes them who writes no more than there must be.
func (a *appliance) material(payload *ttlv.Item, want string) []byte {
	a.t.Helper()
	a.laidOut("ObjectType UniqueIdentifier "+want, payload)
	b, err := payload.Items()[2].Find(ttlv.TagKeyBlock).Find(ttlv.TagKeyValue).Find(ttlv.TagKeyMaterial).ByteString()
	require.NoError(a.t, err)
	return b
}

// Layouts of objects.
const (
	symmetricLayout = "SymmetricKey(KeyBlock(KeyFormatType KeyValue(KeyMaterial) CryptographicAlgorithm CryptographicLength))"
	secretLayout    = "SecretData(SecretDataType KeyBlock(KeyFormatType KeyValue(KeyMaterial)))"
	attributeLayout = "Attribute(AttributeName AttributeValue)"
	nameLayout      = "Attribute(AttributeName AttributeValue(NameValue NameType))"
)

// attributeOf makes an attribute of 1.x.
func attributeOf(name string, value ttlv.Item) ttlv.Item {
	value.Tag = ttlv.TagAttributeValue
	return ttlv.Structure(ttlv.TagAttribute, attributeName(name), value)
}

func attributeName(name string) ttlv.Item { return ttlv.TextString(ttlv.TagAttributeName, name) }

func textAttribute(name, value string) ttlv.Item {
	return attributeOf(name, ttlv.TextString(0, value))
}

func nameAttribute(name string) ttlv.Item {
	return attributeOf("Name", ttlv.Structure(0, ttlv.TextString(ttlv.TagNameValue, name), ttlv.Enumeration(ttlv.TagNameType, ttlv.NameTypeUninterpretedTextString)))
}

func applicationAttribute(namespace, data string) ttlv.Item {
	return attributeOf("Application Specific Information", ttlv.Structure(0,
		ttlv.TextString(ttlv.TagApplicationNamespace, namespace), ttlv.TextString(ttlv.TagApplicationData, data)))
}

func typeAttribute(t managedkey.ObjectType) ttlv.Item {
	return attributeOf("Object Type", ttlv.Enumeration(0, uint32(t)))
}

func maskAttribute(m managedkey.UsageMask) ttlv.Item {
	return attributeOf("Cryptographic Usage Mask", ttlv.Integer(0, int32(m)))
}

// keyAttributes are algorithm, length and usage mask of an AES key, in the order in which libkmip and PyKMIP send them.
func keyAttributes(length int32) []ttlv.Item {
	return []ttlv.Item{attributeOf("Cryptographic Algorithm", ttlv.Enumeration(0, ttlv.CryptographicAlgorithmAES)),
		attributeOf("Cryptographic Length", ttlv.Integer(0, length)), maskAttribute(managedkey.UseEncrypt | managedkey.UseDecrypt)}
}

func templateOf(attributes ...ttlv.Item) ttlv.Item {
	return ttlv.Structure(ttlv.TagTemplateAttribute, attributes...)
}

// secretItem is secret data.
func secretItem(kind, format uint32, material []byte) ttlv.Item {
	return ttlv.Structure(ttlv.TagSecretData, ttlv.Enumeration(ttlv.TagSecretDataType, kind), blockItem(format, 0, 0, rawItem(material)))
}

func revocationItem(code uint32) ttlv.Item {
	return ttlv.Structure(ttlv.TagRevocationReason, ttlv.Enumeration(ttlv.TagRevocationReasonCode, code))
}

// queryFunctions are what a query asks for.
func queryFunctions(functions ...uint32) (out []ttlv.Item) {
	for _, f := range functions {
		out = append(out, ttlv.Enumeration(ttlv.TagQueryFunction, f))
	}
	return out
}
