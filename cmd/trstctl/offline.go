package main

import (
	"context"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/server"
)

// keygen makes a new key file; it refuses to touch one that exists.
func keygen(path string) error { return seal.Keygen(path) }

// rebuildDir makes the tables of a node that does not run anew from their event log.
func rebuildDir(ctx context.Context, dir string) ([]string, error) {
	return server.RebuildDir(ctx, dir)
}

// verifyDir checks the data directory of a node that does not run and returns a line for each part found in order.
func verifyDir(ctx context.Context, dir string) ([]string, error) { return server.VerifyDir(ctx, dir) }
