package kmip

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
	"github.com/trstctl/trstctl/test/harness"
)

// selfMade is an appliance with a certificate of its own, and the SHA-256 of its public key.
func selfMade(t *testing.T, roots []byte) (*appliance, string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "array-7"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	sum := sha256.Sum256(public)
	block := func(kind string, b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}) }
	return &appliance{t: t, certificate: block("CERTIFICATE", der), key: block("PRIVATE KEY", private), roots: roots}, hex.EncodeToString(sum[:])
}

// query has a node answer what it can do, which it tells its clients alone. It returns the result status.
func (a *appliance) query(n *harness.Node) uint32 {
	exchange, hangUp, err := a.dial([]*harness.Node{n}, &atomic.Uint32{})(a.t.Context(), "")
	require.NoError(a.t, err)
	defer hangUp()
	version := ttlv.Structure(ttlv.TagProtocolVersion, ttlv.Integer(ttlv.TagProtocolVersionMajor, 1), ttlv.Integer(ttlv.TagProtocolVersionMinor, 4))
	m := ttlv.Structure(ttlv.TagRequestMessage, ttlv.Structure(ttlv.TagRequestHeader, version, ttlv.Integer(ttlv.TagBatchCount, 1)),
		ttlv.Structure(ttlv.TagBatchItem, ttlv.Enumeration(ttlv.TagOperation, ttlv.OperationQuery),
			ttlv.Structure(ttlv.TagRequestPayload, ttlv.Enumeration(ttlv.TagQueryFunction, ttlv.QueryFunctionQueryOperations))))
	raw, err := ttlv.Marshal(&m, ttlv.Limits{})
	require.NoError(a.t, err)
	raw, err = exchange(a.t.Context(), raw)
	require.NoError(a.t, err)
	answer, err := ttlv.Parse(raw, ttlv.Limits{})
	require.NoError(a.t, err)
	status, err := answer.Find(ttlv.TagBatchItem).Find(ttlv.TagResultStatus).Enumeration()
	require.NoError(a.t, err)
	return status
}

// TestAnApplianceIsAcceptedByItsKey: it comes to one node, is accepted through whichever answers, and works on each.
func TestAnApplianceIsAcceptedByItsKey(t *testing.T) {
	c := cluster(t)
	ctx, admin := t.Context(), c.Client()
	roots, err := admin.KMIPRoots(ctx)
	require.NoError(t, err)
	a, sum := selfMade(t, []byte(roots))
	require.Equal(t, ttlv.ResultStatusOperationFailed, a.query(c.Nodes[0]))
	w, err := admin.OpenKMIPWindow(ctx, time.Hour)
	require.NoError(t, err)
	require.Len(t, w.Nodes, len(c.Nodes))
	require.Equal(t, ttlv.ResultStatusOperationFailed, a.query(c.Nodes[1]))
	p, err := admin.KMIPPending(ctx)
	require.NoError(t, err)
	require.Len(t, p.Items, 1, "and not what came before")
	require.Equal(t, "CN=array-7", p.Items[0].Subject)
	require.Equal(t, []string{c.Nodes[1].ID}, p.Items[0].Nodes)
	_, err = admin.EnrolKMIPClient(ctx, "array-7", sdk.KMIPEnrolment{By: sdk.KMIPPresented(sum)})
	require.NoError(t, err)
	for _, n := range c.Nodes {
		require.Equal(t, ttlv.ResultStatusSuccess, a.query(n))
	}
	_, err = admin.CloseKMIPWindow(ctx)
	require.NoError(t, err)
	c.Check()
}
