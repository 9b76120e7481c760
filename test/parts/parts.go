// Package parts finds the real programs that tests run against: proxies, monitoring, security modules. install.sh, which `make test` calls
// first, installs them. Where they are not installed a test is skipped, unless TRSTCTL_REAL_PARTS=required says that they must be there.
package parts

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

//go:embed packages.txt
var packages string

// Need returns the path of a program or another file that a test cannot do without. file is an absolute path, or a name that is looked for on
// PATH, where Debian keeps its servers, and where install.sh puts what it builds. debianPackage is what brings it, one of packages.txt; "" for
// what install.sh builds.
func Need(t testing.TB, file, debianPackage string) string {
	t.Helper()
	if debianPackage != "" && !slices.Contains(strings.Fields(packages), debianPackage) {
		t.Fatalf("the Debian package %q is not in test/parts/packages.txt: nobody would install it", debianPackage)
	}
	path, err := find(file)
	switch {
	case err == nil:
		return path
	case os.Getenv("TRSTCTL_REAL_PARTS") == "required":
		t.Fatalf("%s, and TRSTCTL_REAL_PARTS=required: %s", err, remedy(debianPackage))
	default:
		t.Skipf("%s: %s", err, remedy(debianPackage))
	}
	return ""
}

func remedy(debianPackage string) string {
	if debianPackage == "" {
		return "run test/parts/install.sh, which builds it"
	}
	return "install the Debian package " + debianPackage + ", or run test/parts/install.sh as root"
}

func find(file string) (string, error) {
	if filepath.IsAbs(file) {
		if _, err := os.Stat(file); err != nil {
			return "", fmt.Errorf("a part of this test is missing: %w", err)
		}
		return file, nil
	}
	path, err := exec.LookPath(file)
	for _, dir := range []string{"/usr/sbin", "/sbin", cache()} {
		if err == nil {
			break
		}
		path, err = exec.LookPath(filepath.Join(dir, file))
	}
	if err != nil {
		return "", errors.New("a part of this test is missing: " + file)
	}
	return path, nil
}

// cache is where install.sh puts what it builds.
func cache() string {
	dir := os.Getenv("XDG_CACHE_HOME")
	if dir == "" {
		dir = filepath.Join(os.Getenv("HOME"), ".cache")
	}
	return filepath.Join(dir, "trstctl-parts", "bin")
}
