package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/trstctl/trstctl/fsm/durable"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/sdk"
)

const maxPublic = 64 << 10 // bytes of a public key in PEM

// leaving is a key on its way out.
type leaving struct {
	Name    string `json:"name"`
	Version uint64 `json:"version,omitempty"`
	Format  string `json:"format,omitempty"`
	File    string `json:"file,omitempty"`
	Key     []byte `json:"key,omitempty"`    // of a version, in its format
	Backup  []byte `json:"backup,omitempty"` // encrypted, of all of them
}

func (a *app) transitExport() *cobra.Command {
	var version uint64
	var format, to string
	c := &cobra.Command{Use: "export NAME [FILE|-]", Short: "Show a version of an exportable key, or give all of them to another tenant", Args: cobra.RangeArgs(1, 2)}
	c.Long = `Write the private material of a version of an exportable key to a new file that you alone can read, or without one to stdout as trstctl secret
get does. With --to, all versions are encrypted to the wrapping key of another tenant or cluster, as trstctl transit wrapping-key printed it there, and
trstctl transit key restore takes them there.`
	c.Flags().Uint64Var(&version, "version", 0, "the version; the latest unless given")
	c.Flags().StringVar(&format, "format", "", "raw (default, of a symmetric key), pkcs8 or pem (default, of another)")
	c.Flags().StringVar(&to, "to", "", "PEM file of another wrapping key")
	c.RunE = func(c *cobra.Command, args []string) error {
		if to != "" && (version != 0 || format != "") {
			return usagef("--to takes all versions in a format of its own: leave --version and --format out")
		}
		client, err := a.client()
		if err != nil {
			return err
		}
		if to != "" {
			return a.exportTo(c, client, args, to)
		}
		return a.leave(args, func() (leaving, error) {
			ctx, cancel := a.call(c.Context())
			defer cancel()
			m, err := client.ExportTransitKey(ctx, args[0], version, format)
			return leaving{Name: m.Name, Version: m.Version, Format: m.Format, Key: m.Key}, err
		})
	}
	return c
}

func (a *app) exportTo(c *cobra.Command, client *sdk.Client, args []string, file string) error {
	public, err := readFile(file, maxPublic, "the wrapping key")
	if err != nil {
		return err
	}
	return a.leave(args, func() (leaving, error) {
		ctx, cancel := a.call(c.Context())
		defer cancel()
		b, err := client.ExportTransitKeyTo(ctx, args[0], string(public))
		return leaving{Name: args[0], Backup: b}, err
	})
}

// leave fetches a key and puts it where the second argument says: into a new file, or to stdout.
func (a *app) leave(args []string, fetch func() (leaving, error)) error {
	file := append(args, "-")[1]
	if err := free(file); err != nil {
		return err
	}
	l, err := fetch()
	if err != nil {
		return err
	}
	b := append(l.Key, l.Backup...) // one of them is empty
	defer clear(b)
	if file == "-" {
		return a.showLeaving(l, b)
	}
	if err := writeNew(file, b); err != nil {
		return err
	}
	l.File, l.Key, l.Backup = file, nil, nil
	return a.show(view{json: l, rows: fields("written", file, "key", l.Name)})
}

// free refuses a file that is there, and one that cannot be, before a key travels for nothing.
func free(file string) error {
	if file == "-" {
		return nil
	}
	if _, err := os.Stat(filepath.Dir(file)); err != nil {
		return usagef("write the key: %v", err)
	}
	if _, err := os.Lstat(file); !errors.Is(err, os.ErrNotExist) {
		return errors.Join(fault.New(fault.Conflict, "%s is taken: a key is never written over a file, choose another name", file), err)
	}
	return nil
}

// showLeaving prints a key as showPlain does, and PEM as the text that it is.
func (a *app) showLeaving(l leaving, b []byte) error {
	if l.Format == "pem" && a.output != "json" {
		a.output = "raw"
	}
	return a.showPlain(l, b)
}

// writeNew leaves a file that is whole and on the disk, or none.
func writeNew(file string, b []byte) (err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(file))
			return
		}
		err = durable.SyncDir(filepath.Dir(file))
	}()
	if _, err := f.Write(b); err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	return f.Sync()
}

func (a *app) transitBackup() *cobra.Command {
	c := &cobra.Command{Use: "backup NAME [FILE|-]", Short: "Write a key with all its versions to a file, encrypted", Args: cobra.RangeArgs(1, 2)}
	c.Long = `Write a key with all its versions to a new file, encrypted to the wrapping key of the tenant, which is made if there is none: it opens in this tenant
of this cluster, or of one restored from its backups, and nowhere else. Without a file it goes to stdout as with trstctl secret get.`
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		return a.leave(args, func() (leaving, error) {
			ctx, cancel := context.WithTimeout(c.Context(), a.timeout)
			defer cancel()
			b, err := backupOf(ctx, client, args[0])
			return leaving{Name: args[0], Backup: b}, err
		})
	}
	return c
}

// backupOf makes the wrapping key when that is what cannot be found.
func backupOf(ctx context.Context, client *sdk.Client, name string) ([]byte, error) {
	b, err := client.BackupTransitKey(ctx, name)
	if !sdk.Is(err, sdk.Conflict) {
		return b, err
	}
	if _, err := client.WrappingKey(ctx); err != nil {
		return nil, err
	}
	return client.BackupTransitKey(ctx, name)
}

func (a *app) transitRestore() *cobra.Command {
	return &cobra.Command{Use: "restore NAME FILE|-", Short: "Bring a key back from a backup", Args: cobra.ExactArgs(2),
		Long: "Bring a key back from a backup, or from an export to this tenant's wrapping key, under its name or another. What it has encrypted opens again.",
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			saved, err := a.document(args[1], maxMessage, "the backup")
			if err != nil {
				return err
			}
			ctx, cancel := a.call(c.Context())
			defer cancel()
			v, err := client.RestoreTransitKey(ctx, args[0], saved)
			return a.showChanged(ctx, client, v, err)
		}}
}

func (a *app) transitWrappingKey() *cobra.Command {
	var rotate bool
	c := &cobra.Command{Use: "wrapping-key", Short: "Print the public key to which imports, and exports to this tenant, are wrapped", Args: cobra.NoArgs,
		Long: "Print, in PEM, the public key to which imports, and exports to this tenant, are wrapped. It is made if there is none yet."}
	c.Flags().BoolVar(&rotate, "rotate", false, "make a new one; what was wrapped to former ones is taken still")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return a.withClient(c, func(ctx context.Context, client *sdk.Client) error {
			get := client.WrappingKey
			if rotate {
				get = client.RotateWrappingKey
			}
			w, err := get(ctx)
			if err != nil {
				return err
			}
			return a.showPEM(w, w.PublicKey)
		})
	}
	return c
}
