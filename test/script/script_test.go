// Package script runs the command line as people and scripts type it, against a cluster of three real nodes.
//
// Each file in testdata reads from top to bottom like a page of the manual, wrong input included. Every script has a tenant of its
// own, whose admin it is; $ROOT names a file with the root token. After all of them the whole cluster is checked.
package script

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/sdk"
	"github.com/trstctl/trstctl/test/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.Clean()
	os.Exit(code)
}

// alone are scripts that disturb the cluster or need it at rest, or run another.
var alone = []string{"testdata/dev.txtar", "testdata/operator.txtar", "testdata/recover.txtar"}

func TestScripts(t *testing.T) {
	r := newRig(t)
	together, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	together = slices.DeleteFunc(together, func(file string) bool { return slices.Contains(alone, file) })
	t.Run("together", func(t *testing.T) { testscript.Run(t, r.params(together)) })
	t.Run("alone", func(t *testing.T) { testscript.Run(t, r.params(alone)) })
	r.Check(r.planted...)
}

// rig is the cluster and what all scripts share.
type rig struct {
	*harness.Cluster
	bin  string // directory of the binary
	ca   string
	root string // file with the root token

	mu      sync.Mutex // guards what follows
	planted [][]byte   // what must be found nowhere: $PLANTED, and the token of each script
}

func newRig(t *testing.T) *rig {
	r := &rig{Cluster: harness.Start(t, harness.Options{KMIP: true}), bin: filepath.Dir(harness.Binary(t)), planted: [][]byte{[]byte("planted-" + rand.Text())}}
	dir := t.TempDir()
	r.ca, r.root = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "root-token")
	require.NoError(t, os.WriteFile(r.ca, r.CA, 0o600))
	require.NoError(t, os.WriteFile(r.root, append([]byte(r.Token), '\n'), 0o600))
	return r
}

func (r *rig) params(files []string) testscript.Params {
	return testscript.Params{Files: files, Setup: r.setup, RequireUniqueNames: true, Cmds: map[string]func(*testscript.TestScript, bool, []string){
		"trstctl": trstctl,
		"code":    code,
		"until":   until,
		"json":    readJSON,
		"capture": capture,
		"http":    request,
		"node":    r.node,
		"rest":    r.rest,
		"flip":    flip,
	}}
}

// setup gives a script its tenant and the environment of a user who is admin there.
func (r *rig) setup(e *testscript.Env) error {
	name := strings.TrimPrefix(filepath.Base(e.WorkDir), "script-")
	token, err := r.tenant(name)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.planted = append(r.planted, token)
	r.mu.Unlock()
	addresses := make([]string, len(r.Nodes))
	for i, n := range r.Nodes {
		addresses[i] = "https://" + n.API
		e.Setenv(fmt.Sprintf("NODE%d", i+1), addresses[i])
		e.Setenv(fmt.Sprintf("DATA%d", i+1), n.Data)
	}
	for name, value := range map[string]string{
		"PATH":          r.bin + string(os.PathListSeparator) + e.Getenv("PATH"),
		"TRSTCTL_ADDRS": strings.Join(addresses, ","), "TRSTCTL_CACERT": r.ca, "TRSTCTL_TOKEN": string(token),
		"TENANT": name, "ROOT": r.root, "PLANTED": string(r.planted[0]),
	} {
		e.Setenv(name, value)
	}
	return nil
}

// tenant makes a tenant and returns a token of its policy admin.
func (r *rig) tenant(name string) (sdk.Secret, error) {
	ctx := context.Background()
	if _, err := r.Client().CreateTenant(ctx, name); err != nil {
		return nil, fmt.Errorf("make the tenant %s: %w", name, err)
	}
	o := sdk.Options{CACert: r.CA, Token: r.Token, Tenant: name}
	for _, n := range r.Nodes {
		o.Addresses = append(o.Addresses, "https://"+n.API)
	}
	operator, err := sdk.New(o)
	if err != nil {
		return nil, err
	}
	made, err := operator.CreateToken(ctx, sdk.Grant{Policies: []string{"admin"}, Name: "admin"})
	return made.Secret, err
}
