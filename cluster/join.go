package cluster

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/durable"
	"github.com/trstctl/trstctl/fsm/fault"
)

const (
	tokenLife   = 15 * time.Minute
	tokenMemory = 24 * time.Hour // a spent token is remembered so that it is named, not unknown
	tokenPrefix = "trj."
	joinTime    = 30 * time.Second
	joinFrame   = 64 << 10
)

// joinToken is what an operator carries to a new node. It admits one node to ciphertext and pins the cluster's CA.
type joinToken struct {
	Cluster   fsm.UID  `cbor:"1,keyasint"`
	Node      string   `cbor:"2,keyasint"`
	Secret    []byte   `cbor:"3,keyasint"` // 32 bytes
	CA        CAKeyID  `cbor:"4,keyasint"`
	Addresses []string `cbor:"5,keyasint"` // cluster ports to try
}

func (t joinToken) encode() (string, error) {
	b, err := fsm.Encode(t)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b), err
}

func parseJoinToken(s string) (joinToken, error) {
	var t joinToken
	body, ok := strings.CutPrefix(strings.TrimSpace(s), tokenPrefix)
	b, err := base64.RawURLEncoding.DecodeString(body)
	if ok && err == nil {
		err = fsm.Decode(b, &t)
	}
	if !ok || err != nil || len(t.Secret) != 32 || len(t.Addresses) == 0 || ValidNode(t.Node) != nil {
		return t, fault.Bad("join", "that is not a join token: make one on a member with `trstctl operator token NODE`")
	}
	return t, nil
}

// TokenNode returns the id of the node that a join token admits.
func TokenNode(token string) (string, error) {
	t, err := parseJoinToken(token)
	return t.Node, err
}

// joinRequest is what a joiner sends; the CSR's signature proves that it holds the key.
type joinRequest struct {
	Secret []byte `cbor:"1,keyasint"`
	CSR    []byte `cbor:"2,keyasint"`
	Member Member `cbor:"3,keyasint"`
}

type joinReply struct {
	Node []byte `cbor:"1,keyasint"` // certificates, DER
	API  []byte `cbor:"2,keyasint"`
	CA   []byte `cbor:"3,keyasint"`

	Epoch uint32 `cbor:"4,keyasint,omitempty"` // of the cluster's history; absent for the first
}

// Self is how a node will be reached.
type Self struct {
	Cluster, API, Gossip string // host:port, advertised
	Version              string // of the binary
}

func (s Self) member(id string, key [32]byte) Member {
	return Member{ID: id, Cluster: s.Cluster, API: s.API, Gossip: s.Gossip, PublicKey: key, Version: s.Version, Readable: Version}
}

// Join makes dir a node of the cluster that the token is from. A second call with the same token, after a crash, uses the
// key that the first one made and gets the same answer.
func Join(ctx context.Context, dir, token string, self Self) (*Identity, error) {
	t, err := parseJoinToken(token)
	if err != nil {
		return nil, err
	}
	key, err := joinKey(dir)
	if err != nil {
		return nil, err
	}
	chaos.Point(chaos.JoinAsked)
	reply, err := t.ask(ctx, key, self)
	if err != nil {
		return nil, err
	}
	chaos.Point(chaos.JoinAnswered)
	ca, err := x509.ParseCertificate(reply.CA)
	if err != nil || CAKeyID(spki(ca.PublicKey)) != t.CA {
		return nil, fmt.Errorf("the cluster answered with a CA that is not the one in the join token")
	}
	id, err := newIdentity(dir, t.Cluster, t.Node, key, ca)
	if err != nil {
		return nil, err
	}
	id.epoch = reply.Epoch
	return id, id.keep(reply.Node, reply.API, id.commit)
}

// joinKey makes the node's key, or takes the one of an attempt that did not end.
func joinKey(dir string) (*ecdsa.PrivateKey, error) {
	path := filepath.Join(dir, "tls", "node.key")
	if key, err := readKey(path); !errors.Is(err, os.ErrNotExist) {
		return key, err
	}
	if err := durable.MakeDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("create identity: %w", err)
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	return key, writeKey(path, key)
}

// ask sends the request to one address after the other until one answers. A refusal by the cluster ends it.
func (t joinToken) ask(ctx context.Context, key *ecdsa.PrivateKey, self Self) (joinReply, error) {
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return joinReply{}, fmt.Errorf("make a certificate request: %w", err)
	}
	in := joinRequest{Secret: t.Secret, CSR: csr, Member: self.member(t.Node, spki(&key.PublicKey))}
	var errs []error
	for ctx.Err() == nil {
		for _, addr := range t.Addresses {
			var out joinReply
			err := t.askAt(ctx, addr, in, &out)
			var f *fault.Error
			if err == nil || errors.As(err, &f) && f.Kind != fault.NotDone && f.Kind != fault.Unknown && f.Kind != fault.Sealed {
				return out, err
			}
			errs = append(errs[max(0, len(errs)-4):], fmt.Errorf("%s: %w", addr, err))
		}
		pause(ctx, 500*time.Millisecond)
	}
	return joinReply{}, fmt.Errorf("join the cluster: %w", errors.Join(errs...))
}

func (t joinToken) askAt(ctx context.Context, addr string, in joinRequest, out *joinReply) error {
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{protoJoin}, ServerName: "trstctl",
		InsecureSkipVerify: true, VerifyConnection: t.verify, // against the pinned CA, which is all that a joiner knows
	}}
	dial := func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, "tcp", addr) }
	c := &client{id: addr, dial: dial}
	defer c.close()
	return c.call(ctx, callJoin, in, out)
}

// verify accepts a node of the cluster whose CA the token pins; the server sends the CA behind its certificate.
func (t joinToken) verify(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) != 2 || CAKeyID(spki(cs.PeerCertificates[1].PublicKey)) != t.CA {
		return errors.New("the node is not of the cluster that made the join token")
	}
	if _, err := nodeOf(cs.PeerCertificates[0], t.Cluster); err != nil {
		return err
	}
	return chainAt(cs.PeerCertificates[0], cs.PeerCertificates[1], chaos.Now(), x509.ExtKeyUsageServerAuth)
}

// JoinToken is a token that admits Node, once, until Expires. Token is the caller's to zero.
type JoinToken struct {
	Token   []byte
	Node    string
	Expires fsm.Time
}

// issued is what the receipt keeps in clear.
type issued struct {
	Hash    [32]byte `cbor:"1,keyasint"`
	Node    string   `cbor:"2,keyasint"`
	Expires fsm.Time `cbor:"3,keyasint"`
}

func answerBinding(hash [32]byte) fsm.Binding {
	return fsm.Binding{Tenant: fsm.RootTenant, Feature: "cluster", Field: "join-token", Path: joinStream(hash), Version: 1}
}

// IssueJoinToken makes a token that admits node within 15 minutes. The same request again gets the same token.
func (n *Node) IssueJoinToken(ctx context.Context, r fsm.Request, node, idempotencyKey string) (JoinToken, error) {
	if err := ValidNode(node); err != nil {
		return JoinToken{}, err
	}
	rc, err := n.ledger.Commit(Urgent(ctx), r, memberStream(node), func(v *fsm.View, e *fsm.Entry) error {
		return n.decideToken(v, e, node, idempotencyKey)
	})
	if err != nil {
		return JoinToken{}, err
	}
	v, err := n.store.View()
	if err != nil {
		return JoinToken{}, err
	}
	defer v.Close()
	var made issued
	if err := fsm.Decode(rc.Reply.Public, &made); err != nil {
		return JoinToken{}, fmt.Errorf("read the answer of a join token's creation: %w", err)
	}
	token, err := n.keys.OpenAnswer(v, answerBinding(made.Hash), idempotencyKey, rc.Reply.Secret)
	return JoinToken{token, made.Node, made.Expires}, err
}

func (n *Node) decideToken(v *fsm.View, e *fsm.Entry, node, idempotencyKey string) error {
	if err := mayJoin(v, node); err != nil {
		return err
	}
	all, err := Members(v)
	if err != nil {
		return err
	}
	t := joinToken{Cluster: n.id.Cluster, Node: node, Secret: make([]byte, 32), CA: CAKeyID(spki(n.id.ca.PublicKey))}
	for _, m := range all {
		t.Addresses = append(t.Addresses, m.Cluster)
	}
	rand.Read(t.Secret)
	defer clear(t.Secret)
	text, err := t.encode()
	if err != nil {
		return err
	}
	made := issued{sha256.Sum256(t.Secret), node, fsm.At(chaos.Now()).Add(tokenLife)}
	if e.Reply.Secret, err = n.keys.SealAnswer(v, answerBinding(made.Hash), idempotencyKey, []byte(text)); err != nil {
		return fmt.Errorf("seal the join token: %w", err)
	}
	e.Add(TokenIssued(made))
	e.Reply.Public, err = fsm.Encode(made)
	return err
}

func mayJoin(r fsm.Reader, node string) error {
	gone, err := wasRemoved(r, node)
	if err == nil && gone {
		return fault.New(fault.Conflict, "node %q was removed: its id is never used again, choose another", node)
	}
	if err != nil {
		return err
	}
	_, found, err := member(r, node)
	if err == nil && found {
		return fault.New(fault.Conflict, "node %q is a member: remove it first, or choose another id", node)
	}
	return err
}

// serveJoin answers one joiner, whoever leads.
func (n *Node) serveJoin(ctx context.Context, c net.Conn) {
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(joinTime)); err != nil || !n.joiners.Allow() {
		return
	}
	s := &rpcServer{conn: c, w: bufio.NewWriter(c)}
	call, kind, body, err := readFrameUpTo(bufio.NewReader(c), joinFrame)
	if err != nil || method(kind) != callJoin {
		return
	}
	s.answer(ctx, call, n.passJoin, "", body)
}

// passJoin brings a joiner's request to the leader.
func (n *Node) passJoin(ctx context.Context, _ string, body []byte) (any, error) {
	var in joinRequest
	if err := fsm.Decode(body, &in); err != nil {
		return nil, fault.New(fault.Invalid, "the join request cannot be read")
	}
	if _, err := n.opened(); err == nil {
		return n.admit(ctx, in)
	}
	ctx, release, leader := n.leads.under(ctx)
	defer release()
	if leader == "" {
		return nil, noLeader()
	}
	var out joinReply
	err := n.peers.get(leader).call(ctx, callJoin, in, &out)
	var f *fault.Error
	if err != nil && !errors.As(err, &f) {
		err = unknown(err) // a joiner repeats that
	}
	return out, err
}

func (n *Node) answerJoin(ctx context.Context, _ string, body []byte) (any, error) {
	var in joinRequest
	if err := fsm.Decode(body, &in); err != nil {
		return nil, fault.New(fault.Invalid, "the join request cannot be read")
	}
	return n.admit(ctx, in)
}

// admit spends the token for the joiner's key, and signs only after that is committed. The same token with the same key
// is answered again.
func (n *Node) admit(ctx context.Context, in joinRequest) (joinReply, error) {
	csr, err := x509.ParseCertificateRequest(in.CSR)
	if err != nil || csr.CheckSignature() != nil || spki(csr.PublicKey) != in.Member.PublicKey {
		return joinReply{}, fault.New(fault.Invalid, "the join request is not signed by the key that it brings")
	}
	ca, err := n.issuer()
	if err != nil {
		return joinReply{}, err
	}
	hash := sha256.Sum256(in.Secret)
	r := fsm.Request{ID: newUID(), Tenant: fsm.RootTenant, Actor: fsm.Actor{Identity: "joiner:" + in.Member.ID}}
	_, err = n.ledger.Commit(Urgent(ctx), r, joinStream(hash), func(v *fsm.View, e *fsm.Entry) error {
		return decideGrant(v, e, hash, in.Member)
	})
	if err != nil {
		return joinReply{}, err
	}
	chaos.Point(chaos.JoinGranted)
	n.log.Info("a node was admitted", "member", in.Member.ID, "address", in.Member.Cluster)
	return n.reply(ca, in.Member, csr.PublicKey)
}

func decideGrant(v *fsm.View, e *fsm.Entry, hash [32]byte, m Member) error {
	row, found, err := joins.Get(v, fsm.K(hash[:]))
	if err != nil {
		return err
	}
	gone, err := wasRemoved(v, m.ID)
	switch now := max(v.Now(), fsm.At(chaos.Now())); {
	case err != nil:
		return err
	case !found || row.Node != m.ID:
		return fault.New(fault.Denied, "the join token is not known to this cluster, or is for another node")
	case now > row.Expires:
		return fault.New(fault.Denied, "the join token has expired: make a new one with `trstctl operator token %s`", row.Node)
	case row.Spent && gone:
		return fault.New(fault.Denied, "node %q was removed: its id is never used again", m.ID)
	case row.Spent && row.Key != m.PublicKey:
		return fault.New(fault.Denied, "the join token has been used: make a new one with `trstctl operator token %s`", row.Node)
	case row.Spent:
		return nil // the same node again: the same answer
	}
	if err := mayJoin(v, m.ID); err != nil {
		return err
	}
	if row, found, err := genesis(v); err != nil || !found || row.Version > m.Readable {
		return fault.New(fault.Denied, "the cluster is at version %d, the node's binary reads up to %d: upgrade it first", row.Version, m.Readable).Because(err)
	}
	e.Add(Granted{Hash: hash, Member: m})
	return guard(v, e, memberStream(m.ID))
}

func (n *Node) reply(ca issuer, m Member, pub any) (joinReply, error) {
	now := chaos.Now()
	node, err := ca.node(m.ID, pub, now)
	if err != nil {
		return joinReply{}, err
	}
	api, err := ca.api(m.ID, hostOf(m.API), pub, now)
	if err != nil {
		return joinReply{}, err
	}
	chaos.Point(chaos.JoinSigned)
	out := joinReply{Node: node.Raw, API: api.Raw, CA: n.id.ca.Raw}
	if now := n.store.Epoch(); now > fsm.FirstEpoch {
		out.Epoch = now
	}
	return out, nil
}

func hostOf(addr string) []string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil
	}
	return []string{host}
}
