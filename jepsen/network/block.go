package network

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// block is the addresses 127.n.0.0/24, which one network has to itself while the networks of other processes take other ones. It is held by an abstract
// socket, which ends with the process and leaves no file.
type block struct {
	net.Listener
	n int
}

// Blocks that are taken, the first free one.
const firstBlock, lastBlock = 64, 127

func holdBlock() (*block, error) {
	for n := firstBlock; n <= lastBlock; n++ {
		if l, err := net.Listen("unix", fmt.Sprintf("@trstctl-jepsen-127.%d", n)); err == nil {
			return &block{l, n}, nil
		}
	}
	return nil, errors.New("every block of addresses is taken: too many networks are up")
}

func (b *block) address(host int) string { return fmt.Sprintf("127.%d.0.%d", b.n, host) }

// freePort returns a port on which nobody listens at the address: the wished for, unless a program listens for it on all addresses. None is among
// those that the system gives to outgoing connections.
func freePort(ip string, wish int) (int, error) {
	var err error
	for port := wish; port < 32768; port += 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("%s:%d", ip, port)); err == nil {
			return port, l.Close()
		}
		if errors.Is(err, os.ErrPermission) {
			break
		}
	}
	return 0, fmt.Errorf("find a port on %s: %w", ip, err)
}
