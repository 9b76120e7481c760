package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/trstctl/trstctl/fsm/fault"
)

const maxPIN = 255

// pinSource names where the PIN comes from, for messages.
func (c PKCS11Config) pinSource() string {
	switch {
	case c.PINFile != "":
		return "pin_file " + c.PINFile
	case c.PINEnv != "":
		return "pin_env " + c.PINEnv
	}
	return "pin_command " + c.PINCommand[0]
}

// pin reads the PIN. The caller zeroes it.
func (c PKCS11Config) pin(limit time.Duration) ([]byte, error) {
	var b []byte
	var err error
	switch {
	case c.PINFile != "":
		b, err = pinFromFile(c.PINFile)
	case c.PINEnv != "":
		b = []byte(os.Getenv(c.PINEnv))
	default:
		b, err = c.pinFromCommand(limit)
	}
	if err != nil {
		clear(b)
		return nil, err
	}
	pin := bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if len(pin) == 0 || len(pin) > maxPIN || bytes.IndexByte(pin, 0) >= 0 {
		clear(b)
		return nil, fault.New(fault.Invalid, "%s gives no PIN: it has to be 1 to %d bytes, without a zero byte", c.pinSource(), maxPIN)
	}
	return pin, nil
}

// pinFromFile follows links, since that is how Kubernetes mounts a secret. There the file is root's, and its group may be the node's.
func pinFromFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0) // a FIFO is refused instead of waited for
	if err != nil {
		return nil, fault.New(fault.Invalid, "pin_file: %v", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at the PIN file: %w", err)
	}
	st, _ := info.Sys().(*syscall.Stat_t)
	others := os.FileMode(0o077)
	if st != nil && st.Uid == 0 && os.Geteuid() != 0 {
		others = 0o037
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, fault.New(fault.Invalid, "pin_file %s is not a regular file", path)
	case info.Mode().Perm()&others != 0:
		return nil, fault.New(fault.Invalid, "pin_file %s has mode %04o, others could read or change it: run `chmod 600 %s`", path, info.Mode().Perm(), path)
	case st != nil && st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return nil, fault.New(fault.Invalid, "pin_file %s belongs to user %d, not to the one that runs the node (%d)", path, st.Uid, os.Geteuid())
	}
	return readPIN(f)
}

func readPIN(r io.Reader) ([]byte, error) {
	b := make([]byte, maxPIN+3) // a line end, and one byte that shows that it is too long
	n, err := io.ReadFull(r, b)
	if err == nil || !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		clear(b)
		return nil, errors.Join(fault.New(fault.Invalid, "a PIN has at most %d bytes, and can be read", maxPIN), err)
	}
	return b[:n], nil
}

// pinFromCommand runs the command without our own variables; they hold tokens. What it prints besides the PIN goes nowhere.
func (c PKCS11Config) pinFromCommand(limit time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.PINCommand[0], c.PINCommand[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "TRSTCTL_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe from the PIN command: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fault.New(fault.Invalid, "pin_command: %v", err)
	}
	pin, err := readPIN(out)
	if err != nil {
		cancel() // it may print for ever
	}
	end := cmd.Wait()
	switch {
	case ctx.Err() == context.DeadlineExceeded:
		clear(pin)
		return nil, fault.New(fault.NotDone, "pin_command %s did not end within %s", c.PINCommand[0], limit)
	case err != nil:
		return nil, fmt.Errorf("pin_command %s: %w", c.PINCommand[0], err)
	case end != nil:
		clear(pin)
		return nil, fault.New(fault.NotDone, "pin_command %s failed: %v", c.PINCommand[0], end)
	}
	return pin, nil
}
