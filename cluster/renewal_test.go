package cluster

import (
	"context"
	"crypto/x509"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestACertificateThatIsRenewedDuringTheDial: the connection that comes of it has the old one, and is made anew.
func TestACertificateThatIsRenewedDuringTheDial(t *testing.T) {
	dials := 0
	var c *client
	c = &client{id: "n2", dial: func(context.Context) (net.Conn, error) {
		if dials++; dials == 1 {
			c.renewed()
		}
		one, other := net.Pipe()
		t.Cleanup(func() { require.NoError(t, one.Close()); require.NoError(t, other.Close()) })
		return one, nil
	}}
	defer c.close()
	l, err := c.connect(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, dials)
	require.False(t, l.outlived())
}

// TestALateCertificateIsLookedForAgain: the peer may have renewed it in the moment of the handshake.
func TestALateCertificateIsLookedForAgain(t *testing.T) {
	expired := &x509.Certificate{NotAfter: time.Now().Add(-time.Hour)}
	late := tenure{leaf: expired, late: true, began: uptime()}
	require.False(t, late.lapsed(), "for a moment it does, for what a late certificate is good for")
	late.began -= 2 * lateAgain
	require.True(t, late.lapsed())
	require.True(t, tenure{leaf: expired, began: uptime()}.lapsed(), "it has gone out of its time since")
	valid := &x509.Certificate{NotAfter: time.Now().Add(time.Hour)}
	require.False(t, tenure{leaf: valid, late: true, began: uptime() - time.Hour}.lapsed(), "the clock was wrong when it began")
}
