package aftermath

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/trstctl/trstctl/jepsen/history"
	"github.com/trstctl/trstctl/jepsen/lab"
)

// terms reads from the nodes' logs who has led in which term: nobody beside another.
func terms(l *lab.Lab) history.Verdict {
	led := map[uint64]string{}
	for _, path := range logFiles(l) {
		node := strings.TrimSuffix(filepath.Base(path), ".log")
		err := lines(path, func(line []byte) error {
			var e struct {
				Message string `json:"msg"`
				Term    uint64 `json:"term"`
			}
			if json.Unmarshal(line, &e) != nil || e.Message != "leadership began" {
				return nil
			}
			if other, known := led[e.Term]; known && other != node {
				return fmt.Errorf("%s and %s have both led in term %d", other, node, e.Term)
			}
			led[e.Term] = node
			return nil
		})
		if err != nil {
			return verdict("one leader a term", len(led), "", err)
		}
	}
	return verdict("one leader a term", len(led), fmt.Sprintf("%d terms", len(led)), nil)
}

// logs looks for what no node may ever write.
func logs(l *lab.Lab) history.Verdict {
	files := logFiles(l)
	for _, path := range files {
		err := lines(path, func(line []byte) error {
			for _, bad := range []string{"panic: ", "fatal error: ", "WARNING: DATA RACE"} { // the runtime begins a line; the nodes quote what libraries say
				if bytes.HasPrefix(line, []byte(bad)) {
					return fmt.Errorf("%s: %s", filepath.Base(path), line[:min(len(line), 200)])
				}
			}
			return nil
		})
		if err != nil {
			return verdict("no panic", len(files), "", err)
		}
	}
	return verdict("no panic", len(files), "", nil)
}

func logFiles(l *lab.Lab) (files []string) {
	files, _ = filepath.Glob(filepath.Join(l.Logs(), "*.log")) // the pattern is well-formed
	return files
}

func lines(path string, do func([]byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 16<<20)
	for s.Scan() {
		if err := do(s.Bytes()); err != nil {
			return err
		}
	}
	return s.Err()
}

// nowhere looks for planted values in every file of every node, in their logs and in the arguments of their processes.
func nowhere(l *lab.Lab, planted [][]byte) history.Verdict {
	looked := 0
	for _, n := range l.Nodes() {
		if args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", n.PID())); err == nil && found(args, planted) {
			return verdict("no secret in clear", looked, "", fmt.Errorf("one is among the arguments of %s", n.ID))
		}
	}
	for _, dir := range l.Planted() {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil // files come and go beneath a node that runs
			}
			b, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if looked++; err == nil && found(b, planted) {
				err = fmt.Errorf("one stands in %s", path)
			}
			return err
		})
		if err != nil {
			return verdict("no secret in clear", looked, "", err)
		}
	}
	return verdict("no secret in clear", looked, fmt.Sprintf("%d files, %d values", looked, len(planted)), nil)
}

func found(b []byte, planted [][]byte) bool {
	for _, p := range planted {
		if bytes.Contains(b, p) {
			return true
		}
	}
	return false
}
