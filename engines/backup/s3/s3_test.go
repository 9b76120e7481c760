package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/test/parts"
)

// bucket is one of a moto server (https://docs.getmoto.org) that ends with the test.
func bucket(t *testing.T) *Bucket {
	program := parts.Need(t, "moto_server", "")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	cmd := exec.Command(program, "-H", host, "-p", port)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	dir := t.TempDir()
	for name, text := range map[string]string{"access": "AKIATEST\n", "secret": "not-a-real-secret\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	b := New(Config{Endpoint: "http://" + address, Bucket: "backups", Prefix: "of/trstctl/", Region: "us-east-1",
		AccessKeyFile: filepath.Join(dir, "access"), SecretKeyFile: filepath.Join(dir, "secret"), HTTP: &http.Client{}})
	require.Eventually(t, func() bool {
		_, err := b.client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("backups")})
		return err == nil
	}, time.Minute, 100*time.Millisecond)
	return b
}

func TestABucketKeepsWhatWasUploadedAsAWhole(t *testing.T) {
	b := bucket(t)
	big := make([]byte, 12<<20) // several parts
	rand.Read(big)
	n, err := b.Put(t.Context(), "trstctl-a-2", func(w io.Writer) error {
		for at := 0; at < len(big); at += 64 << 10 {
			if _, err := w.Write(big[at : at+64<<10]); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.EqualValues(t, len(big), n)
	_, err = b.Put(t.Context(), "trstctl-a-1", func(w io.Writer) error { _, err := w.Write([]byte("small")); return err })
	require.NoError(t, err)
	_, err = b.Put(t.Context(), "other", func(w io.Writer) error { return nil })
	require.NoError(t, err)

	names, err := b.List(t.Context(), "trstctl-a-")
	require.NoError(t, err)
	require.Equal(t, []string{"trstctl-a-1", "trstctl-a-2"}, names)
	r, err := b.Open(t.Context(), "trstctl-a-2")
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, errors.Join(err, r.Close()))
	require.True(t, bytes.Equal(big, got))
	require.NoError(t, b.Remove(t.Context(), "trstctl-a-2"))
	names, err = b.List(t.Context(), "trstctl-a-")
	require.NoError(t, err)
	require.Equal(t, []string{"trstctl-a-1"}, names)
	_, err = b.Open(t.Context(), "trstctl-a-2")
	require.ErrorContains(t, err, "get trstctl-a-2 from bucket backups")
}

func TestAnUploadWhoseSourceFailsIsNotThere(t *testing.T) {
	b := bucket(t)
	broken := errors.New("the view is gone")
	for _, size := range []int{10, 11 << 20} {
		name := fmt.Sprint("trstctl-b-", size)
		_, err := b.Put(t.Context(), name, func(w io.Writer) error {
			_, err := w.Write(make([]byte, size))
			return errors.Join(err, broken)
		})
		require.ErrorIs(t, err, broken)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := b.Put(ctx, "trstctl-b-cancelled", func(w io.Writer) error {
		cancel()
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
		}
	})
	require.Error(t, err)
	names, err := b.List(t.Context(), "trstctl-b-")
	require.NoError(t, err)
	require.Empty(t, names)
}

func TestMissingCredentialsAreNamedByTheirKey(t *testing.T) {
	b := New(Config{Endpoint: "http://127.0.0.1:1", Bucket: "b", Region: "r", AccessKeyFile: "/nowhere", HTTP: &http.Client{}})
	_, err := b.List(t.Context(), "x")
	require.ErrorContains(t, err, "backup.s3.access_key_file: open /nowhere: no such file")
}
