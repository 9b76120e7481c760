package kmip

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/engines/managedkey/suite"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// clerk is a client with a stage of its own, who speaks one version at a time.
type clerk struct {
	t       testing.TB
	desk    *desk
	version ttlv.Version
	*session
}

func newClerk(t testing.TB, v ttlv.Version) *clerk {
	d := newDesk(t)
	return (&clerk{t: t, desk: d, version: v}).elsewhere()
}

// elsewhere is the same client at another tenant.
func (k *clerk) elsewhere() *clerk {
	tenant, v := k.desk.tenant(), k.desk.view()
	k.t.Cleanup(func() { require.NoError(k.t, v.Close()) })
	return &clerk{k.t, k.desk, k.version, newSession(k.desk.engine.View(v, tenant), Caller{ID: "clerk", All: true})}
}

// on is the same client, for a test in a test.
func (k *clerk) on(t testing.TB) *clerk {
	c := *k
	c.t = t
	return &c
}

// in is the same client, who speaks another version.
func (k *clerk) in(v ttlv.Version) *clerk {
	c := *k
	c.version = v
	return &c
}

// do has an operation carried out, and its request stay as it was when the answer is wiped: it may be carried out again.
func (k *clerk) do(op uint32, items ...ttlv.Item) ttlv.Item {
	k.t.Helper()
	in := ttlv.Structure(ttlv.TagRequestPayload, items...)
	before, err := ttlv.Marshal(&in, ttlv.Limits{})
	require.NoError(k.t, err)
	out, err := k.Do(k.t.Context(), k.version, op, &in)
	require.NoError(k.t, err)
	kept, err := copyOf(out)
	require.NoError(k.t, err)
	out.Wipe()
	after, err := ttlv.Marshal(&in, ttlv.Limits{})
	require.NoError(k.t, err)
	require.Equal(k.t, before, after)
	return *kept
}

// refused wants a reason, as the version has it.
func (k *clerk) refused(reason Reason, op uint32, items ...ttlv.Item) {
	k.t.Helper()
	in := ttlv.Structure(ttlv.TagRequestPayload, items...)
	_, err := k.Do(k.t.Context(), k.version, op, &in)
	require.Error(k.t, err)
	why := refusalOf(err)
	want, _ := ttlv.EnumName(ttlv.TagResultReason, reason)
	got, _ := ttlv.EnumName(ttlv.TagResultReason, reasonIn(k.version, why.Reason))
	require.Equal(k.t, want, got, "%s", why.Message)
}

// made is the identifier in an answer.
func (k *clerk) made(op uint32, items ...ttlv.Item) string {
	k.t.Helper()
	out := k.do(op, items...)
	return k.text(&out, ttlv.TagUniqueIdentifier)
}

func (k *clerk) text(in *ttlv.Item, tag ttlv.Tag) string {
	k.t.Helper()
	s, err := required(in, tag, (*ttlv.Item).TextString)
	require.NoError(k.t, err)
	return s
}

// with are attributes, as the version has them.
func (k *clerk) with(values ...managedkey.Value) ttlv.Item {
	return k.under(ttlv.TagTemplateAttribute, ttlv.TagAttributes, values...)
}

func (k *clerk) under(older, newer ttlv.Tag, values ...managedkey.Value) ttlv.Item {
	out := ttlv.Structure(older)
	if k.version >= ttlv.V20 {
		out.Tag = newer
	}
	for _, v := range values {
		out.Add(attributeItem(k.version, managedkey.Instance{Attribute: v.Attribute, Value: v.Value}))
	}
	return out
}

// register registers an object of a type.
func (k *clerk) register(t managedkey.ObjectType, object ttlv.Item, values ...managedkey.Value) string {
	k.t.Helper()
	return k.made(ttlv.OperationRegister, typed(t), k.with(values...), object)
}

func (k *clerk) get(id string, items ...ttlv.Item) ttlv.Item {
	k.t.Helper()
	return k.do(ttlv.OperationGet, append([]ttlv.Item{idItem(id)}, items...)...)
}

// values are those of an attribute.
func (k *clerk) values(id string, a managedkey.Attribute) (out []any) {
	k.t.Helper()
	all, err := k.stage.Attribute(id, a)
	require.NoError(k.t, err)
	for _, i := range all {
		out = append(out, i.Value)
	}
	return out
}

// now is a moment so far from now, in whole seconds, as KMIP has them.
func (k *clerk) now(d time.Duration) fsm.Time {
	return fsm.At(k.stage.Now().Add(d).Std().Truncate(time.Second))
}

// active are a usage mask and an activation date that has come.
func (k *clerk) active(m managedkey.UsageMask, more ...managedkey.Value) []managedkey.Value {
	return append([]managedkey.Value{{Attribute: managedkey.AttrUsage, Value: m}, {Attribute: managedkey.AttrActivation, Value: k.now(-time.Hour)}}, more...)
}

func typed(t managedkey.ObjectType) ttlv.Item { return ttlv.Enumeration(ttlv.TagObjectType, uint32(t)) }

func titled(s string) managedkey.Value {
	return managedkey.Value{Attribute: managedkey.AttrName, Value: managedkey.Name{Value: s, Type: managedkey.TextName}}
}

func algorithm(a suite.Algorithm) managedkey.Value {
	return managedkey.Value{Attribute: managedkey.AttrAlgorithm, Value: managedkey.Algorithm(a)}
}

func bits(n uint32) managedkey.Value {
	return managedkey.Value{Attribute: managedkey.AttrLength, Value: n}
}

func usage(m managedkey.UsageMask) managedkey.Value {
	return managedkey.Value{Attribute: managedkey.AttrUsage, Value: m}
}

// blockItem is a key block with what is there.
func blockItem(format, algorithm uint32, length int32, value ttlv.Item, more ...ttlv.Item) ttlv.Item {
	out := ttlv.Structure(ttlv.TagKeyBlock, ttlv.Enumeration(ttlv.TagKeyFormatType, format))
	if value.Type() != 0 {
		out.Add(value)
	}
	if algorithm != 0 {
		out.Add(ttlv.Enumeration(ttlv.TagCryptographicAlgorithm, algorithm))
	}
	if length != 0 {
		out.Add(ttlv.Integer(ttlv.TagCryptographicLength, length))
	}
	out.Add(more...)
	return out
}

func valueItem(material ttlv.Item, more ...ttlv.Item) ttlv.Item {
	material.Tag = ttlv.TagKeyMaterial
	out := ttlv.Structure(ttlv.TagKeyValue, material)
	out.Add(more...)
	return out
}

// rawItem is a key value of bytes.
func rawItem(material []byte) ttlv.Item {
	return valueItem(ttlv.ByteString(ttlv.TagKeyMaterial, append([]byte(nil), material...)))
}

const knownAES = "00112233445566778899aabbccddeeff"

// aesItem is an AES key.
func aesItem(t testing.TB, hexadecimal string) ttlv.Item {
	material := unhex(t, hexadecimal)
	return ttlv.Structure(ttlv.TagSymmetricKey,
		blockItem(ttlv.KeyFormatTypeRaw, ttlv.CryptographicAlgorithmAES, int32(8*len(material)), rawItem(material)))
}
