package dev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Ports: node i has its API at base+10*(i-1), the cluster port after it, gossip after that, then KMIP, then CRLs and OCSP.
const (
	stride       = 10
	portsPerNode = 5
	maxNodes     = 9
	lowestPort   = 10000 // of those chosen freely: below the range that outgoing connections take
	highestPort  = 30000
)

// Node is one node of the cluster as it stands in nodes.json.
type Node struct {
	ID      string `json:"id"`
	API     string `json:"api"`            // https://host:port
	Cluster string `json:"cluster"`        // host:port
	Gossip  string `json:"gossip"`         // host:port
	KMIP    string `json:"kmip,omitempty"` // host:port; a cluster of an older release has none
	PKI     string `json:"pki,omitempty"`  // host:port of CRLs and OCSP answers; likewise
	PID     int    `json:"pid"`            // 0 when it does not run
	Dir     string `json:"dir"`            // its data directory; its configuration, Dir.yaml, and log, Dir.log, stand beside it
}

func (n Node) config() string { return n.Dir + ".yaml" }
func (n Node) log() string    { return n.Dir + ".log" }
func (n Node) socket() string { return filepath.Join(n.Dir, "trstctl.sock") }

// joined reports whether the data directory is a member's: its identity is written last, and a founding that was cut off leaves a mark.
func (n Node) joined() bool {
	_, identity := os.Stat(filepath.Join(n.Dir, "node.json"))
	_, cut := os.Stat(filepath.Join(n.Dir, "INIT-INCOMPLETE"))
	return identity == nil && errors.Is(cut, fs.ErrNotExist)
}

func (n Node) listens() []string {
	all := []string{strings.TrimPrefix(n.API, "https://"), n.Cluster, n.Gossip}
	for _, later := range []string{n.KMIP, n.PKI} {
		if later != "" {
			all = append(all, later)
		}
	}
	return all
}

// plan lays out n nodes beneath dir from port base on.
func plan(dir string, n, base int) ([]Node, error) {
	if n < 1 || n > maxNodes {
		return nil, fmt.Errorf("--nodes %d: from 1 to %d", n, maxNodes)
	}
	if last := base + stride*(n-1) + portsPerNode - 1; base < 1 || last > 65535 {
		return nil, fmt.Errorf("--base-port %d: %d nodes need the ports up to %d", base, n, last)
	}
	nodes := make([]Node, n)
	for i := range nodes {
		id, port := "n"+strconv.Itoa(i+1), base+stride*i
		at := func(offset int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port+offset)) }
		nodes[i] = Node{ID: id, API: "https://" + at(0), Cluster: at(1), Gossip: at(2), KMIP: at(3), PKI: at(4), Dir: filepath.Join(dir, id)}
	}
	return nodes, nil
}

// freePlan is a plan with ports that nobody uses now.
func freePlan(dir string, n int) (nodes []Node, err error) {
	for range 100 {
		base := lowestPort + stride*rand.IntN((highestPort-lowestPort)/stride)
		if nodes, err = plan(dir, n, base); err != nil {
			return nil, err
		}
		if err = portsFree(nodes); err == nil {
			return nodes, nil
		}
	}
	return nil, err
}

// awaitPorts waits for the ports of nodes whose last run was cut off: they may still be ending, and hold their ports until they have.
func awaitPorts(ctx context.Context, nodes []Node, patience time.Duration) error {
	cutOff := slices.ContainsFunc(nodes, func(n Node) bool { return n.PID != 0 })
	for until := time.Now().Add(patience); ; {
		err := portsFree(nodes)
		if err == nil || !cutOff || time.Now().After(until) {
			return err
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return err
		}
	}
}

// portsFree tries all ports of nodes.
func portsFree(nodes []Node) error {
	for _, n := range nodes {
		for _, address := range n.listens() {
			l, err := net.Listen("tcp", address)
			if err != nil {
				return fmt.Errorf("%s cannot listen at %s: %w: stop what uses it, or start with another --base-port and --dir", n.ID, address, err)
			}
			if err := l.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

// lay returns the nodes of an earlier start, or plans new ones and writes their files. nodes.json is written last: without it
// nothing has been started yet.
func (o Options) lay(ctx context.Context) ([]Node, error) {
	nodes, err := readNodes(o.Dir)
	switch {
	case err == nil && o.Nodes != 0 && len(nodes) != o.Nodes:
		return nil, fmt.Errorf("%s holds a cluster of %d nodes: start it with --nodes %d, or give another --dir", o.Dir, len(nodes), len(nodes))
	case err == nil || !errors.Is(err, fs.ErrNotExist):
		return nodes, err
	}
	count := o.Nodes
	if count == 0 {
		count = 3
	}
	if o.BasePort == 0 {
		nodes, err = freePlan(o.Dir, count)
	} else {
		nodes, err = plan(o.Dir, count, o.BasePort)
	}
	if err != nil {
		return nil, err
	}
	return nodes, o.write(ctx, nodes)
}

func (o Options) write(ctx context.Context, nodes []Node) error {
	seals, err := o.seals(ctx)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		b, err := yaml.Marshal(o.nodeConfig(n, seals))
		if err != nil {
			return fmt.Errorf("encode the configuration of %s: %w", n.ID, err)
		}
		if err := writeFile(n.config(), b); err != nil {
			return err
		}
	}
	return writeNodes(o.Dir, nodes)
}

// seals makes what the nodes are sealed with. All of them use the same.
func (o Options) seals(ctx context.Context) ([]map[string]any, error) {
	switch o.Seal {
	case "pkcs11":
		s, err := o.HSM(ctx, o.Executable, filepath.Join(o.Dir, "hsm"))
		return []map[string]any{s}, err
	case "shamir":
		return []map[string]any{{"kind": "shamir"}}, nil
	}
	return []map[string]any{{"kind": "file", "file": o.kek()}}, o.makeKey()
}

func (o Options) makeKey() error {
	if _, err := os.Stat(o.kek()); err == nil {
		return nil
	}
	return o.Keygen(o.kek())
}

func (o Options) kek() string { return filepath.Join(o.Dir, "kek") }

type address struct {
	Listen    string `yaml:"listen"`
	Advertise string `yaml:"advertise"`
}

type nodeConfig struct {
	Node    string  `yaml:"node"`
	Data    string  `yaml:"data"`
	API     address `yaml:"api"`
	Cluster address `yaml:"cluster"`
	Gossip  struct {
		Enabled bool `yaml:"enabled"`
		address `yaml:",inline"`
	} `yaml:"gossip"`
	Seals   []map[string]any  `yaml:"seals"`
	Raft    map[string]string `yaml:"raft"`
	Secrets map[string]bool   `yaml:"secrets"`
	Transit map[string]bool   `yaml:"transit"`
	Dynamic map[string]bool   `yaml:"dynamic"`
	PKI     map[string]any    `yaml:"pki"`
	KMIP    map[string]any    `yaml:"kmip"`
	Egress  map[string]any    `yaml:"egress"`
	Disk    map[string]int    `yaml:"disk"`
	Log     map[string]string `yaml:"log"`
}

// nodeConfig serves everything there is, and keeps little disk in reserve: it is a developer's machine.
func (o Options) nodeConfig(n Node, seals []map[string]any) nodeConfig {
	same := func(s string) address { return address{s, s} }
	c := nodeConfig{Node: n.ID, Data: n.Dir, API: same(n.listens()[0]), Cluster: same(n.Cluster),
		Seals: seals, Raft: map[string]string{"log_store": o.LogStore}, Secrets: map[string]bool{"enable_api": true}, Transit: map[string]bool{"enable_api": true},
		Dynamic: map[string]bool{"enable_api": true}, Egress: map[string]any{"allow": []string{"127.0.0.0/8", "::1"}}, // databases of the same machine
		PKI:  map[string]any{"enable_api": true, "enable_acme": true, "listen": n.PKI},
		KMIP: map[string]any{"enable_api": true, "listen": n.KMIP},
		Disk: map[string]int{"reserve_mib": 64, "ballast_mib": 16}, Log: map[string]string{"level": "info"}}
	c.Gossip.Enabled, c.Gossip.address = true, same(n.Gossip)
	return c
}

func nodesFile(dir string) string { return filepath.Join(dir, "nodes.json") }

func readNodes(dir string) (nodes []Node, err error) {
	b, err := os.ReadFile(nodesFile(dir))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &nodes); err != nil || len(nodes) == 0 {
		return nil, fmt.Errorf("%s is damaged: %w", nodesFile(dir), errors.Join(err, errors.New("no nodes in it")))
	}
	return nodes, nil
}

func writeNodes(dir string, nodes []Node) error {
	b, err := json.MarshalIndent(nodes, "", "  ")
	if err != nil {
		return fmt.Errorf("encode nodes.json: %w", err)
	}
	return writeFile(nodesFile(dir), append(b, '\n'))
}

// writeFile replaces a file as a whole, mode 0600, and returns when it is on disk.
func writeFile(path string, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", path, err), ignoreGone(os.Remove(f.Name())))
		}
	}()
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
