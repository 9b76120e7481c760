// Package arch fails the build when a package imports a floor above its own, or a library that belongs elsewhere.
package arch

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/trstctl/trstctl/"

// floors are the packages from the bottom up; a package imports lower floors, and its own floor only where said below.
var floors = []struct {
	prefix string
	floor  int
}{
	{"fsm/fault", 0}, {"fsm/durable", 1}, {"fsm/mutant", 0}, {"fsm/chaos", 0}, {"fsm/fsmtest", 2}, {"fsm/", 1}, {"fsm", 1},
	{"engines/seal", 2}, {"cluster/", 2}, {"engines/keyring", 3}, {"cluster", 3},
	{"engines/dynamic/backend/", 4}, {"engines/dynamic/backend", 3},
	{"engines/", 4}, {"sdk", 0}, {"server/", 5}, {"server", 6}, {"cmd/", 7}, {"test/", 8}, {"jepsen", 8},
}

// fences say which packages alone may import a library.
var fences = map[string][]string{
	"github.com/hashicorp/raft":           {"cluster", "fsm"},
	"github.com/hashicorp/raft-boltdb":    {"cluster/logstore"},
	"github.com/hashicorp/raft-wal":       {"cluster/logstore"},
	"go.etcd.io/bbolt":                    {"cluster/logstore"},
	"github.com/hashicorp/memberlist":     {"cluster"},
	"github.com/cockroachdb/pebble":       {"fsm"},
	"github.com/fxamacker/cbor":           {"fsm"},
	"github.com/gorilla/mux":              {"server/api"},
	"github.com/knadh/koanf":              {"server"},
	"github.com/prometheus/client_golang": {"server"},
	"github.com/spf13/cobra":              {"cmd/trstctl", "jepsen"},
	"github.com/anishathalye/porcupine":   {"jepsen", "test/system"},
	"github.com/stretchr/testify":         nil, // tests only
	"github.com/aws/aws-sdk-go-v2":        {"engines/backup/s3"},
	"github.com/miekg/pkcs11":             {"engines/seal"},
	"github.com/jackc/pgx":                {"engines/dynamic/backend/postgresql"},
	"github.com/zmap/zlint":               {"engines/pki"},
	"github.com/zmap/zcrypto":             {"engines/pki"},
	"golang.org/x/crypto/ocsp":            {"engines/pki"},
	"github.com/go-jose/go-jose":          {"server/acme"},
	"software.sslmate.com/src/go-pkcs12":  {"cmd/trstctl"},
}

type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func packages(t *testing.T) []pkg {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...").Output()
	require.NoError(t, err)
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, p)
	}
}

func floorOf(t *testing.T, path string) int {
	for _, f := range floors {
		if path == f.prefix || strings.HasPrefix(path, f.prefix) && strings.HasSuffix(f.prefix, "/") || strings.HasPrefix(path, f.prefix+"/") {
			return f.floor
		}
	}
	t.Fatalf("package %s stands on no floor: give it one in floors", path)
	return 0
}

func TestPackagesImportLowerFloorsOnly(t *testing.T) {
	for _, p := range packages(t) {
		self := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			other, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			below := floorOf(t, other) < floorOf(t, self)
			nested := strings.HasPrefix(other, self+"/") || top(other) == "server" && top(self) == "server" || top(self) == "test" || top(self) == "jepsen" && top(other) == "jepsen"
			feature := strings.HasPrefix(self, "engines/") && strings.HasPrefix(other, "engines/") && !strings.HasPrefix(other, "engines/seal") && !strings.HasPrefix(other, "engines/keyring") &&
				!strings.HasPrefix(self, other+"/")
			if !below && !nested || feature && !nested {
				t.Errorf("%s imports %s, which is not below it", self, other)
			}
			crossed := top(self) == "cluster" && top(other) == "engines" || top(self) == "engines" && top(other) == "cluster"
			if crossed || top(self) == "sdk" {
				t.Errorf("%s imports %s: neither may know the other", self, other)
			}
		}
	}
}

func TestLibrariesStayBehindTheirFences(t *testing.T) {
	for _, p := range packages(t) {
		self := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			for library, homes := range fences {
				if imported != library && !strings.HasPrefix(imported, library+"/") {
					continue
				}
				if !within(self, homes) && top(self) != "test" {
					t.Errorf("%s imports %s, which belongs to %v", self, library, homes)
				}
			}
		}
	}
}

// TestOnlyTheKeyringSeals keeps plaintext out of events: fsm.NewSealed is called by the keyring, and by fsm itself for what
// it reads back.
func TestOnlyTheKeyringSeals(t *testing.T) {
	out, err := exec.Command("git", "-C", "../..", "grep", "-ln", `fsm\.NewSealed(`, "--", "*.go").Output()
	require.NoError(t, err)
	for _, file := range strings.Fields(string(out)) {
		if !strings.HasPrefix(file, "engines/keyring/") && !strings.HasSuffix(file, "_test.go") {
			t.Errorf("%s makes sealed values: only engines/keyring may", file)
		}
	}
}

func TestNoPackageIsCalledUtil(t *testing.T) {
	for _, p := range packages(t) {
		name := p.ImportPath[strings.LastIndexByte(p.ImportPath, '/')+1:]
		for _, bad := range []string{"common", "util", "utils", "helper", "helpers", "core", "manager", "base", "crypto", "sync", "http", "log"} {
			if name == bad {
				t.Errorf("package %s: its name says nothing", p.ImportPath)
			}
		}
	}
}

func top(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}

func within(path string, homes []string) bool {
	for _, h := range homes {
		if path == h || strings.HasPrefix(path, h+"/") {
			return true
		}
	}
	return false
}
