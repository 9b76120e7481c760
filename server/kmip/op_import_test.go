package kmip

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// TestAnExportIsImported has another tenant take what a client gives it, as it is.
func TestAnExportIsImported(t *testing.T) {
	der, _ := certificate(t)
	for _, v := range both {
		k := newClerk(t, v)
		limits := managedkey.Value{Attribute: managedkey.AttrLimits, Value: managedkey.UsageLimits{Total: 100, Unit: managedkey.ByteUnit}}
		for of, id := range map[managedkey.ObjectType]string{
			managedkey.SymmetricKey: k.register(managedkey.SymmetricKey, aesItem(t, knownAES), k.active(managedkey.UseEncrypt, titled("key"), limits)...),
			managedkey.Certificate:  k.register(managedkey.Certificate, certificateOf(der), titled("certificate")),
			managedkey.SecretData:   k.register(managedkey.SecretData, passwordItem("letmein"), group("all")),
		} {
			if of == managedkey.SymmetricKey {
				require.NoError(t, k.stage.Allocate(id, 30))
				require.NoError(t, k.stage.Revoke(id, managedkey.Revocation{Code: managedkey.KeyCompromise, Message: "lost"}, k.now(-time.Minute)))
			}
			out := k.do(ttlv.OperationExport, idItem(id))
			require.Equal(t, ttlv.TagObjectType, out.Items()[0].Tag)
			require.Equal(t, kinds[of].tag, out.Items()[len(out.Items())-1].Tag, "the object comes last")
			there := k.elsewhere()
			require.Equal(t, id, there.made(ttlv.OperationImport, out.Items()...))
			again := there.do(ttlv.OperationExport, idItem(id))
			require.True(t, again.Items()[len(again.Items())-1].Equal(&out.Items()[len(out.Items())-1]))
			sameAttributes(t, k, there, id)
			there.refused(ttlv.ResultReasonObjectAlreadyExists, ttlv.OperationImport, append(out.Items(), ttlv.Boolean(ttlv.TagReplaceExisting, true))...)
		}
	}
}

// sameAttributes compares all but when the object was last changed and whether it was given out: it was exported here, and is new there.
func sameAttributes(t *testing.T, here, there *clerk, id string) {
	want, err := here.stage.Attributes(id)
	require.NoError(t, err)
	for _, i := range want {
		if i.Attribute != managedkey.AttrLastChange {
			require.Contains(t, there.values(id, i.Attribute), i.Value, i.Attribute)
		}
	}
}

func TestAnImportIsUnwrapped(t *testing.T) {
	k := newClerk(t, ttlv.V14)
	kek := k.kek(managedkey.UseWrap | managedkey.UseUnwrap)
	id := k.register(managedkey.SymmetricKey, aesItem(t, knownAES))
	out := k.do(ttlv.OperationExport, idItem(id), specification(kek))
	ask := func(name string, wrap uint32) []ttlv.Item {
		return []ttlv.Item{idItem(name), typed(managedkey.SymmetricKey), ttlv.Enumeration(ttlv.TagKeyWrapType, wrap), *out.Find(ttlv.TagSymmetricKey)}
	}
	k.made(ttlv.OperationImport, ask("open", ttlv.KeyWrapTypeNotWrapped)...)
	require.True(t, k.material("open").Equal(k.material(id)))
	k.made(ttlv.OperationImport, ask("shut", ttlv.KeyWrapTypeAsRegistered)...)
	got := k.get("shut")
	require.True(t, got.Find(ttlv.TagSymmetricKey).Equal(out.Find(ttlv.TagSymmetricKey)))
	k.refused(ttlv.ResultReasonFeatureNotSupported, ttlv.OperationImport, ask("other", 9)...)
}

func TestWhatIsNotImported(t *testing.T) {
	k := newClerk(t, ttlv.V14)
	key := []ttlv.Item{typed(managedkey.SymmetricKey), aesItem(t, knownAES)}
	gone := attributeItem(ttlv.V14, managedkey.Instance{Attribute: managedkey.AttrDestroy, Value: k.now(0)})
	early := attributeItem(ttlv.V14, managedkey.Instance{Attribute: managedkey.AttrInitial, Value: k.now(time.Hour)})
	k.refused(ttlv.ResultReasonInvalidMessage, ttlv.OperationImport, key...)
	k.refused(ttlv.ResultReasonInvalidField, ttlv.OperationImport, append(key, idItem("an id"))...)
	k.refused(ttlv.ResultReasonInvalidField, ttlv.OperationImport, append(key, idItem("one"), gone)...)
	k.refused(ttlv.ResultReasonInvalidField, ttlv.OperationImport, append(key, idItem("one"), early)...)
	k.refused(ttlv.ResultReasonInvalidMessage, ttlv.OperationImport, append(key, idItem("one"), ttlv.Integer(ttlv.TagReplaceExisting, 1))...)
	require.False(t, k.stage.Changed())
}
