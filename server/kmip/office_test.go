package kmip

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/kmipclient"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api/admit"
	"github.com/trstctl/trstctl/server/journal"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

type everyTenant struct{}

func (everyTenant) Active(fsm.Reader, fsm.UID) (bool, error) { return true, nil }

// fakeCluster leads, or passes on to an office that does.
type fakeCluster struct {
	leader *Office      // nil: this node leads
	lost   error        // of the way to the leader, and to the present
	misses atomic.Int32 // messages that will find nobody who leads
}

func (f *fakeCluster) Present(context.Context) error { return f.lost }
func (f *fakeCluster) Leads() bool                   { return f.leader == nil }
func (f *fakeCluster) Pass(ctx context.Context, body []byte) ([]byte, error) {
	if f.misses.Add(-1) >= 0 {
		return nil, fault.New(fault.NotDone, "the node does not lead any more: nothing was done, try again")
	}
	if f.lost != nil {
		return nil, f.lost
	}
	return f.leader.AnswerPassed(ctx, body)
}

// kept is a journal in memory.
type kept struct {
	mu  sync.Mutex // guards the rest
	all []journal.Record
	err error
}

func (k *kept) Append(r ...journal.Record) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		k.all = append(k.all, r...)
	}
	return k.err
}

// branch is a leader and a follower on one state, each with its port.
type branch struct {
	*desk
	clients  *kmipclient.Engine
	leader   *served
	follower *served
	office   *Office      // the follower's
	cluster  *fakeCluster // the follower's
	journal  *kept        // the follower's
	sealed   bool
	log      *logged
}

// logged is what the branch has logged.
type logged struct {
	mu   sync.Mutex // guards the rest
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newBranch(t testing.TB) *branch {
	b := &branch{desk: newDesk(t), journal: &kept{}, log: &logged{}}
	b.clients = kmipclient.New(b.ledger, b.keys, everyTenant{}, func() fsm.Time { return fsm.At(time.Now()) })
	_, _, err := b.clients.EnsureServerCA(t.Context(), fsm.Request{ID: fsm.UID{1}, Tenant: fsm.RootTenant}, kmipclient.P256)
	require.NoError(t, err)
	office := func(c Cluster, j Journal) *Office {
		return &Office{Ledger: b.ledger, Objects: b.engine, Clients: b.clients, Cluster: c, Unsealed: func() bool { return !b.sealed }, Journal: j,
			Places: admit.NewQueue("KMIP requests", 16, 16), Waiting: &Waiting{}, Log: slog.New(slog.NewTextHandler(b.log, nil))}
	}
	leader := office(&fakeCluster{}, &kept{})
	b.cluster = &fakeCluster{leader: leader}
	b.office = office(b.cluster, b.journal)
	b.leader, b.follower = b.open(leader), b.open(b.office)
	return b
}

// open opens a port for an office, with a certificate of the cluster's server CA.
func (b *branch) open(o *Office) *served {
	v := b.view()
	defer v.Close()
	cert, err := kmipclient.ServerCertificate(v, b.keys, kmipclient.ServerNames{Names: []string{"node"}, Addresses: []net.IP{net.IPv4(127, 0, 0, 1)}, Algorithm: kmipclient.P256}, fsm.At(time.Now()))
	require.NoError(b.t, err)
	roots, err := kmipclient.Roots(v)
	require.NoError(b.t, err)
	pool := x509.NewCertPool()
	require.True(b.t, pool.AppendCertsFromPEM(roots))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	out := &served{t: b.t, at: l.Addr().String(), client: &tls.Config{RootCAs: pool}, stop: cancel, done: make(chan error, 1)}
	s := &Server{TLS: TLS(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }, false), Backend: o, Log: o.Log}
	go func() { out.done <- s.Serve(ctx, l) }()
	b.t.Cleanup(func() { cancel(); <-out.done })
	return out
}

// enrol makes a client of a tenant, whose CA is made with the first.
func (b *branch) enrol(tenant fsm.UID, name, role string) tls.Certificate {
	req := fsm.Request{ID: fsm.UID{2}, Tenant: tenant}
	if _, _, err := b.clients.InitCA(b.t.Context(), req, kmipclient.P256); !fault.Is(err, fault.Conflict) {
		require.NoError(b.t, err)
	}
	by, err := kmipclient.MakeKey(kmipclient.P256, 0)
	require.NoError(b.t, err)
	made, _, err := b.clients.Enrol(b.t.Context(), req, kmipclient.Enrolment{Name: name, Role: role, By: by}, "")
	require.NoError(b.t, err)
	cert, err := tls.X509KeyPair(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made.Certificate}), made.Key)
	require.NoError(b.t, err)
	return cert
}

// line is a client's connection.
type line struct {
	t testing.TB
	c *tls.Conn
}

func (s *served) as(cert tls.Certificate) *line {
	c := s.client.Clone()
	c.Certificates = []tls.Certificate{cert}
	conn, err := tls.Dial("tcp", s.at, c)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { conn.Close() })
	require.NoError(s.t, conn.SetDeadline(time.Now().Add(time.Minute)))
	return &line{s.t, conn}
}

// ask sends a request and returns what each item came to: the response items.
func (l *line) ask(items ...ttlv.Item) []*ttlv.Item {
	l.t.Helper()
	raw, err := ttlv.Marshal(ask(items...), ttlv.Limits{})
	require.NoError(l.t, err)
	_, err = l.c.Write(raw)
	require.NoError(l.t, err)
	m, err := ttlv.Read(l.c, ttlv.Limits{})
	require.NoError(l.t, err)
	var out []*ttlv.Item
	for it := range m.All(ttlv.TagBatchItem) {
		out = append(out, it)
	}
	return out
}

// reason is the result reason of an item, 0 of a success.
func reason(t testing.TB, it *ttlv.Item) Reason {
	r := it.Find(ttlv.TagResultReason)
	if r == nil {
		return 0
	}
	n, err := r.Enumeration()
	require.NoError(t, err)
	return n
}

func asks(operation uint32, id string, more ...ttlv.Item) ttlv.Item {
	p := ttlv.Structure(ttlv.TagRequestPayload)
	if id != "" {
		p.Add(ttlv.TextString(ttlv.TagUniqueIdentifier, id))
	}
	p.Add(more...)
	return ttlv.Structure(ttlv.TagBatchItem, ttlv.Enumeration(ttlv.TagOperation, operation), ttlv.ByteString(ttlv.TagUniqueBatchItemID, []byte{byte(operation)}), p)
}

func attribute(name string, v ttlv.Item) ttlv.Item {
	return ttlv.Structure(ttlv.TagAttribute, ttlv.TextString(ttlv.TagAttributeName, name), v)
}

// creates asks for an AES key of 256 bits.
func creates(name string) ttlv.Item {
	return asks(ttlv.OperationCreate, "", ttlv.Enumeration(ttlv.TagObjectType, ttlv.ObjectTypeSymmetricKey), ttlv.Structure(ttlv.TagTemplateAttribute,
		attribute("Cryptographic Algorithm", ttlv.Enumeration(ttlv.TagAttributeValue, ttlv.CryptographicAlgorithmAES)),
		attribute("Cryptographic Length", ttlv.Integer(ttlv.TagAttributeValue, 256)),
		attribute("Cryptographic Usage Mask", ttlv.Integer(ttlv.TagAttributeValue, 12)),
		attribute("Name", ttlv.Structure(ttlv.TagAttributeValue, ttlv.TextString(ttlv.TagNameValue, name), ttlv.Enumeration(ttlv.TagNameType, ttlv.NameTypeUninterpretedTextString)))))
}

// made returns the identifier that a success has.
func made(t testing.TB, it *ttlv.Item) string {
	t.Helper()
	require.Zero(t, reason(t, it), "%v", it)
	id, err := it.Find(ttlv.TagResponsePayload).Find(ttlv.TagUniqueIdentifier).TextString()
	require.NoError(t, err)
	return id
}

func TestEveryNodeServesWhatOneHasCommitted(t *testing.T) {
	b := newBranch(t)
	acme := b.tenant()
	cert := b.enrol(acme, "array", "")
	follower, leader := b.follower.as(cert), b.leader.as(cert)
	id := made(t, follower.ask(creates("disk"))[0])
	for _, l := range []*line{follower, leader} {
		got := l.ask(asks(ttlv.OperationGet, id))[0]
		require.Equal(t, id, made(t, got))
		key, err := got.Find(ttlv.TagResponsePayload).Find(ttlv.TagSymmetricKey).Find(ttlv.TagKeyBlock).Find(ttlv.TagKeyValue).Find(ttlv.TagKeyMaterial).ByteString()
		require.NoError(t, err)
		require.Len(t, key, 32)
	}
	all := follower.ask(asks(ttlv.OperationActivate, id), asks(ttlv.OperationGetAttributes, id), asks(ttlv.OperationLocate, ""))
	require.Len(t, all, 3)
	for _, it := range all {
		require.Equal(t, id, made(t, it), "a batch that writes runs whole on the leader")
	}
	require.Equal(t, ttlv.ResultReasonInvalidField, reason(t, leader.ask(creates("disk"))[0]), "its name is taken")
}

func TestAnotherTenantsClientFindsNothing(t *testing.T) {
	b := newBranch(t)
	mine := b.follower.as(b.enrol(b.tenant(), "array", ""))
	other := b.follower.as(b.enrol(b.tenant(), "array", ""))
	id := made(t, mine.ask(creates("disk"))[0])
	for _, op := range []uint32{ttlv.OperationGet, ttlv.OperationGetAttributes, ttlv.OperationActivate, ttlv.OperationDestroy} {
		require.Equal(t, ttlv.ResultReasonItemNotFound, reason(t, other.ask(asks(op, id))[0]))
	}
	require.Nil(t, other.ask(asks(ttlv.OperationLocate, ""))[0].Find(ttlv.TagResponsePayload).Find(ttlv.TagUniqueIdentifier))
	made(t, other.ask(creates("disk"))[0])
}

func TestClientsOfOneTenantSeeWhatTheirRoleSays(t *testing.T) {
	b := newBranch(t)
	acme := b.tenant()
	_, _, err := b.clients.SetRole(t.Context(), fsm.Request{ID: fsm.UID{3}, Tenant: acme}, kmipclient.Role{Name: "auditor", Operations: []uint32{ttlv.OperationGetAttributes, ttlv.OperationLocate},
		Groups: []string{kmipclient.EveryGroup}})
	require.NoError(t, err)
	array, twin, auditor := b.follower.as(b.enrol(acme, "array", "")), b.follower.as(b.enrol(acme, "twin", "")), b.follower.as(b.enrol(acme, "auditor", "auditor"))
	id := made(t, array.ask(creates("disk"))[0])
	require.Equal(t, ttlv.ResultReasonItemNotFound, reason(t, twin.ask(asks(ttlv.OperationGet, id))[0]))
	made(t, auditor.ask(asks(ttlv.OperationGetAttributes, id))[0])
	require.Equal(t, ttlv.ResultReasonPermissionDenied, reason(t, auditor.ask(asks(ttlv.OperationGet, id))[0]))
	require.Zero(t, reason(t, auditor.ask(asks(ttlv.OperationDiscoverVersions, ""))[0]), "what the server can do anybody may ask")
}

// TestARoleBoundsTheObjectsOfAClient counts those that live, and what a batch itself has made and destroyed.
func TestARoleBoundsTheObjectsOfAClient(t *testing.T) {
	b := newBranch(t)
	tenant := b.tenant()
	_, _, err := b.clients.SetRole(t.Context(), fsm.Request{ID: fsm.UID{3}, Tenant: tenant}, kmipclient.Role{Name: "small", All: true, Objects: 2})
	require.NoError(t, err)
	l, other := b.follower.as(b.enrol(tenant, "array", "small")), b.follower.as(b.enrol(tenant, "tape", "small"))
	first := made(t, l.ask(creates("one"))[0])
	made(t, l.ask(creates("two"))[0])
	require.NotZero(t, reason(t, l.ask(creates("three"))[0]))
	made(t, other.ask(creates("of another"))[0])
	made(t, l.ask(asks(ttlv.OperationDestroy, first))[0])
	made(t, l.ask(creates("three"))[0])
	require.NotZero(t, reason(t, l.ask(creates("four"))[0]))
}

// TestWhoWasRevokedIsRefusedOnTheConnectionThatIsOpen, and on one that is resumed.
func TestWhoWasRevokedIsRefusedOnTheConnectionThatIsOpen(t *testing.T) {
	b := newBranch(t)
	acme := b.tenant()
	cert := b.enrol(acme, "array", "")
	b.follower.client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	open := b.follower.as(cert)
	id := made(t, open.ask(creates("disk"))[0])
	require.True(t, b.follower.as(cert).c.ConnectionState().DidResume)
	_, _, err := b.clients.Revoke(t.Context(), fsm.Request{ID: fsm.UID{4}, Tenant: acme}, "array")
	require.NoError(t, err)
	require.Equal(t, ttlv.ResultReasonAuthenticationNotSuccessful, reason(t, open.ask(asks(ttlv.OperationGet, id))[0]))
	require.Equal(t, ttlv.ResultReasonAuthenticationNotSuccessful, reason(t, open.ask(creates("another"))[0]))
	require.Equal(t, ttlv.ResultReasonAuthenticationNotSuccessful, reason(t, b.follower.as(cert).ask(asks(ttlv.OperationGet, id))[0]))
	require.Equal(t, ttlv.ResultReasonAuthenticationNotSuccessful, reason(t, b.follower.as(certified(t, "stranger")).ask(asks(ttlv.OperationQuery, ""))[0]))
}

func TestALostQuorumIsSaidAtOnce(t *testing.T) {
	b := newBranch(t)
	l := b.follower.as(b.enrol(b.tenant(), "array", ""))
	id := made(t, l.ask(creates("disk"))[0])
	made(t, l.ask(asks(ttlv.OperationGet, id))[0])
	b.cluster.lost = fault.New(fault.NotDone, "the cluster has no leader at present: nothing was done, try again")
	for _, it := range []ttlv.Item{asks(ttlv.OperationGet, id), creates("another")} {
		got := l.ask(it)[0]
		require.Equal(t, ttlv.ResultReasonGeneralFailure, reason(t, got))
		message, err := got.Find(ttlv.TagResultMessage).TextString()
		require.NoError(t, err)
		require.Contains(t, message, "no leader")
	}
	b.cluster.lost = nil
	made(t, l.ask(asks(ttlv.OperationGet, id))[0])
	b.sealed = true
	require.Equal(t, ttlv.ResultReasonGeneralFailure, reason(t, l.ask(asks(ttlv.OperationGet, id))[0]))
}

// TestAFailoverIsWaitedFor: appliances take a refusal for the last word.
func TestAFailoverIsWaitedFor(t *testing.T) {
	b := newBranch(t)
	cert := b.enrol(b.tenant(), "array", "")
	patient := *b.office
	patient.Patience = time.Minute
	l := b.open(&patient).as(cert)
	b.cluster.misses.Store(2)
	id := made(t, l.ask(creates("disk"))[0])
	made(t, l.ask(asks(ttlv.OperationGet, id))[0])
	require.Negative(t, b.cluster.misses.Load())
	b.cluster.misses.Store(1)
	require.Equal(t, ttlv.ResultReasonGeneralFailure, reason(t, b.follower.as(cert).ask(creates("another"))[0]), "without patience")
}

// TestNothingIsGivenThatIsNotInTheJournal: one record a batch, with its count.
func TestNothingIsGivenThatIsNotInTheJournal(t *testing.T) {
	b := newBranch(t)
	acme := b.tenant()
	l := b.follower.as(b.enrol(acme, "array", ""))
	id := made(t, l.ask(creates("disk"))[0])
	made(t, l.ask(asks(ttlv.OperationGet, id))[0]) // the first takes its freshness, on the leader
	before := len(b.journal.all)
	l.ask(asks(ttlv.OperationGet, id), asks(ttlv.OperationGetAttributes, id))
	require.Len(t, b.journal.all, before+1)
	r := b.journal.all[before]
	require.Equal(t, "kmip.batch", r.Op)
	require.Equal(t, "kmip:array", r.Identity)
	require.Equal(t, id+","+id, r.Path)
	require.EqualValues(t, 2, r.Count)
	require.Equal(t, acme, r.Tenant)
	require.Equal(t, "127.0.0.1", r.Address)
	b.journal.err = errors.New("planted: the disk is full")
	got := l.ask(asks(ttlv.OperationGet, id))[0]
	require.Equal(t, ttlv.ResultReasonGeneralFailure, reason(t, got))
	require.Nil(t, got.Find(ttlv.TagResponsePayload))
	require.Contains(t, b.log.String(), "planted: the disk is full")
}

// TestWhatTheClientIsNotToldIsLogged, and what it is told is not.
func TestWhatTheClientIsNotToldIsLogged(t *testing.T) {
	const certify = ttlv.OperationCertify // which this server does not do
	b := newBranch(t)
	l := b.follower.as(b.enrol(b.tenant(), "array", ""))
	require.Equal(t, ttlv.ResultReasonOperationNotSupported, reason(t, l.ask(asks(certify, ""))[0]))
	require.Empty(t, b.log.String())
	operations[certify] = operation{do: func(*call) (*ttlv.Item, error) { return nil, errors.New("planted: a table is damaged") }}
	t.Cleanup(func() { delete(operations, certify) })
	got := l.ask(asks(certify, ""))[0]
	require.Equal(t, ttlv.ResultReasonGeneralFailure, reason(t, got))
	message, err := got.Find(ttlv.TagResultMessage).TextString()
	require.NoError(t, err)
	require.NotContains(t, message, "planted")
	require.Contains(t, b.log.String(), "planted: a table is damaged")
	require.Contains(t, b.log.String(), "operation=Certify client=array")
}

func TestACredentialNarrows(t *testing.T) {
	b := newBranch(t)
	acme := b.tenant()
	req := fsm.Request{ID: fsm.UID{5}, Tenant: acme}
	_, _, err := b.clients.SetRole(t.Context(), req, kmipclient.Role{Name: "both", All: true, Credential: true})
	require.NoError(t, err)
	_, _, err = b.clients.InitCA(t.Context(), req, kmipclient.P256)
	require.NoError(t, err)
	by, err := kmipclient.MakeKey(kmipclient.P256, 0)
	require.NoError(t, err)
	issued, _, err := b.clients.Enrol(t.Context(), req, kmipclient.Enrolment{Name: "forti", Role: "both", By: by, Password: &kmipclient.Password{Username: "gate", Password: []byte("long enough")}}, "")
	require.NoError(t, err)
	cert, err := tls.X509KeyPair(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issued.Certificate}), issued.Key)
	require.NoError(t, err)
	l := b.follower.as(cert)
	send := func(options ...ttlv.Item) Reason {
		raw, err := ttlv.Marshal(askIn(ttlv.V14, options, creates("disk")), ttlv.Limits{})
		require.NoError(t, err)
		_, err = l.c.Write(raw)
		require.NoError(t, err)
		m, err := ttlv.Read(l.c, ttlv.Limits{})
		require.NoError(t, err)
		return reason(t, m.Find(ttlv.TagBatchItem))
	}
	with := func(user, password string) ttlv.Item {
		return ttlv.Structure(ttlv.TagAuthentication, ttlv.Structure(ttlv.TagCredential, ttlv.Enumeration(ttlv.TagCredentialType, ttlv.CredentialTypeUsernameAndPassword),
			ttlv.Structure(ttlv.TagCredentialValue, ttlv.TextString(ttlv.TagUsername, user), ttlv.TextString(ttlv.TagPassword, password))))
	}
	require.Equal(t, ttlv.ResultReasonAuthenticationNotSuccessful, send())
	require.Equal(t, ttlv.ResultReasonAuthenticationNotSuccessful, send(with("gate", "wrong password")))
	require.Zero(t, send(with("gate", "long enough")))
}
