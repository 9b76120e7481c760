package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/sdk"
)

func (a *app) transitKey() *cobra.Command {
	return group("key", "Make and keep the keys", a.transitCreate(), a.transitList(), a.transitRead(), a.transitVersions(), a.transitRotate(), a.transitConfigure(), a.transitTrim(),
		a.transitDelete(), a.transitImport(), a.transitExport(), a.transitBackup(), a.transitRestore())
}

// settingsFlags add what a key has from the beginning, or gets later.
func settingsFlags(c *cobra.Command) func() (sdk.TransitSettings, error) {
	f := c.Flags()
	exportable := f.Bool("exportable", false, "its material may leave; to allow that later needs sudo")
	deletable := f.Bool("deletion-allowed", false, "it may be deleted")
	rotatable := f.Bool("rotation-allowed", false, "of an imported key: it may get versions that are made by the nodes")
	every := f.Duration("rotate-every", 0, "an hour to ten years, such as 720h; 0s: never")
	flag := func(name string, v *bool) *bool {
		if f.Changed(name) {
			return v
		}
		return nil
	}
	return func() (sdk.TransitSettings, error) {
		s := sdk.TransitSettings{Exportable: flag("exportable", exportable), Deletable: flag("deletion-allowed", deletable), Rotatable: flag("rotation-allowed", rotatable)}
		if f.Changed("rotate-every") {
			s.RotateEvery = every
		}
		if *every < 0 || *every%time.Second != 0 {
			return s, usagef("--rotate-every is a duration in whole seconds, such as 720h")
		}
		return s, nil
	}
}

// specFlags say what a new key is for.
func specFlags(c *cobra.Command, algorithm string) func() (sdk.TransitSpec, error) {
	var s sdk.TransitSpec
	c.Flags().StringVar(&s.Algorithm, "algorithm", "", algorithm)
	c.Flags().BoolVar(&s.Derived, "derived", false, "each use takes a --context, and works with a key of its own for it")
	c.Flags().BoolVar(&s.Convergent, "convergent", false, "the same plaintext under the same context gives the same ciphertext; with --derived")
	settings := settingsFlags(c)
	return func() (_ sdk.TransitSpec, err error) {
		s.TransitSettings, err = settings()
		return s, err
	}
}

func (a *app) transitCreate() *cobra.Command {
	c := &cobra.Command{Use: "create NAME", Short: "Make a key", Args: cobra.ExactArgs(1)}
	c.Long = `Make a key. What it is for follows from its algorithm:
  aes256-gcm (default), aes128-gcm, chacha20-poly1305, xchacha20-poly1305   encrypt
  ed25519, ecdsa-p256, ecdsa-p384, ecdsa-p521                                sign
  rsa-2048, rsa-3072, rsa-4096                                               encrypt and sign
  hmac-sha256, hmac-sha384, hmac-sha512                                      hmac
  ml-kem-768                                                                 datakey
Every key makes HMACs. What encrypts makes data keys.`
	spec := specFlags(c, "what the key is for; aes256-gcm unless given")
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := spec()
		if err != nil {
			return err
		}
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			made, err := client.CreateTransitKey(ctx, args[0], s)
			return a.showChanged(ctx, client, made, err)
		})
	}
	return c
}

// showChanged shows the key that something was done to. That may be seen by fewer than may do it, which does not undo it.
func (a *app) showChanged(ctx context.Context, client *sdk.Client, v sdk.TransitVersion, err error) error {
	if err != nil {
		return err
	}
	k, err := client.TransitKey(ctx, v.Name)
	if err != nil {
		fmt.Fprintf(a.err, "it is done; the key cannot be shown: %s\n", clean(err.Error()))
		return a.showVersion(v, nil)
	}
	return a.showKey(k)
}

func (a *app) showVersion(v sdk.TransitVersion, err error) error {
	if err != nil {
		return err
	}
	return a.show(view{json: v, head: []string{"NAME", "VERSION"}, rows: [][]string{{v.Name, number(v.Version)}}})
}

func (a *app) showKey(k sdk.TransitKey) error {
	encrypts, every, public := "the latest", "-", "-"
	if k.MinEncrypt > 0 {
		encrypts = number(k.MinEncrypt)
	}
	if k.RotateEvery != "" {
		every = k.RotateEvery
	}
	if k.PublicKey != "" {
		public = "shown by --public-key"
	}
	return a.show(view{json: k, rows: fields("name", k.Name, "algorithm", k.Algorithm, "operations", strings.Join(k.Operations, ", "), "latest version", number(k.Latest),
		"oldest version", number(k.Oldest), "decrypts from", number(max(k.MinDecrypt, k.Oldest)), "encrypts from", encrypts, "derived", yes(k.Derived), "convergent", yes(k.Convergent),
		"imported", yes(k.Imported), "exportable", yes(k.Exportable), "deletion allowed", yes(k.Deletable), "rotation allowed", yes(k.Rotatable), "rotated every", every,
		"public key", public, "created", stamp(k.CreatedAt), "by", k.CreatedBy, "rotated", stamp(k.RotatedAt), "restored", stamp(k.RestoredAt), "uid", k.UID)})
}

func (a *app) transitList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the keys", Args: cobra.NoArgs}
	s := sliceFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		page, err := gather(a, c, s, func(s sdk.Slice) (sdk.Page[sdk.TransitKey], error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			return client.TransitKeys(ctx, s)
		})
		if err != nil {
			return err
		}
		return a.show(view{json: page, head: []string{"NAME", "ALGORITHM", "VERSION", "OPERATIONS", "EXPORTABLE", "CREATED", "ROTATED"}, rows: rowsOf(page.Items, func(k sdk.TransitKey) []string {
			return []string{k.Name, k.Algorithm, number(k.Latest), strings.Join(k.Operations, ","), yes(k.Exportable), stamp(k.CreatedAt), stamp(k.RotatedAt)}
		})})
	}
	return c
}

func (a *app) transitRead() *cobra.Command {
	var public bool
	c := &cobra.Command{Use: "read NAME", Short: "Describe a key", Args: cobra.ExactArgs(1)}
	c.Flags().BoolVar(&public, "public-key", false, "print the public key of the latest version alone, in PEM")
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			k, err := client.TransitKey(ctx, args[0])
			if err != nil {
				return err
			}
			switch {
			case !public:
				return a.showKey(k)
			case k.PublicKey == "":
				return usagef("a key of type %s has no public key", k.Algorithm)
			}
			return a.showPEM(map[string]any{"name": k.Name, "version": k.Latest, "public_key": k.PublicKey}, k.PublicKey)
		})
	}
	return c
}

// showPEM prints text in lines as it is.
func (a *app) showPEM(json any, text string) error {
	if a.output != "json" {
		a.output = "raw"
	}
	return a.show(view{json: json, raw: []byte(text)})
}

func (a *app) transitVersions() *cobra.Command {
	c := &cobra.Command{Use: "versions NAME", Short: "Show the versions of a key, newest first", Args: cobra.ExactArgs(1)}
	c.Long = c.Short + ". MESSAGES are those that nodes may have encrypted under a version, in blocks of 1048576, where their number is bounded.\nThe public keys are in -o json."
	s := sliceFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		h := sdk.TransitHistory{Name: args[0]}
		h.Page, err = gather(a, c, s, func(s sdk.Slice) (sdk.Page[sdk.TransitKeyVersion], error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			page, err := client.TransitKeyVersions(ctx, args[0], s)
			return page.Page, err
		})
		if err != nil {
			return err
		}
		return a.show(view{json: h, head: []string{"VERSION", "CREATED", "BY", "MESSAGES"}, rows: rowsOf(h.Items, func(v sdk.TransitKeyVersion) []string {
			return []string{number(v.Version), stamp(v.CreatedAt), v.CreatedBy, number(v.Messages)}
		})})
	}
	return c
}
