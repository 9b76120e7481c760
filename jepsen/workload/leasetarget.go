package workload

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trstctl/trstctl/engines/dynamic/backend/line"
)

// desk is a target that makes and ends them for the nodes, over a Unix socket, which no fault of the network touches. Now and then it fails, before or after it has done
// what it was asked for, or takes its time.
type desk struct {
	listener net.Listener

	mu       sync.Mutex // guards the rest
	r        *rand.Rand
	accounts map[string][32]byte // SHA-256 of the password
	ended    map[string]int      // how often each was asked to end
}

// openDesk listens at a path.
func openDesk(path string, seed uint64) (*desk, error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	d := &desk{listener: l, r: rand.New(rand.NewPCG(seed, 0)), accounts: map[string][32]byte{}, ended: map[string]int{}}
	go d.serve()
	return d, nil
}

func (d *desk) close() { _ = d.listener.Close() }

func (d *desk) serve() {
	for {
		c, err := d.listener.Accept()
		if err != nil {
			return // it is closed
		}
		go d.answer(c)
	}
}

func (d *desk) answer(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	b, err := bufio.NewReader(c).ReadBytes('\n')
	var call line.Call
	if err != nil || json.Unmarshal(b, &call) != nil {
		return
	}
	time.Sleep(d.delay())
	out, silent := d.carryOut(call)
	if !silent {
		_ = json.NewEncoder(c).Encode(out)
	}
}

func (d *desk) delay() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.r.IntN(50) == 0 {
		return time.Duration(d.r.IntN(2000)) * time.Millisecond
	}
	return time.Duration(d.r.IntN(5)) * time.Millisecond
}

// carryOut answers one call; silent says that it was done and nobody hears of it.
func (d *desk) carryOut(c line.Call) (a line.Answer, silent bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	luck := d.r.IntN(40)
	if changes := c.Do == "create" || c.Do == "end" || c.Do == "extend"; changes && luck == 0 {
		return line.Answer{Error: "the target has no time"}, false
	} else if silent = changes && luck == 1; silent {
		defer func() { a = line.Answer{} }()
	}
	switch c.Do {
	case "create":
		if _, there := d.accounts[c.Name]; there {
			return line.Answer{Error: "there is an account " + c.Name}, silent
		}
		d.accounts[c.Name] = sha256.Sum256(c.Password)
	case "end":
		d.ended[c.Name]++
		delete(d.accounts, c.Name)
	case "list":
		for n := range d.accounts {
			if strings.HasPrefix(n, c.Name) {
				a.Accounts = append(a.Accounts, n)
			}
		}
		slices.Sort(a.Accounts)
	}
	return a, silent
}

// letsIn reports whether an account with this password is let in.
func (d *desk) letsIn(name string, password []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	sum, there := d.accounts[name]
	return there && sum == sha256.Sum256(password)
}

func (d *desk) all() (names []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for n := range d.accounts {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
