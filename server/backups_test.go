package server

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAConfigurationOfBackupsIsJudgedByKey(t *testing.T) {
	load := func(text string) error {
		path := filepath.Join(t.TempDir(), "n.yaml")
		require.NoError(t, os.WriteFile(path, []byte("node: n1\ndata: d\nseal: {file: kek}\n"+text), 0o600))
		_, err := LoadConfig(path)
		return err
	}
	const s3 = "s3: {endpoint: %q, bucket: b, access_key_file: a, secret_key_file: s}"
	for text, want := range map[string]string{
		"":                                   "",
		"backup: {every: 1h, dir: /backups}": "",
		"backup: {every: 1h, " + fmt.Sprintf(s3, "https://s3:9000") + "}":    "",
		"autopilot: {dead_after: 24h}\naudit: {retention: 720h}":             "",
		"egress: {allow: [10.0.0.0/8, 127.0.0.1]}":                           "",
		"backup: {dir: /backups}":                                            "backup.every: say how often",
		"backup: {every: often, dir: /backups}":                              "'backup.every'",
		"backup: {every: 1s, dir: /backups}":                                 "backup.every: 1s is too often: at least 1m0s",
		"backup: {every: 1h}":                                                "backup: name either a directory (dir) or a bucket (s3)",
		"backup: {every: 1h, dir: d, " + fmt.Sprintf(s3, "https://s3") + "}": "backup: name either",
		"backup: {every: 1h, " + fmt.Sprintf(s3, "ftp://s3") + "}":           "backup.s3.endpoint",
		"backup: {every: 1h, s3: {endpoint: \"https://s3\"}}":                "backup.s3.bucket: is missing",
		"backup: {every: 1h, keep: -1, dir: d}":                              "backup.keep: at least one is kept",
		"egress: {allow: [localhost]}":                                       "egress.allow: \"localhost\" is neither",
		"backup: {every: 1h, dirs: d}":                                       `"backup.dirs" is not a key`,
	} {
		if err := load(text); want == "" {
			require.NoError(t, err, text)
		} else {
			require.ErrorContains(t, err, want, text)
		}
	}
}
