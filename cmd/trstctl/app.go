package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/trstctl/trstctl/sdk"
)

// app is one run of the command line: where it reads and writes, and the flags that all commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) string

	addresses []string
	caFile    string
	tokenFile string
	tenant    string
	output    string
	timeout   time.Duration
	at        string
	maxStale  time.Duration
	key       string

	started bool // flags and arguments were in order
}

// main runs the command line and returns the exit code.
func (a *app) main(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if p, ok := errors.AsType[programEnded](err); ok {
		return int(p)
	}
	fmt.Fprintf(a.err, "trstctl: %s%s\n", indented(err.Error()), a.advice(err))
	if !a.started {
		return exitUsage
	}
	return exitCode(err)
}

// indented is clean of each line; the second and further ones, such as one for each key of a configuration, are set off.
func indented(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = clean(l)
	}
	return strings.Join(lines, "\n  ")
}

// advice says what to do about errors whose message comes from a node, which does not know where this command has its settings from.
func (a *app) advice(err error) string {
	if sdk.Is(err, sdk.Unauthenticated) && a.tokenFile == "" {
		return ": set TRSTCTL_TOKEN, or name a file with --token-file"
	}
	return ""
}

func (a *app) root() *cobra.Command {
	c := &cobra.Command{
		Use:           "trstctl",
		Short:         "Keeps, issues and uses the credentials that machines need",
		Long:          "trstctl keeps, issues and uses the credentials that machines need.\n\n" + exitHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if !slices.Contains([]string{"", "json", "raw", "table"}, a.output) && !(a.output == "env" && c.Name() == "creds") {
				return usagef("-o %s: use json, raw or table", a.output)
			}
			if err := checkGiven(c); err != nil {
				return err
			}
			a.started = true
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.SetIn(a.in)
	c.SetOut(a.out)
	c.SetErr(a.err)
	a.flags(c)
	c.AddCommand(a.secretCommand(), a.transitCommand(), a.kmipCommand(), a.dynamicCommand(), a.credsCommand(), a.pkiCommand(), a.leaseCommand(), a.outboxCommand(), a.tokenCommand(), a.policyCommand(), a.tenantCommand(), a.auditCommand(), a.statusCommand(),
		a.operatorCommand(), a.devCommand(), a.serverCommand(), a.versionCommand(), pkcs11ChildCommand())
	c.AddCommand(a.chaosCommands()...)
	c.SetHelpCommand(helpCommand())
	c.InitDefaultCompletionCmd()
	for _, own := range c.Commands() {
		if own.Name() == "completion" { // cobra's answers a shell that it does not know with help and success
			own.RunE = needsCommand
		}
	}
	return c
}

// helpCommand is cobra's, except that a command that does not exist is a usage error.
func helpCommand() *cobra.Command {
	return &cobra.Command{Use: "help [COMMAND]...", Short: "Help about any command", RunE: func(c *cobra.Command, args []string) error {
		about, rest, err := c.Root().Find(args)
		if err != nil || len(rest) > 0 {
			return usagef("there is no command %q", strings.Join(args, " "))
		}
		return about.Help()
	}}
}

func (a *app) flags(c *cobra.Command) {
	f := c.PersistentFlags()
	f.StringSliceVar(&a.addresses, "address", nil, "node to ask, https://host:port; may be repeated (TRSTCTL_ADDR, then TRSTCTL_ADDRS)")
	f.StringVar(&a.caFile, "ca-cert", "", "PEM file of the CA that signs the nodes' certificates (TRSTCTL_CACERT)")
	f.StringVar(&a.tokenFile, "token-file", "", "file that holds the token (TRSTCTL_TOKEN holds the token itself)")
	f.StringVar(&a.tenant, "tenant", "", "act in this tenant; for the root tenant's tokens (TRSTCTL_TENANT)")
	f.StringVarP(&a.output, "output", "o", "", "json, raw or table")
	f.DurationVar(&a.timeout, "timeout", sdk.DefaultTimeout, "how long to keep trying")
	f.StringVar(&a.at, "at", "", "freshness of reads: linearizable (default), session or stale")
	f.DurationVar(&a.maxStale, "max-stale", 0, "oldest state that --at stale accepts (the node's default is 2s)")
	f.StringVar(&a.key, "idempotency-key", "", "key of this one change: to repeat one whose outcome was unknown")
}

// checkGiven refuses an empty value where it would mean another tenant, token or change than the one that was meant: a script's variable
// may be unset.
func checkGiven(c *cobra.Command) error {
	for _, name := range []string{"tenant", "token-file", "ca-cert", "idempotency-key", "accessor", "dir", "to"} {
		if given := c.Flag(name); given != nil && given.Changed && given.Value.String() == "" {
			return usagef("--%s is empty: give a value, or leave it out", name)
		}
	}
	return nil
}

// group makes a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: needsCommand}
	c.AddCommand(commands...)
	return c
}

func needsCommand(c *cobra.Command, _ []string) error {
	return usagef("%s needs a command: see %s --help", c.CommandPath(), c.CommandPath())
}

// call makes the context of one API call.
func (a *app) call(ctx context.Context) (context.Context, context.CancelFunc) {
	if a.key != "" {
		ctx = sdk.WithKey(ctx, a.key)
	}
	return context.WithTimeout(ctx, a.timeout)
}

// client makes a client from flags and environment.
func (a *app) client() (*sdk.Client, error) {
	level, err := sdk.ParseLevel(a.at)
	if err != nil {
		return nil, err
	}
	if a.maxStale < 0 || a.maxStale > 0 && level != sdk.Stale {
		return nil, usagef("--max-stale is a duration such as 500ms and goes with --at stale")
	}
	if a.timeout <= 0 {
		return nil, usagef("--timeout is a duration above zero, such as 5s")
	}
	ca, err := a.ca()
	if err != nil {
		return nil, err
	}
	token, err := a.token()
	if err != nil {
		return nil, err
	}
	c, err := sdk.New(sdk.Options{Addresses: a.nodes(), CACert: ca, Token: token, Tenant: a.setting(a.tenant, "TRSTCTL_TENANT"),
		Timeout: a.timeout, UserAgent: "trstctl/" + version})
	if err != nil {
		return nil, usagef("%v", err)
	}
	return c.Reading(sdk.Read{At: level, MaxStale: a.maxStale}), nil
}

func (a *app) setting(flag, variable string) string {
	if flag != "" {
		return flag
	}
	return a.env(variable)
}

// nodes lists the addresses to try: the flag's alone, or TRSTCTL_ADDR and then the rest of TRSTCTL_ADDRS.
func (a *app) nodes() []string {
	if len(a.addresses) > 0 {
		return a.addresses
	}
	var out []string
	for _, address := range append([]string{a.env("TRSTCTL_ADDR")}, strings.Split(a.env("TRSTCTL_ADDRS"), ",")...) {
		if address = strings.TrimSpace(address); address != "" && !slices.Contains(out, address) {
			out = append(out, address)
		}
	}
	return out
}

func (a *app) ca() ([]byte, error) {
	file := a.setting(a.caFile, "TRSTCTL_CACERT")
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("read the CA certificate (--ca-cert, TRSTCTL_CACERT): %v", err)
	}
	return pem, nil
}

func (a *app) token() (sdk.Secret, error) {
	if a.tokenFile == "" {
		if t := a.env("TRSTCTL_TOKEN"); t != "" {
			return sdk.Secret(t), nil
		}
		return nil, nil
	}
	f, err := os.Open(a.tokenFile)
	if err != nil {
		return nil, usagef("read the token (--token-file): %v", err)
	}
	defer f.Close()
	return readToken(f)
}

// terminal reports whether stream is a terminal.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// usageError is a mistake in the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func isUsage(err error) bool {
	_, ok := errors.AsType[usageError](err)
	return ok
}
