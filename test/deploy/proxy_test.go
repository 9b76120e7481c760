package deploy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
	"github.com/trstctl/trstctl/test/parts"
)

// front is a proxy that runs before a cluster.
type front struct {
	c       *harness.Cluster
	address string // host:port
	ca      []byte
	dir     string
}

// newFront makes the files that a proxy is given: a certificate for its clients and the cluster's CA.
func newFront(t *testing.T, c *harness.Cluster) *front {
	f := &front{c: c, address: net.JoinHostPort("127.0.0.1", harness.FreePort(t)), dir: t.TempDir()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "proxy"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	f.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	write(t, f.file("trstctl.key"), string(secret))
	write(t, f.file("trstctl.pem"), string(f.ca)+string(secret))
	write(t, f.file("trstctl-ca.pem"), string(c.CA))
	return f
}

func (f *front) file(name string) string { return filepath.Join(f.dir, name) }

// configure puts this cluster's addresses and files where a shipped configuration has its examples.
func (f *front) configure(t *testing.T, name string, more ...string) string {
	text := read(t, name)
	replace := []string{":8443", f.address, "listen 8443", "listen " + f.address, "/etc/haproxy/", f.dir + "/", "/etc/nginx/", f.dir + "/", "/run/nginx.pid", f.file("pid")}
	for i, n := range f.c.Nodes {
		example := fmt.Sprintf("10.0.0.%d:8200", i+1)
		require.Contains(t, text, example)
		_, port, err := net.SplitHostPort(n.API)
		require.NoError(t, err)
		replace = append(replace, example, n.API, strings.ReplaceAll(example, ".", `\.`), ":"+port)
	}
	path := f.file(filepath.Base(name))
	write(t, path, strings.NewReplacer(append(more, replace...)...).Replace(text))
	return path
}

// serve runs the proxy until the test ends, and returns when it passes requests on.
func (f *front) serve(t *testing.T, name string, args ...string) {
	f.launch(t, name, args...)
	f.c.Eventually("the proxy", f.client(t).Ready)
}

func (f *front) launch(t *testing.T, name string, args ...string) {
	log, err := os.Create(f.file("log"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()
		if t.Failed() {
			b, _ := os.ReadFile(f.file("log"))
			t.Logf("the proxy's log ends in\n%s", b[max(0, len(b)-5000):])
		}
	})
}

func (f *front) client(t *testing.T) *sdk.Client {
	client, err := sdk.New(sdk.Options{Addresses: []string{"https://" + f.address}, CACert: f.ca, Token: f.c.Token, Timeout: 30 * time.Second, Attempt: 5 * time.Second})
	require.NoError(t, err)
	return client
}

func haproxy(t *testing.T, c *harness.Cluster, more ...string) *front {
	program := parts.Need(t, "haproxy", "haproxy")
	f := newFront(t, c)
	if os.Getuid() != 0 {
		more = append(more, "    user haproxy\n", "", "    group haproxy\n", "")
	}
	path := f.configure(t, "proxy/haproxy.cfg", more...)
	run(t, program, "-c", "-V", "-f", path)
	f.serve(t, program, "-db", "-f", path)
	return f
}

func nginx(t *testing.T, c *harness.Cluster) *front {
	program := parts.Need(t, "nginx", "nginx-light")
	f := newFront(t, c)
	path := f.configure(t, "proxy/nginx.conf")
	run(t, program, "-t", "-e", f.file("log"), "-c", path)
	f.serve(t, program, "-e", f.file("log"), "-c", path, "-g", "daemon off;")
	return f
}

// load writes through the proxy without a pause and remembers what was acknowledged.
type load struct {
	mu   sync.Mutex // guards the rest
	done map[string]string
	errs []error
	stop context.CancelFunc
	wg   sync.WaitGroup
}

func (f *front) load(t *testing.T, writers int) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{done: map[string]string{}, stop: cancel}
	t.Cleanup(l.end)
	for w := range writers {
		client := f.client(t)
		l.wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				path, value := fmt.Sprintf("load/%d/%d", w, i), fmt.Sprintf("value %d of %d", i, w)
				_, err := client.Put(context.WithoutCancel(ctx), sdk.Item{Path: path, Value: []byte(value)})
				l.count(path, value, err)
			}
		})
	}
	return l
}

func (l *load) count(path, value string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.errs = append(l.errs, err)
		return
	}
	l.done[path] = value
}

func (l *load) acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.done)
}

// goesOn waits until another n writes were acknowledged.
func (l *load) goesOn(c *harness.Cluster, n int) {
	want := l.acknowledged() + n
	c.Eventually("writes through the proxy", func(context.Context) error {
		if have := l.acknowledged(); have < want {
			return fmt.Errorf("%d of %d writes", have, want)
		}
		return nil
	})
}

func (l *load) end() { l.stop(); l.wg.Wait() }

// survives kills a follower and the leader under load, and stops a node in order: clients that repeat what may be repeated notice nothing, and
// every acknowledged write is there.
func (f *front) survives(t *testing.T) {
	l := f.load(t, 4)
	for _, hit := range []func() *harness.Node{
		func() *harness.Node { n := f.c.Follower(); n.Kill(); return n },
		func() *harness.Node { n := f.c.Leader(); n.Kill(); return n },
		func() *harness.Node { n := f.c.Leader(); n.Stop(); return n },
	} {
		l.goesOn(f.c, 50)
		gone := hit()
		l.goesOn(f.c, 50)
		gone.Start()
		f.c.Ready(gone)
	}
	l.goesOn(f.c, 50)
	l.end()
	require.NoError(t, errors.Join(l.errs...))
	client := f.c.Client()
	for path, want := range l.done {
		v, err := client.Get(t.Context(), path, sdk.GetOptions{})
		require.NoError(t, err, path)
		require.Equal(t, want, string(v.Value), path)
	}
	f.c.Check()
}

// requests counts the lines of answered reads in a node's log.
func requests(n *harness.Node) int { return strings.Count(n.Log(), `"route":"secrets.get"`) }

// sends reports how many of some reads through the proxy reached n.
func (f *front) sends(ctx context.Context, client *sdk.Client, n *harness.Node) (int, error) {
	before := requests(n)
	for range 20 {
		if _, err := client.Get(ctx, "a", sdk.GetOptions{}); err != nil {
			return 0, err
		}
	}
	return requests(n) - before, nil
}

func TestHAProxyRoutesAround(t *testing.T) {
	for name, more := range map[string][]string{"any node": nil, "writes to the leader": {"#acl changes", "acl changes", "#use_backend", "use_backend"}} {
		t.Run(name, func(t *testing.T) { haproxy(t, harness.Start(t, harness.Options{}), more...).survives(t) })
	}
}

func TestNginxRoutesAround(t *testing.T) {
	nginx(t, harness.Start(t, harness.Options{})).survives(t)
}

// TestHAProxySendsNothingToANodeThatIsNotReady cuts a node off, and seals one: it says so at /readyz and gets no request, until it is ready again.
func TestHAProxySendsNothingToANodeThatIsNotReady(t *testing.T) {
	c := harness.Start(t, harness.Options{})
	f := haproxy(t, c)
	client := f.client(t)
	_, err := client.Put(t.Context(), sdk.Item{Path: "a", Value: []byte("x")})
	require.NoError(t, err)
	cutOff := c.Follower()
	cutOff.Isolate()
	f.leavesOut(t, client, cutOff)
	cutOff.Heal()
	c.Eventually("the proxy to use it again", func(ctx context.Context) error {
		n, err := f.sends(ctx, client, cutOff)
		if err == nil && n == 0 {
			err = errors.New("no request reached it")
		}
		return err
	})
	sealed := c.Follower()
	_, told, code := c.Command("", "operator", "seal", "--node", sealed.ID)
	require.Zero(t, code, told)
	f.leavesOut(t, client, sealed)
}

// leavesOut waits until the proxy has noticed, and sees that it stays so.
func (f *front) leavesOut(t *testing.T, client *sdk.Client, n *harness.Node) {
	none := func(ctx context.Context) error {
		sent, err := f.sends(ctx, client, n)
		if err == nil && sent > 0 {
			err = fmt.Errorf("%d requests reached it", sent)
		}
		return err
	}
	f.c.Eventually("the proxy to leave it out", func(ctx context.Context) error {
		if status, _, err := fetch(ctx, f.c.CA, "https://"+n.API+"/readyz", ""); err != nil || status == http.StatusOK {
			return fmt.Errorf("it is ready: %v", err)
		}
		return none(ctx)
	})
	for range 5 {
		require.NoError(t, none(t.Context()))
	}
}

// TestProxiesRefuseForeignNodes gives a proxy another cluster's CA: it must not send a token to nodes that it cannot verify.
func TestProxiesRefuseForeignNodes(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 1})
	c.Nodes = append(c.Nodes, c.Nodes[0], c.Nodes[0]) // the configurations have three
	defer func() { c.Nodes = c.Nodes[:1] }()
	for name, start := range map[string]func(*testing.T, *front){
		"haproxy": func(t *testing.T, f *front) {
			path := f.configure(t, "proxy/haproxy.cfg")
			f.launch(t, parts.Need(t, "haproxy", "haproxy"), "-db", "-f", path)
		},
		"nginx": func(t *testing.T, f *front) {
			path := f.configure(t, "proxy/nginx.conf")
			f.launch(t, parts.Need(t, "nginx", "nginx-light"), "-e", f.file("log"), "-c", path, "-g", "daemon off;")
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t, c)
			write(t, f.file("trstctl-ca.pem"), string(newFront(t, c).ca))
			start(t, f)
			c.Eventually("a gateway's refusal", func(ctx context.Context) error {
				status, _, err := fetch(ctx, f.ca, "https://"+f.address+"/readyz", "")
				if err == nil && status != http.StatusBadGateway && status != http.StatusServiceUnavailable {
					err = fmt.Errorf("it answered %d", status)
				}
				return err
			})
		})
	}
}
