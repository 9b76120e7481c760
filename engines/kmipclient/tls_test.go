package kmipclient

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
)

// server is a KMIP port as it will be: any certificate gets through the handshake, and each request is answered by who its sender is now.
func (r *rig) server(t *testing.T, cert tls.Certificate, version uint16) net.Listener {
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert, MinVersion: version,
		MaxVersion: version, Time: begin.Std})
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.serve(c.(*tls.Conn))
		}
	}()
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		<-done
	})
	return l
}

// serve answers each byte: y for a client, n for others.
func (r *rig) serve(c *tls.Conn) {
	defer c.Close()
	for b := make([]byte, 1); ; {
		if _, err := c.Read(b); err != nil {
			return
		}
		if b[0] = 'y'; !r.known(c.ConnectionState().PeerCertificates) {
			b[0] = 'n'
		}
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

func (r *rig) known(chain []*x509.Certificate) bool {
	v, err := r.store.View()
	if err != nil {
		return false
	}
	defer v.Close()
	_, err = r.e.Authenticate(v, chain, begin)
	return err == nil
}

// ask sends a request and returns the answer.
func ask(t *testing.T, c *tls.Conn) string {
	t.Helper()
	_, err := c.Write([]byte("?"))
	require.NoError(t, err)
	b := make([]byte, 1)
	_, err = c.Read(b)
	require.NoError(t, err)
	return string(b)
}

// TestAnIssuedCertificateIsGoodForAHandshake, and a revocation for what was connected and for what is resumed.
func TestAnIssuedCertificateIsGoodForAHandshake(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			r := withCAs(t)
			_, _, err := r.e.EnsureServerCA(t.Context(), r.in(fsm.RootTenant).req(), P256)
			require.NoError(t, err)
			cert, err := ServerCertificate(r.view(), r.keys, ServerNames{Names: []string{"kmip.example"}, Algorithm: P256}, begin)
			require.NoError(t, err)
			l := r.server(t, cert, version)
			made := r.enrol("a", source(t)(MakeKey(P256, 0)))
			own, err := tls.X509KeyPair(certificatePEM(made.Certificate), made.Key)
			require.NoError(t, err)
			dial := func(cache tls.ClientSessionCache, certs ...tls.Certificate) *tls.Conn {
				c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: rootsOf(t, r), ServerName: "kmip.example", Certificates: certs,
					ClientSessionCache: cache, Time: begin.Std})
				require.NoError(t, err)
				return c
			}
			cache := tls.NewLRUClientSessionCache(4)
			first := dial(cache, own)
			require.False(t, first.ConnectionState().DidResume)
			require.Equal(t, "y", ask(t, first))
			require.NoError(t, first.Close())
			second := dial(cache, own)
			require.True(t, second.ConnectionState().DidResume)
			require.Equal(t, "y", ask(t, second))
			require.NoError(t, r.revoke("a"))
			require.Equal(t, "n", ask(t, second), "on a connection from before")
			require.NoError(t, second.Close())
			third := dial(cache, own)
			require.True(t, third.ConnectionState().DidResume)
			require.Equal(t, "n", ask(t, third), "on one that is resumed")
			require.NoError(t, third.Close())

			key := newKey(t)
			asked := r.enrol("b", source(t)(ForRequest(pemOf("CERTIFICATE REQUEST", request(t, key)), 0)))
			fourth := dial(nil, tls.Certificate{Certificate: [][]byte{asked.Certificate, asked.CA}, PrivateKey: key})
			require.Equal(t, "y", ask(t, fourth))
			require.NoError(t, fourth.Close())
		})
	}
}

// TestACertificateWithoutItsKeyIsGoodForNothing: a handshake shows that the sender has the key, which is why Authenticate need not ask.
func TestACertificateWithoutItsKeyIsGoodForNothing(t *testing.T) {
	r := withCAs(t)
	_, _, err := r.e.EnsureServerCA(t.Context(), r.in(fsm.RootTenant).req(), P256)
	require.NoError(t, err)
	cert, err := ServerCertificate(r.view(), r.keys, ServerNames{Names: []string{"kmip.example"}, Algorithm: P256}, begin)
	require.NoError(t, err)
	l := r.server(t, cert, tls.VersionTLS12)
	made := r.enrol("a", source(t)(MakeKey(P256, 0)))
	_, err = tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: rootsOf(t, r), ServerName: "kmip.example", Time: begin.Std,
		Certificates: []tls.Certificate{{Certificate: [][]byte{made.Certificate}, PrivateKey: newKey(t)}}})
	require.Error(t, err)
}
