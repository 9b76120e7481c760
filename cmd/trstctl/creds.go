package main

import (
	"bytes"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) credsCommand() *cobra.Command {
	var ttl time.Duration
	var run bool
	c := &cobra.Command{Use: "creds CONNECTION ROLE [--exec -- PROGRAM ARGS...]", Short: "Get an account at a database or service, or run a program with one"}
	c.Long = `Get an account of your own at a database or service, with a lease: it is gone when that ends. -o json has it as a document, -o env as lines for a shell.

  trstctl creds pg readonly
  eval "$(trstctl creds pg readonly -o env)"
  trstctl creds pg readonly --exec -- psql -c 'select 1'

With --exec the program has the account in its environment, the lease is extended as long as it runs and revoked when it ends, and the exit code is the
program's. When this command is killed, the account is gone within a minute.`
	c.Flags().DurationVar(&ttl, "ttl", 0, "how long the lease lasts: ten seconds to the role's maximum (the role's own unless given)")
	c.Flags().BoolVar(&run, "exec", false, "run the program behind --, and revoke the lease when it ends")
	c.Args = func(c *cobra.Command, args []string) error {
		switch at := c.ArgsLenAtDash(); {
		case !run && at < 0 && len(args) == 2, run && at == 2 && len(args) > 2:
			return nil
		case run:
			return usagef("--exec is followed by -- and a program: trstctl creds CONNECTION ROLE --exec -- psql")
		}
		return usagef("name a connection and a role, such as trstctl creds pg readonly")
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if run && c.Flag("ttl").Changed {
			return usagef("--ttl goes without --exec: the lease lasts as long as the program")
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		if run {
			return a.runWith(c.Context(), client, args[0], args[1], args[2:])
		}
		ctx, cancel := a.call(c.Context())
		defer cancel()
		got, err := client.IssueCredential(ctx, args[0], args[1], ttl)
		defer got.Clear()
		return a.showCredential(got, err)
	}
	return c
}

// issuedCredential is a credential with what it is used with.
type issuedCredential struct {
	sdk.DynamicCredential
	Password sdk.Text            `json:"password,omitempty"`
	Data     map[string]sdk.Text `json:"data,omitempty"`
}

// showCredential is the one place that prints what an account is used with.
func (a *app) showCredential(got sdk.DynamicCredential, err error) error {
	if err != nil {
		return err
	}
	if a.output == "env" {
		b := environment(got)
		defer clear(b)
		_, err := a.out.Write(b)
		return err
	}
	out := issuedCredential{got, sdk.Text(got.Password), nil}
	cells := []string{"username", got.Username}
	raw := append(bytes.Clone(got.Password), '\n')
	if got.Data == nil {
		cells = append(cells, "password", string(got.Password))
	} else if out.Data, raw = map[string]sdk.Text{}, nil; len(got.Data) == 1 { // the one thing that it is
		raw = append(bytes.Clone(slices.Collect(maps.Values(got.Data))[0]), '\n')
	}
	for _, name := range slices.Sorted(maps.Keys(got.Data)) {
		out.Data[name] = sdk.Text(got.Data[name])
		cells = append(cells, strings.ReplaceAll(name, "_", " "), string(got.Data[name]))
	}
	defer clear(raw)
	cells = append(cells, "lease", got.LeaseID, "expires", stamp(got.ExpiresAt), "at most until", stamp(got.MaxExpires))
	return a.show(view{json: out, rows: fields(cells...), raw: raw})
}

// environment is lines for a POSIX shell.
func environment(got sdk.DynamicCredential) []byte {
	var b bytes.Buffer
	for _, v := range append(got.Environment, "TRSTCTL_LEASE_ID="+got.LeaseID) {
		writeVariable(&b, []byte(v))
	}
	for name, v := range secretsOf(got) {
		writeVariable(&b, append([]byte(name+"="), v...))
	}
	return b.Bytes()
}

// secretsOf yields the variables that programs look for secrets in.
func secretsOf(got sdk.DynamicCredential) iter.Seq2[string, sdk.Secret] {
	return func(yield func(string, sdk.Secret) bool) {
		if got.Variable != "" && !yield(got.Variable, got.Password) {
			return
		}
		for _, name := range slices.Sorted(maps.Keys(got.Variables)) {
			if !yield(got.Variables[name], got.Data[name]) {
				return
			}
		}
	}
}

// writeVariable quotes what is behind the first equals sign.
func writeVariable(b *bytes.Buffer, v []byte) {
	name, value, _ := bytes.Cut(v, []byte("="))
	b.WriteString("export ")
	b.Write(name)
	b.WriteString("='")
	b.Write(bytes.ReplaceAll(value, []byte("'"), []byte(`'\''`)))
	b.WriteString("'\n")
}

// withVariables is an environment without this command's own token, with the credential's.
func withVariables(env []string, got sdk.DynamicCredential) (out []string) {
	for _, v := range env {
		if !bytes.HasPrefix([]byte(v), []byte("TRSTCTL_TOKEN=")) {
			out = append(out, v)
		}
	}
	out = append(append(out, got.Environment...), "TRSTCTL_LEASE_ID="+got.LeaseID)
	for name, v := range secretsOf(got) {
		out = append(out, name+"="+string([]byte(v)))
	}
	return out
}
