package kmip

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

// posted is a server with a client that shows a certificate, or shows none.
func posted(t *testing.T, b backendFunc, shows bool) func(method, path, media, body string) (int, string, http.Header) {
	own, theirs := certified(t, "server"), certified(t, "client")
	s := httptest.NewUnstartedServer(Handler(b, Patience{}, nil, slog.New(slog.DiscardHandler)))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{own}, ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(own.Certificate[0])
	require.NoError(t, err)
	roots.AddCert(leaf)
	config := &tls.Config{RootCAs: roots}
	if shows {
		config.Certificates = []tls.Certificate{theirs}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	t.Cleanup(client.CloseIdleConnections)
	return func(method, path, media, body string) (int, string, http.Header) {
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", media)
		resp, err := client.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(b), resp.Header
	}
}

func TestMessagesOverHTTPS(t *testing.T) {
	post := posted(t, func(ctx context.Context, p Peer, m *ttlv.Item) ([]byte, error) {
		require.Equal(t, "client 127.0.0.1", p.Chain[0].Subject.CommonName+" "+p.Address)
		return echo(ctx, p, m)
	}, true)
	m := ttlv.Structure(ttlv.TagRequestMessage, ttlv.TextString(ttlv.TagUniqueIdentifier, "hello"))
	for media, e := range encodings {
		b, err := e.write(&m)
		require.NoError(t, err)
		code, body, header := post(http.MethodPost, "/kmip", media+"; charset=utf-8", string(b))
		require.Equal(t, http.StatusOK, code, media)
		require.Equal(t, media, header.Get("Content-Type"))
		got, err := e.read([]byte(body))
		require.NoError(t, err)
		require.True(t, m.Equal(got), media)

		code, body, _ = post(http.MethodPost, "/kmip", media, "this is no message")
		require.Equal(t, http.StatusOK, code, media)
		got, err = e.read([]byte(body))
		require.NoError(t, err)
		require.Equal(t, ttlv.TagResponseMessage, got.Tag, media)
		reason, err := got.Find(ttlv.TagBatchItem).Find(ttlv.TagResultReason).Enumeration()
		require.NoError(t, err)
		require.Equal(t, ttlv.ResultReasonInvalidMessage, reason)
	}
}

func TestWhatIsNoMessageOverHTTPS(t *testing.T) {
	post := posted(t, func(context.Context, Peer, *ttlv.Item) ([]byte, error) { return nil, errors.New("broken") }, true)
	const media = "application/octet-stream"
	for _, c := range []struct {
		method, path, media, body string
		status                    int
	}{
		{http.MethodPost, "/", media, "", http.StatusNotFound},
		{http.MethodPost, "/kmip/", media, "", http.StatusNotFound},
		{http.MethodGet, "/kmip", media, "", http.StatusMethodNotAllowed},
		{http.MethodPost, "/kmip", "text/plain", "", http.StatusUnsupportedMediaType},
		{http.MethodPost, "/kmip", "", "", http.StatusUnsupportedMediaType},
		{http.MethodPost, "/kmip", media, strings.Repeat("x", ttlv.DefaultSize+1), http.StatusRequestEntityTooLarge},
		{http.MethodPost, "/kmip", media, string(hello(t)), http.StatusServiceUnavailable},
	} {
		code, body, _ := post(c.method, c.path, c.media, c.body)
		require.Equal(t, c.status, code, "%s %s %s", c.method, c.path, c.media)
		require.NotContains(t, body, "broken")
	}
	panics := posted(t, func(context.Context, Peer, *ttlv.Item) ([]byte, error) { panic("no answer") }, true)
	code, _, _ := panics(http.MethodPost, "/kmip", media, string(hello(t)))
	require.Equal(t, http.StatusServiceUnavailable, code)
}

func TestWhoShowsNoCertificateOverHTTPSIsRefused(t *testing.T) {
	post := posted(t, func(context.Context, Peer, *ttlv.Item) ([]byte, error) {
		t.Error("the backend was asked")
		return nil, errors.New("broken")
	}, false)
	code, _, _ := post(http.MethodPost, "/kmip", "application/octet-stream", string(hello(t)))
	require.Equal(t, http.StatusUnauthorized, code)
}
