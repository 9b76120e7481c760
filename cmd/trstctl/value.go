package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/trstctl/trstctl/sdk"
)

const (
	maxValue    = 1 << 20 // bytes of a secret's value
	maxDocument = 4 << 20 // bytes of an import
	maxPolicy   = 64 << 10
	maxToken    = 4 << 10
)

// value reads the value that an argument stands for: @file, - for stdin, or the argument itself. Nothing is trimmed.
func (a *app) value(arg string) ([]byte, error) {
	switch {
	case arg == "-" && terminal(a.in):
		return a.prompt("value (not shown): ")
	case arg == "-":
		return readUpTo(a.in, maxValue, "the value")
	case strings.HasPrefix(arg, "@"):
		return readFile(arg[1:], maxValue, "the value")
	}
	fmt.Fprintln(a.err, "warning: a value on the command line stays in the shell's history and is seen in the process list; use - (stdin) or @file instead")
	return []byte(arg), nil
}

func (a *app) prompt(what string) ([]byte, error) {
	fmt.Fprint(a.err, what)
	b, err := term.ReadPassword(int(a.in.(*os.File).Fd()))
	fmt.Fprintln(a.err)
	if err != nil {
		return nil, fmt.Errorf("read from the terminal: %w", err)
	}
	return b, nil
}

// document reads a file, or stdin for "-".
func (a *app) document(name string, limit int64, what string) ([]byte, error) {
	if name == "-" {
		return readUpTo(a.in, limit, what)
	}
	return readFile(name, limit, what)
}

func readFile(name string, limit int64, what string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, usagef("read %s: %v", what, err)
	}
	defer f.Close()
	return readUpTo(f, limit, what)
}

func readUpTo(r io.Reader, limit int64, what string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	if int64(len(b)) > limit {
		return nil, usagef("%s is longer than %d bytes", what, limit)
	}
	return b, nil
}

// readToken reads a token and drops the line break that files and pipes end in.
func readToken(r io.Reader) (sdk.Secret, error) {
	b, err := readUpTo(r, maxToken, "the token")
	if err != nil {
		return nil, err
	}
	if b = bytes.TrimSpace(b); len(b) == 0 {
		return nil, usagef("there is no token in it")
	}
	return sdk.Secret(b), nil
}

// labels reads key=value pairs.
func labels(pairs []string) (map[string]string, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	out := make(map[string]string, len(pairs))
	for _, p := range pairs {
		k, v, ok := strings.Cut(p, "=")
		if _, twice := out[k]; !ok || k == "" || twice {
			return nil, usagef("--label %q: give key=value, each key once", p)
		}
		out[k] = v
	}
	return out, nil
}
