package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/test/harness"
)

// pods are nodes on the configurations that the chart makes, with the addresses and directories of this machine.
type pods struct {
	dir    string
	binary string
	local  *strings.Replacer
}

func newPods(t *testing.T, n int) *pods {
	dir, err := os.MkdirTemp("", "trstctl-pods-") // short: it holds sockets
	require.NoError(t, err)
	p := &pods{dir: dir, binary: harness.Binary(t)}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	var replace []string
	for i := range n {
		host := fmt.Sprintf("trstctl-%d.trstctl-nodes.vault.svc.cluster.local", i)
		replace = append(replace, host+":8200", "127.0.0.1:"+harness.FreePort(t), host+":8201", "127.0.0.1:"+harness.FreePort(t))
	}
	p.local = strings.NewReplacer(append(replace, "/run/trstctl/kek", filepath.Join(dir, "kek"))...)
	run(t, p.binary, "operator", "keygen", filepath.Join(dir, "kek"))
	return p
}

func (p *pods) config(pod string) string { return filepath.Join(p.dir, pod+".yaml") }

// start runs a pod's node. It listens where it is advertised.
func (p *pods) start(t *testing.T, pod, config string) {
	text := p.local.Replace(config)
	text = strings.ReplaceAll(text, "/var/lib/trstctl/data", filepath.Join(p.dir, pod))
	var listen []string
	for line := range strings.Lines(text) {
		if _, address, found := strings.Cut(line, "advertise: "); found {
			listen = append(listen, strings.TrimSpace(address))
		}
	}
	require.Len(t, listen, 2, text)
	text = strings.NewReplacer("listen: :8200", "listen: "+listen[0], "listen: :8201", "listen: "+listen[1], "listen: :9100", "listen: 127.0.0.1:"+harness.FreePort(t)).Replace(text)
	write(t, p.config(pod), text)
	log, err := os.Create(filepath.Join(p.dir, pod+".log"))
	require.NoError(t, err)
	cmd := exec.Command(p.binary, "server", "-c", p.config(pod))
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Wait(), "%s ends in order", pod)
		require.NoError(t, log.Close())
		if b, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("%s: %s", pod, b)
		}
	})
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(p.dir, pod, "trstctl.sock"))
		return err == nil
	}, time.Minute, 20*time.Millisecond)
}

// trstctl runs a command as in a pod: its environment names the nodes and the CA that is in the data directory.
func (p *pods) trstctl(stdin string, args ...string) (out, told string, err error) {
	cmd := exec.Command(p.binary, args...)
	var o, e strings.Builder
	addresses := "https://trstctl-0.trstctl-nodes.vault.svc.cluster.local:8200"
	cmd.Env = append(os.Environ(), "TRSTCTL_ADDRS="+p.local.Replace(addresses), "TRSTCTL_CACERT="+filepath.Join(p.dir, "trstctl-0/tls/ca.pem"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &o, &e
	err = cmd.Run()
	return o.String(), e.String(), err
}

func (p *pods) must(t *testing.T, stdin string, args ...string) string {
	out, told, err := p.trstctl(stdin, args...)
	require.NoError(t, err, "trstctl %v: %s", args, told)
	return out
}

// TestTheChartsPodsFormACluster follows NOTES.txt: all pods start at once and wait, one is initialised, the others join by tokens that pass through
// pipes.
func TestTheChartsPodsFormACluster(t *testing.T) {
	configs := render(t)["ConfigMap/trstctl"]["data"].(object)
	p := newPods(t, len(configs))
	for i := range len(configs) {
		pod := fmt.Sprintf("trstctl-%d", i)
		p.start(t, pod, configs[pod+".yaml"].(string))
	}
	root := harness.JSON[struct {
		Token string `json:"root_token"`
	}](t, p.must(t, "", "operator", "init", "-c", p.config("trstctl-0"), "-o", "json")).Token
	_, told, err := p.trstctl("", "operator", "init", "-c", p.config("trstctl-0"))
	require.Error(t, err)
	require.Contains(t, told, "belongs to a cluster already")

	first := p.must(t, root, "--token-file", "/dev/stdin", "operator", "token", "trstctl-1")
	_, told, err = p.trstctl(first, "operator", "join", "-c", p.config("trstctl-2"))
	require.Error(t, err)
	require.Contains(t, told, `admits node "trstctl-1", this is node "trstctl-2"`)
	_, told, err = p.trstctl("trj.nonsense", "operator", "join", "-c", p.config("trstctl-2"))
	require.Error(t, err)
	require.Contains(t, told, "not a join token")
	require.Contains(t, p.must(t, first, "operator", "join", "-c", p.config("trstctl-1"), "-"), "trstctl-1")
	_, told, err = p.trstctl(first, "operator", "join", "-c", p.config("trstctl-1"))
	require.Error(t, err)
	require.Contains(t, told, "belongs to a cluster already")
	second := p.must(t, root, "--token-file", "/dev/stdin", "operator", "token", "trstctl-2")
	p.must(t, second, "operator", "join", "-c", p.config("trstctl-2"))

	type members struct {
		Items []struct {
			ID    string `json:"id"`
			Voter bool   `json:"voter"`
		} `json:"items"`
	}
	require.Eventually(t, func() bool {
		out, _, err := p.trstctl(root, "--token-file", "/dev/stdin", "operator", "members", "-o", "json")
		if err != nil {
			return false
		}
		voters := 0
		for _, m := range harness.JSON[members](t, out).Items {
			if m.Voter {
				voters++
			}
		}
		return voters == len(configs)
	}, time.Minute, 100*time.Millisecond, "all pods vote")
}
