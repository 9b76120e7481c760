package main

import (
	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/engines/seal"
)

// pkcs11ChildCommand is what a node starts this binary with to load an HSM's library.
func pkcs11ChildCommand() *cobra.Command {
	return &cobra.Command{Use: seal.ChildCommand, Hidden: true, Args: cobra.NoArgs, Short: "Load a PKCS#11 module for a node",
		RunE: func(*cobra.Command, []string) error { return seal.ServePKCS11() }}
}
