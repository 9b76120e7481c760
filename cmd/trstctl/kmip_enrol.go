package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

const outHelp = `With --out a key that is made goes into DIR/NAME.key, which you alone can read, a certificate that is issued into DIR/NAME.pem, and what the client
must trust to know the cluster into DIR/ca.pem. Nothing is written over another file. Without --out the key is printed, this once.`

func (a *app) kmipClientCreate() *cobra.Command {
	var e sdk.KMIPEnrolment
	c := &cobra.Command{Use: "create NAME", Short: "Make a client", Args: cobra.ExactArgs(1), Long: "Make a client. " + sourceHelp + "\n\n" + outHelp + "\n\n" + credentialHelp}
	c.Flags().StringVar(&e.Role, "role", "", "what it may do; the role default unless given")
	i, given := a.issuingFlags(c), credentialFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := given.check(a, i.source.stdin()); err != nil {
			return err
		}
		defer func() { clearCredentials(e.KMIPCredentials) }()
		return i.run(c, args[0], func() (err error) {
			e.KMIPCredentials, err = given.read(a)
			return err
		}, func(ctx context.Context, client *sdk.Client, by sdk.KMIPSource) (sdk.KMIPIssued, error) {
			e.By = by
			return client.EnrolKMIPClient(ctx, args[0], e)
		})
	}
	return c
}

func (a *app) kmipClientRenew() *cobra.Command {
	var overlap time.Duration
	c := &cobra.Command{Use: "renew NAME", Short: "Have a client known by something else as well", Args: cobra.ExactArgs(1)}
	c.Long = "Have a client known by something else as well, such as its next certificate. What it was known by before stays good until it expires or is revoked,\n" +
		"unless --overlap is given. " + sourceHelp + "\n\n" + outHelp
	c.Flags().DurationVar(&overlap, "overlap", 0, "how long what it was known by before stays good: 8760h at most; 0s: it ends at once")
	i := a.issuingFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		var ends *time.Duration
		if c.Flag("overlap").Changed {
			ends = &overlap
		}
		if overlap < 0 || overlap%time.Second != 0 {
			return usagef("--overlap is a duration in whole seconds, such as 168h")
		}
		return i.run(c, args[0], func() error { return nil }, func(ctx context.Context, client *sdk.Client, by sdk.KMIPSource) (sdk.KMIPIssued, error) {
			return client.RenewKMIPClient(ctx, args[0], by, ends)
		})
	}
	return c
}

// issuing is what create and renew share: by what a client is to be known, and where its files go.
type issuing struct {
	app    *app
	source *source
	out    string
}

func (a *app) issuingFlags(c *cobra.Command) *issuing {
	i := &issuing{app: a, source: sourceFlags(c)}
	c.Flags().StringVar(&i.out, "out", "", "directory for the client's files; it is made if it is not there")
	return i
}

// run has a client known by something. What can go wrong on this machine goes wrong before the request: a key is shown once.
func (i *issuing) run(c *cobra.Command, name string, ask func() error, do func(context.Context, *sdk.Client, sdk.KMIPSource) (sdk.KMIPIssued, error)) error {
	if err := i.source.check(c); err != nil {
		return err
	}
	client, err := i.app.client()
	if err != nil {
		return err
	}
	by, err := i.source.read(i.app)
	if err != nil {
		return err
	}
	files := clientFiles{dir: i.out, name: name, key: i.source.makes(), certificate: i.source.issues()}
	if err := files.prepare(c.Context(), i.app, client); err != nil {
		return err
	}
	if err := ask(); err != nil {
		return err
	}
	ctx, cancel := i.app.call(c.Context())
	defer cancel()
	made, err := do(ctx, client, by)
	if err != nil {
		return err
	}
	defer clear(made.PrivateKey)
	return i.app.showEnrolled(files.keep(i.app, made))
}

// enrolled is what a client is known by from now on, with its key or with the file that has it.
type enrolled struct {
	Key sdk.Text `json:"private_key,omitempty"`
	sdk.KMIPIssued
	KeyFile         string `json:"private_key_file,omitempty"`
	CertificateFile string `json:"certificate_file,omitempty"`
	RootsFile       string `json:"server_roots_file,omitempty"`
}

// pem is what belongs to a client and is in no file.
func (e enrolled) pem() (b []byte) {
	b = append(b, e.Key...)
	if e.CertificateFile == "" && (e.Kind == "issued" || e.Kind == "request") {
		b = append(b, e.Certificate...)
	}
	return b
}

// showEnrolled is the one place that prints a client's key.
func (a *app) showEnrolled(e enrolled, err error) error {
	if err != nil {
		return err
	}
	rows := fields("name", e.Name, "role", e.Role, "binding", number(e.Number), "known by", e.Kind)
	for _, row := range fields("certificate sha256", e.Fingerprint, "public key sha256", e.PublicKey, "expires", stamp(e.ExpiresAt), "uid", e.UID,
		"key in", e.KeyFile, "certificate in", e.CertificateFile, "server roots in", e.RootsFile) {
		if row[1] != "" && row[1] != "-" {
			rows = append(rows, row)
		}
	}
	loose := e.pem()
	defer clear(loose)
	if err := a.show(view{json: e, rows: rows, raw: loose}); err != nil {
		return err
	}
	if len(loose) > 0 && a.output != "json" && a.output != "raw" {
		if _, err := a.out.Write(append([]byte("\n"), loose...)); err != nil {
			return err
		}
	}
	if len(e.Key) > 0 {
		return a.note("this private key is not shown again, and the cluster does not have it: keep it now")
	}
	return nil
}
