package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/trstctl/trstctl/fsm"
)

// Nodes of different epochs never speak Raft or RPC with each other: the names of these protocols hold the epoch, so that their connections do not
// even come about. What comes about instead is protoEpoch, on which each says what epoch it is in, signed by the cluster's CA when that epoch
// began. Whoever learns in this way that the cluster lives on without it ends itself: its history was given up.
const (
	protoEpoch   = "trstctl-epoch/1"
	epochTime    = 2 * time.Second
	maxStatement = 1024
)

// statement is what a node says on protoEpoch.
type statement struct {
	Epoch uint32 `cbor:"1,keyasint"`
	Proof []byte `cbor:"2,keyasint"` // empty in the first epoch, and in a node that has not received the state yet
}

// epochError says that the other side is in another epoch.
type epochError struct {
	id           string
	theirs, mine uint32
}

func (e *epochError) Error() string {
	return fmt.Sprintf("node %s is in epoch %d of the cluster's history, this one in epoch %d: they do not speak with each other", e.id, e.theirs, e.mine)
}

// epoch is the one that this node is in: its state's, or the one that it joined in until it has the state.
func (t *trust) epoch() uint32 { return max(t.store.Epoch(), t.id.epoch) }

// inEpoch is the name of a protocol in an epoch; those of the first have kept theirs.
func inEpoch(proto string, epoch uint32) string {
	if epoch <= fsm.FirstEpoch {
		return proto
	}
	return fmt.Sprintf("%s/e%d", proto, epoch)
}

// baseOf is the name without the epoch.
func baseOf(negotiated string) string {
	proto, _, _ := strings.Cut(negotiated, "/e")
	return proto
}

func (t *trust) offered(proto string) []string {
	return []string{inEpoch(proto, t.epoch()), protoEpoch}
}

func (t *trust) accepted() []string {
	now := t.epoch()
	return []string{inEpoch(protoRaft, now), inEpoch(protoRPC, now), protoJoin, protoEpoch}
}

// compatriot returns the node that certs speak for if the cluster's CA has signed them, whatever this node's own history says of it.
func (t *trust) compatriot(certs []*x509.Certificate) (string, error) {
	if len(certs) == 0 {
		return "", errors.New("the peer shows no certificate")
	}
	id, err := nodeOf(certs[0], t.id.Cluster)
	if err != nil {
		return "", err
	}
	return id, chainAt(certs[0], t.id.ca, within(t.now(), certs[0]), x509.ExtKeyUsageClientAuth)
}

// compareEpochs tells the other side of a connection in what epoch this node is, and hears the same. It closes the connection and returns what
// is wrong, which is always something.
func (p *port) compareEpochs(c net.Conn, id string) error {
	defer c.Close()
	mine, err := p.trust.statement()
	if err == nil {
		err = c.SetDeadline(time.Now().Add(epochTime))
	}
	if err != nil {
		return err
	}
	theirs, err := exchange(c, mine)
	if err != nil {
		return fmt.Errorf("node %s is in another epoch of the cluster's history and does not say which: %w", id, err)
	}
	if theirs.Epoch > mine.Epoch && p.trust.proved(theirs) {
		p.superseded(theirs.Epoch)
	}
	return &epochError{id, theirs.Epoch, mine.Epoch}
}

// statement is this node's own. Epoch and proof are of one view.
func (t *trust) statement() (statement, error) {
	v, err := t.store.View()
	if err != nil {
		return statement{}, err
	}
	defer v.Close()
	s := statement{Epoch: max(fsm.Epoch(v), t.id.epoch)}
	s.Proof, _, err = proofs.Get(v, fsm.K())
	return s, err
}

// proved checks the CA's signature: no member, and no one who was one, can make others believe in an epoch.
func (t *trust) proved(s statement) bool {
	key, ok := t.id.ca.PublicKey.(*ecdsa.PublicKey)
	return ok && ecdsa.VerifyASN1(key, epochDigest(t.id.Cluster, s.Epoch), s.Proof)
}

// exchange sends one statement and receives another.
func exchange(c net.Conn, mine statement) (theirs statement, err error) {
	b, err := fsm.Encode(mine)
	if err != nil {
		return theirs, err
	}
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
		sent <- err
	}()
	var size [2]byte
	_, err = io.ReadFull(c, size[:])
	in := make([]byte, min(binary.BigEndian.Uint16(size[:]), maxStatement))
	if err == nil {
		_, err = io.ReadFull(c, in)
	}
	if err = errors.Join(err, <-sent); err == nil {
		err = fsm.Decode(in, &theirs)
	}
	return theirs, err
}

// superseded ends a node whose history was given up.
func (n *Node) superseded(epoch uint32) {
	n.fail(fmt.Errorf("the cluster was restored or recovered and goes on in epoch %d, this node holds epoch %d, which was given up: "+
		"nothing of it can be merged; move its data directory aside and join it as a new node under a new id", epoch, n.port.trust.epoch()))
}

// sameEpoch turns a connection on which only epochs can be compared into what came of that.
func (p *port) sameEpoch(ctx context.Context, c net.Conn, id string) (net.Conn, error) {
	if t, ok := c.(*tls.Conn); ok && t.ConnectionState().NegotiatedProtocol == protoEpoch {
		stop := context.AfterFunc(ctx, func() { c.Close() })
		defer stop()
		return nil, p.compareEpochs(c, id)
	}
	return c, nil
}
