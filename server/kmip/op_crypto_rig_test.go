package kmip

import (
	"cmp"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// lab is a stage with keys on it, and a client that asks for operations on them.
type lab struct {
	t     testing.TB
	stage *managedkey.Stage
	*session
}

func newLab(t testing.TB, c Caller) *lab {
	d := newDesk(t)
	tenant := d.tenant()
	v := d.view()
	t.Cleanup(func() { require.NoError(t, v.Close()) })
	s := d.engine.View(v, tenant)
	c.All = true
	return &lab{t, s, newSession(s, c)}
}

// when is a moment so far from now.
func (l *lab) when(d time.Duration) fsm.Time { return l.stage.Now() + fsm.Time(d) }

// key registers an active key.
func (l *lab) key(t managedkey.ObjectType, k managedkey.Key, material []byte, use managedkey.UsageMask, more ...managedkey.Value) string {
	l.t.Helper()
	all := append([]managedkey.Value{{Attribute: managedkey.AttrUsage, Value: use}, {Attribute: managedkey.AttrActivation, Value: l.when(-time.Hour)}}, more...)
	id, err := l.stage.Register(managedkey.Spec{Type: t, Key: k, Material: material, Attributes: all})
	require.NoError(l.t, err)
	return id
}

// aes registers an active AES key.
func (l *lab) aes(material string, use managedkey.UsageMask, more ...managedkey.Value) string {
	l.t.Helper()
	k := managedkey.Key{Format: managedkey.RawFormat, Algorithm: managedkey.AES, Length: uint32(len(material) * 4)}
	return l.key(managedkey.SymmetricKey, k, unhex(l.t, material), use, more...)
}

func always(p managedkey.Parameters) managedkey.Value {
	return managedkey.Value{Attribute: managedkey.AttrParameters, Value: p}
}

// ask asks for an operation in a version, and returns the answer or why there is none, as the version has it.
func (l *lab) ask(v ttlv.Version, op uint32, items ...ttlv.Item) (*ttlv.Item, *Refusal) {
	l.t.Helper()
	in := ttlv.Structure(ttlv.TagRequestPayload, items...)
	out, err := l.session.Do(l.t.Context(), v, op, &in)
	if err != nil {
		require.Nil(l.t, out)
		why := *refusalOf(err)
		why.Reason = reasonIn(v, why.Reason)
		return nil, &why
	}
	return out, nil
}

// must wants an answer of just these items, behind the identifier of a key unless that is empty.
func (l *lab) must(op uint32, id string, request, response []ttlv.Item) {
	l.t.Helper()
	want := ttlv.Structure(ttlv.TagResponsePayload)
	if id != "" {
		request, want = append([]ttlv.Item{idItem(id)}, request...), *payload(id)
	}
	want.Add(response...)
	for _, v := range []ttlv.Version{ttlv.V14, ttlv.V21} {
		out, why := l.ask(v, op, request...)
		require.Nil(l.t, why)
		require.True(l.t, want.Equal(out), "%v", out)
	}
}

// refused wants a reason, in 1.4 and in 2.1.
func (l *lab) refused(op uint32, older, newer Reason, items ...ttlv.Item) {
	l.t.Helper()
	for v, want := range map[ttlv.Version]Reason{ttlv.V14: older, ttlv.V21: newer} {
		_, why := l.ask(v, op, items...)
		require.NotNil(l.t, why)
		got, _ := ttlv.EnumName(ttlv.TagResultReason, why.Reason)
		expected, _ := ttlv.EnumName(ttlv.TagResultReason, want)
		require.Equal(l.t, expected, got, "version %s: %s", v, why.Message)
	}
}

func idItem(id string) ttlv.Item { return ttlv.TextString(ttlv.TagUniqueIdentifier, id) }

func hexItem(t testing.TB, tag ttlv.Tag, hexadecimal string) ttlv.Item {
	return ttlv.ByteString(tag, unhex(t, hexadecimal))
}

// paramsItem makes cryptographic parameters of enumerations.
func paramsItem(parts ...any) ttlv.Item {
	out := ttlv.Structure(ttlv.TagCryptographicParameters)
	for i := 0; i < len(parts); i += 2 {
		switch v := parts[i+1].(type) {
		case uint32:
			out.Add(ttlv.Enumeration(parts[i].(ttlv.Tag), v))
		case int:
			out.Add(ttlv.Integer(parts[i].(ttlv.Tag), int32(v)))
		case bool:
			out.Add(ttlv.Boolean(parts[i].(ttlv.Tag), v))
		}
	}
	return out
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// published reads the values of one kind, in order, from a published case of 1.4.
func published(t testing.TB, name, field string) (values [][]byte) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(cmp.Or(os.Getenv("TRSTCTL_KMIP_CASES"), "../../../shared/kmip/oasis"), "v1.4", name+"-14.xml"))
	if os.IsNotExist(err) {
		t.Skip("the published KMIP test cases are not here; TRSTCTL_KMIP_CASES names their folder")
	}
	require.NoError(t, err)
	for _, found := range regexp.MustCompile(`<`+field+` type="ByteString" value="([0-9a-fA-F]*)"`).FindAllSubmatch(b, -1) {
		values = append(values, unhex(t, string(found[1])))
	}
	return values
}
