package sink

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/server/egress"
	"github.com/trstctl/trstctl/server/journal"
)

// rig is a journal with one sink behind it.
type rig struct {
	t    *testing.T
	j    *journal.Journal
	dir  string
	log  *bytes.Buffer
	opt  journal.Options
	path string
}

func newRig(t *testing.T, change ...func(*journal.Options)) *rig {
	r := &rig{t: t, dir: t.TempDir(), log: &bytes.Buffer{}, opt: journal.Options{Node: "n1"}}
	for _, c := range change {
		c(&r.opt)
	}
	r.path = filepath.Join(r.dir, "journal")
	var err error
	r.j, err = journal.Open(r.path, r.opt)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.j.Close()) })
	return r
}

func (r *rig) fill(n int) {
	for range n {
		require.NoError(r.t, r.j.Append(journal.Record{Op: "secrets.get", Identity: "app", Path: "db/password", Outcome: journal.Allowed}))
	}
}

func (r *rig) sink(c Config, allow ...string) *Sink {
	list, err := egress.Parse(allow)
	require.NoError(r.t, err)
	s, err := Open(c, Options{Node: "n1", Dir: filepath.Join(r.dir, "cursors"), Journal: r.j, Egress: egress.Rules{Allow: list}, Log: slog.New(slog.NewTextHandler(r.log, nil))})
	require.NoError(r.t, err)
	s.every = time.Millisecond
	return s
}

// drain delivers everything.
func (r *rig) drain(s *Sink) {
	for {
		more, err := s.round(r.t.Context())
		require.NoError(r.t, err)
		if !more {
			return
		}
	}
}

func seqs(t *testing.T, b []byte) (out []uint64) {
	for l := range strings.Lines(string(b)) {
		var one line
		require.NoError(t, json.Unmarshal([]byte(l), &one), l)
		require.Equal(t, "db/password", one.Path)
		require.Equal(t, "n1", one.Node)
		out = append(out, one.Seq)
	}
	return out
}

func upTo(n uint64) (out []uint64) {
	for i := uint64(1); i <= n; i++ {
		out = append(out, i)
	}
	return out
}

func TestAFileGetsEveryRecordOnceOverAStart(t *testing.T) {
	r := newRig(t)
	c := Config{Kind: "file", Path: filepath.Join(r.dir, "reads.jsonl")}
	r.fill(1200)
	r.drain(r.sink(c))
	r.fill(5)
	s := r.sink(c) // another process
	r.drain(s)
	require.Zero(t, s.Lag())
	b, err := os.ReadFile(c.Path)
	require.NoError(t, err)
	require.Equal(t, upTo(1205), seqs(t, b))
	require.NoError(t, os.Remove(c.Path)) // rotated away
	r.fill(1)
	r.drain(s)
	b, err = os.ReadFile(c.Path)
	require.NoError(t, err)
	require.Equal(t, []uint64{1206}, seqs(t, b))
}

func TestWhatIsNoFileIsRefusedAndDoesNotHang(t *testing.T) {
	r := newRig(t)
	r.fill(1)
	_, err := r.sink(Config{Kind: "file", Path: r.dir}).round(t.Context())
	require.Error(t, err)
	_, err = r.sink(Config{Kind: "file", Path: "/dev/null"}).round(t.Context())
	require.ErrorContains(t, err, "no regular file")
}

// hook is a webhook that can be made to hang, fail or redirect.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	got    bytes.Buffer
	answer func(w http.ResponseWriter, r *http.Request) bool // true: it has answered
	calls  int
}

func newHook(t *testing.T) (*hook, string) {
	h := &hook{}
	h.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		h.mu.Lock()
		answer := h.answer
		h.calls++
		h.mu.Unlock()
		if answer != nil && answer(w, r) {
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got.Write(b)
	}))
	t.Cleanup(h.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw}), 0o600))
	return h, ca
}

func (h *hook) set(answer func(http.ResponseWriter, *http.Request) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = answer
}

func (h *hook) times() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls
}

func TestAWebhookGetsWhatItMissedWhenItIsBack(t *testing.T) {
	r := newRig(t)
	h, ca := newHook(t)
	s := r.sink(Config{Kind: "webhook", URL: h.URL + "/in?key=planted", CA: ca}, "127.0.0.1")
	h.set(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true })
	r.fill(3)
	_, err := s.round(t.Context())
	require.ErrorContains(t, err, "answers 503")
	h.set(nil)
	r.fill(3)
	r.drain(s)
	require.Equal(t, upTo(6), seqs(t, h.got.Bytes()))
}

func TestAWebhookIsNotFollowedElsewhere(t *testing.T) {
	r := newRig(t)
	h, ca := newHook(t)
	r.fill(1)
	h.set(func(w http.ResponseWriter, q *http.Request) bool {
		http.Redirect(w, q, "/other", http.StatusTemporaryRedirect)
		return true
	})
	_, err := r.sink(Config{Kind: "webhook", URL: h.URL, CA: ca}, "127.0.0.1").round(t.Context())
	require.ErrorContains(t, err, "answers 307")
	require.Equal(t, 1, h.times())

	_, err = r.sink(Config{Kind: "webhook", URL: h.URL + "/?key=planted", CA: ca}).round(t.Context())
	require.ErrorContains(t, err, "is this machine", "nobody named loopback")
	require.NotContains(t, err.Error(), "planted", "a URL may hold a key")
	require.Equal(t, 1, h.times())
	_, err = r.sink(Config{Kind: "webhook", URL: h.URL}, "127.0.0.1").round(t.Context())
	require.ErrorContains(t, err, "certificate", "it is not the CA's")
}

func TestAHangingWebhookStopsNothing(t *testing.T) {
	r := newRig(t)
	h, ca := newHook(t)
	hanging := make(chan struct{})
	h.set(func(http.ResponseWriter, *http.Request) bool { <-hanging; return false })
	s := r.sink(Config{Kind: "webhook", URL: h.URL, CA: ca}, "127.0.0.1")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	r.fill(1)
	require.Eventually(t, func() bool { return h.times() == 1 }, 30*time.Second, time.Millisecond)
	r.fill(2000) // reads go on
	p, err := r.j.Read(t.Context(), journal.Query{Reverse: true, Limit: 1})
	require.NoError(t, err)
	require.EqualValues(t, 2001, p.Head.Seq)
	cancel()
	require.NoError(t, <-done, "the end of the node does not wait for it")
	close(hanging)
	h.set(nil)
	s = r.sink(Config{Kind: "webhook", URL: h.URL, CA: ca}, "127.0.0.1")
	r.drain(s)
	h.mu.Lock()
	defer h.mu.Unlock()
	got := seqs(t, h.got.Bytes())
	require.Equal(t, upTo(2001), got[len(got)-2001:])
}

// stuck heeds no context.
type stuck struct{ c chan struct{} }

func (s stuck) send(context.Context, string, [][]byte) error { <-s.c; return nil }

func TestATargetThatHeedsNothingIsLeftBehind(t *testing.T) {
	r := newRig(t)
	r.fill(1)
	s := r.sink(Config{Kind: "file", Path: "/nowhere"})
	release := make(chan struct{})
	defer close(release)
	s.to = stuck{release}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorContains(t, s.deliver(ctx, [][]byte{[]byte("x")}), "does not return")
}

func TestSyslogByTCPAndUDP(t *testing.T) {
	r := newRig(t)
	r.fill(3)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	got := make(chan string, 10)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		in := bufio.NewReader(c)
		for {
			var n int
			if _, err := fmt.Fscanf(in, "%d ", &n); err != nil {
				close(got)
				return
			}
			b := make([]byte, n)
			if _, err := io.ReadFull(in, b); err != nil {
				return
			}
			got <- string(b)
		}
	}()
	r.drain(r.sink(Config{Kind: "syslog", Address: "tcp://" + l.Addr().String()}))
	var messages []string
	for m := range got {
		messages = append(messages, m)
	}
	require.Len(t, messages, 3)
	require.Regexp(t, `^<110>1 \d{4}-\d\d-\d\dT\S+Z n1 trstctl - audit - \{"node":"n1","seq":1,`, messages[0])

	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer u.Close()
	r.drain(r.sink(Config{Kind: "syslog", Address: "udp://" + u.LocalAddr().String()}))
	b := make([]byte, 4096)
	n, _, err := u.ReadFrom(b)
	require.NoError(t, err)
	require.Contains(t, string(b[:n]), `"seq":1`)
}

func TestWhatRetentionRemovedIsTold(t *testing.T) {
	r := newRig(t, func(o *journal.Options) { o.File, o.Most = 2000, 4000 })
	c := Config{Kind: "file", Path: filepath.Join(r.dir, "out")}
	r.fill(100)
	r.j.Trim()
	r.drain(r.sink(c))
	require.Contains(t, r.log.String(), "retention removed records before they were delivered")
	b, err := os.ReadFile(c.Path)
	require.NoError(t, err)
	require.Contains(t, string(b), `"seq":100,`)
}

func TestACursorThatCannotBeReadBeginsAnew(t *testing.T) {
	r := newRig(t)
	c := Config{Kind: "file", Path: filepath.Join(r.dir, "out")}
	r.fill(2)
	s := r.sink(c)
	r.drain(s)
	require.NoError(t, os.WriteFile(s.cursor, []byte("{"), 0o600))
	r.drain(r.sink(c))
	b, err := os.ReadFile(c.Path)
	require.NoError(t, err)
	require.Equal(t, []uint64{1, 2, 1, 2}, seqs(t, b))
	require.Contains(t, r.log.String(), "it begins anew")
}

func TestAFailureIsSaidOnceAndSoIsItsEnd(t *testing.T) {
	r := newRig(t)
	var mu sync.Mutex
	var fail error = errors.New("it is down")
	tries := 0
	s := r.sink(Config{Kind: "file", Path: "/nowhere"})
	s.to = targetFunc(func() error {
		mu.Lock()
		defer mu.Unlock()
		tries++
		return fail
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	r.fill(1)
	go func() { done <- s.Run(ctx) }()
	require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return tries > 3 }, 30*time.Second, time.Millisecond)
	mu.Lock()
	fail = nil
	mu.Unlock()
	require.Eventually(t, func() bool { return s.Lag() == 0 }, 30*time.Second, time.Millisecond)
	mu.Lock()
	before := tries
	mu.Unlock()
	r.fill(1)
	require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return tries > before }, 30*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, <-done)
	require.Equal(t, 1, strings.Count(r.log.String(), "not delivered"), r.log.String())
	require.Equal(t, 1, strings.Count(r.log.String(), "delivered again"), r.log.String())
}

type targetFunc func() error

func (f targetFunc) send(context.Context, string, [][]byte) error { return f() }

func TestConfigurationIsChecked(t *testing.T) {
	for _, c := range []struct {
		c    Config
		says string
	}{
		{Config{Kind: "kafka"}, "none of file, syslog, webhook"}, {Config{Kind: "file", Path: "x"}, "needs path"},
		{Config{Kind: "webhook", URL: "http://example.com"}, "with https"}, {Config{Kind: "syslog", Address: "example.com:514"}, "syslog server"},
		{Config{Kind: "syslog", Address: "smtp://example.com:25"}, "udp, tcp or tls"}, {Config{Kind: "webhook", URL: "https://example.com", CA: "/none"}, "read ca"},
	} {
		require.ErrorContains(t, c.c.Validate(), c.says)
	}
	require.NoError(t, Config{Kind: "syslog", Address: "tls://example.com:6514"}.Validate())
}
