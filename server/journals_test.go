package server

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheAuditsConfigurationIsCheckedByKey(t *testing.T) {
	load := func(audit string) (Config, error) {
		path := filepath.Join(t.TempDir(), "node.yaml")
		require.NoError(t, os.WriteFile(path, []byte("node: n1\ndata: /data\nseal: {file: /kek}\n"+audit+"\n"), 0o600))
		return LoadConfig(path)
	}
	c, err := load("")
	require.NoError(t, err)
	require.Equal(t, "2160h", c.Audit.Retention)
	require.EqualValues(t, 4096, c.Audit.Max)
	c, err = load(`audit: {retention: 24h, max_mib: 0, sinks: [{kind: file, path: /var/log/reads}, {kind: syslog, address: "udp://log:514"}, {kind: webhook, url: "https://siem/in"}]}`)
	require.NoError(t, err)
	require.Equal(t, "24h", c.Audit.Retention)
	require.Len(t, c.Audit.Sinks, 3)
	require.Equal(t, "https://siem/in", c.Audit.Sinks[2].URL)
	for text, want := range map[string]string{
		"audit: {retention: -1h}":                              `audit.retention: "-1h" is not a duration`,
		"audit: {max_mib: 5}":                                  "audit.max_mib: is 0 or at least 128",
		"audit: {sinks: [{kind: kafka}]}":                      `audit.sinks.0: kind "kafka"`,
		"audit: {sinks: [{kind: file, path: reads}]}":          "audit.sinks.0: a file needs path",
		"audit: {sinks: [{kind: webhook, url: \"http://x\"}]}": "audit.sinks.0: a webhook needs url, with https",
		"audit: {journal: off}":                                `"audit.journal" is not a key`,
	} {
		_, err := load(text)
		require.ErrorContains(t, err, want, text)
	}
}
