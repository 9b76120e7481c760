// Command trstctl is server, operator tool and developer tool in one binary.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm/chaos"
)

// version is set by the linker (-X main.version=…).
var version = "dev"

// release is what this binary says that it is.
func release() string { return version + chaos.Mark }

func main() { os.Exit(run()) }

// run ends gracefully at the first SIGINT or SIGTERM; a second one ends the process at once.
func run() int {
	if err := chaos.Begin(); err != nil {
		fmt.Fprintln(os.Stderr, "trstctl:", err)
		return exitUsage
	}
	if err := seal.NoCoreDumps(); err != nil { // tokens and values are in memory
		fmt.Fprintln(os.Stderr, "trstctl: warning: switch core dumps off:", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Getenv}
	return a.main(ctx, os.Args[1:])
}
