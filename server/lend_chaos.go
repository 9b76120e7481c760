//go:build chaos

package server

import (
	"github.com/trstctl/trstctl/engines/dynamic/backend"
	"github.com/trstctl/trstctl/engines/dynamic/backend/line"
)

// moreBackends is for fault injection.
func moreBackends(all map[string]backend.Backend) map[string]backend.Backend {
	all["line"] = line.Backend{}
	return all
}
