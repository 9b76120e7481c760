package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/chaos"
)

// ticks are the files that may read the machine's own clock, with how often they do: for deadlines and for how long something took, which the
// monotonic reading answers. What means "what time is it" asks chaos.Now, so that a test can turn that clock.
var ticks = map[string]int{
	"cluster/epoch.go":                      1, // deadline
	"cluster/figures.go":                    1, // since Raft's last contact
	"cluster/forward.go":                    1, // until a deadline
	"cluster/join.go":                       1, // deadline
	"cluster/logstore/store.go":             2, // how long a write took
	"cluster/patient.go":                    1, // deadline
	"cluster/read.go":                       1, // since Raft's last contact
	"cluster/rpc.go":                        2, // deadlines
	"engines/auth/stale.go":                 2, // age of what is kept
	"engines/backup/schedule.go":            3, // how long a backup and a drill took
	"engines/dynamic/reconcile.go":          3, // since the last look
	"engines/dynamic/session.go":            2, // since it was used
	"engines/dynamic/backend/redis/resp.go": 1, // deadline
	"engines/keyring/rewrap.go":             2, // how long a batch took
	"engines/lease/worker.go":               3, // how long a look took
	"engines/seal/pkcs11_ask.go":            2, // when to ask again
	"engines/seal/pkcs11_child.go":          1, // deadline
	"server/api/answer.go":                  1, // deadline
	"server/api/export.go":                  1, // deadline
	"server/api/health.go":                  1, // deadline
	"server/api/snapshot.go":                1, // deadline
	"server/attempts.go":                    2, // age of an attempt
	"server/gate.go":                        2, // since the last warning
	"server/journal/journal.go":             4, // how long a sync takes
	"server/kmip/meter.go":                  2, // how long an answer took
	"server/kmip/office.go":                 2, // deadline
	"server/kmip/serve.go":                  4, // deadlines
	"server/local.go":                       1, // deadline
	"server/sealstatus.go":                  2, // how long a seal takes
}

// sources calls visit for each file of the product that is compiled into nodes.
func sources(t *testing.T, visit func(path string, f *ast.File)) {
	root := filepath.Join("..", "..")
	for _, dir := range []string{"cluster", "cmd", "engines", "fsm", "server"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			name, _ := filepath.Rel(root, path)
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "fsm/chaos/") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err == nil {
				visit(name, f)
			}
			return err
		}))
	}
}

// uses calls visit for each mention of something in a package.
func uses(f *ast.File, from string, visit func(name string)) {
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == from {
				visit(s.Sel.Name)
			}
		}
		return true
	})
}

func TestWhatTimeItIsIsAskedOfAClockThatCanBeTurned(t *testing.T) {
	left := map[string]int{}
	for file, n := range ticks {
		left[file] = n
	}
	sources(t, func(path string, f *ast.File) {
		if top(path) == "cmd" || within(path, []string{"fsm/fsmtest", "engines/dynamic/backend/backendtest"}) { // clients' clocks are their own
			return
		}
		uses(f, "time", func(name string) {
			if name == "Now" || name == "Since" || name == "Until" {
				left[path]--
			}
		})
	})
	for path, n := range left {
		if n != 0 {
			t.Errorf("%s reads time.Now, Since and Until %d times, %d are listed: ask chaos.Now for what time it is, or change ticks if it is for a deadline or a duration",
				path, ticks[path]-n, ticks[path])
		}
	}
}

// TestPointsStandInOnePlaceEach also fails for a point that is listed and nowhere passed.
func TestPointsStandInOnePlaceEach(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../../fsm/chaos/chaos.go", nil, 0)
	require.NoError(t, err)
	names, passed := map[string]string{}, map[string]int{}
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				names[strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`)] = v.Names[0].Name
			}
		}
	}
	sources(t, func(_ string, f *ast.File) { uses(f, "chaos", func(name string) { passed[name]++ }) })
	require.Len(t, names, len(chaos.Points()), "constants that are not listed")
	for _, p := range chaos.Points() {
		require.NotEmpty(t, p.Says, p.Name)
		require.Contains(t, names, p.Name)
		require.Equal(t, 1, passed[names[p.Name]], "places where %s is passed", p.Name)
		delete(names, p.Name)
	}
	require.Empty(t, names)
}

func TestOnlyAChaosBuildHasTheRig(t *testing.T) {
	const rig = module + "fsm/chaos/rig"
	for tags, has := range map[string]bool{"": false, "previous": false, "mutants": false, "chaos": true} {
		out, err := exec.Command("go", "list", "-deps", "-tags", tags, module+"cmd/trstctl").Output()
		require.NoError(t, err)
		require.Equal(t, has, strings.Contains(string(out), rig+"\n"), "tags %q", tags)
	}
}
