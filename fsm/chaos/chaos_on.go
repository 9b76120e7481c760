//go:build chaos

package chaos

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/trstctl/trstctl/fsm/chaos/rig"
)

// Mark is what the version of a chaos build ends with.
const Mark = "+chaos"

// all is of the process, as its clock and its end are.
var all = rig.New(names())

func names() (out []string) {
	for _, p := range Points() {
		out = append(out, p.Name)
	}
	return out
}

// Now is the wall clock as this process is to see it.
func Now() time.Time { return all.Now() }

// Point is where the process may be told to end, or to wait.
func Point(name string) { all.Pass(name) }

// Begin takes what TRSTCTL_CHAOS_ARM and TRSTCTL_CHAOS_CLOCK say, before anything else is done.
func Begin() error { return all.Begin(os.Environ()) }

// Serve says loudly what this binary is and listens on TRSTCTL_CHAOS_SOCKET until stop. It refuses where no such variable says that this is meant.
func Serve(log *slog.Logger) (stop func(), err error) {
	if !rig.Meant(os.Environ()) {
		return nil, errors.New("this binary was built with -tags chaos, for tests: whoever reaches its control socket can turn its clock and kill it. " +
			"Build it without that tag; or set " + rig.SocketVariable + " if this is a test")
	}
	all.Log(log)
	log.Warn("THIS IS A CHAOS BUILD, FOR TESTS: its clock can be turned and it can be killed from outside; give it no secret that matters")
	path := os.Getenv(rig.SocketVariable)
	if path == "" {
		return func() {}, nil
	}
	s, err := rig.Listen(path, all)
	if err != nil {
		return nil, fmt.Errorf("open the chaos socket: %w", err)
	}
	return s.Close, nil
}

// Child is what a node that a development cluster starts needs in its environment, with the path of its socket, if this process was meant as a chaos build.
func Child(socket string) []string {
	if !rig.Meant(os.Environ()) {
		return nil
	}
	return []string{rig.SocketVariable + "=" + socket}
}
