package egress

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

func TestWhatIsHereOrBesideIsRefusedUnlessNamed(t *testing.T) {
	allow, err := Parse([]string{"127.0.0.5", "fe80::/16"})
	require.NoError(t, err)
	r := Rules{Allow: allow, Cluster: func(a netip.AddrPort) bool { return a.Port() == 8201 }}
	for at, ok := range map[string]bool{
		"127.0.0.1:80": false, "[::1]:80": false, "[::ffff:127.0.0.1]:80": false, "169.254.169.254:80": false, "0.0.0.0:80": false, "224.0.0.1:80": false,
		"127.0.0.5:80": true, "[fe80::1]:80": true, "10.1.2.3:443": true, "203.0.113.7:443": true, "10.1.2.3:8201": false, "127.0.0.5:8201": false,
	} {
		err := r.Check(netip.MustParseAddrPort(at))
		require.Equal(t, ok, err == nil, "%s: %v", at, err)
		require.True(t, ok || fault.Is(err, fault.Denied))
	}
	_, err = Parse([]string{"localhost"})
	require.ErrorContains(t, err, "neither an address nor a network")
}

func TestTheAddressThatANameResolvesToIsWhatCounts(t *testing.T) {
	s := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusFound))
	defer s.Close()
	port := netip.MustParseAddrPort(s.Listener.Addr().String()).Port()
	url := "http://localhost:" + netip.AddrPortFrom(netip.IPv4Unspecified(), port).String()[len("0.0.0.0:"):]
	_, err := Rules{}.Client().Get(url)
	require.ErrorContains(t, err, "name it in egress.allow")
	allow, err := Parse([]string{"127.0.0.0/8"})
	require.NoError(t, err)
	resp, err := Rules{Allow: allow}.Client().Get(s.URL)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusFound, resp.StatusCode, "redirects are not followed")
}
