package deploy

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// instruction is one of a Containerfile, with its continuation lines.
type instruction struct{ name, args string }

// stages reads a Containerfile. No image is built here: this looks at what it says.
func stages(t *testing.T) (all [][]instruction) {
	text := ""
	for line := range strings.Lines(read(t, "container/Containerfile")) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			text += line
		}
	}
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		name, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "":
			continue
		case "FROM":
			all = append(all, nil)
		case "ARG", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD":
			require.NotEmpty(t, all, "%s stands before FROM", name)
		default:
			t.Fatalf("%q is no instruction that is used here", line)
		}
		all[len(all)-1] = append(all[len(all)-1], instruction{name, strings.TrimSpace(args)})
	}
	return all
}

func one(t *testing.T, stage []instruction, name string) string {
	var found []string
	for _, i := range stage {
		if i.name == name {
			found = append(found, i.args)
		}
	}
	require.Len(t, found, 1, name)
	return found[0]
}

func TestTheImageIsSmallAndUnprivileged(t *testing.T) {
	all := stages(t)
	require.Len(t, all, 2)
	build, final := all[0], all[1]
	mod, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	version := strings.TrimPrefix(one(t, build, "FROM"), "docker.io/library/golang:")
	require.Contains(t, string(mod), "\ngo "+strings.TrimSuffix(version, "-bookworm AS build"), "the Go of go.mod")
	for _, i := range build {
		if i.name == "RUN" && strings.Contains(i.args, "go build") {
			require.Contains(t, i.args, "CGO_ENABLED=1", "PKCS#11 modules are loaded by the C library")
			require.Contains(t, i.args, "-X main.version=${VERSION}")
		}
	}
	require.Contains(t, one(t, final, "FROM"), "debian12", "the C library that it was built with")
	require.Equal(t, "65532:65532", one(t, final, "USER"))
	require.Equal(t, "SIGTERM", one(t, final, "STOPSIGNAL"))
	for _, i := range final {
		require.NotEqual(t, "RUN", i.name, "there is no shell")
		if i.name == "COPY" {
			require.Contains(t, i.args, "--from=build", "nothing of the working copy gets into the image")
		}
	}
	var command []string
	require.NoError(t, json.Unmarshal([]byte(one(t, final, "ENTRYPOINT")), &command))
	require.Equal(t, []string{"/usr/local/bin/trstctl"}, command)
	require.NoError(t, json.Unmarshal([]byte(one(t, final, "CMD")), &command))
	require.Equal(t, []string{"server", "-c", "/etc/trstctl/trstctl.yaml"}, command)
}
