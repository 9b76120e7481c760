package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/trstctl/trstctl/sdk"
)

func issuedHere(t *testing.T) sdk.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return sdk.Certificate{PrivateKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), Certificate: text, Chain: text, CACertificate: text, SerialNumber: "1"}
}

func TestAKeyIsWrittenForItsOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "www")
	f := certificateFiles{dir: dir}
	require.NoError(t, f.prepare(&app{}))
	got, err := f.keep(issuedHere(t))
	require.NoError(t, err)
	require.Empty(t, got.Key, "what is in a file is not printed")
	for _, path := range got.Files {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.EqualValues(t, 0o600, info.Mode().Perm())
	}
	require.Error(t, f.prepare(&app{}), "nothing is written over it")
	f.overwrite = true
	require.NoError(t, f.prepare(&app{}))
	before, err := os.ReadFile(got.Files[0])
	require.NoError(t, err)
	_, err = f.keep(issuedHere(t))
	require.NoError(t, err)
	after, err := os.ReadFile(got.Files[0])
	require.NoError(t, err)
	require.NotEqual(t, before, after)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 3, "no file of a moment is left")
}

func TestNothingIsAskedForThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.True(t, isUsage((&certificateFiles{dir: filepath.Join(file, "below")}).prepare(&app{})))
	require.True(t, isUsage((&certificateFiles{p12: filepath.Join(t.TempDir(), "x.p12"), passwordFile: "secret"}).prepare(&app{})))
}

func TestABundleOpensWithItsPassword(t *testing.T) {
	a := &app{in: strings.NewReader("a password\n")}
	f := certificateFiles{p12: filepath.Join(t.TempDir(), "a.p12"), passwordFile: "-"}
	require.NoError(t, f.prepare(a))
	got, err := f.keep(issuedHere(t))
	require.NoError(t, err)
	require.Empty(t, got.Key)
	b, err := os.ReadFile(f.p12)
	require.NoError(t, err)
	_, c, above, err := pkcs12.DecodeChain(b, "a password")
	require.NoError(t, err)
	require.Equal(t, "a", c.Subject.CommonName)
	require.Len(t, above, 2)
	_, _, _, err = pkcs12.DecodeChain(b, "another")
	require.ErrorIs(t, err, pkcs12.ErrIncorrectPassword)
}
