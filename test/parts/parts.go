// Package parts finds the real programs that tests run against. Where they are not installed a test is skipped, unless
// TRSTCTL_REAL_PARTS=required says that they must be there.
package parts

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Need returns the path of a program or another file that a test cannot do without. file is an absolute path, or a name that is looked for on
// PATH; debianPackage is what brings it, one of packages.txt.
func Need(t testing.TB, file, debianPackage string) string {
	t.Helper()
	path, err := file, error(nil)
	if filepath.IsAbs(file) {
		_, err = os.Stat(file)
	} else {
		path, err = exec.LookPath(file)
	}
	switch {
	case err == nil:
		return path
	case os.Getenv("TRSTCTL_REAL_PARTS") == "required":
		t.Fatalf("%v, and TRSTCTL_REAL_PARTS=required: install the Debian package %s", err, debianPackage)
	}
	t.Skipf("%v: install the Debian package %s", err, debianPackage)
	return ""
}
