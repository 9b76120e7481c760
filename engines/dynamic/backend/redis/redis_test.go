package redis

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/engines/dynamic/backend/backendtest"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/test/parts/redisd"
)

func target(s *redisd.Server) backend.Target {
	return backend.Target{Config: backend.Config{Host: "localhost", Port: s.Port, CA: s.CA}, Username: "default", Password: []byte(redisd.RootPassword), Dial: new(net.Dialer).DialContext}
}

// client is a session of an account.
type client struct{ *conn }

func (c client) again(args ...string) error {
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	return c.ok(args...)
}

func (c client) Allowed(context.Context) error   { return c.again("SET", "app:x", "1") }
func (c client) Forbidden(context.Context) error { return c.again("GET", "secret:x") }
func (c client) Alive(context.Context) error     { return c.again("PING") }

func login(ctx context.Context, t backend.Target, name, password string) (client, error) {
	c, err := dial(ctx, t.Dial, node{t.Host, fmt.Sprint(t.Port)}, t.TLSConfig())
	if err != nil {
		return client{}, err
	}
	if err := c.ok("AUTH", name, password); err != nil {
		_ = c.Close()
		return client{}, err
	}
	return client{c}, nil
}

func subject(t backend.Target, at backend.Target) backendtest.Subject {
	return backendtest.Subject{Backend: Backend{}, Target: t, Role: backend.Role{Grants: []string{"+@read +@write +ping ~app:*", "-getdel"}},
		Login: func(ctx context.Context, a backend.Account, _ backend.Made) (backendtest.Client, error) {
			return login(ctx, at, a.Name, string(a.Password))
		}}
}

func TestRedis(t *testing.T) {
	s := redisd.Start(t, redisd.Options{})
	backendtest.Run(t, subject(target(s), target(s)))
	kept, err := os.ReadFile(filepath.Join(s.Dir, "users.acl"))
	require.NoError(t, err)
	require.NotContains(t, string(kept), "user trs")
	require.NotContains(t, string(kept), "Planted-")
}

// TestNoAccountIsAnAdministrator: @slow and @connection have commands that change users, and end others' sessions.
func TestNoAccountIsAnAdministrator(t *testing.T) {
	s := redisd.Start(t, redisd.Options{})
	session, err := Backend{}.Open(t.Context(), target(s))
	require.NoError(t, err)
	a := backend.Account{Name: "trsaa_1", Password: []byte("Planted-one_1"), Role: backend.Role{Grants: []string{"+@slow +@fast +@connection +@keyspace +acl|whoami ~* &*"}}}
	_, err = session.Create(t.Context(), a)
	require.NoError(t, err)
	c, err := login(t.Context(), target(s), a.Name, string(a.Password))
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.again("SET", "x", "1"))
	require.NoError(t, c.again("ACL", "WHOAMI"))
	for _, command := range [][]string{{"ACL", "SETUSER", "evil", "on", "nopass", "+@all"}, {"CONFIG", "SET", "dir", "/"}, {"CLIENT", "KILL", "USER", "default"}, {"MODULE", "LIST"}, {"REPLICAOF", "evil", "1"}, {"SHUTDOWN"}, {"MIGRATE", "h", "1", "x", "0", "1"}, {"MONITOR"}} {
		require.ErrorContains(t, c.again(command...), "NOPERM", "%v", command)
	}
	require.NoError(t, session.End(t.Context(), a.Name, a.Role))
}

// admin runs a command as the administrator.
func admin(t *testing.T, s *redisd.Server, args ...string) string {
	t.Helper()
	c, err := login(t.Context(), target(s), "default", redisd.RootPassword)
	require.NoError(t, err)
	defer c.Close()
	v, err := c.ask(args...)
	require.NoError(t, err, args)
	return fmt.Sprint(v)
}

// TestACluster has every node know a user, and no node an ended one: also one that is down meanwhile.
func TestACluster(t *testing.T) {
	var all []*redisd.Server
	for i := range 3 {
		s := redisd.Start(t, redisd.Options{Cluster: true})
		all = append(all, s)
		admin(t, s, "CONFIG", "SET", "cluster-announce-ip", "127.0.0.1")
		admin(t, s, "CONFIG", "SET", "cluster-announce-port", fmt.Sprint(s.Clear))
		admin(t, s, "CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(i*5461), fmt.Sprint(min(i*5461+5460, 16383)))
		if i > 0 {
			bus := strings.TrimPrefix(admin(t, all[0], "CONFIG", "GET", "cluster-port"), "[cluster-port ")
			admin(t, s, "CLUSTER", "MEET", "127.0.0.1", fmt.Sprint(all[0].Clear), strings.TrimSuffix(bus, "]"))
		}
	}
	require.Eventually(t, func() bool {
		for _, s := range all {
			if strings.Count(admin(t, s, "CLUSTER", "NODES"), "connected") < 3 {
				return false
			}
		}
		return true
	}, 30*time.Second, 100*time.Millisecond)
	at := target(all[0])
	at.Host, at.Port, at.TLS, at.CA, at.Options = "127.0.0.1", all[0].Clear, backend.Disable, nil, map[string]string{"cluster": "true"}
	session, err := Backend{}.Open(t.Context(), at)
	require.NoError(t, err)
	require.NoError(t, session.Verify(t.Context()))
	a := backend.Account{Name: "trsaa_1", Password: []byte("Planted-one_1"), Role: backend.Role{Grants: []string{"+@read ~*"}}}
	_, err = session.Create(t.Context(), a)
	require.NoError(t, err)
	for _, s := range all {
		c, err := login(t.Context(), target(s), a.Name, string(a.Password))
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	found, err := session.List(t.Context(), "trsaa_")
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.NoError(t, session.End(t.Context(), a.Name, a.Role))
	for _, s := range all {
		require.NotContains(t, admin(t, s, "ACL", "USERS"), a.Name)
	}
	down := []node{{"127.0.0.1", "1"}}
	it := session.(*ownSession)
	it.further, it.cluster = down, false
	require.ErrorContains(t, session.End(t.Context(), a.Name, a.Role), "cannot reach redis 127.0.0.1:1")
}

type ownSession = session

func TestWithoutAnACLFileItIsSaid(t *testing.T) {
	s := redisd.Start(t, redisd.Options{NoACLFile: true})
	at := target(s)
	session, err := Backend{}.Open(t.Context(), at)
	require.NoError(t, err)
	require.ErrorContains(t, session.Verify(t.Context()), "has no ACL file")
	for _, persist := range []string{"config", "none"} {
		at.Options = map[string]string{"persist": persist}
		session, err = Backend{}.Open(t.Context(), at)
		require.NoError(t, err)
		require.NoError(t, session.Verify(t.Context()), persist)
	}
}

func TestRolesThatAreRefused(t *testing.T) {
	for _, g := range []string{"", "~app:*", "+@all ~*", "allcommands ~*", "+get on", "+get nopass", "+get >secret", "+get #00", "+get !00", "+get reset", "+get resetpass", "+get off", "+acl", "+ACL|SETUSER",
		"+config|set", "+@admin", "+client|kill", "+get (~x)", "+get ~", "+get %R~", "+", "-", "+get ~a\"b", "+debug", "+@dangerous"} {
		r := backend.Role{Grants: []string{g}}
		require.True(t, fault.Is(Backend{}.CheckRole(&r), fault.Invalid), "%q", g)
	}
	for _, g := range []string{"+get ~app:*", "+@read +@write -getdel %R~a:* %RW~b:* &news.*", "+acl|whoami +client|setname allkeys", "+config|get -@all +ping"} {
		r := backend.Role{Grants: []string{g}}
		if strings.Contains(g, "config") {
			require.Error(t, Backend{}.CheckRole(&r))
			continue
		}
		require.NoError(t, Backend{}.CheckRole(&r), "%q", g)
	}
	r := backend.Role{Grants: []string{"+get"}, Options: map[string]string{"x": "y"}}
	require.Error(t, Backend{}.CheckRole(&r))
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	for name, c := range map[string]backend.Config{
		"a database": {Host: "h", Database: "0"}, "an option": {Host: "h", Options: map[string]string{"x": "y"}}, "cluster": {Host: "h", Options: map[string]string{"cluster": "yes"}},
		"persist": {Host: "h", Options: map[string]string{"persist": "x"}}, "nodes": {Host: "h", Options: map[string]string{"nodes": "a"}}, "no host": {},
	} {
		require.True(t, fault.Is(Backend{}.CheckConfig(&c), fault.Invalid), name)
	}
	c := backend.Config{Host: "h", Options: map[string]string{"nodes": "a:1, b:2"}}
	require.NoError(t, Backend{}.CheckConfig(&c))
	require.EqualValues(t, 6379, c.Port)
}

// FuzzAnswer reads what a server may say that is none.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{"+OK\r\n", "-ERR x\r\n", ":1\r\n", "$3\r\nabc\r\n", "*2\r\n$1\r\na\r\n:2\r\n", "$-1\r\n", "*1000000000\r\n", "$16777216\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		near, far := net.Pipe()
		go func() {
			_, _ = far.Write(answer)
			_ = far.Close()
		}()
		c, err := dial(t.Context(), func(context.Context, string, string) (net.Conn, error) { return near, nil }, node{}, (*tls.Config)(nil))
		require.NoError(t, err)
		defer c.Close()
		c.left = maxAnswer
		_, _ = c.read(0)
	})
}
