package faultfs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	insideEnv = "FAULTFS_TEST_INSIDE"
	partEnv   = "FAULTFS_TEST_PART"
)

// TestMain runs the tests in a mount and a PID namespace of their own, which end with them, however they end. A program that was started to play
// a part on the file system does that instead.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(partEnv) != "":
		if err := play(os.Getenv(partEnv), os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case os.Getenv(insideEnv) != "":
		if err := settle(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	case Available() == nil:
		os.Exit(enter())
	default:
		os.Exit(m.Run()) // to skip
	}
}

func enter() int {
	runtime.LockOSThread() // the program inside ends with the thread that started it
	c := exec.Command("/proc/self/exe", os.Args[1:]...)
	c.Stdin, c.Stdout, c.Stderr, c.Env = os.Stdin, os.Stdout, os.Stderr, append(os.Environ(), insideEnv+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	err := c.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, "enter namespaces:", err)
		return 1
	}
	return c.ProcessState.ExitCode()
}

func settle() error {
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return nil
}

func mounted(t *testing.T, options ...Option) (*FS, string) {
	t.Helper()
	if err := Available(); err != nil {
		t.Skip(err)
	}
	backing, dir := t.TempDir(), t.TempDir()
	return mountedOn(t, backing, dir, options...), dir
}

func mountedOn(t *testing.T, backing, dir string, options ...Option) *FS {
	f, err := Mount(backing, dir, options...)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, f.Close())
		_, err := os.Stat(f.shadow)
		require.ErrorIs(t, err, os.ErrNotExist)
	})
	return f
}

func fixed() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func cut(t *testing.T, f *FS, how Cut) Lost {
	t.Helper()
	lost, err := f.PowerCut(fixed(), how)
	require.NoError(t, err)
	return lost
}

func put(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func get(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

// syncOf syncs a file or a directory.
func syncOf(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, trySync(path))
}

func trySync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func absent(t *testing.T, path string) {
	t.Helper()
	_, err := os.Lstat(path)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// durable puts a file there that no power cut takes.
func durable(t *testing.T, path, text string) {
	t.Helper()
	put(t, path, text)
	syncOf(t, path)
	syncOf(t, filepath.Dir(path))
}

// actor is a program of its own that uses the file system: what maps files cannot be in the process that serves them.
type actor struct {
	*exec.Cmd
	out    *bufio.Scanner
	errors *bytes.Buffer
}

func start(t *testing.T, part string, args ...string) *actor {
	t.Helper()
	c := exec.Command("/proc/self/exe", args...)
	said := &bytes.Buffer{}
	c.Env, c.Stderr = append(os.Environ(), partEnv+"="+part), said
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill() })
	return &actor{c, bufio.NewScanner(out), said}
}

// end reads the lines that are left and waits.
func (a *actor) end() (lines []string, err error) {
	for a.out.Scan() {
		lines = append(lines, a.out.Text())
	}
	return lines, a.Wait()
}

func run(t *testing.T, part string, args ...string) []string {
	t.Helper()
	a := start(t, part, args...)
	lines, err := a.end()
	require.NoError(t, err, a.errors.String())
	return lines
}

// play runs one part: of a store, or one of these.
func play(part string, args []string) error {
	switch part {
	case "map":
		return playMap(args[0])
	case "sync":
		fmt.Println("syncing")
		return trySync(args[0])
	case "write":
		return playWrite(args[0])
	case "fill":
		return playFill(args[0], args[1], args[2] == "synced")
	case "keys":
		return playKeys(args[0], args[1])
	}
	return fmt.Errorf("no part %q", part)
}

// playWrite holds a file open and writes to it for as long as it lives.
func playWrite(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	for {
		if _, err := io.WriteString(f, "line\n"); err != nil {
			return err
		}
		fmt.Println("written")
	}
}
