package cluster

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

// realm is a CA with a store that knows some members.
type realm struct {
	t     *testing.T
	by    issuer
	store *fsm.Store
	index uint64
}

func newRealm(t *testing.T) *realm {
	cluster := newUID()
	key, ca, err := newCA(cluster, time.Now().Add(-365*24*time.Hour))
	require.NoError(t, err)
	store, err := fsm.Open(t.TempDir(), fsm.NewRegistry(fsm.Builtin, Register), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return &realm{t: t, by: issuer{cluster, ca, key}, store: store}
}

func (r *realm) apply(events ...fsm.Event) {
	e := fsm.Entry{Tenant: fsm.RootTenant}
	e.Add(events...)
	raw, err := e.Marshal()
	require.NoError(r.t, err)
	var b fsm.Batch
	b.Add(raw)
	r.index++
	out := r.store.FSM().Apply(&raft.Log{Index: r.index, Term: 1, Data: b.Marshal(1, 1)})
	require.IsType(r.t, []fsm.Outcome{}, out)
}

func newNodeKey(t *testing.T) *ecdsa.PrivateKey {
	k, err := newKey()
	require.NoError(t, err)
	return k
}

func (r *realm) cert(id string, key *ecdsa.PrivateKey, at time.Time) []*x509.Certificate {
	c, err := r.by.node(id, &key.PublicKey, at)
	require.NoError(r.t, err)
	return []*x509.Certificate{c}
}

func TestWhoSpeaksForANode(t *testing.T) {
	r, now := newRealm(t), time.Now()
	known, joiner := newNodeKey(t), newNodeKey(t)
	r.apply(Announced{Member{ID: "n2", PublicKey: spki(&known.PublicKey)}}, Announced{Member{ID: "n3"}}, Removed{"n3"})
	trusted := &trust{id: &Identity{Cluster: r.by.cluster, Node: "n1", ca: r.by.ca}, store: r.store, now: func() time.Time { return now }}

	id, err := trusted.peer(r.cert("n2", known, now))
	require.NoError(t, err)
	require.Equal(t, "n2", id)
	id, err = trusted.peer(r.cert("n4", joiner, now)) // granted by a leader that this node has not heard yet
	require.NoError(t, err)
	require.Equal(t, "n4", id)
	_, err = trusted.peer(r.cert("n2", known, now.Add(-30*24*time.Hour)))
	require.NoError(t, err, "an expired certificate of a member whose key is pinned")
	_, err = trusted.peer(r.cert("n2", known, now.Add(time.Hour)))
	require.NoError(t, err, "one from the future, made when its clock was wrong")

	other := newRealm(t)
	impostor := &realm{t: t, by: issuer{r.by.cluster, other.by.ca, other.by.key}}
	ca, err := r.by.api("n2", nil, &known.PublicKey, now)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		certs []*x509.Certificate
		why   string
	}{
		"none":                             {nil, "no certificate"},
		"another cluster":                  {other.cert("n2", known, now), "another cluster"},
		"another CA, this cluster's name":  {impostor.cert("n2", known, now), "unknown authority"},
		"another key than the pinned one":  {r.cert("n2", joiner, now), "another key"},
		"a removed node":                   {r.cert("n3", joiner, now), "was removed"},
		"expired, and no key is pinned":    {r.cert("n4", joiner, now.Add(-30*24*time.Hour)), "expired"},
		"a certificate for the API":        {[]*x509.Certificate{ca}, "not a node's"},
		"from the future, no key pinned":   {r.cert("n4", joiner, now.Add(time.Hour)), "not yet valid"},
		"another CA, a removed name":       {impostor.cert("n3", joiner, now), "unknown authority"},
		"the CA's own, which names nobody": {[]*x509.Certificate{r.by.ca}, "not a node's"},
	} {
		_, err := trusted.peer(c.certs)
		require.ErrorContains(t, err, c.why, name)
	}
}

func TestOnlyAJoinerNeedsNoCertificate(t *testing.T) {
	r := newRealm(t)
	trusted := &trust{id: &Identity{Cluster: r.by.cluster, Node: "n1", ca: r.by.ca}, store: r.store, now: time.Now}
	verify := trusted.server().VerifyConnection
	require.NoError(t, verify(tls.ConnectionState{NegotiatedProtocol: protoJoin}))
	for _, proto := range []string{protoRaft, protoRPC, "", "h2"} {
		require.Error(t, verify(tls.ConnectionState{NegotiatedProtocol: proto}), proto)
	}
	mine := r.cert("n1", newNodeKey(t), time.Now())
	require.ErrorContains(t, verify(tls.ConnectionState{NegotiatedProtocol: protoRaft, PeerCertificates: mine}), "this node's id")
}
