package main

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestACommandLeavesNoCoreFile(t *testing.T) {
	args := os.Args
	defer func() { os.Args = args }()
	os.Args = []string{"trstctl", "version"}
	require.Equal(t, exitOK, run())
	var core syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_CORE, &core))
	require.Zero(t, core)
}
