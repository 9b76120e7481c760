package cluster

import (
	"net"
	"time"
)

const (
	patientChunk = 64 << 10
	patientPace  = 4 << 20 // bytes a second, which a link and the disk behind it are trusted to bear
)

// patient is a connection for entries, whose deadlines move as long as bytes do. Raft gives one call a flat deadline, and a call may carry
// 16 entries of 6 MiB: over a slow link they would never arrive.
type patient struct {
	net.Conn
	limit time.Time // that Raft has set last
	sent  int64     // since then
}

// SetDeadline implements net.Conn. Raft calls it before each call, from the goroutine that then writes and reads.
func (p *patient) SetDeadline(t time.Time) error {
	p.limit, p.sent = t, 0
	return p.Conn.SetDeadline(t)
}

func (p *patient) Write(b []byte) (written int, err error) {
	for len(b) > 0 && err == nil {
		var n int
		n, err = p.Conn.Write(b[:min(len(b), patientChunk)])
		written, b = written+n, b[n:]
		p.sent += int64(n)
		if err == nil {
			err = p.extend()
		}
	}
	return written, err
}

// extend leaves time for what was sent to be stored, counted from now, when that is beyond Raft's own limit.
func (p *patient) extend() error {
	if p.sent < patientPace || p.limit.IsZero() {
		return nil
	}
	until := time.Now().Add(raftTimeout + time.Duration(p.sent)*time.Second/patientPace)
	if until.Before(p.limit) {
		return nil
	}
	return p.Conn.SetDeadline(until)
}
