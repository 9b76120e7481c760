package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/backup"
	"github.com/trstctl/trstctl/fsm"
)

// sending answers with these bytes, and cuts the connection behind them unless whole.
func sending(t *testing.T, b []byte, whole bool) *rig {
	r := &rig{}
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(b) // who has gone has gone
		if !whole {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	r.env = map[string]string{"TRSTCTL_ADDR": s.URL, "TRSTCTL_CACERT": ca, "TRSTCTL_TOKEN": "trs.me"}
	return r
}

// sealed is a file that is complete by its checksum, as engines/backup lays it out; nobody can open it.
func sealed(t *testing.T) []byte {
	head, err := fsm.Encode(backup.Header{Node: "n1", Epoch: 1, Index: 7})
	require.NoError(t, err)
	b := append(binary.BigEndian.AppendUint32([]byte("trstbak1"), uint32(len(head))), head...)
	b = append(b, make([]byte, sha256.Size)...)
	b = append(binary.BigEndian.AppendUint32(b, 1<<31|100), make([]byte, 100)...)
	sum := sha256.Sum256(b)
	return append(binary.BigEndian.AppendUint64(append(b, "trstend1"...), uint64(len(b))), sum[:]...)
}

// TestNothingButACompleteBackupGetsItsName: an empty answer, one that is cut, and one that only looks complete to HTTP.
func TestNothingButACompleteBackupGetsItsName(t *testing.T) {
	full := sealed(t)
	for name, c := range map[string]struct {
		bytes []byte
		whole bool
		code  int
		says  string
	}{
		"complete":          {full, true, exitOK, ""},
		"empty":             {nil, true, exitFailure, "the backup is not complete: it ends before its header"},
		"cut":               {full[:len(full)/2], false, exitUnavailable, "the snapshot ended early"},
		"cut at its end":    {full, false, exitUnavailable, "the snapshot ended early"},
		"half, and content": {full[:len(full)/2], true, exitFailure, "the backup is not complete"},
		"no end marker":     {full[:len(full)-48], true, exitFailure, "the backup is not complete: it ends before its end marker"},
		"something else":    {[]byte("<html>a proxy's page</html>"), true, exitFailure, "that is not a backup of trstctl"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "backup")
			r := sending(t, c.bytes, c.whole)
			require.Equal(t, c.code, r.run(t, "operator", "snapshot", "save", file), r.err.String())
			require.Contains(t, r.err.String(), c.says)
			require.NoFileExists(t, file+".partial")
			if c.code != exitOK {
				require.NoFileExists(t, file)
				require.Empty(t, r.out.String())
				return
			}
			kept, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, full, kept)
			info, err := os.Stat(file)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		})
	}
}
