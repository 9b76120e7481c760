package rig

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	mostLine = 16 << 10
	idleTime = time.Minute
	sendTime = 5 * time.Second
)

// Server answers requests on a socket.
type Server struct {
	rig    *Rig
	listen net.Listener
	users  sync.WaitGroup

	mu    sync.Mutex // guards the rest
	conns map[net.Conn]bool
	shut  bool
}

// Listen serves a rig on a Unix socket that only its owner may use. One that is left there from a process before is replaced. It changes the umask
// for a moment, so it is for the start of a process.
func Listen(path string, r *Rig) (*Server, error) {
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != os.ModeSocket {
			return nil, fmt.Errorf("%s is there and is no socket", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	before := syscall.Umask(0o177)
	l, err := net.Listen("unix", path)
	syscall.Umask(before)
	if err != nil {
		return nil, err
	}
	s := &Server{rig: r, listen: l, conns: map[net.Conn]bool{}}
	s.users.Go(s.accept)
	return s, nil
}

// Close ends it and waits for whoever was being answered.
func (s *Server) Close() {
	s.mu.Lock()
	s.shut = true
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.listen.Close()
	s.users.Wait()
}

func (s *Server) accept() {
	for {
		c, err := s.listen.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no descriptor is free, perhaps
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if s.enter(c) {
			s.users.Go(func() { s.serve(c) })
		}
	}
}

func (s *Server) enter(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		c.Close()
		return false
	}
	s.conns[c] = true
	return true
}

// serve answers line by line. A line that is too long ends the connection.
func (s *Server) serve(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	lines := bufio.NewScanner(c)
	lines.Buffer(nil, mostLine)
	for c.SetReadDeadline(time.Now().Add(idleTime)) == nil && lines.Scan() {
		q, err := parse(lines.Bytes())
		a := Answer{}
		if err != nil {
			a.Error = err.Error()
		} else {
			a = s.rig.Do(q)
		}
		if s.answer(c, a) != nil {
			return
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		_ = s.answer(c, Answer{Error: fmt.Sprintf("a line has at most %d bytes", mostLine)}) // it is closed next
	}
}

func (s *Server) answer(c net.Conn, a Answer) error {
	if err := c.SetWriteDeadline(time.Now().Add(sendTime)); err != nil {
		return err
	}
	return json.NewEncoder(c).Encode(a)
}
