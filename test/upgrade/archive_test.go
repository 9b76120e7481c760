package upgrade

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// An archive holds data/, the directory of a stopped node; kek, its key file; and contents.json.
const dataPrefix = "data"

func pack(t *testing.T, archive, data, kek string, made contents) {
	stage := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(stage, dataPrefix), os.DirFS(data)))
	key, err := os.ReadFile(kek)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(stage, "kek"), key, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(stage, "contents.json"), made.marshal(t), 0o600))
	f, err := os.Create(archive)
	require.NoError(t, err)
	zip, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	require.NoError(t, err)
	w := tar.NewWriter(zip)
	require.NoError(t, w.AddFS(os.DirFS(stage)))
	require.NoError(t, errors.Join(w.Close(), zip.Close(), f.Close()))
}

// unpack puts an archive's data directory and key file where a node looks for them.
func unpack(t *testing.T, archive, data, kek string) (made contents) {
	f, err := os.Open(archive)
	require.NoError(t, err)
	defer f.Close()
	zip, err := gzip.NewReader(f)
	require.NoError(t, err)
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return made
		}
		require.NoError(t, err)
		switch {
		case h.Typeflag == tar.TypeDir:
		case h.Name == "contents.json":
			require.NoError(t, json.NewDecoder(r).Decode(&made))
		case h.Name == "kek":
			write(t, kek, r)
		default:
			name, err := filepath.Rel(dataPrefix, h.Name)
			require.NoError(t, err)
			require.True(t, filepath.IsLocal(name), h.Name)
			write(t, filepath.Join(data, name), r)
		}
	}
}

func write(t *testing.T, path string, r io.Reader) {
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	require.NoError(t, err)
	_, err = io.Copy(f, r)
	require.NoError(t, errors.Join(err, f.Close()))
}
