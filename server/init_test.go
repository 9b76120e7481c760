package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/seal"
)

// aConfig is of a node of one on ports that are free.
func aConfig(t *testing.T) Config {
	dir, err := os.MkdirTemp("", "trstctl") // short: it holds a socket
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	c := defaults()
	c.Node, c.Data, c.Seal.File = "n1", filepath.Join(dir, "data"), filepath.Join(dir, "kek")
	c.API.Listen, c.Cluster.Listen, c.Disk.Reserve, c.Disk.Ballast = freePort(t), freePort(t), 0, 0
	require.NoError(t, seal.Keygen(c.Seal.File))
	c.complete()
	require.NoError(t, c.Validate())
	return c
}

func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// start runs a node and returns once its socket is there; stop ends it and returns what it ended with.
func start(t *testing.T, c Config) (stop func() error) {
	n, err := NewNode(c, Options{Log: slog.New(slog.DiscardHandler), Version: "test"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- n.Run(ctx) }()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("unix", c.Socket())
		return err == nil && conn.Close() == nil
	}, 10*time.Second, 10*time.Millisecond)
	return func() error { cancel(); return <-ran }
}

const initRequest = "POST /init HTTP/1.1\r\nHost: local\r\nContent-Length: 2\r\n\r\n{}"

// initialise asks for an init and returns the answer.
func initialise(t *testing.T, c Config) string {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", c.Socket()) }}}
	r, err := client.Post("http://local/init", "application/json", strings.NewReader("{}"))
	require.NoError(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return fmt.Sprint(r.StatusCode, " ", string(b))
}

func TestAnInitWhoseAnswerReachedNobodyIsRepeated(t *testing.T) {
	c := aConfig(t)
	stop := start(t, c)
	conn, err := net.Dial("unix", c.Socket())
	require.NoError(t, err)
	_, err = conn.Write([]byte(initRequest))
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.Eventually(t, func() bool { return (&Node{cfg: c}).marked(incomplete) }, 10*time.Second, time.Millisecond)
	var ended error
	require.Eventually(t, func() bool { // its socket goes when the node ends by itself
		_, err := os.Lstat(c.Socket())
		return err != nil
	}, 20*time.Second, 10*time.Millisecond)
	ended = stop()
	require.ErrorContains(t, ended, "reached nobody")

	stop = start(t, c)
	answer := initialise(t, c)
	require.True(t, strings.HasPrefix(answer, `200 {"root_token":"trs.`), answer[:20])
	require.Eventually(t, func() bool { return !(&Node{cfg: c}).marked(answering) }, 10*time.Second, 10*time.Millisecond)
	require.False(t, (&Node{cfg: c}).marked(incomplete))
	require.Contains(t, initialise(t, c), "409 ")
	require.NoError(t, stop())
}

func TestWhatACrashInAnInitLeavesBehind(t *testing.T) {
	for mark, stays := range map[string]bool{incomplete: false, answering: true, "": true} {
		n := &Node{cfg: Config{Data: t.TempDir()}, log: slog.New(slog.DiscardHandler)}
		require.NoError(t, os.WriteFile(filepath.Join(n.cfg.Data, "node.json"), nil, 0o600))
		if mark != "" {
			require.NoError(t, n.mark("", mark))
		}
		require.NoError(t, n.clearIncomplete())
		require.Equal(t, stays, n.marked("node.json"), mark)
		require.False(t, n.marked(incomplete) || n.marked(answering))
	}
}

func TestADirectoryThatOthersCanWriteIsRefused(t *testing.T) {
	c := aConfig(t)
	require.NoError(t, os.Mkdir(c.Data, 0o700))
	require.NoError(t, os.Chmod(c.Data, 0o770))
	n, err := NewNode(c, Options{Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.ErrorContains(t, n.Run(t.Context()), "chmod 700")
	require.NoError(t, os.Remove(c.Data))
	stop := start(t, c)
	for path, mode := range map[string]os.FileMode{c.Data: 0o700, c.Socket(): 0o600} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), path)
	}
	require.NoError(t, stop())
}
