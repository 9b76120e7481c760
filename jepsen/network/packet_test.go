package network

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

var one, two = address{10, 231, 0, 1}, address{10, 231, 0, 2}

// datagram is a UDP packet without its checksum, which nobody here looks at.
func datagram(from, to address, ports [2]uint16, text string) []byte {
	b := append(make([]byte, sizeIP+sizeUDP), text...)
	b[0], b[9] = 0x45, protoUDP
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	copy(b[12:], from[:])
	copy(b[16:], to[:])
	binary.BigEndian.PutUint16(b[20:], ports[0])
	binary.BigEndian.PutUint16(b[22:], ports[1])
	return b
}

func TestPacketsAreToldApartByPort(t *testing.T) {
	for _, c := range []struct {
		b    []byte
		want Class
	}{
		{segment([2]address{one, two}, [2]uint16{40000, portAPI}, 1, 2, flagACK), API},
		{segment([2]address{one, two}, [2]uint16{portAPI, 40000}, 1, 2, flagACK), API},
		{segment([2]address{one, two}, [2]uint16{40000, portKMIP}, 1, 2, flagACK), KMIP},
		{segment([2]address{one, two}, [2]uint16{40000, portRaft}, 1, 2, flagACK), Raft},
		{segment([2]address{one, two}, [2]uint16{portGossip, 40000}, 1, 2, flagACK), Gossip},
		{segment([2]address{one, two}, [2]uint16{40000, 22}, 1, 2, flagACK), ""},
		{datagram(one, two, [2]uint16{portGossip, portGossip}, "x"), Gossip},
		{datagram(one, two, [2]uint16{portAPI, portRaft}, "x"), ""},
		{datagram(one, two, [2]uint16{portGossip, portGossip}, "x")[:sizeIP+sizeUDP], ""}, // shorter than it says: no packet
	} {
		p, _ := parse(c.b)
		require.Equal(t, c.want, p.class(), "%x", c.b)
	}
	later := datagram(one, two, [2]uint16{portGossip, portGossip}, "x")
	later[7] = 1 // a later fragment has data where the ports would be
	p, ok := parse(later)
	require.True(t, ok)
	require.Empty(t, p.class())
}

func TestResetsFitTheConnection(t *testing.T) {
	p, ok := parse(segment([2]address{one, two}, [2]uint16{40000, portAPI}, 100, 200, flagACK))
	require.True(t, ok)
	back, there := p.resets()
	b, ok := parse(back)
	require.True(t, ok)
	require.Equal(t, packet{bytes: back, src: two, dst: one, proto: protoTCP, ports: [2]uint16{portAPI, 40000}, flags: flagRST, seq: 200}, b)
	th, ok := parse(there)
	require.True(t, ok)
	require.Equal(t, packet{bytes: there, src: one, dst: two, proto: protoTCP, ports: p.ports, flags: flagRST | flagACK, seq: 100, ack: 200}, th)
	require.False(t, b.resettable(), "resets are not answered by resets")

	syn, _ := parse(segment([2]address{one, two}, [2]uint16{40000, portAPI}, 100, 0, flagSYN))
	back, there = syn.resets()
	b, _ = parse(back)
	require.Nil(t, there)
	require.Equal(t, uint32(101), b.ack)
}

// Whatever comes from a device is carried or not, but never harms; and what is forged in answer is well-formed.
func FuzzParse(f *testing.F) {
	f.Add(segment([2]address{one, two}, [2]uint16{40000, portAPI}, 1<<31, 1<<30, flagACK))
	f.Add(segment([2]address{one, two}, [2]uint16{40000, portAPI}, 0xffffffff, 0, flagSYN))
	f.Add(datagram(one, two, [2]uint16{portGossip, 1}, "text"))
	f.Add([]byte{0x60, 0, 0, 0})
	f.Add([]byte{0x4f, 0, 0, 60})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parse(b)
		if !ok {
			return
		}
		require.LessOrEqual(t, len(p.bytes), len(b))
		p.class()
		if !p.resettable() {
			return
		}
		back, there := p.resets()
		for _, r := range [][]byte{back, there} {
			if r != nil {
				wellFormed(t, r)
			}
		}
	})
}

func wellFormed(t *testing.T, b []byte) {
	p, ok := parse(b)
	require.True(t, ok)
	require.NotZero(t, p.flags&flagRST)
	require.Zero(t, fold(sum(b[:sizeIP])), "checksum of IP")
	require.Zero(t, fold(sum(b[12:20])+protoTCP+uint32(len(b)-sizeIP)+sum(b[sizeIP:])), "checksum of TCP")
}
