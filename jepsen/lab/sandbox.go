package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// inside marks the process that runs in the sandbox.
const inside = "TRSTCTL_JEPSEN_SANDBOX"

// Sandboxed reports whether this process is the inner one: PID, mount and network namespaces of its own.
func Sandboxed() bool { return os.Getenv(inside) != "" }

// CanSandbox reports whether Sandbox would work here.
func CanSandbox() bool { return runtime.GOOS == "linux" && os.Geteuid() == 0 }

// Sandbox runs this program again, with the same arguments, as the first process of PID, mount and network namespaces of its own, and returns its
// exit code. Whatever the inner one starts, mounts or connects ends with it, however it ends, because the kernel takes the namespaces down with
// their first process; and the inner one ends with this one.
func Sandbox() (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	runtime.LockOSThread() // the inner process dies with the thread that started it
	defer runtime.UnlockOSThread()
	c := exec.Command(self, os.Args[1:]...)
	c.Stdin, c.Stdout, c.Stderr, c.Env = os.Stdin, os.Stdout, os.Stderr, append(os.Environ(), inside+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	if err := c.Start(); err != nil {
		return 0, fmt.Errorf("enter namespaces: %w", err)
	}
	go func() {
		for s := range signals {
			_ = c.Process.Signal(s) // it may have ended
		}
	}()
	var exit *exec.ExitError
	if err := c.Wait(); err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return c.ProcessState.ExitCode(), nil
}

// Settle makes the inner process at home: no mount of it is seen outside, and /proc shows its own processes.
func Settle() error {
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return nil
}
