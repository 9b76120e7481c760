package dev

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/trstctl/trstctl/sdk"
)

// Env is what DIR/env exports to a shell.
type Env struct {
	Addresses []string // TRSTCTL_ADDRS; the first is TRSTCTL_ADDR
	CACert    string   // TRSTCTL_CACERT, a file
	Token     sdk.Secret
}

// EnvFile is where a development cluster in dir leaves its environment.
func EnvFile(dir string) string { return filepath.Join(dir, "env") }

// quoted writes v so that a POSIX shell reads exactly v.
func quoted(v string) string { return "'" + strings.ReplaceAll(v, "'", `'\''`) + "'" }

// unquoted is the inverse of quoted, and takes words without quotes too.
func unquoted(s string) (string, error) {
	if !strings.HasPrefix(s, "'") {
		if strings.ContainsAny(s, "'\"\\$`") {
			return "", errors.New("only single quotes are understood")
		}
		return s, nil
	}
	parts := strings.Split(s, `'\''`)
	whole := strings.Join(parts, "\x00")
	if len(whole) < 2 || !strings.HasSuffix(whole, "'") || strings.Contains(whole[1:len(whole)-1], "'") || strings.Contains(s, "\x00") {
		return "", errors.New("unbalanced quotes")
	}
	return strings.ReplaceAll(whole[1:len(whole)-1], "\x00", "'"), nil
}

// encode writes the file. bin, if not empty, is a directory to be searched for commands last.
func (e Env) encode(bin string) []byte {
	var b strings.Builder
	export := func(name, value string) { fmt.Fprintf(&b, "export %s=%s\n", name, quoted(value)) }
	export("TRSTCTL_ADDR", e.Addresses[0])
	export("TRSTCTL_ADDRS", strings.Join(e.Addresses, ","))
	export("TRSTCTL_CACERT", e.CACert)
	export("TRSTCTL_TOKEN", string(e.Token))
	if bin != "" {
		fmt.Fprintf(&b, "PATH=\"$PATH\":%s\n", quoted(bin))
	}
	return []byte(b.String())
}

// ReadEnv reads such a file, without a shell.
func ReadEnv(path string) (e Env, err error) {
	f, err := os.Open(path)
	if err != nil {
		return e, err
	}
	defer f.Close()
	values := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "=")
		if !ok || !strings.HasPrefix(name, "TRSTCTL_") {
			continue
		}
		if values[name], err = unquoted(value); err != nil {
			return e, fmt.Errorf("%s: %s: %w", path, name, err)
		}
	}
	if values["TRSTCTL_ADDRS"] == "" || values["TRSTCTL_TOKEN"] == "" {
		return e, fmt.Errorf("%s is damaged: TRSTCTL_ADDRS or TRSTCTL_TOKEN is missing", path)
	}
	return Env{strings.Split(values["TRSTCTL_ADDRS"], ","), values["TRSTCTL_CACERT"], sdk.Secret(values["TRSTCTL_TOKEN"])}, nil
}
