package seal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trstctl/trstctl/engines/seal/token"
)

// ChildCommand is the hidden command of this binary that loads a PKCS#11 module: it has to call ServePKCS11.
const ChildCommand = "pkcs11-child"

// The child's ends of its two pipes. Its standard streams are the module's to print to.
const (
	requestsFD = 3
	answersFD  = 4
)

// ServePKCS11 is the child's work. It returns when the parent closes the pipe, or is gone.
func ServePKCS11() error {
	if err := NoCoreDumps(); err != nil {
		return err
	}
	for _, fd := range []int{requestsFD, answersFD} {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
			return fmt.Errorf("%s is started by a node, not by hand", ChildCommand)
		}
		unix.CloseOnExec(fd) // what a module starts does not get them
	}
	return token.Serve(os.NewFile(requestsFD, "requests"), os.NewFile(answersFD, "answers"))
}

// inherited are the variables that modules are known to read; whatever else one needs stands in its configuration. Ours are not among them.
var inherited = []string{"PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH",
	"SOFTHSM2_CONF",
	"P11_KIT_DEBUG", "P11_KIT_STRICT", "P11_KIT_SERVER_ADDRESS",
	"PKCS11_PROXY_SOCKET", "PKCS11_PROXY_TLS_PSK_FILE",
	"ChrystokiConfigurationPath",                                                         // Thales Luna
	"ET_PTKC_SW_DATAPATH", "ET_HSM_NETCLIENT_SERVERLIST", "ET_PTKC_GENERAL_LIBRARY_MODE", // Thales ProtectServer
	"NFAST_HOME", "NFAST_SERVER", "CKNFAST_LOADSHARING", "CKNFAST_FAKE_ACCELERATOR_LOGIN", // Entrust nShield
	"CS_PKCS11_CFG", "CS_PKCS11_R2_CFG", "CS_PKCS11_R3_CFG", // Utimaco
	"YUBIHSM_PKCS11_CONF", "YUBIHSM_PKCS11_DBG",
	"KMS_PKCS11_CONFIG", "GOOGLE_APPLICATION_CREDENTIALS", // Google Cloud
	"OPENCRYPTOKI_TRACE_LEVEL"}

// childEnv is what a module's process gets of ours, and what the configuration adds.
func childEnv(own []string, more map[string]string) (env []string) {
	for _, e := range own {
		name, _, _ := strings.Cut(e, "=")
		if _, replaced := more[name]; !replaced && slices.Contains(inherited, name) {
			env = append(env, e)
		}
	}
	for name, value := range more {
		env = append(env, name+"="+value)
	}
	return env
}

// spawner starts processes from one thread that lives until the spawner is closed: the kernel sends the death signal of a child when the thread
// that started it ends.
type spawner struct{ requests chan func() }

func newSpawner() *spawner {
	s := &spawner{make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		for start := range s.requests {
			start()
		}
	}()
	return s
}

func (s *spawner) start(c *exec.Cmd) error {
	done := make(chan error)
	s.requests <- func() { done <- c.Start() }
	return <-done
}

func (s *spawner) close() { close(s.requests) }

// errTimeout says that the module did not answer; the child was killed.
var errTimeout = errors.New("the module did not answer in time")

// child is a process that has the module loaded.
type child struct {
	cmd      *exec.Cmd
	requests *os.File
	answers  *os.File
	stderr   *firstBytes
	ended    chan struct{} // closed when the process is gone and its state is known
}

// startChild starts executable, which is this binary.
func startChild(s *spawner, executable string, env []string) (_ *child, err error) {
	requests, toChild, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe to the module's process: %w", err)
	}
	defer requests.Close()
	fromChild, answers, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a pipe from the module's process: %w", err), toChild.Close())
	}
	defer answers.Close()
	c := &child{requests: toChild, answers: fromChild, stderr: &firstBytes{}, ended: make(chan struct{})}
	c.cmd = &exec.Cmd{Path: executable, Args: []string{"trstctl", ChildCommand}, Env: env, Stderr: c.stderr, WaitDelay: time.Second,
		ExtraFiles: []*os.File{requests, answers}, // 3 and 4
		// A process group of its own keeps the terminal's ^C away, and lets what the module has started be killed with it.
		SysProcAttr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}}
	if err := s.start(c.cmd); err != nil {
		return nil, errors.Join(fmt.Errorf("start the module's process: %w", err), toChild.Close(), fromChild.Close())
	}
	go func() {
		_ = c.cmd.Wait() // how it ended stands in ProcessState
		close(c.ended)
	}()
	return c, nil
}

// call sends a request and waits for its answer. After an error the child is of no more use.
func (c *child) call(m token.Message, limit time.Duration) (token.Message, error) {
	deadline := time.Now().Add(limit)
	err := errors.Join(c.requests.SetWriteDeadline(deadline), c.answers.SetReadDeadline(deadline))
	if err != nil {
		return token.Message{}, fmt.Errorf("limit a call of the module: %w", err)
	}
	var answer token.Message
	if err = token.Write(c.requests, m); err == nil {
		answer, err = token.Read(c.answers)
	}
	switch {
	case err == nil:
		return answer, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.kill()
		return token.Message{}, fmt.Errorf("%w (%s) and was stopped", errTimeout, limit)
	}
	c.kill()
	return token.Message{}, fmt.Errorf("the module's process ended: %s: %w", c.how(), err)
}

// kill ends the child and all that it started, at once.
func (c *child) kill() {
	select {
	case <-c.ended: // its process id may be somebody else's by now
	default:
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) // fails only if it has just ended
	}
	c.release()
}

// end lets the child log out, and insists after grace.
func (c *child) end(grace time.Duration) {
	_ = c.requests.Close() // what there was to say has been said
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-c.ended:
		c.release()
	case <-t.C:
		c.kill()
	}
}

func (c *child) release() {
	<-c.ended
	_, _ = c.requests.Close(), c.answers.Close() // pipes to nobody
}

// how says how a child ended, without anything that a module has printed.
func (c *child) how() string {
	how := c.cmd.ProcessState.String()
	for line := range bytes.Lines(c.stderr.b) {
		name, _, ok := bytes.Cut(bytes.TrimPrefix(line, []byte("[signal ")), []byte(":"))
		if ok && bytes.HasPrefix(name, []byte("SIG")) && len(name) < 12 { // the Go runtime's word about a signal in C code
			return how + ", " + string(name)
		}
	}
	return how
}

// firstBytes keeps the beginning of what a child prints.
type firstBytes struct{ b []byte }

func (f *firstBytes) Write(b []byte) (int, error) {
	f.b = append(f.b, b[:min(len(b), 4096-len(f.b))]...)
	return len(b), nil
}

// self is this binary, also when its file was replaced since.
func self() string {
	const exe = "/proc/self/exe"
	if _, err := os.Readlink(exe); err == nil {
		return exe
	}
	path, err := os.Executable()
	if err != nil {
		return filepath.Clean(os.Args[0])
	}
	return path
}
