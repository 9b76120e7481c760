// Package network connects the hosts of a test cluster and breaks what is between them.
//
// There are two kinds behind one interface. Namespaces gives every host a network namespace of its own and carries IP packets between them through
// a switch in this process, which loses, delays, doubles, holds or resets whatever its rules say; it needs root. Proxies gives every host an
// address of the loopback and carries TCP connections; it needs nothing, and can do less: Supports says what.
//
// A rule holds for one direction, from when Set returns. It never touches what a host sends to itself. Nothing of a network outlives its process: the
// kernel takes namespaces and devices down with the threads and descriptors that hold them, and nothing is mounted or named.
package network

import (
	"errors"
	"os/exec"
	"time"
)

// Class is what traffic is for. The empty class is all traffic, also such as has no class.
type Class string

// Classes, told apart by the port at either end of a packet. Clients come by two of them: a rule for API covers KMIP too.
const (
	API    Class = "api"    // TCP 8200
	KMIP   Class = "kmip"   // TCP 5696
	Raft   Class = "raft"   // TCP 8201, all that nodes say to each other except for gossip
	Gossip Class = "gossip" // TCP and UDP 8301
)

// Clients is the host that this process is: what clients send comes from it.
const Clients = "clients"

// Kinds of network.
const (
	kindNamespaces = "namespaces"
	kindProxies    = "proxies"
)

// Rule says what happens to what goes from one host to another, one way. Where several rules cover the same traffic, Drop wins over Reset and Reset over
// Stall, delays add up and each rule loses its own share.
type Rule struct {
	From  string `json:"from,omitempty"` // empty: any host, Clients too
	To    string `json:"to,omitempty"`   // the same
	Class Class  `json:"class,omitempty"`

	Drop  bool `json:"drop,omitempty"`  // it vanishes
	Stall bool `json:"stall,omitempty"` // it is held, within bounds, and arrives when no rule holds it any more
	Reset bool `json:"reset,omitempty"` // both ends of its TCP connection are told that the other has reset it

	// Delay is added to the way, and between nothing and Jitter more, drawn anew each time. What one host sends another within a class arrives in order.
	Delay  time.Duration `json:"delay_ns,omitempty"`
	Jitter time.Duration `json:"jitter_ns,omitempty"`

	Loss      float64 `json:"loss,omitempty"`      // share of packets that vanish, 0 to 1
	Duplicate float64 `json:"duplicate,omitempty"` // share that arrives twice
}

// Network is a set of hosts that reach each other, except for what the rules say. Its methods may be called at any time by anybody.
type Network interface {
	// Add makes a host. An id is never used twice, and none is Clients.
	Add(id string) (Host, error)
	// Set replaces all rules at once; nil heals everything. What was held is let go in order, unless the new rules say otherwise.
	Set(rules []Rule)
	// Kind is "namespaces" or "proxies".
	Kind() string
	// Supports says why a rule cannot be done on this network, or that it makes no sense.
	Supports(Rule) error
	// Counts says what has happened so far.
	Counts() Counts
	// Close ends every goroutine and closes every descriptor. Processes that were started with a death signal get it now; others go on without a
	// network.
	Close() error
}

// Host is a place for processes. An address is host:port, and empty for a class that the network does not carry.
type Host interface {
	// Listen is where a process of the host is to listen for a class, Advertise where the other hosts reach it, Dial where clients do.
	Listen(Class) string
	Advertise(Class) string
	Dial(Class) string
	// Start starts cmd inside the host, from a thread that lives as long as the network does: that is when Pdeathsig strikes.
	Start(cmd *exec.Cmd) error
}

// Counts are of packets for namespaces. For proxies Passed is of reads that were carried on, Dropped and Reset of connections.
type Counts struct {
	Passed     uint64 `json:"passed"`
	Dropped    uint64 `json:"dropped"`
	Lost       uint64 `json:"lost"`
	Duplicated uint64 `json:"duplicated"`
	Reset      uint64 `json:"reset"`
	Overflowed uint64 `json:"overflowed"` // would have had to wait where too much waited already, and were forgotten
	Stray      uint64 `json:"stray"`      // for no host, or from an address that is not the sender's
	Refused    uint64 `json:"refused"`    // by the kernel of the host that they were for
}

var (
	errClosed = errors.New("the network is closed")
	errTaken  = errors.New("the id of a host is never used twice")
)
