package fsm_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func exported(t testing.TB, s *fsm.Store) []byte {
	v, err := s.View()
	require.NoError(t, err)
	defer v.Close()
	var out bytes.Buffer
	require.NoError(t, v.Export(&out))
	return out.Bytes()
}

func TestASnapshotOfManyFramesComesBackWhole(t *testing.T) {
	p := &script{t: t, s: open(t)}
	for i := range 12 { // of which each fills a frame, beside smaller ones
		e := &fsm.Entry{Tenant: acme}
		e.Add(noted{fmt.Sprint(i), sealedOf(t, strings.Repeat("x", 300<<10))}, noted{fmt.Sprint(i, "s"), sealedOf(t, "x")})
		p.apply(e)
	}
	snapshot := exported(t, p.s)
	index, err := fsm.SnapshotIndex(bytes.NewReader(snapshot))
	require.NoError(t, err)
	require.EqualValues(t, 12, index)
	restored := open(t)
	require.NoError(t, restored.Restore(bytes.NewReader(snapshot)))
	require.Equal(t, digest(t, p.s), digest(t, restored))
	require.Equal(t, snapshot, exported(t, restored), "a snapshot of it has the same bytes")
}

func TestARestoreOutlivesARestart(t *testing.T) {
	p := &script{t: t, s: open(t)}
	p.apply(note(t, "a"), note(t, "b"))
	want, snapshot := digest(t, p.s), exported(t, p.s)

	dir := t.TempDir()
	reopen := func() *fsm.Store {
		s, err := fsm.Open(dir, fsm.NewRegistry(fsm.Builtin, testFeature), fsm.Options{})
		require.NoError(t, err)
		return s
	}
	s := reopen()
	other := &script{t: t, s: s}
	other.apply(note(t, "z"))
	old, err := s.View()
	require.NoError(t, err)
	require.NoError(t, s.Restore(bytes.NewReader(snapshot)))
	require.Equal(t, want, digest(t, s))
	_, found, err := notes.Get(old, fsm.K(acme, "z"))
	require.NoError(t, err)
	require.True(t, found, "a view that is older than the restore reads on")
	require.NoError(t, old.Close())
	require.NoError(t, s.Close())

	require.NoError(t, os.MkdirAll(filepath.Join(dir, "7"), 0o700), "what a crash in a restore leaves behind")
	s = reopen()
	require.Equal(t, want, digest(t, s))
	require.NoError(t, s.Close())
	require.NoDirExists(t, filepath.Join(dir, "7"))
	require.NoDirExists(t, filepath.Join(dir, "1"))
}

// diskSink is where Raft would keep a snapshot.
type diskSink struct{ bytes.Buffer }

func (*diskSink) ID() string    { return "test" }
func (*diskSink) Cancel() error { return nil }
func (*diskSink) Close() error  { return nil }

// TestAPersistedSnapshotCoversTheTables loses the whole write-ahead log after Persist: Raft may have truncated its own by then.
func TestAPersistedSnapshotCoversTheTables(t *testing.T) {
	dir, lost := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	s, err := fsm.Open(dir, fsm.NewRegistry(fsm.Builtin, testFeature), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	p := &script{t: t, s: s}
	p.apply(note(t, "a"))
	p.apply(note(t, "b"))
	want := digest(t, s)
	snap, err := s.FSM().Snapshot()
	require.NoError(t, err)
	p.apply(note(t, "c"))
	var sink diskSink
	require.NoError(t, snap.Persist(&sink))
	snap.Release()
	index, err := fsm.SnapshotIndex(bytes.NewReader(sink.Bytes()))
	require.NoError(t, err)
	require.EqualValues(t, 2, index, "what was pinned")

	require.NoError(t, os.CopyFS(lost, os.DirFS(dir)))
	logs, err := filepath.Glob(filepath.Join(lost, "*", "*.log"))
	require.NoError(t, err)
	require.NotEmpty(t, logs)
	for _, l := range logs {
		require.NoError(t, os.Truncate(l, 0))
	}
	after, err := fsm.Open(lost, fsm.NewRegistry(fsm.Builtin, testFeature), fsm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, after.Close()) })
	require.GreaterOrEqual(t, after.Applied(), index)
	after.FSM().ApplyBatch(p.logs)
	require.Equal(t, digest(t, s), digest(t, after))
	restored := open(t)
	require.NoError(t, restoreBytes(restored, sink.Bytes()))
	require.Equal(t, want, digest(t, restored))
}

// TestALateSnapshotTakesNothingBack: Raft's snapshots only lead forward, an operator's may lead anywhere.
func TestALateSnapshotTakesNothingBack(t *testing.T) {
	p := &script{t: t, s: open(t)}
	p.apply(note(t, "a"))
	early := exported(t, p.s)
	p.apply(note(t, "b"))
	before := digest(t, p.s)
	require.Error(t, p.s.FSM().Restore(io.NopCloser(bytes.NewReader(early))))
	require.Equal(t, before, digest(t, p.s))
	require.NoError(t, restoreBytes(p.s, early))
	require.EqualValues(t, 1, p.s.Applied())
}

// TestNoFlippedBitOfASnapshotChangesAState tries every byte.
func TestNoFlippedBitOfASnapshotChangesAState(t *testing.T) {
	p := &script{t: t, s: open(t)}
	p.apply(note(t, "a"))
	snapshot := exported(t, p.s)
	for at := range snapshot {
		flipped := bytes.Clone(snapshot)
		flipped[at] ^= 1
		index, err := fsm.SnapshotIndex(bytes.NewReader(flipped))
		if err == nil {
			require.EqualValues(t, 1, index)
			require.True(t, len(snapshot)-44 <= at && at < len(snapshot)-40, "byte %d of %d: only the trailer's unused bytes may pass", at, len(snapshot))
			continue
		}
		require.True(t, fault.Is(err, fault.Corrupt), "byte %d: %v", at, err)
		_, err = fsm.SnapshotIndex(bytes.NewReader(snapshot[:at]))
		require.True(t, fault.Is(err, fault.Corrupt), "cut at %d: %v", at, err)
	}
}

// FuzzSnapshot reads any bytes as a snapshot: what is accepted can be restored, and says its index.
func FuzzSnapshot(f *testing.F) {
	s := populated(f)
	whole := exported(f, s)
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add([]byte{})
	f.Add([]byte("trstsnp1"))
	f.Add([]byte("trstsnp1\x00\x00\x00\x05\x00\x00\x00\x00\x01m\x02xx"))
	f.Add([]byte("trstsnp1\xff\xff\xff\xff\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		index, err := fsm.SnapshotIndex(bytes.NewReader(b))
		if err != nil {
			require.True(t, fault.Is(err, fault.Corrupt), "%v", err)
			return
		}
		require.NoError(t, restoreBytes(s, b))
		require.Equal(t, index, s.Applied())
	})
}

func restoreBytes(s *fsm.Store, b []byte) error { return s.Restore(bytes.NewReader(b)) }

// TestASnapshotThatCannotBeReadHereIsRefused has one that is whole, but whose description of itself is of another version.
func TestASnapshotThatCannotBeReadHereIsRefused(t *testing.T) {
	frame := []byte("\x01m\x02xx") // the key of the description, and what stands there
	b := binary.BigEndian.AppendUint32([]byte("trstsnp1"), uint32(len(frame)))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(frame, crc32.MakeTable(crc32.Castagnoli)))
	b = binary.BigEndian.AppendUint64(append(append(b, frame...), make([]byte, 8)...), 1)
	sum := sha256.Sum256(frame)
	b = append(b, sum[:]...)
	p := &script{t: t, s: open(t)}
	p.apply(note(t, "a"))
	before := digest(t, p.s)
	require.Error(t, restoreBytes(p.s, b))
	require.Equal(t, before, digest(t, p.s))
	p.apply(note(t, "b"))
}
