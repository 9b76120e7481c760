package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Kinds of binary, by their tags: what nodes run, the version before it, and the one whose faults are chosen by name; and the tests of jepsen/sim with
// such faults.
const (
	present   = "chaos"
	previous  = "chaos,previous"
	mutants   = "chaos,mutants"
	simulated = "mutants"
)

// binaries are those that were built, by their tags. They reach the inner process by the environment.
type binaries struct {
	paths  map[string]string
	commit string
}

const binariesOf = "TRSTCTL_JEPSEN_BINARIES"

// build builds what is needed into dir.
func (b *binaries) build(ctx context.Context, log *slog.Logger, dir string, need []string) error {
	b.paths = map[string]string{}
	for _, tags := range need {
		log.Info("building", "tags", tags)
		path := filepath.Join(dir, "trstctl-"+strings.ReplaceAll(tags, ",", "-"))
		how := []string{"build", "-tags", tags, "-o", path, "github.com/trstctl/trstctl/cmd/trstctl"}
		if tags == simulated {
			how = []string{"test", "-c", "-tags", tags, "-o", path, "github.com/trstctl/trstctl/jepsen/sim"}
		}
		if out, err := exec.CommandContext(ctx, "go", how...).CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", strings.Join(how, " "), err, out)
		}
		b.paths[tags] = path
	}
	b.commit = commit(ctx)
	return os.Setenv(binariesOf, b.text())
}

func (b *binaries) text() string {
	text := b.commit
	for tags, path := range b.paths {
		text += "\n" + tags + "=" + path
	}
	return text
}

// inherit takes what the outer process has built.
func (b *binaries) inherit() {
	all := strings.Split(os.Getenv(binariesOf), "\n")
	b.commit, b.paths = all[0], map[string]string{}
	for _, line := range all[1:] {
		tags, path, _ := strings.Cut(line, "=")
		b.paths[tags] = path
	}
}

// commit names what was built.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
