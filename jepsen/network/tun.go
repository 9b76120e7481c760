package network

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

const (
	deviceName = "jepsen0"
	deviceMTU  = 32 << 10
)

// onFirstThread reports whether the caller runs on the process's first thread.
func onFirstThread() bool { return unix.Gettid() == os.Getpid() }

// openTUN makes a device with an address in the network namespace of the calling thread. It is gone when it is closed.
func openTUN(a address) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	if err := errors.Join(makeTUN(fd), withSocket(func(s int) error { return configure(s, a) })); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "/dev/net/tun"), nil // only now: the runtime polls it from here on
}

func makeTUN(fd int) error {
	return request(fd, deviceName, "make the device", unix.TUNSETIFF, func(r *unix.Ifreq) error {
		r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		return nil
	})
}

func configure(s int, a address) error {
	return errors.Join(
		request(s, deviceName, "set its MTU", unix.SIOCSIFMTU, func(r *unix.Ifreq) error { r.SetUint32(deviceMTU); return nil }),
		request(s, deviceName, "set its address", unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(a[:]) }),
		request(s, deviceName, "set its mask", unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr([]byte{255, 255, 255, 0}) }),
		up(s, deviceName),
	)
}

// loopbackUp starts the loopback of the calling thread's network namespace.
func loopbackUp() error {
	return withSocket(func(s int) error { return up(s, "lo") })
}

func up(s int, name string) error {
	return request(s, name, "start it", unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP); return nil })
}

// withSocket lends a socket of the calling thread's namespace, which is what interfaces are configured through.
func withSocket(do func(s int) error) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	return errors.Join(do(s), unix.Close(s))
}

func request(fd int, name, what string, code uint, fill func(*unix.Ifreq) error) error {
	r, err := unix.NewIfreq(name)
	if err == nil {
		err = fill(r)
	}
	if err == nil {
		err = unix.IoctlIfreq(fd, code, r)
	}
	if err != nil {
		return fmt.Errorf("interface %s: %s: %w", name, what, err)
	}
	return nil
}

// alone refuses a network namespace that others use: no device is ever made beside those of the machine.
func alone() error {
	all, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("list interfaces: %w", err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 {
			return fmt.Errorf("this process has no network namespace of its own: interface %s is in use in it", i.Name)
		}
	}
	return nil
}
