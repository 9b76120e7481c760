package main

import (
	"context"
	"io"
	"log/slog"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server"
	"github.com/trstctl/trstctl/server/export"
)

// keygen makes a new key file; it refuses to touch one that exists.
func keygen(path string) error { return seal.Keygen(path) }

// devHSM makes a SoftHSM token with a key in dir and returns the seal that uses it, as it stands in a configuration.
func devHSM(ctx context.Context, executable, dir string) (map[string]any, error) {
	made, err := seal.MakeSoftHSM(ctx, executable, dir, "trstctl")
	if err != nil {
		return nil, err
	}
	c := made.Config("root")
	hsm, err := seal.OpenPKCS11("pkcs11", c, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer hsm.Close()
	if err := hsm.CreateKey(ctx); err != nil && !fault.Is(err, fault.Conflict) { // of a start that was cut off
		return nil, err
	}
	return map[string]any{"kind": seal.KindPKCS11, "module": c.Module, "token": c.Token, "pin_file": c.PINFile, "key": c.Key, "env": c.Env}, nil
}

// rebuildDir makes the tables of a node that does not run anew from their event log.
func rebuildDir(ctx context.Context, dir string) ([]string, error) {
	return server.RebuildDir(ctx, dir)
}

// verifyDir checks the data directory of a node that does not run and returns a line for each part found in order.
func verifyDir(ctx context.Context, dir string) ([]string, error) { return server.VerifyDir(ctx, dir) }

// verifyExport reads an export of the audit and recomputes its chains.
func verifyExport(r io.Reader, key string) (export.Result, error) { return export.Verify(r, key) }
