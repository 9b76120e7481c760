package main

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

const connectionHelp = `--url is SCHEME://USER@HOST:PORT/DATABASE?sslmode=verify-full. Of its parameters sslmode alone is taken, verify-full or disable. The password is in a file,
--password @FILE, or is read from the terminal or stdin: never in the URL or on the command line, where others see it. The nodes connect once before
anything is stored.`

// target is a connection as the flags have it.
type target struct {
	url, ca, password string
	options           []string
	spec              sdk.ConnectionSpec
}

func targetFlags(c *cobra.Command) *target {
	t := &target{}
	f := c.Flags()
	f.StringVar(&t.spec.Backend, "backend", "", "kind of the target: postgresql or redis")
	f.StringVar(&t.url, "url", "", "where it is and as whom accounts are made: SCHEME://USER@HOST:PORT/DATABASE")
	f.StringVar(&t.ca, "ca", "", "PEM file of the CA that signs the target's certificate; those that the nodes' systems trust unless given")
	f.StringArrayVar(&t.options, "option", nil, "NAME=VALUE of the backend's own; may be repeated")
	f.IntVar(&t.spec.PasswordLength, "password-length", 0, "of the passwords that are made: 20 to 128 (32)")
	return t
}

func (a *app) connectionCreate() *cobra.Command {
	c := &cobra.Command{Use: "create NAME", Short: "Make a connection, once the target has let the nodes in", Args: cobra.ExactArgs(1), Long: "Make a connection. " + connectionHelp}
	t := targetFlags(c)
	c.Flags().StringVar(&t.password, "password", "-", "@FILE, or - for the terminal or stdin")
	c.RunE = func(c *cobra.Command, args []string) error { return a.writeConnection(c, args[0], t, true) }
	return c
}

func (a *app) connectionUpdate() *cobra.Command {
	c := &cobra.Command{Use: "update NAME", Short: "Change a connection", Args: cobra.ExactArgs(1),
		Long: "Change a connection: everything is as it is given here from now on. Without --password it keeps the one that it has, as long as nothing changes about where that is sent. " + connectionHelp}
	t := targetFlags(c)
	c.Flags().StringVar(&t.password, "password", "", "@FILE, or - for the terminal or stdin; the one that it has unless given")
	c.RunE = func(c *cobra.Command, args []string) error { return a.writeConnection(c, args[0], t, t.password != "") }
	return c
}

// writeConnection reads a password when there is to be a new one.
func (a *app) writeConnection(c *cobra.Command, name string, t *target, withPassword bool) error {
	if err := t.parse(a); err != nil {
		return err
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	if withPassword {
		file, named := strings.CutPrefix(t.password, "@")
		if !named && t.password != "-" {
			return usagef("--password is @FILE, or - for the terminal or stdin: on the command line others see it")
		}
		if t.spec.Password, err = password(a, file, "password of "+t.spec.Username); err != nil {
			return err
		}
		defer clear(t.spec.Password)
	}
	ctx, cancel := a.call(c.Context())
	defer cancel()
	k, err := client.WriteConnection(ctx, name, t.spec)
	return a.showConnection(k, err)
}

func (t *target) parse(a *app) error {
	if t.url == "" {
		return usagef("--url is missing, such as --url postgresql://dba@db.example:5432/app")
	}
	if err := t.parseURL(); err != nil {
		return err
	}
	for _, o := range t.options {
		name, value, found := strings.Cut(o, "=")
		if !found || name == "" {
			return usagef("--option is NAME=VALUE")
		}
		if t.spec.Options == nil {
			t.spec.Options = map[string]string{}
		}
		t.spec.Options[name] = value
	}
	if t.ca == "" {
		return nil
	}
	b, err := a.document(t.ca, maxPublic, "the CA")
	t.spec.CA = string(b)
	return err
}

// schemes are those that URLs of a backend begin with.
var schemes = map[string]string{"postgresql": "postgresql", "postgres": "postgresql", "redis": "redis", "rediss": "redis"}

func (t *target) parseURL() error {
	u, err := url.Parse(t.url)
	if err != nil {
		return usagef("--url is no URL, such as postgresql://dba@db.example:5432/app") // what url says quotes it all, a password too
	}
	if _, has := u.User.Password(); has {
		return usagef("--url has a password in it, where others see it: leave it out, and give --password @FILE")
	}
	if backend := schemes[u.Scheme]; t.spec.Backend == "" {
		t.spec.Backend = backend
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case t.spec.Backend == "":
		return usagef("--backend is missing, such as --backend postgresql")
	case u.Hostname() == "" || u.Opaque != "" || u.Fragment != "":
		return usagef("--url names no host, such as postgresql://dba@db.example:5432/app")
	case u.Port() != "" && (err != nil || port == 0):
		return usagef("--url has a port that is none")
	case u.User.Username() == "":
		return usagef("--url names no user, such as postgresql://dba@db.example:5432/app")
	}
	t.spec.Host, t.spec.Port, t.spec.Database, t.spec.Username = u.Hostname(), uint16(port), strings.TrimPrefix(u.Path, "/"), u.User.Username()
	return t.parseQuery(u)
}

func (t *target) parseQuery(u *url.URL) error {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return usagef("the parameters of --url cannot be read")
	}
	for name, values := range q {
		if name != "sslmode" {
			return usagef("--url has the parameter %s: sslmode alone is taken, what the backend knows besides is given by --option", name)
		}
		if len(values) != 1 || !slices.Contains([]string{"verify-full", "disable"}, values[0]) {
			return usagef("sslmode is verify-full or disable")
		}
		t.spec.TLS = values[0]
	}
	return nil
}
