//go:build !chaos

package chaos

import (
	"log/slog"
	"time"
)

// Mark is what the version of a chaos build ends with; empty: this is none.
const Mark = ""

// Now is time.Now.
func Now() time.Time { return time.Now() }

// Point does nothing.
func Point(string) {}

// Begin does nothing.
func Begin() error { return nil }

// Serve does nothing.
func Serve(*slog.Logger) (stop func(), err error) { return func() {}, nil }

// Child adds nothing to the environment of a process.
func Child(string) []string { return nil }
