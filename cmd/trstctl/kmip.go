package main

import (
	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) kmipCommand() *cobra.Command {
	c := group("kmip", "Say who may speak KMIP: appliances, databases and storage that keep their keys here", a.kmipClient(), a.kmipPending(), a.kmipRole(), a.kmipObject(), a.kmipCA(), a.kmipServer())
	c.Long = `Say who may speak KMIP: appliances, databases and storage that keep their keys here.

  trstctl kmip ca init
  trstctl kmip role write backup --operation Create,Get,Locate
  trstctl kmip client create tape-1 --role backup --out tape-1

leaves in ./tape-1 what the administrator of the appliance installs in it: its key, its certificate, and ca.pem, by which it knows the cluster. It
connects to the port that kmip.listen in a node's configuration names.`
	each(c, func(leaf *cobra.Command) {
		run := leaf.RunE
		leaf.RunE = func(c *cobra.Command, args []string) error {
			if err := checkKMIPFlags(c); err != nil {
				return err
			}
			return run(c, args)
		}
	})
	return c
}

// checkKMIPFlags refuses an empty value where it would mean another role, certificate or file than the one that was meant: a script's variable may be unset.
func checkKMIPFlags(c *cobra.Command) error {
	for _, name := range []string{"algorithm", "ca", "certificate", "csr", "device-id", "device-machine", "device-media", "device-network", "device-password-file", "device-serial", "fingerprint", "out", "password-file", "pending", "public-key-fingerprint", "role", "subject-der", "username"} {
		if given := c.Flag(name); given != nil && given.Changed && given.Value.String() == "" {
			return usagef("--%s is empty: give a value, or leave it out", name)
		}
	}
	return nil
}

// showNamed shows the client that something was done to.
func (a *app) showNamed(what string, n sdk.KMIPNamed, err error) error {
	if err != nil {
		return err
	}
	return a.show(view{json: n, rows: fields(what, n.Name, "uid", n.UID)})
}
