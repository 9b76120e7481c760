package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/sdk"
)

// note tells people something that is no part of the answer.
func (a *app) note(text string) error {
	_, err := fmt.Fprintln(a.err, text)
	return err
}

// clientFiles are the files of a client: DIR/NAME.key, DIR/NAME.pem and DIR/ca.pem. Without dir there are none.
type clientFiles struct {
	dir, name        string
	key, certificate bool   // whether there will be one
	roots            string // PEM; empty: they could not be had, because of
	without          error
}

func (f *clientFiles) keyFile() string         { return filepath.Join(f.dir, f.name+".key") }
func (f *clientFiles) certificateFile() string { return filepath.Join(f.dir, f.name+".pem") }
func (f *clientFiles) rootsFile() string       { return filepath.Join(f.dir, "ca.pem") }

// prepare fetches the roots and makes the directory, and refuses what is there already or cannot be written.
func (f *clientFiles) prepare(ctx context.Context, a *app, client *sdk.Client) (err error) {
	if f.dir == "" {
		return nil
	}
	if f.certificate && f.certificateFile() == f.rootsFile() {
		return usagef("the certificate of a client called %q would have the file of the roots: leave --out out", f.name)
	}
	if f.key {
		err = vacant(f.keyFile())
	}
	if f.certificate {
		err = errors.Join(err, vacant(f.certificateFile()))
	}
	if err != nil {
		return err
	}
	if err := f.fetchRoots(ctx, a, client); err != nil {
		return err
	}
	if err := rootsFit(f.rootsFile(), f.roots); err != nil {
		return err
	}
	return writable(f.dir)
}

// fetchRoots goes without them where there are none, or none for this token: they can be had later.
func (f *clientFiles) fetchRoots(ctx context.Context, a *app, client *sdk.Client) (err error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout) // without --idempotency-key, which is the change's
	defer cancel()
	f.roots, err = client.KMIPRoots(ctx)
	if sdk.Is(err, sdk.NotFound) || sdk.Is(err, sdk.Denied) {
		f.without, err = err, nil
	}
	return err
}

// keep writes what was made, the key first.
func (f *clientFiles) keep(a *app, made sdk.KMIPIssued) (enrolled, error) {
	e := enrolled{Key: sdk.Text(made.PrivateKey), KMIPIssued: made}
	if f.dir == "" {
		return e, nil
	}
	err := f.write(&e)
	switch {
	case err == nil && f.without != nil:
		err = a.note(fmt.Sprintf("%s is not written: %s; trstctl kmip server roots --out %s writes it later", clean(f.rootsFile()), clean(f.without.Error()), shellWord(f.rootsFile())))
	case err != nil:
		err = failure{fmt.Errorf("client %q is known by it, but not all of its files are written: %w: once that is mended, trstctl kmip client renew %s --out DIR makes others",
			made.Name, err, shellWord(made.Name))}
	}
	return e, err
}

func (f *clientFiles) write(e *enrolled) error {
	if len(e.Key) > 0 {
		if err := writeNew(f.keyFile(), e.Key); err != nil {
			return err
		}
		e.Key, e.KeyFile = nil, f.keyFile()
	}
	if f.certificate {
		if err := writeNew(f.certificateFile(), []byte(e.Certificate)); err != nil {
			return err
		}
		e.CertificateFile = f.certificateFile()
	}
	if f.roots == "" {
		return nil
	}
	e.RootsFile = f.rootsFile()
	return keepRoots(f.rootsFile(), f.roots)
}

// vacant refuses a file that is there.
func vacant(file string) error {
	_, err := os.Lstat(file)
	switch {
	case err == nil:
		return fault.New(fault.Conflict, "%s is there, and nothing is written over it: choose another --out, or move it away", file)
	case errors.Is(err, os.ErrNotExist):
		return nil
	}
	return usagef("--out: %v", err)
}

// rootsFit refuses a file that holds anything else. Without roots there is nothing to refuse.
func rootsFit(file, roots string) error {
	if roots == "" {
		return nil
	}
	if b, err := os.ReadFile(file); err == nil && string(b) == roots {
		return nil
	}
	return vacant(file)
}

// keepRoots writes a file that rootsFit has let pass.
func keepRoots(file, roots string) error {
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	return writeNew(file, []byte(roots))
}

// writable makes a directory, and tries whether files can be made in it.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return usagef("--out: %v", err)
	}
	f, err := os.CreateTemp(dir, ".trstctl-*")
	if err != nil {
		return usagef("--out: %v", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
