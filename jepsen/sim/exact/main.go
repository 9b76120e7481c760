// Command exact runs `go test` with a runtime whose every choice comes from the seed of a simulation, so that a seed gives the same run to the last
// message, always:
//
//	TRSTCTL_SIM_SEED=7 go run ./jepsen/sim/exact ./jepsen/sim -run TestAgreement
//
// Go's runtime draws which ready case a select takes and which of two timers of the same instant is first. Here it draws these, for goroutines in a
// bubble, from a generator that the simulation sets; maps are walked from where they begin, and no goroutine is interrupted because the
// machine is busy. Four files of the runtime are changed for that, by go's -overlay: nothing outside this build is. The first build takes a minute or two.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// change is a place in the runtime. If it is not there exactly once, this go is one that nobody has looked at.
type change struct{ file, old, new string }

// drawn is whether the goroutine that runs is one of a simulation's.
const drawn = "gp := getg().m.curg; gp != nil && gp.bubble != nil"

var changes = []change{
	{"select.go", "j := cheaprandn(uint32(norder + 1))\n", "j := simDrawn(uint32(norder + 1))\n"},
	{"time.go", "t.rand = cheaprand()\n", "t.rand = simDrawn(1 << 31)\n"},
	{"rand.go", "func maps_rand() uint64 {\n", `var simState uint64

// SimSeed sets what goroutines in bubbles draw from.
func SimSeed(seed uint64) { simState = seed }

//go:nosplit
func simDrawn(n uint32) uint32 {
	if ` + drawn + ` {
		simState += 0x9e3779b97f4a7c15
		z := simState
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return uint32((z >> 32) * uint64(n) >> 32)
	}
	return cheaprandn(n)
}

func maps_rand() uint64 {
	if ` + drawn + ` {
		return 1 // a walk begins at the same place in every run
	}
`},
	{"rand.go", "func bootstrapRand() uint64 {\n", `func bootstrapRand() uint64 {
	if true { // how maps hash
		simState += 0x9e3779b97f4a7c15
		return simState
	}
`},
	{"proc.go", "const forcePreemptNS = 10 * 1000 * 1000 // 10ms\n", "const forcePreemptNS = 1 << 60\n"},
}

func main() {
	err := run(os.Args[1:])
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		os.Exit(failed.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "exact:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("find go: %w", err)
	}
	dir, err := os.MkdirTemp("", "exact")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	overlay, err := patched(filepath.Join(strings.TrimSpace(string(root)), "src", "runtime"), dir)
	if err != nil {
		return err
	}
	test := exec.Command("go", append([]string{"test", "-tags", "exact", "-overlay", overlay}, args...)...)
	test.Stdin, test.Stdout, test.Stderr = os.Stdin, os.Stdout, os.Stderr
	return test.Run()
}

// patched writes the changed files into dir and returns the file that says what they replace.
func patched(runtime, dir string) (overlay string, err error) {
	replaced := map[string]string{}
	for _, c := range changes {
		original := filepath.Join(runtime, c.file)
		source := original
		if already := replaced[original]; already != "" {
			source = already
		}
		text, err := os.ReadFile(source)
		if err != nil {
			return "", err
		}
		if n := strings.Count(string(text), c.old); n != 1 {
			return "", fmt.Errorf("%s has %q %d times: this version of go is another one than this command knows", original, c.old, n)
		}
		target := filepath.Join(dir, c.file)
		if err := os.WriteFile(target, []byte(strings.Replace(string(text), c.old, c.new, 1)), 0o600); err != nil {
			return "", err
		}
		replaced[original] = target
	}
	text, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}
