package main

import (
	"bytes"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

const credentialHelp = `With --username the client shows that and a password beside its certificate. The password, without the line break at its end, is in
--password-file, or is read from the terminal or stdin.

With one of --device-serial, --device-id, --device-network, --device-machine, --device-media and --device-password-file it shows a device credential
with exactly those fields. --device-password-file is the file with its password, - for the terminal or stdin; a device without one has none.`

// credential is what a client shows beside its certificate, as the flags have it.
type credential struct {
	username, file string
	device         sdk.KMIPDevice // without its password, which is in
	deviceFile     string
}

func credentialFlags(c *cobra.Command) *credential {
	k := &credential{}
	f := c.Flags()
	f.StringVar(&k.username, "username", "", "that the client shows beside its certificate, with a password")
	f.StringVar(&k.file, "password-file", "", "file with its password; - or none: the terminal or stdin")
	f.StringVar(&k.device.Serial, "device-serial", "", "serial number of a device credential that the client shows beside its certificate")
	f.StringVar(&k.device.ID, "device-id", "", "device identifier in it")
	f.StringVar(&k.device.Network, "device-network", "", "network identifier in it")
	f.StringVar(&k.device.Machine, "device-machine", "", "machine identifier in it")
	f.StringVar(&k.device.Media, "device-media", "", "media identifier in it")
	f.StringVar(&k.deviceFile, "device-password-file", "", "file with the password in it; -: the terminal or stdin; none: it has no password")
	return k
}

// hasDevice reports whether a field of a device credential is given.
func (k *credential) hasDevice() bool {
	d := k.device
	return d.Serial+d.ID+d.Network+d.Machine+d.Media+k.deviceFile != ""
}

// check refuses a file without a username, and two things that are both on stdin.
func (k *credential) check(a *app, stdinTaken bool) error {
	asks, device := k.username != "" && (k.file == "" || k.file == "-"), k.deviceFile == "-"
	switch {
	case k.file != "" && k.username == "":
		return usagef("--password-file goes with --username")
	case asks && stdinTaken:
		return usagef("stdin is read once: give --password-file, or the other in a file")
	case device && stdinTaken, device && asks && !terminal(a.in):
		return usagef("stdin is read once: give a file in --device-password-file, or the other in a file")
	}
	return nil
}

// read has nil for what is not given. It is the caller's to clear.
func (k *credential) read(a *app) (out sdk.KMIPCredentials, err error) {
	if k.username != "" {
		out.Password = &sdk.KMIPPassword{Username: k.username}
		if out.Password.Password, err = password(a, k.file, "password"); err != nil {
			return out, err
		}
	}
	if !k.hasDevice() {
		return out, nil
	}
	device := k.device
	out.Device = &device
	if k.deviceFile != "" {
		device.Password, err = password(a, k.deviceFile, "device password")
	}
	return out, err
}

// password reads one from a file, or for - and for none from the terminal or stdin, and drops the line break that it ends in.
func password(a *app, file, what string) (sdk.Secret, error) {
	b, err := passwordBytes(a, file, what)
	if err != nil {
		return nil, err
	}
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if len(b) == 0 {
		return nil, usagef("the %s is empty", what)
	}
	return b, nil
}

func passwordBytes(a *app, file, what string) ([]byte, error) {
	switch {
	case file != "" && file != "-":
		return readFile(file, maxToken, "the "+what)
	case terminal(a.in):
		return a.prompt(what + " (not shown): ")
	}
	return readUpTo(a.in, maxToken, "the "+what)
}

// clearCredentials is for when they were sent, or will not be.
func clearCredentials(k sdk.KMIPCredentials) {
	if k.Password != nil {
		clear(k.Password.Password)
	}
	if k.Device != nil {
		clear(k.Device.Password)
	}
}
