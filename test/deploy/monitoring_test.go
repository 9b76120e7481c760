package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
	"github.com/trstctl/trstctl/test/parts"
)

// rule is an alert of alerts.yml.
type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func rules(t *testing.T) []rule {
	var file struct {
		Groups []struct {
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "monitoring/alerts.yml")), &file))
	require.Len(t, file.Groups, 1)
	return file.Groups[0].Rules
}

// queries are the dashboard's, by panel, for the job trstctl.
func queries(t *testing.T) map[string][]string {
	var board struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, "monitoring/dashboard.json")), &board))
	require.NotEmpty(t, board.Panels)
	all := map[string][]string{}
	for _, p := range board.Panels {
		require.NotEmpty(t, p.Targets, p.Title)
		for _, q := range p.Targets {
			all[p.Title] = append(all[p.Title], strings.ReplaceAll(q.Expr, "$job", "trstctl"))
		}
	}
	return all
}

// metricName is a name before the braces that every query here has.
var metricName = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)\{`)

func TestConfigurationAndAlertsAreValid(t *testing.T) {
	promtool := parts.Need(t, "promtool", "prometheus")
	run(t, promtool, "check", "config", shipped(t, "monitoring/prometheus.yml"))
	run(t, promtool, "check", "rules", "--lint=all", "--lint-fatal", shipped(t, "monitoring/alerts.yml"))
	run(t, promtool, "test", "rules", shipped(t, "monitoring/alerts_test.yml"))
}

// TestEveryAlertIsTestedAndExplained: each has a test in which it is quiet and then fires, says who is woken, and names a paragraph of OPERATIONS.md,
// which says what to do.
func TestEveryAlertIsTestedAndExplained(t *testing.T) {
	var tests struct {
		Tests []struct {
			Alerts []struct {
				Name string `yaml:"alertname"`
				Exp  []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		} `yaml:"tests"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "monitoring/alerts_test.yml")), &tests))
	quiet, fires := map[string]bool{}, map[string]bool{}
	for _, one := range tests.Tests {
		for _, a := range one.Alerts {
			quiet[a.Name] = quiet[a.Name] || len(a.Exp) == 0
			fires[a.Name] = fires[a.Name] || len(a.Exp) > 0
		}
	}
	operations := read(t, "../OPERATIONS.md")
	for _, r := range rules(t) {
		require.True(t, quiet[r.Alert] && fires[r.Alert], "%s is tested quiet and firing", r.Alert)
		require.Contains(t, []string{"page", "ticket"}, r.Labels["severity"], r.Alert)
		require.NotEmpty(t, r.Annotations["summary"], r.Alert)
		heading := r.Annotations["runbook"]
		require.True(t, strings.Contains(operations, "\n**"+heading) || strings.Contains(operations, "\n## "+heading+"\n"), "%s: OPERATIONS.md has no %q", r.Alert, heading)
		require.Contains(t, operations, "| `"+r.Alert+"` |", "the table of alerts")
	}
}

// lintOfLibraries are names that raft and memberlist have chosen.
var lintOfLibraries = regexp.MustCompile(`^trstctl_(raft|memberlist)_\S+ (metric names should be written in 'snake_case'|counter metrics should have "_total" suffix)`)

// TestMetricsAreThere has a real Prometheus scrape three nodes by the shipped configuration: every metric that a rule or a panel names is there, every
// panel shows something, and no rule fails or fires.
func TestMetricsAreThere(t *testing.T) {
	promtool, program := parts.Need(t, "promtool", "prometheus"), parts.Need(t, "prometheus", "prometheus")
	c := harness.Start(t, harness.Options{Config: fmt.Sprintf("backup: {every: 1m, dir: %q}\n", t.TempDir())})
	put(t, c)
	_, err := c.Client().CreateIssuer(t.Context(), "root", sdk.IssuerSpec{Kind: "root", CommonName: "Root"})
	require.NoError(t, err)
	for _, line := range strings.Split(strings.TrimSpace(lintMetrics(t, promtool, scrape(t, c, c.Nodes[0]))), "\n") {
		require.Regexp(t, lintOfLibraries, line, "what is ours keeps Prometheus's rules")
	}
	p := startPrometheus(t, program, c)
	for _, r := range rules(t) {
		for _, m := range metricName.FindAllStringSubmatch(r.Expr, -1) {
			c.Eventually(r.Alert+": "+m[1], p.has(m[1]+`{job="trstctl"}`))
		}
	}
	all := queries(t)
	for _, panel := range slices.Sorted(maps.Keys(all)) {
		for _, q := range all[panel] {
			c.Eventually(panel+": "+q, p.has(q))
		}
	}
	c.Eventually("healthy rules", p.calm)
	c.Check()
}

func put(t *testing.T, c *harness.Cluster) {
	_, err := c.Client().Put(t.Context(), sdk.Item{Path: "a", Value: []byte("x")})
	require.NoError(t, err)
	_, err = c.Client().Get(t.Context(), "missing", sdk.GetOptions{})
	require.True(t, sdk.Is(err, sdk.NotFound), "%v", err)
}

func scrape(t *testing.T, c *harness.Cluster, n *harness.Node) string {
	status, body, err := fetch(t.Context(), c.CA, "https://"+n.API+"/metrics", string(c.Token))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, body)
	return body
}

// lintMetrics returns what promtool finds; anything but lint fails the test.
func lintMetrics(t *testing.T, promtool, metrics string) string {
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(metrics)
	out, err := cmd.CombinedOutput()
	if err != nil {
		require.Equal(t, 3, cmd.ProcessState.ExitCode(), "%s", out) // 3: names, 1: not parsed
	}
	return string(out)
}

// prom is a Prometheus that runs.
type prom struct{ url string }

func startPrometheus(t *testing.T, program string, c *harness.Cluster) prom {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "token"), string(c.Token))
	write(t, filepath.Join(dir, "ca.pem"), string(c.CA))
	write(t, filepath.Join(dir, "alerts.yml"), read(t, "monitoring/alerts.yml"))
	var targets []string
	for _, n := range c.Nodes {
		targets = append(targets, `"`+n.API+`"`)
	}
	text := read(t, "monitoring/prometheus.yml")
	example := `"10.0.0.1:9100", "10.0.0.2:9100", "10.0.0.3:9100"`
	require.Contains(t, text, example)
	write(t, filepath.Join(dir, "prometheus.yml"), strings.NewReplacer(example, strings.Join(targets, ", "), "interval: 15s", "interval: 1s", "# scheme:", "scheme:",
		"# authorization:", "authorization:", "# tls_config:", "tls_config:", "/etc/prometheus/trstctl.token", "token", "/etc/prometheus/trstctl-ca.pem", "ca.pem").Replace(text))
	address := net.JoinHostPort("127.0.0.1", harness.FreePort(t))
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	cmd := exec.Command(program, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // its data goes with the test
		_ = cmd.Wait()
		if b, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("prometheus: %s", b[max(0, len(b)-3000):])
		}
		require.NoError(t, log.Close())
	})
	return prom{"http://" + address}
}

// has reports whether a query has a result.
func (p prom) has(query string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, body, err := fetch(ctx, nil, p.url+"/api/v1/query?query="+url.QueryEscape(query), "")
		if err != nil {
			return err
		}
		var answer struct {
			Status string `json:"status"`
			Data   struct {
				Result []any `json:"result"`
			} `json:"data"`
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Status != "success" || len(answer.Data.Result) == 0 {
			return fmt.Errorf("%s answers %s", query, body)
		}
		return nil
	}
}

// calm reports whether all rules were evaluated and none fires.
func (p prom) calm(ctx context.Context) error {
	_, body, err := fetch(ctx, nil, p.url+"/api/v1/rules", "")
	if err != nil {
		return err
	}
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct {
					Name, Health, State string
				} `json:"rules"`
			} `json:"groups"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.Data.Groups) != 1 {
		return fmt.Errorf("rules: %s", body)
	}
	for _, r := range answer.Data.Groups[0].Rules {
		if r.Health != "ok" || r.State == "firing" {
			return fmt.Errorf("%s is %s and %s", r.Name, r.Health, r.State)
		}
	}
	return nil
}
