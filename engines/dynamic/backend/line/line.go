// Package line makes accounts at a target behind a Unix socket that speaks a line of JSON each way: what the fault-injection suite puts in the place of a database. Nodes that are built
// for chaos have it, no others. One call is one connection, and is never repeated.
package line

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"time"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Call is what is asked of the target.
type Call struct {
	Do       string `json:"do"` // verify, create, extend, end or list
	Name     string `json:"name,omitempty"`
	Password []byte `json:"password,omitempty"`
	Until    int64  `json:"until,omitempty"` // ns since 1970
}

// Answer is what it says.
type Answer struct {
	Error    string   `json:"error,omitempty"`
	Accounts []string `json:"accounts,omitempty"`
}

// Backend is ready as its zero value.
type Backend struct{}

// socket is the option that says where the target is.
const socket = "socket"

// CheckConfig implements backend.Backend, as do the rest.
func (Backend) CheckConfig(c *backend.Config) error {
	if c.Options[socket] == "" {
		return fault.Bad("options", "socket is missing")
	}
	return nil
}

// CheckRole takes any.
func (Backend) CheckRole(*backend.Role) error { return nil }

// NameLimit is a usual one.
func (Backend) NameLimit() int { return 63 }

// Environment has nothing.
func (Backend) Environment(backend.Config, string) ([]string, string) { return nil, "" }

// Open connects with the first call.
func (Backend) Open(_ context.Context, t backend.Target) (backend.Session, error) {
	return session(t.Options[socket]), nil
}

// session is the path of the socket.
type session string

func (s session) call(ctx context.Context, c Call) (a Answer, err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", string(s))
	if err != nil {
		return a, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := json.NewEncoder(conn).Encode(c); err != nil {
		return a, err
	}
	b, err := bufio.NewReader(conn).ReadBytes('\n')
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return a, err
	}
	if a.Error != "" {
		err = errors.New(a.Error)
	}
	return a, err
}

func (s session) do(ctx context.Context, c Call) error {
	_, err := s.call(ctx, c)
	return err
}

func (s session) Verify(ctx context.Context) error { return s.do(ctx, Call{Do: "verify"}) }
func (s session) Close() error                     { return nil }

func (s session) Create(ctx context.Context, a backend.Account) (backend.Made, error) {
	return backend.Made{}, s.do(ctx, Call{Do: "create", Name: a.Name, Password: a.Password, Until: a.Until.UnixNano()})
}

func (s session) Extend(ctx context.Context, name string, until time.Time) error {
	return s.do(ctx, Call{Do: "extend", Name: name, Until: until.UnixNano()})
}

func (s session) End(ctx context.Context, name string, _ backend.Role) error {
	return s.do(ctx, Call{Do: "end", Name: name})
}

func (s session) List(ctx context.Context, prefix string) (out []backend.Found, err error) {
	a, err := s.call(ctx, Call{Do: "list", Name: prefix})
	for _, n := range a.Accounts {
		out = append(out, backend.Found{Name: n})
	}
	return out, err
}
