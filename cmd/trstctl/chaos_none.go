//go:build !chaos

package main

import "github.com/spf13/cobra"

func (a *app) chaosCommands() []*cobra.Command { return nil }
