package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/backup"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestASnapshotIsACompleteBackupOfTheState(t *testing.T) {
	b := newBench(t)
	has("a/b")(b)
	got := b.get("/sys/snapshot", b.root).is(200)
	require.Equal(t, "application/octet-stream", got.header.Get("Content-Type"))
	f, err := backup.Read(bytes.NewReader(got.body))
	require.NoError(t, err)
	require.NoError(t, f.Check())
	v, err := b.store.View()
	require.NoError(t, err)
	defer v.Close()
	want, err := fsm.Digest(t.Context(), v)
	require.NoError(t, err)
	require.Equal(t, want, f.Header().Digest)
	b.get("/sys/snapshot?at=stale", b.root).refused(fault.Invalid, "at")
	b.get("/sys/snapshot", b.tenant("acme")).refused(fault.NotFound, "")
}

// TestASnapshotIsOnRecordBeforeItLeaves: it holds everything, so nobody gets a byte of one that is not.
func TestASnapshotIsOnRecordBeforeItLeaves(t *testing.T) {
	b := newBench(t)
	b.journals.fail(fault.New(fault.NoSpace, "the journal cannot be written"))
	got := b.get("/sys/snapshot", b.root).refused(fault.NoSpace, "")
	require.NotContains(t, string(got.body), "trstbak")
	b.journals.fail(nil)
	b.get("/sys/snapshot", b.root).is(200)
	items := b.get("/audit/events?source=reads&type=sys.snapshot", b.root).is(200).reply()["items"].([]any)
	require.Len(t, items, 1)
}

// TestASnapshotThatCannotGoOnIsCutOff: a caller must not take a part for the whole.
func TestASnapshotThatCannotGoOnIsCutOff(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Snapshots = breaking{} })
	s := httptest.NewServer(b.handler)
	defer s.Close()
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+base+"/sys/snapshot", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+b.root)
	resp, err := s.Client().Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.ReadAll(resp.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.False(t, b.api.verifying.Load(), "the next walk may begin")
}

// breaking sends some bytes and fails.
type breaking struct{}

func (breaking) Snapshot(context.Context, *fsm.View) (Snapshot, error) { return breaking{}, nil }
func (breaking) Close()                                                {}
func (breaking) Write(_ context.Context, w io.Writer) error {
	_, err := w.Write(make([]byte, 100_000))
	return errors.Join(err, errors.New("the disk is gone"))
}
