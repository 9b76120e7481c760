package kmip

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"io"
	"log/slog"
	"math/big"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// certified makes a certificate for the loopback that signs itself.
func certified(t testing.TB, name string) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

type backendFunc func(context.Context, Peer, *ttlv.Item) ([]byte, error)

func (f backendFunc) Answer(ctx context.Context, p Peer, m *ttlv.Item) ([]byte, error) {
	return f(ctx, p, m)
}

// served is a server with a way to it.
type served struct {
	t      testing.TB
	at     string
	client *tls.Config
	stop   context.CancelFunc
	done   chan error
}

func serve(t testing.TB, b backendFunc, patience Patience) *served {
	own, theirs := certified(t, "server"), certified(t, "client")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	roots := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(own.Certificate[0])
	require.NoError(t, err)
	roots.AddCert(leaf)
	out := &served{t: t, at: l.Addr().String(), client: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{theirs}}, stop: cancel, done: make(chan error, 1)}
	s := &Server{TLS: &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAnyClientCert}, Backend: b, Patience: patience, Log: slog.New(slog.DiscardHandler)}
	go func() { out.done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		<-out.done
	})
	return out
}

func (s *served) dial() *tls.Conn {
	c, err := tls.Dial("tcp", s.at, s.client)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { c.Close() })
	require.NoError(s.t, c.SetDeadline(time.Now().Add(time.Minute)))
	return c
}

// hello is a message that a backend can answer with itself.
func hello(t testing.TB) []byte {
	m := ttlv.Structure(ttlv.TagRequestMessage, ttlv.TextString(ttlv.TagUniqueIdentifier, "hello"))
	b, err := ttlv.Marshal(&m, ttlv.Limits{})
	require.NoError(t, err)
	return b
}

func echo(_ context.Context, _ Peer, m *ttlv.Item) ([]byte, error) {
	return ttlv.Marshal(m, ttlv.Limits{})
}

// closed reads what is left, and sees that the server ended the connection.
func closed(t testing.TB, c net.Conn) []byte {
	b, err := io.ReadAll(c)
	if err != nil {
		require.NotErrorIs(t, err, context.DeadlineExceeded)
	}
	return b
}

func TestMessagesAreAnsweredOneAfterTheOther(t *testing.T) {
	var chain atomic.Value
	s := serve(t, func(ctx context.Context, p Peer, m *ttlv.Item) ([]byte, error) {
		chain.Store(p.Chain[0].Subject.CommonName + " " + p.Address)
		return echo(ctx, p, m)
	}, Patience{})
	c, want := s.dial(), hello(t)
	_, err := c.Write(append(append([]byte(nil), want...), want[:5]...)) // the next begins before the first is answered
	require.NoError(t, err)
	got := make([]byte, len(want))
	for range 3 {
		_, err = io.ReadFull(c, got)
		require.NoError(t, err)
		require.Equal(t, want, got)
		_, err = c.Write(append(append([]byte(nil), want[5:]...), want[:5]...))
		require.NoError(t, err)
	}
	require.Equal(t, "client 127.0.0.1", chain.Load())
}

func TestWhoShowsNoCertificateIsNotServed(t *testing.T) {
	s := serve(t, echo, Patience{})
	s.client.Certificates = nil
	c, err := tls.Dial("tcp", s.at, s.client)
	if err == nil {
		defer c.Close()
		_, err = c.Write(hello(t))
		if err == nil {
			_, err = c.Read(make([]byte, 1))
		}
	}
	require.Error(t, err)
}

func TestWhatIsNoMessageEndsTheConnection(t *testing.T) {
	s := serve(t, echo, Patience{})
	huge := append([]byte(nil), hello(t)[:8]...)
	binary.BigEndian.PutUint32(huge[4:], 0xfffffff8)
	deep := bytes.Repeat([]byte{0x42, 0, 0x78, 1, 0, 0, 0x10, 0}, 1)
	for i := range 100 {
		deep = append(deep, 0x42, 0, 0x78, 1, 0, 0, byte((0x1000-8*(i+1))>>8), byte(0x1000-8*(i+1)))
	}
	deep = append(deep, make([]byte, 0x1008-len(deep))...)
	for name, bad := range map[string][]byte{"http": []byte("GET / HTTP/1.1\r\n\r\n"), "four gibibytes": huge, "nested": deep} {
		t.Run(name, func(t *testing.T) {
			c := s.dial()
			_, err := c.Write(bad)
			require.NoError(t, err)
			m, err := ttlv.Parse(closed(t, c), ttlv.Limits{})
			require.NoError(t, err)
			require.Equal(t, ttlv.TagResponseMessage, m.Tag)
		})
	}
}

func TestAPanicEndsItsConnectionAlone(t *testing.T) {
	s := serve(t, func(ctx context.Context, p Peer, m *ttlv.Item) ([]byte, error) {
		if m.Find(ttlv.TagBatchCount) != nil {
			panic("a defect")
		}
		return echo(ctx, p, m)
	}, Patience{})
	other := s.dial()
	m := ttlv.Structure(ttlv.TagRequestMessage, ttlv.Integer(ttlv.TagBatchCount, 1))
	bad, err := ttlv.Marshal(&m, ttlv.Limits{})
	require.NoError(t, err)
	c := s.dial()
	_, err = c.Write(bad)
	require.NoError(t, err)
	require.Empty(t, closed(t, c))
	_, err = other.Write(hello(t))
	require.NoError(t, err)
	_, err = io.ReadFull(other, make([]byte, len(hello(t))))
	require.NoError(t, err)
}

func TestTheSlowAreSentAway(t *testing.T) {
	short := 50 * time.Millisecond
	for name, p := range map[string]Patience{"handshake": {Handshake: short}, "message": {Message: short}, "idle": {Idle: short}} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, echo, p)
			if name == "handshake" {
				raw, err := net.Dial("tcp", s.at)
				require.NoError(t, err)
				defer raw.Close()
				require.NoError(t, raw.SetDeadline(time.Now().Add(time.Minute)))
				closed(t, raw)
				return
			}
			c := s.dial()
			if name == "message" {
				_, err := c.Write(hello(t)[:9])
				require.NoError(t, err)
			}
			require.Empty(t, closed(t, c))
		})
	}
}

func TestAServerThatStopsAnswersWhatIsUnderWay(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	s := serve(t, func(ctx context.Context, p Peer, m *ttlv.Item) ([]byte, error) {
		close(begun)
		<-end
		return echo(ctx, p, m)
	}, Patience{})
	idle, c := s.dial(), s.dial()
	_, err := c.Write(hello(t))
	require.NoError(t, err)
	<-begun
	s.stop()
	require.Empty(t, closed(t, idle))
	close(end)
	require.Equal(t, hello(t), closed(t, c))
	require.NoError(t, <-s.done)
	s.done <- nil
}
