package main

import (
	"context"
	"io"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/server"
	"github.com/trstctl/trstctl/server/export"
)

// keygen makes a new key file; it refuses to touch one that exists.
func keygen(path string) error { return seal.Keygen(path) }

// rebuildDir makes the tables of a node that does not run anew from their event log.
func rebuildDir(ctx context.Context, dir string) ([]string, error) {
	return server.RebuildDir(ctx, dir)
}

// verifyDir checks the data directory of a node that does not run and returns a line for each part found in order.
func verifyDir(ctx context.Context, dir string) ([]string, error) { return server.VerifyDir(ctx, dir) }

// verifyExport reads an export of the audit and recomputes its chains.
func verifyExport(r io.Reader, key string) (export.Result, error) { return export.Verify(r, key) }
