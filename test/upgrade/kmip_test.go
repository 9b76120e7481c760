package upgrade

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
	"github.com/trstctl/trstctl/test/harness"
)

// appliance is a client of KMIP's with the keys that it has made.
type appliance struct {
	Certificate, Key string            // PEM, for ten years
	Materials        map[string]string // UID -> hexadecimal
}

// kmipSince is the version that KMIP came with.
const kmipSince = 4

// appliances makes a client, whose keys are one that is active and one that was destroyed.
func (made *contents) appliances(t *testing.T, c *harness.Cluster) {
	ctx, client := t.Context(), c.Client()
	_, err := client.InitKMIPCA(ctx, "ec-p256")
	require.NoError(t, err)
	_, err = client.SetKMIPRole(ctx, "arrays", sdk.KMIPRole{All: true})
	require.NoError(t, err)
	i, err := client.EnrolKMIPClient(ctx, "array", sdk.KMIPEnrolment{Role: "arrays", By: sdk.KMIPMadeKey("ec-p256", 10*365*24*time.Hour)})
	require.NoError(t, err)
	made.Array = appliance{Certificate: i.Certificate, Key: string(i.PrivateKey), Materials: map[string]string{}}
	l := made.Array.connect(t, c)
	kept, gone := l.create(), l.create()
	l.ask(ttlv.OperationActivate, uid(kept))
	l.ask(ttlv.OperationDestroy, uid(gone))
	made.Array.Materials[kept] = l.material(kept)
}

// arrayIn requires that the client comes in and finds its keys.
func (want contents) arrayIn(t *testing.T, c *harness.Cluster) {
	if want.Cluster < kmipSince {
		return
	}
	l := want.Array.connect(t, c)
	for id, material := range want.Array.Materials {
		require.Equal(t, material, l.material(id))
	}
	page, err := c.Client().KMIPObjects(t.Context(), sdk.Slice{})
	require.NoError(t, err)
	require.Len(t, page.Items, 2)
	require.Equal(t, [2]string{"Active", "Destroyed"}, [2]string{page.Items[0].State, page.Items[1].State})
}

// line is a connection of an appliance.
type line struct {
	t testing.TB
	c *tls.Conn
}

func (a appliance) connect(t *testing.T, c *harness.Cluster) *line {
	own, err := tls.X509KeyPair([]byte(a.Certificate), []byte(a.Key))
	require.NoError(t, err)
	l := &line{t: t}
	c.Eventually("a KMIP port with a certificate", func(ctx context.Context) error {
		roots, err := c.Client().KMIPRoots(ctx)
		if err != nil {
			return err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM([]byte(roots))
		d := tls.Dialer{Config: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}, ServerName: "127.0.0.1"}}
		conn, err := d.DialContext(ctx, "tcp", c.Nodes[0].KMIP)
		if err == nil {
			l.c = conn.(*tls.Conn)
		}
		return err
	})
	t.Cleanup(func() { l.c.Close() })
	return l
}

func uid(id string) ttlv.Item { return ttlv.TextString(ttlv.TagUniqueIdentifier, id) }

// ask has one operation carried out, and returns the response payload.
func (l *line) ask(operation uint32, payload ...ttlv.Item) *ttlv.Item {
	l.t.Helper()
	version := ttlv.Structure(ttlv.TagProtocolVersion, ttlv.Integer(ttlv.TagProtocolVersionMajor, 1), ttlv.Integer(ttlv.TagProtocolVersionMinor, 4))
	m := ttlv.Structure(ttlv.TagRequestMessage, ttlv.Structure(ttlv.TagRequestHeader, version, ttlv.Integer(ttlv.TagBatchCount, 1)),
		ttlv.Structure(ttlv.TagBatchItem, ttlv.Enumeration(ttlv.TagOperation, operation), ttlv.Structure(ttlv.TagRequestPayload, payload...)))
	raw, err := ttlv.Marshal(&m, ttlv.Limits{})
	require.NoError(l.t, err)
	require.NoError(l.t, l.c.SetDeadline(time.Now().Add(time.Minute)))
	_, err = l.c.Write(raw)
	require.NoError(l.t, err)
	answer, err := ttlv.Read(l.c, ttlv.Limits{})
	require.NoError(l.t, err)
	item := answer.Find(ttlv.TagBatchItem)
	require.Nil(l.t, item.Find(ttlv.TagResultReason))
	return item.Find(ttlv.TagResponsePayload)
}

func (l *line) create() string {
	attribute := func(name string, v ttlv.Item) ttlv.Item {
		return ttlv.Structure(ttlv.TagAttribute, ttlv.TextString(ttlv.TagAttributeName, name), v)
	}
	out := l.ask(ttlv.OperationCreate, ttlv.Enumeration(ttlv.TagObjectType, ttlv.ObjectTypeSymmetricKey), ttlv.Structure(ttlv.TagTemplateAttribute,
		attribute("Cryptographic Algorithm", ttlv.Enumeration(ttlv.TagAttributeValue, ttlv.CryptographicAlgorithmAES)),
		attribute("Cryptographic Length", ttlv.Integer(ttlv.TagAttributeValue, 256)),
		attribute("Cryptographic Usage Mask", ttlv.Integer(ttlv.TagAttributeValue, 12))))
	id, err := out.Find(ttlv.TagUniqueIdentifier).TextString()
	require.NoError(l.t, err)
	return id
}

func (l *line) material(id string) string {
	b, err := l.ask(ttlv.OperationGet, uid(id)).Find(ttlv.TagSymmetricKey).Find(ttlv.TagKeyBlock).Find(ttlv.TagKeyValue).Find(ttlv.TagKeyMaterial).ByteString()
	require.NoError(l.t, err)
	return hex.EncodeToString(b)
}
