package network

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// agentEnv makes the test binary a process of a host: what it listens on, the address it dials from first.
const agentEnv = "TRSTCTL_NETWORK_TEST_AGENT"

// Agent is such a process, which does as it is told through its standard input. Whatever line or datagram it gets it remembers and sends back.
type Agent struct {
	ip string

	mu       sync.Mutex // guards the rest
	seen     map[string]int
	news     chan struct{} // closed and replaced when something is seen
	accepted []net.Conn
	dialled  []net.Conn
	lines    []*bufio.Reader
}

func newAgent(ip string) *Agent {
	return &Agent{ip: ip, seen: map[string]int{}, news: make(chan struct{})}
}

// runAgent serves until its standard input ends.
func runAgent() int {
	a := strings.Split(os.Getenv(agentEnv), ",")
	agent := newAgent(a[0])
	for _, address := range a[1:] {
		l, err := net.Listen("tcp", address)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		go agent.accept(l)
		if strings.HasSuffix(address, ":8301") {
			c, err := net.ListenPacket("udp", address)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			go agent.datagrams(c)
		}
	}
	rpcServer(agent).ServeConn(stdio{})
	return 0
}

func rpcServer(a *Agent) *rpc.Server {
	s := rpc.NewServer()
	if err := s.Register(a); err != nil {
		panic(err)
	}
	return s
}

type stdio struct{}

func (stdio) Read(b []byte) (int, error)  { return os.Stdin.Read(b) }
func (stdio) Write(b []byte) (int, error) { return os.Stdout.Write(b) }
func (stdio) Close() error                { return nil }

func (a *Agent) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		a.mu.Lock()
		a.accepted = append(a.accepted, c)
		a.mu.Unlock()
		go a.echo(c)
	}
}

func (a *Agent) echo(c net.Conn) {
	defer c.Close()
	r := bufio.NewReaderSize(c, 256<<10)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			a.see("end: " + kind(err))
			return
		}
		a.see(strings.TrimSpace(line))
		if _, err := io.WriteString(c, line); err != nil {
			return
		}
	}
}

func (a *Agent) datagrams(c net.PacketConn) {
	b := make([]byte, maxPacket)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		a.see(string(b[:n]))
		_, _ = c.WriteTo(b[:n], from)
	}
}

func (a *Agent) see(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[text]++
	close(a.news)
	a.news = make(chan struct{})
}

// Call is what an agent is told.
type Call struct {
	Network, To, Text string
	Conn, Times       int
	Within            time.Duration
}

// Dial returns the number of a new connection.
func (a *Agent) Dial(c Call, conn *int) error {
	d := net.Dialer{Timeout: c.Within}
	if a.ip != "" && c.Network == "tcp" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(a.ip)}
	}
	opened, err := d.Dial(c.Network, c.To)
	if err != nil {
		return errors.New(kind(err))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	*conn = len(a.dialled)
	a.dialled, a.lines = append(a.dialled, opened), append(a.lines, bufio.NewReaderSize(opened, 256<<10))
	return nil
}

// Write sends a line.
func (a *Agent) Write(c Call, _ *int) error {
	conn, _ := a.conn(c.Conn)
	if _, err := io.WriteString(conn, c.Text+"\n"); err != nil {
		return errors.New(kind(err))
	}
	return nil
}

// Read returns the next line.
func (a *Agent) Read(c Call, line *string) error {
	conn, r := a.conn(c.Conn)
	if err := conn.SetReadDeadline(time.Now().Add(c.Within)); err != nil {
		return errors.New(kind(err))
	}
	text, err := r.ReadString('\n')
	if err != nil {
		return errors.New(kind(err))
	}
	*line = strings.TrimSpace(text)
	return nil
}

// Push sends a line to all who have connected.
func (a *Agent) Push(c Call, _ *int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, conn := range a.accepted {
		_, _ = io.WriteString(conn, c.Text+"\n")
	}
	return nil
}

// Seen waits until a line has come so often, and returns how often it has.
func (a *Agent) Seen(c Call, times *int) error {
	end := time.After(c.Within)
	for {
		a.mu.Lock()
		n, news := a.seen[c.Text], a.news
		a.mu.Unlock()
		*times = n
		if n >= c.Times {
			return nil
		}
		select {
		case <-news:
		case <-end:
			return nil
		}
	}
}

func (a *Agent) conn(n int) (net.Conn, *bufio.Reader) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.dialled[n], a.lines[n]
}

// kind is what tests ask of an error.
func kind(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, io.EOF):
		return "eof"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return err.Error()
}
