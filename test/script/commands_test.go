package script

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a script waits for what takes time.
const patience = 30 * time.Second

// trstctl ARGS... runs the command line, which must exit with 0.
func trstctl(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("say which failure it is: code N trstctl ...")
	}
	code(ts, neg, append([]string{"0", "trstctl"}, args...))
}

// code N COMMAND ARGS... runs a command, which must exit with N.
func code(ts *testscript.TestScript, neg bool, args []string) {
	want := number(ts, neg, "code N COMMAND ARGS...", args)
	if got := run(ts, args[1:]); got != want {
		ts.Fatalf("exit code %d instead of %d", got, want)
	}
}

// until N COMMAND ARGS... repeats a command until it exits with N.
func until(ts *testscript.TestScript, neg bool, args []string) {
	want := number(ts, neg, "until N COMMAND ARGS...", args)
	for end := time.Now().Add(patience); run(ts, args[1:]) != want; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("it never exited with %d", want)
		}
	}
}

func number(ts *testscript.TestScript, neg bool, usage string, args []string) int {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: %s", usage)
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	return n
}

func run(ts *testscript.TestScript, args []string) int {
	err := ts.Exec(args[0], args[1:]...)
	ended, ok := errors.AsType[*exec.ExitError](err)
	if err != nil && !ok {
		ts.Fatalf("run %s: %v", args[0], err)
	}
	if err == nil {
		return 0
	}
	return ended.ExitCode()
}

// json [-lines] [VAR=PATH...] holds the last output to be one JSON document, or with -lines one a line, and sets variables from
// it: a PATH is names and numbers joined by dots, len counts. LINES is the number of documents.
func readJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("unsupported: ! json")
	}
	documents := []string{ts.ReadFile("stdout")}
	if len(args) > 0 && args[0] == "-lines" {
		documents, args = slices.Collect(strings.Lines(documents[0])), args[1:]
	}
	ts.Setenv("LINES", strconv.Itoa(len(documents)))
	var value any
	for _, text := range documents {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		value = nil
		if err := d.Decode(&value); err != nil || d.More() {
			ts.Fatalf("%q is not one JSON document: %v", text, err)
		}
	}
	for _, a := range args {
		name, path, _ := strings.Cut(a, "=")
		found, err := dig(value, strings.Split(path, "."))
		ts.Check(err)
		ts.Setenv(name, found)
	}
}

// dig follows a path into a decoded document.
func dig(v any, path []string) (string, error) {
	for _, step := range path {
		switch at := v.(type) {
		case map[string]any:
			found, ok := at[step]
			if !ok {
				return "", fmt.Errorf("there is no %q", step)
			}
			v = found
		case []any:
			i, err := strconv.Atoi(step)
			switch {
			case step == "len":
				v = len(at)
			case err != nil || i < 0 || i >= len(at):
				return "", fmt.Errorf("%q is no place in a list of %d", step, len(at))
			default:
				v = at[i]
			}
		default:
			return "", fmt.Errorf("%q leads nowhere", step)
		}
	}
	return fmt.Sprint(v), nil
}

// capture FILE VAR REGEXP sets a variable to the first group of the first match in a file, in stdout or in stderr.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: capture FILE VAR REGEXP")
	}
	re, err := regexp.Compile("(?m)" + args[2])
	ts.Check(err)
	m := re.FindStringSubmatch(ts.ReadFile(args[0]))
	if len(m) < 2 {
		ts.Fatalf("no match for %#q with a group", args[2])
	}
	ts.Setenv(args[1], m[1])
}

// http METHOD PATH [-H 'NAME: VALUE']... [-d BODY | -f FILE] makes one request of the first node, or of the one whose address PATH begins
// with, with the script's token and, when it changes something, a fresh Idempotency-Key; an empty VALUE takes a header away. A node
// that has nothing done yet is asked again. Stdout is the status, the headers and the body.
func request(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args)%2 != 0 || len(args) == 0 {
		ts.Fatalf("usage: http METHOD PATH [-H 'NAME: VALUE']... [-d BODY | -f FILE]")
	}
	method, url := args[0], args[1]
	h, body := parseRequest(ts, method, args[2:])
	if strings.HasPrefix(url, "/") {
		first, _, _ := strings.Cut(ts.Getenv("TRSTCTL_ADDRS"), ",")
		url = first + url
	}
	c := client(ts)
	defer c.CloseIdleConnections()
	ask := func(end time.Time) bool {
		r, err := http.NewRequest(method, url, bytes.NewReader(body))
		ts.Check(err)
		r.Header = h
		answer, err := c.Do(r)
		ts.Check(err)
		defer answer.Body.Close()
		if answer.StatusCode == http.StatusServiceUnavailable && time.Now().Before(end) {
			return false
		}
		ts.Check(show(ts.Stdout(), answer))
		return true
	}
	for end := time.Now().Add(patience); !ask(end); {
		time.Sleep(50 * time.Millisecond)
	}
}

func parseRequest(ts *testscript.TestScript, method string, options []string) (h http.Header, body []byte) {
	h = http.Header{"Authorization": {"Bearer " + ts.Getenv("TRSTCTL_TOKEN")}}
	if method != http.MethodGet {
		h.Set("Idempotency-Key", rand.Text())
	}
	for o := range slices.Chunk(options, 2) {
		switch o[0] {
		case "-H":
			name, value, _ := strings.Cut(o[1], ":")
			h.Set(name, strings.TrimSpace(value))
		case "-d":
			body = []byte(o[1])
		case "-f":
			body = []byte(ts.ReadFile(o[1]))
		default:
			ts.Fatalf("http knows no %s", o[0])
		}
	}
	for name := range h {
		if h.Get(name) == "" {
			delete(h, name)
		}
	}
	return h, body
}

func client(ts *testscript.TestScript) *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ts.ReadFile(ts.Getenv("TRSTCTL_CACERT"))))
	return &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
}

// show writes an answer as it looks on the wire, headers in alphabetical order.
func show(w io.Writer, r *http.Response) error {
	if _, err := fmt.Fprintf(w, "HTTP %d\n", r.StatusCode); err != nil {
		return err
	}
	var head bytes.Buffer
	if err := r.Header.Write(&head); err != nil {
		return err
	}
	_, err := io.Copy(w, io.MultiReader(strings.NewReader(strings.ReplaceAll(head.String(), "\r", "")+"\n"), r.Body))
	return err
}

// node stop|start N stops a node gracefully, or starts it and waits until it is ready.
func (r *rig) node(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: node stop|start N")
	}
	i, err := strconv.Atoi(args[1])
	ts.Check(err)
	n := r.Nodes[i-1]
	if args[0] == "stop" {
		n.Stop()
		return
	}
	n.Start()
	r.Ready(n)
}

// rest waits until all nodes stand at the same index.
func (r *rig) rest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: rest")
	}
	r.Eventually("the same index everywhere", func(ctx context.Context) error {
		at := map[uint64]bool{}
		for _, n := range r.Nodes {
			s, err := r.ClientOf(n).Status(ctx)
			if err != nil {
				return err
			}
			at[s.AppliedIndex] = true
		}
		if len(at) > 1 {
			return fmt.Errorf("they stand at %v", at)
		}
		return nil
	})
}

// flip DIR SUFFIX changes one bit near the start of each file beneath DIR whose name ends in SUFFIX. In the middle there may be a
// block of 1 MiB, and Pebble tries each of a damaged block's bits, for many seconds.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip DIR SUFFIX")
	}
	found := false
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, args[1]) {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil || len(b) < 128 {
			return err
		}
		found = true
		b[64] ^= 1
		return os.WriteFile(path, b, 0o600)
	}))
	if !found {
		ts.Fatalf("no file in %s ends in %s", args[0], args[1])
	}
}
