package backup

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestABackupHoldsTheStateAndOpensWithASealAlone(t *testing.T) {
	r := newRig(t, 300) // several chunks
	before := r.view()
	file := r.save()
	r.note("later", []byte("not in it"))
	require.NoError(t, check(file))

	l, err := load(t, file, r.kek)
	require.NoError(t, err)
	v, err := l.Store.View()
	require.NoError(t, err)
	defer v.Close()
	want, err := fsm.Digest(t.Context(), before)
	require.NoError(t, err)
	got, err := fsm.Digest(t.Context(), v)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, before.Index(), v.Index())

	keys := keyring.New(cluster, r.kek)
	require.NoError(t, keys.Unseal(t.Context(), v))
	row, found, err := notes.Get(v, fsm.K("n0123"))
	require.NoError(t, err)
	require.True(t, found)
	value, err := keys.Open(v, place("n0123"), row.Value)
	require.NoError(t, err)
	require.Equal(t, bytes.Repeat([]byte{123}, 1000), value)
	_, found, err = notes.Get(v, fsm.K("later"))
	require.NoError(t, err)
	require.False(t, found)
}

func TestTheHeaderCanBeReadByEverybody(t *testing.T) {
	r := newRig(t, 3)
	f, err := Read(bytes.NewReader(r.save()))
	require.NoError(t, err)
	h := f.Header()
	v := r.view()
	records, head := v.Head()
	digest, err := fsm.Digest(t.Context(), v)
	require.NoError(t, err)
	h.Keys = keyring.BackupKeys{}
	require.Equal(t, Header{Cluster: cluster, Node: "n1", Version: 1, Epoch: 1, Index: v.Index(), Term: 3, At: v.Now(), Taken: 99, Records: records, Head: head, Digest: digest}, h)
	names, err := f.Header().Keys.Seals()
	require.NoError(t, err)
	require.Equal(t, []string{"file"}, names)
}

func TestAFileThatEndsTooEarlyIsRefusedWhereverItEnds(t *testing.T) {
	r := newRig(t, 130)
	file := r.save()
	front := frontOf(file)
	for n := 0; n < len(file); n++ {
		if n > front+200 && n < len(file)-200 && n%997 != 0 {
			continue // every length near the borders, some between
		}
		err := check(file[:n])
		require.True(t, fault.Is(err, fault.Corrupt), "%d of %d bytes: %v", n, len(file), err)
	}
	for _, n := range []int{front + 3, front + 70_000, len(file) - trailerSize, len(file) - 1} {
		_, err := load(t, file[:n], r.kek)
		require.ErrorContains(t, err, "not complete", "%d of %d bytes", n, len(file))
	}
}

// TestNoBitCanBeFlipped changes bytes as damage does, which the checksum shows, and as a forger does, who makes it anew.
func TestNoBitCanBeFlipped(t *testing.T) {
	r := newRig(t, 70)
	file := r.save()
	front := frontOf(file)
	for i := range file {
		if i > front+40 && i < len(file)-trailerSize-40 && i%1009 != 0 {
			continue
		}
		bad := bytes.Clone(file)
		bad[i] ^= 0x10
		require.Error(t, check(bad), "byte %d", i)
		if i >= len(file)-trailerSize {
			continue
		}
		_, err := load(t, resum(bad), r.kek)
		require.Error(t, err, "byte %d, with a checksum that fits", i)
	}
}

func TestChunksCannotBeRearranged(t *testing.T) {
	r := newRig(t, 300)
	file, other := r.save(), r.save()
	front, size := frontOf(file), 4+chunkSize+tagSize
	at := func(f []byte, n int) []byte { return f[front+n*size : front+(n+1)*size] }
	join := func(parts ...[]byte) []byte {
		return resum(append(bytes.Join(parts, nil), make([]byte, trailerSize)...))
	}
	rest := file[front+2*size : len(file)-trailerSize]
	for name, bad := range map[string][]byte{
		"swapped":           join(file[:front], at(file, 1), at(file, 0), rest),
		"one left out":      join(file[:front], at(file, 0), rest),
		"one twice":         join(file[:front], at(file, 0), at(file, 0), at(file, 1), rest),
		"of another backup": join(file[:front], at(other, 0), at(file, 1), rest),
		"another's header":  join(other[:front], at(file, 0), at(file, 1), rest),
	} {
		_, err := load(t, bad, r.kek)
		require.True(t, fault.Is(err, fault.Corrupt), "%s: %v", name, err)
	}
	last := bytes.Clone(at(file, 1))
	last[0] |= 0x80
	_, err := load(t, join(file[:front], at(file, 0), last), r.kek)
	require.ErrorContains(t, err, "chunk 1 does not open", "a chunk in the middle does not become the last")
	_, err = load(t, append(bytes.Clone(file), 0), r.kek)
	require.ErrorContains(t, err, "something follows its end")
}

func TestAnotherSealIsToldWhichWouldOpen(t *testing.T) {
	r := newRig(t, 1)
	path := filepath.Join(t.TempDir(), "kek")
	require.NoError(t, seal.Keygen(path))
	wrong, err := seal.OpenFile(path)
	require.NoError(t, err)
	_, err = load(t, r.save(), wrong)
	require.True(t, fault.Is(err, fault.Denied), "%v", err)
	require.ErrorContains(t, err, "it opens with any of: file")
	_, err = load(t, r.save())
	require.True(t, fault.Is(err, fault.Denied), "no seal at all: %v", err)
}

func TestASealedNodeTakesNoBackup(t *testing.T) {
	r := newRig(t, 1)
	r.keys.Close()
	_, err := Prepare(t.Context(), r.view(), r.keys, cluster, "n1", 1)
	require.True(t, fault.Is(err, fault.Sealed), "%v", err)
}

func TestAnUnsealedNodeOpensABackupWithoutItsSeals(t *testing.T) {
	r := newRig(t, 10)
	f, err := Read(bytes.NewReader(r.save()))
	require.NoError(t, err)
	key, err := r.keys.OpenBackup(f.Header().Keys)
	require.NoError(t, err)
	defer key.Close()
	content, err := f.Unlock(key)
	require.NoError(t, err)
	l, err := f.Load(t.Context(), t.TempDir(), registry(), content)
	require.NoError(t, err)
	require.NoError(t, l.Store.Close())
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
		require.Equal(t, "[redacted]", fmt.Sprintf(verb, key))
	}
	b, err := json.Marshal(key)
	require.NoError(t, err)
	require.Equal(t, `"[redacted]"`, string(b))
}

// TestOtherFilesAreNamed also shows that what no reader could have written does not cost memory.
func TestOtherFilesAreNamed(t *testing.T) {
	file := newRig(t, 1).save()
	newer := bytes.Clone(file)
	newer[7] = '2'
	huge := bytes.Clone(file)
	huge[8] = 0xff
	for want, bad := range map[string][]byte{
		"is not a backup of trstctl": []byte("PK\x03\x04 something else"),
		"this binary reads":          newer,
		"impossible length":          huge,
		"it ends before its header":  {},
	} {
		_, err := Read(bytes.NewReader(bad))
		require.ErrorContains(t, err, want)
	}
	gone := errors.New("the disk is gone")
	f, err := Read(io.MultiReader(bytes.NewReader(file[:frontOf(file)]), iotest.ErrReader(gone)))
	require.NoError(t, err)
	require.ErrorIs(t, f.Check(), gone)
}

func TestAWriterThatFailsLeavesNoBackup(t *testing.T) {
	r := newRig(t, 100)
	file := r.save()
	for _, room := range []int{0, 10, frontOf(file) + 5, len(file) - 1} {
		b, err := Prepare(t.Context(), r.view(), r.keys, cluster, "n1", 99)
		require.NoError(t, err)
		require.ErrorIs(t, b.Write(t.Context(), &short{room: room}), io.ErrShortWrite, "%d bytes", room)
		b.Close()
	}
}

// short takes so many bytes and no more.
type short struct{ room int }

func (s *short) Write(b []byte) (int, error) {
	n := min(len(b), s.room)
	s.room -= n
	if n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// FuzzRead reads anything without a key. What passes Check has the end marker of its own content, so nothing was made up on the way.
func FuzzRead(f *testing.F) {
	f.Add([]byte(magic))
	f.Add(append([]byte(magic), 0, 0, 0, 1, 0xa0))
	head, err := fsm.Encode(Header{Cluster: cluster, Node: "n1"})
	require.NoError(f, err)
	body := append(binary.BigEndian.AppendUint32([]byte(magic), uint32(len(head))), head...)
	body = append(body, make([]byte, macSize)...)
	body = append(binary.BigEndian.AppendUint32(body, finalBit|17), make([]byte, 17)...)
	f.Add(resum(append(body, make([]byte, trailerSize)...)))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Read(bytes.NewReader(b))
		if err != nil {
			require.NotEqual(t, fault.Internal, fault.KindOf(err), "%v", err)
			return
		}
		if _, err := file.Header().Keys.Seals(); err != nil {
			require.NotEmpty(t, err.Error())
		}
		if err := file.Check(); err == nil {
			require.Equal(t, b, resum(b))
		}
	})
}
