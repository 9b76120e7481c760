package dev

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// TestMain makes this test binary its own fake node when it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "server" {
		fmt.Fprintln(os.Stderr, runFakeNode(os.Args[2:]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// fakeNode does what dev relies on, and no more: the local socket, init, join, members, readiness. Its cluster is the
// directory that holds the key: whoever has a node.json there is a member.
type fakeNode struct {
	id, data, api, cluster string
}

func runFakeNode(args []string) error {
	var c nodeConfig
	b, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(b, &c); err != nil {
		return err
	}
	n := &fakeNode{c.Node, c.Data, c.API.Listen, filepath.Dir(c.Seals[0]["file"].(string))}
	if err := os.MkdirAll(n.data, 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(n.cluster, "refuse-"+n.id)); err == nil {
		return errors.New("this node was told to fail")
	}
	if len(args) == 4 {
		token, err := os.ReadFile(args[3])
		if err != nil || string(token) != "join-"+n.id {
			return fmt.Errorf("bad token %q: %v", token, err)
		}
		n.enrol()
	}
	if n.member() {
		go n.serve()
	}
	return n.local()
}

func (n *fakeNode) identity() string { return filepath.Join(n.data, "node.json") }

func (n *fakeNode) member() bool {
	_, err := os.Stat(n.identity())
	return err == nil
}

func (n *fakeNode) enrol() { must(os.WriteFile(n.identity(), nil, 0o600)) }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (n *fakeNode) local() error {
	path := filepath.Join(n.data, "trstctl.sock")
	_ = os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, map[string]any{"node": n.id, "initialised": n.member(), "state": "starting"})
	})
	mux.HandleFunc("POST /init", func(w http.ResponseWriter, _ *http.Request) {
		ca := n.makeCA()
		n.enrol()
		go n.serve()
		answer(w, 200, map[string]string{"root_token": "trs.root", "ca_certificate": string(ca)})
	})
	return http.Serve(l, mux)
}

func (n *fakeNode) makeCA() []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	t := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	must(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	must(os.WriteFile(filepath.Join(n.cluster, "fake.crt"), cert, 0o600))
	must(os.WriteFile(filepath.Join(n.cluster, "fake.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	return cert
}

func (n *fakeNode) serve() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, "ready") })
	mux.HandleFunc("GET /api/v1/sys/status", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, map[string]any{"node": n.id, "leader": map[string]string{"id": "n1"}})
	})
	mux.HandleFunc("GET /api/v1/sys/members", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer trs.root" {
			answer(w, 401, errors.New("no"))
			return
		}
		var items []map[string]any
		found, _ := filepath.Glob(filepath.Join(n.cluster, "*", "node.json"))
		for _, f := range found {
			items = append(items, map[string]any{"id": filepath.Base(filepath.Dir(f)), "voter": true})
		}
		answer(w, 200, map[string]any{"items": items})
	})
	mux.HandleFunc("POST /api/v1/sys/join-tokens", func(w http.ResponseWriter, r *http.Request) {
		var in map[string]string
		must(json.NewDecoder(r.Body).Decode(&in))
		answer(w, 200, map[string]string{"join_token": "join-" + in["node"], "node": in["node"]})
	})
	cert, err := tls.LoadX509KeyPair(filepath.Join(n.cluster, "fake.crt"), filepath.Join(n.cluster, "fake.key"))
	must(err)
	l, err := tls.Listen("tcp", n.api, &tls.Config{Certificates: []tls.Certificate{cert}})
	must(err)
	must(http.Serve(l, mux))
}

// argumentsOf returns a process's arguments.
func argumentsOf(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	must(err)
	return strings.ReplaceAll(string(b), "\x00", " ")
}
