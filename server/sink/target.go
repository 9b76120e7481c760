package sink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/server/egress"
)

// Validate says what is wrong with a configuration.
func (c Config) Validate() error {
	_, _, err := c.open(egress.Rules{})
	return err
}

// open makes the target, and the name of its cursor, which is another one for another target.
func (c Config) open(rules egress.Rules) (to target, name string, err error) {
	given := ""
	switch c.Kind {
	case "file":
		if given = c.Path; !filepath.IsAbs(c.Path) {
			return nil, "", errors.New("a file needs path, from the root of the file system on")
		}
		to = fileTarget{c.Path}
	case "syslog":
		given = c.Address
		to, err = newSyslog(c)
	case "webhook":
		given = c.URL
		to, err = newWebhook(c, rules)
	default:
		return nil, "", fmt.Errorf("kind %q is none of file, syslog, webhook", c.Kind)
	}
	sum := sha256.Sum256([]byte(given))
	return to, fmt.Sprintf("%s-%x", c.Kind, sum[:8]), err
}

func (c Config) tls() (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12, Time: chaos.Now}
	if c.CA == "" {
		return out, nil
	}
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, fmt.Errorf("read ca: %w", err)
	}
	out.RootCAs = x509.NewCertPool()
	if !out.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca: %s holds no certificate", c.CA)
	}
	return out, nil
}

// fileTarget appends to a file, which may be moved away in between. A line that a crash cut off is written again whole.
type fileTarget struct{ path string }

func (f fileTarget) send(_ context.Context, _ string, lines [][]byte) (err error) {
	out, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o600) // a pipe that nobody reads must not hang
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if info, err := out.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, fmt.Errorf("%s is no regular file", f.path))
	}
	if _, err := out.Write(append(bytes.Join(lines, []byte{'\n'}), '\n')); err != nil {
		return err
	}
	return out.Sync()
}

// syslog sends RFC 5424 messages: by UDP one a datagram (RFC 5426), by TCP and TLS behind their length (RFC 6587, RFC 5425).
type syslog struct {
	network, address string
	tls              *tls.Config // nil: without
}

func newSyslog(c Config) (*syslog, error) {
	u, err := url.Parse(c.Address)
	if err != nil || u.Host == "" || u.Port() == "" || u.Path != "" || u.User != nil {
		return nil, errors.New("a syslog server needs address, such as tls://log.example.com:6514")
	}
	s := &syslog{network: u.Scheme, address: u.Host}
	switch u.Scheme {
	case "udp", "tcp":
	case "tls":
		s.network = "tcp"
		s.tls, err = c.tls()
	default:
		return nil, fmt.Errorf("a syslog server is reached by udp, tcp or tls, not by %q", u.Scheme)
	}
	return s, err
}

// auditInfo is facility 13 (log audit), severity 6 (informational).
const auditInfo = 13*8 + 6

func (s *syslog) send(ctx context.Context, node string, lines [][]byte) (err error) {
	d := &net.Dialer{Timeout: 5 * time.Second}
	var conn net.Conn
	if s.tls != nil {
		conn, err = (&tls.Dialer{NetDialer: d, Config: s.tls}).DialContext(ctx, s.network, s.address)
	} else {
		conn, err = d.DialContext(ctx, s.network, s.address)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if at, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(at); err != nil {
			return err
		}
	}
	now := chaos.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	for _, l := range lines {
		message := append(fmt.Appendf(nil, "<%d>1 %s %s trstctl - audit - ", auditInfo, now, node), l...)
		if s.network == "tcp" {
			message = append(append(strconv.AppendInt(nil, int64(len(message)), 10), ' '), message...)
		}
		if _, err := conn.Write(message); err != nil {
			return err
		}
	}
	return nil
}

type webhook struct {
	url    string
	client *http.Client
}

func newWebhook(c Config, rules egress.Rules) (*webhook, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("a webhook needs url, with https")
	}
	conf, err := c.tls()
	if err != nil {
		return nil, err
	}
	client := rules.Client()
	client.Transport.(*http.Transport).TLSClientConfig = conf
	return &webhook{c.URL, client}, nil
}

func (w *webhook) send(ctx context.Context, _ string, lines [][]byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(append(bytes.Join(lines, []byte{'\n'}), '\n')))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-ndjson")
	answer, err := w.client.Do(r)
	if err != nil {
		var u *url.Error // its text would show a URL that may hold a key
		if errors.As(err, &u) {
			err = u.Err
		}
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)); err != nil {
		return err
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("the webhook answers %d", answer.StatusCode)
	}
	return nil
}
