package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/trstctl/trstctl/fsm/durable"
	"github.com/trstctl/trstctl/sdk"
)

// certificateFiles say where a key and its certificate go. Without dir and p12 they are printed.
type certificateFiles struct {
	dir, p12, passwordFile string
	overwrite              bool
	password               sdk.Secret
}

func (f *certificateFiles) flags(c *cobra.Command) {
	c.Flags().StringVar(&f.dir, "out", "", "directory for tls.key, tls.crt and ca.crt; it is made if it is not there")
	c.Flags().StringVar(&f.p12, "p12", "", "PKCS#12 file for all of them")
	c.Flags().StringVar(&f.passwordFile, "p12-password", "-", "@FILE with the password of the PKCS#12 file, or - for the terminal or stdin")
	c.Flags().BoolVar(&f.overwrite, "overwrite", false, "write over files that are there, each at once: for renewals")
	c.MarkFlagsMutuallyExclusive("out", "p12")
}

func (f *certificateFiles) paths() []string {
	if f.p12 != "" {
		return []string{f.p12}
	}
	return []string{filepath.Join(f.dir, "tls.key"), filepath.Join(f.dir, "tls.crt"), filepath.Join(f.dir, "ca.crt")}
}

// prepare makes the directory, refuses what is there already or cannot be written, and reads the password.
func (f *certificateFiles) prepare(a *app) (err error) {
	if f.dir == "" && f.p12 == "" {
		return nil
	}
	for _, path := range f.paths() {
		if !f.overwrite {
			err = errors.Join(err, vacant(path))
		}
	}
	if err == nil {
		err = writable(filepath.Dir(f.paths()[0]))
	}
	if err != nil || f.p12 == "" {
		return err
	}
	file, named := strings.CutPrefix(f.passwordFile, "@")
	if !named && f.passwordFile != "-" {
		return usagef("--p12-password is @FILE, or - for the terminal or stdin: on the command line others see it")
	}
	f.password, err = password(a, file, "password of the PKCS#12 file")
	return err
}

func (f *certificateFiles) clear() { clear(f.password) }

// keep writes what was issued.
func (f *certificateFiles) keep(c sdk.Certificate) (out issuedCertificate, err error) {
	out = issuedCertificate{Key: sdk.Text(c.PrivateKey), Certificate: c}
	if f.dir == "" && f.p12 == "" {
		return out, nil
	}
	contents := [][]byte{c.PrivateKey, []byte(c.Certificate + c.Chain), []byte(c.CACertificate)}
	if f.p12 != "" {
		b, err := bundle(c, f.password)
		if err != nil {
			return out, err
		}
		contents = [][]byte{b}
	}
	for i, path := range f.paths() {
		if err := f.write(path, contents[i]); err != nil {
			return out, failure{fmt.Errorf("certificate %s is issued, but not all of it is written: %w: once that is mended, issue another, and revoke this one (trstctl pki certificate revoke %s)",
				c.SerialNumber, err, c.SerialNumber)}
		}
	}
	out.Key, out.Files = nil, f.paths()
	return out, nil
}

func (f *certificateFiles) write(path string, b []byte) error {
	if !f.overwrite {
		return writeNew(path, b)
	}
	return replace(path, b)
}

// replace puts a file in the place of another at once, readable by its owner alone.
func replace(path string, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".trstctl-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

// bundle is PKCS#12 with the key, the certificate and those above it (RFC 7292; AES-256 and PBKDF2).
func bundle(c sdk.Certificate, password sdk.Secret) ([]byte, error) {
	block, _ := pem.Decode(c.PrivateKey)
	if block == nil {
		return nil, errors.New("the key in the answer cannot be read")
	}
	defer clear(block.Bytes)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the key in the answer cannot be read: %w", err)
	}
	all, err := certificatesIn(c.Certificate + c.Chain + c.CACertificate)
	if err != nil || len(all) == 0 {
		return nil, fmt.Errorf("the certificate in the answer cannot be read: %w", err)
	}
	return pkcs12.Modern2023.Encode(key, all[0], all[1:], string(password))
}

func certificatesIn(text string) (all []*x509.Certificate, err error) {
	for rest := []byte(text); ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return all, nil
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
}
