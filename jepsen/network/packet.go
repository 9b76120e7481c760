package network

import "encoding/binary"

// address is one of IP version 4.
type address [4]byte

// Protocols of IP.
const (
	protoTCP = 6
	protoUDP = 17
)

// Flags of TCP.
const (
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// Sizes of headers without options.
const (
	sizeIP  = 20
	sizeTCP = 20
	sizeUDP = 8
)

// packet is an IP packet, version 4, and what a switch needs to know of it.
type packet struct {
	bytes    []byte // all of it, and nothing behind it
	src, dst address
	proto    byte
	ports    [2]uint16 // source, destination; 0 where there are none, as in all but the first fragment
	flags    byte      // of TCP; 0 for others
	seq, ack uint32
}

// parse reads the headers of b, which the packet then refers to. False for what is no packet of version 4 or says of itself that it is longer than b.
// What it carries may be nonsense: it is carried on without ports.
func parse(b []byte) (p packet, ok bool) {
	if len(b) < sizeIP || b[0]>>4 != 4 {
		return p, false
	}
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < sizeIP || total < header || total > len(b) {
		return p, false
	}
	p = packet{bytes: b[:total], src: address(b[12:16]), dst: address(b[16:20]), proto: b[9]}
	if binary.BigEndian.Uint16(b[6:])&0x1fff == 0 { // the first or only fragment
		p.transport(p.bytes[header:])
	}
	return p, true
}

func (p *packet) transport(b []byte) {
	switch {
	case p.proto == protoTCP && len(b) >= sizeTCP:
		p.seq, p.ack, p.flags = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]), b[13]
	case p.proto == protoUDP && len(b) >= sizeUDP:
	default:
		return
	}
	p.ports = [2]uint16{binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])}
}

// class is the one whose port is at either end; empty for others.
func (p *packet) class() Class {
	for _, port := range p.ports {
		switch {
		case port == portAPI && p.proto == protoTCP:
			return API
		case port == portKMIP && p.proto == protoTCP:
			return KMIP
		case port == portRaft && p.proto == protoTCP:
			return Raft
		case port == portGossip:
			return Gossip
		}
	}
	return ""
}

// resettable packets are of TCP and no reset themselves.
func (p *packet) resettable() bool {
	return p.proto == protoTCP && p.ports != [2]uint16{} && p.flags&flagRST == 0 && p.flags&(flagSYN|flagACK) != 0
}

// resets returns what tells both ends of the packet's connection that the other has reset it, in place of the packet (RFC 9293, section 3.5.2). The
// receiver of a first SYN knows of no connection yet and gets nil.
func (p *packet) resets() (toSender, toReceiver []byte) {
	there, back := [2]address{p.src, p.dst}, [2]address{p.dst, p.src}
	backPorts := [2]uint16{p.ports[1], p.ports[0]}
	if p.flags&flagACK == 0 {
		return segment(back, backPorts, 0, p.seq+1, flagRST|flagACK), nil
	}
	return segment(back, backPorts, p.ack, 0, flagRST), segment(there, p.ports, p.seq, p.ack, flagRST|flagACK)
}

// segment makes a TCP packet without data or options.
func segment(ends [2]address, ports [2]uint16, seq, ack uint32, flags byte) []byte {
	b := make([]byte, sizeIP+sizeTCP)
	copy(b, []byte{0x45, 0, 0, sizeIP + sizeTCP, 0, 0, 0x40, 0, 64, protoTCP}) // not to be fragmented, 64 hops
	copy(b[12:], ends[0][:])
	copy(b[16:], ends[1][:])
	binary.BigEndian.PutUint16(b[10:], fold(sum(b[:sizeIP])))
	t := b[sizeIP:]
	binary.BigEndian.PutUint16(t, ports[0])
	binary.BigEndian.PutUint16(t[2:], ports[1])
	binary.BigEndian.PutUint32(t[4:], seq)
	binary.BigEndian.PutUint32(t[8:], ack)
	t[12], t[13] = sizeTCP/4<<4, flags
	binary.BigEndian.PutUint16(t[16:], fold(sum(b[12:20])+protoTCP+sizeTCP+sum(t)))
	return b
}

// sum adds the 16-bit words of b, whose length is even (RFC 1071).
func sum(b []byte) (s uint32) {
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(b[i])<<8 | uint32(b[i+1])
	}
	return s
}

func fold(s uint32) uint16 {
	s = s>>16 + s&0xffff
	return ^uint16(s>>16 + s&0xffff)
}
