package network

import (
	"io"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// remote is an agent of this or another process.
type remote struct {
	t   testing.TB
	rpc *rpc.Client
	cmd *exec.Cmd // nil for this process
}

// here is an agent in this process: the clients.
func here(t testing.TB) *remote {
	ours, theirs := net.Pipe()
	go rpcServer(newAgent("")).ServeConn(theirs)
	r := &remote{t: t, rpc: rpc.NewClient(ours)}
	t.Cleanup(func() { r.rpc.Close() })
	return r
}

// start starts an agent inside a host.
func start(t testing.TB, h Host) *remote {
	ip, _, err := net.SplitHostPort(h.Listen(Raft))
	require.NoError(t, err)
	say := ip
	for _, c := range []Class{API, KMIP, Raft, Gossip} {
		if h.Listen(c) != "" {
			say += "," + h.Listen(c)
		}
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), agentEnv+"="+say), os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, h.Start(cmd))
	r := &remote{t: t, cmd: cmd, rpc: rpc.NewClient(pipes{out, in})}
	t.Cleanup(r.stop)
	r.seen("", 0) // it listens
	return r
}

type pipes struct {
	io.ReadCloser
	io.Writer
}

func (r *remote) stop() {
	r.rpc.Close()
	_ = r.cmd.Process.Kill() // it may have ended
	_ = r.cmd.Wait()         // of that kill
}
