package logstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm/fault"
)

func each(t *testing.T, f func(t *testing.T, kind string)) {
	for _, kind := range []string{Bolt, WAL} {
		t.Run(kind, func(t *testing.T) { f(t, kind) })
	}
}

func open(t *testing.T, kind, dir string) *Store {
	s, err := Open(kind, dir, Options{})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func entry(i uint64) *raft.Log {
	return &raft.Log{Index: i, Term: 3, Type: raft.LogCommand, Data: []byte(strings.Repeat(fmt.Sprintf("entry %d ", i), 20)), Extensions: []byte{7}}
}

func fill(t *testing.T, s *Store, from, to uint64) {
	for i := from; i <= to; i++ {
		require.NoError(t, s.StoreLog(entry(i)))
	}
}

func holds(t *testing.T, s *Store, from, to uint64) {
	t.Helper()
	first, err := s.FirstIndex()
	require.NoError(t, err)
	last, err := s.LastIndex()
	require.NoError(t, err)
	require.Equal(t, [2]uint64{from, to}, [2]uint64{first, last})
	for i := from; i <= to && i > 0; i++ {
		var l raft.Log
		require.NoError(t, s.GetLog(i, &l))
		require.Equal(t, string(entry(i).Data), string(l.Data))
		require.Equal(t, entry(i).Extensions, l.Extensions)
	}
	for _, i := range []uint64{from - 1, to + 1} {
		if i > 0 {
			require.ErrorIs(t, s.GetLog(i, new(raft.Log)), raft.ErrLogNotFound)
		}
	}
	require.NoError(t, s.Check(t.Context(), from))
}

func TestEntriesSurvive(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		dir := t.TempDir()
		s := open(t, kind, dir)
		fill(t, s, 1, 50)
		holds(t, s, 1, 50)
		require.NoError(t, s.Close())
		s = open(t, kind, dir)
		holds(t, s, 1, 50)
	})
}

func TestTruncationAtBothEnds(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		s := open(t, kind, t.TempDir())
		fill(t, s, 1, 50)
		require.NoError(t, s.DeleteRange(1, 10))
		holds(t, s, 11, 50)
		require.NoError(t, s.DeleteRange(41, 50))
		holds(t, s, 11, 40)
		fill(t, s, 41, 45)
		holds(t, s, 11, 45)
	})
}

func TestAConflictingEndIsReplacedAlsoInMemory(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		s := open(t, kind, t.TempDir())
		fill(t, s, 1, 5)
		require.NoError(t, s.DeleteRange(4, 5))
		other := entry(4)
		other.Term, other.Data = 9, []byte("another")
		require.NoError(t, s.StoreLog(other))
		var l raft.Log
		require.NoError(t, s.GetLog(4, &l))
		require.Equal(t, "another", string(l.Data))
		require.Equal(t, uint64(9), l.Term)
		require.ErrorIs(t, s.GetLog(5, &l), raft.ErrLogNotFound)
	})
}

// TestATruncatedEndSurvivesARestart is what a deposed leader does whose last entries were never committed, and then a crash.
func TestATruncatedEndSurvivesARestart(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		dir := t.TempDir()
		s, last := open(t, kind, dir), uint64(0)
		for round := range uint64(4) {
			fill(t, s, last+1, last+10)
			last += 10 - round
			require.NoError(t, s.DeleteRange(last+1, last+round))
			fill(t, s, last+1, last+1)
			last++
			holds(t, s, 1, last)
			require.NoError(t, s.Close())
			s = open(t, kind, dir)
			holds(t, s, 1, last)
		}
	})
}

func TestStableValues(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		dir := t.TempDir()
		s := open(t, kind, dir)
		_, err := s.GetUint64([]byte("CurrentTerm"))
		require.EqualError(t, err, "not found")
		require.NoError(t, s.SetUint64([]byte("CurrentTerm"), 1<<40))
		require.NoError(t, s.Set([]byte("LastVoteCand"), []byte("n2")))
		require.NoError(t, s.Close())
		s = open(t, kind, dir)
		n, err := s.GetUint64([]byte("CurrentTerm"))
		require.NoError(t, err)
		require.Equal(t, uint64(1<<40), n)
		v, err := s.Get([]byte("LastVoteCand"))
		require.NoError(t, err)
		require.Equal(t, "n2", string(v))
	})
}

// TestAFlippedByteIsNamed damages the files where entries stand and expects that no wrong entry is ever returned, and that what is found
// says so.
func TestAFlippedByteIsNamed(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		dir := t.TempDir()
		s := open(t, kind, dir)
		fill(t, s, 1, 200)
		require.NoError(t, s.Close())
		for n := range 12 {
			path, at, restore := flip(t, filepath.Join(dir, kind), fmt.Sprintf("entry %d ", 10+n*15))
			s, err := Open(kind, dir, Options{})
			if err == nil {
				err = s.Check(context.Background(), 1)
				s.Close()
			}
			require.True(t, fault.Is(err, fault.Corrupt), "byte %d of %s: %v", at, path, err)
			require.ErrorContains(t, err, dir)
			restore()
		}
		holds(t, open(t, kind, dir), 1, 200)
	})
}

// flip changes a byte of the first place in dir's files that holds text.
func flip(t *testing.T, dir, text string) (path string, at int, restore func()) {
	files, err := filepath.Glob(dir + "/*")
	require.NoError(t, err)
	for _, path := range files {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		if at = strings.Index(string(b), text); at < 0 {
			continue
		}
		at += rand.IntN(len(text))
		patch(t, path, at)
		return path, at, func() { patch(t, path, at) }
	}
	t.Fatalf("%q is in no file of %s", text, dir)
	return "", 0, nil
}

func patch(t *testing.T, path string, at int) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, int64(at))
	require.NoError(t, err)
	b[0] ^= 0x20
	_, err = f.WriteAt(b, int64(at))
	require.NoError(t, err)
}

func TestAnotherKindOrASecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, Bolt, dir)
	_, err := Open(WAL, dir, Options{})
	require.ErrorContains(t, err, "raft.log_store")
	_, err = Open(Bolt, dir, Options{})
	require.ErrorContains(t, err, "another node")
}

func TestReadersBesideTheWriter(t *testing.T) {
	each(t, func(t *testing.T, kind string) {
		s := open(t, kind, t.TempDir())
		fill(t, s, 1, 1)
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for range 2 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					last, err := s.LastIndex()
					if err == nil {
						err = s.GetLog(last, new(raft.Log))
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		fill(t, s, 2, 100)
		close(stop)
		wg.Wait()
	})
}

func TestTheCacheIsBoundedInBytes(t *testing.T) {
	var c cache
	for i := range uint64(100) {
		c.add([]*raft.Log{{Index: i + 1, Data: make([]byte, 1<<20)}})
	}
	require.LessOrEqual(t, c.size, cacheBytes)
	require.True(t, c.get(100, new(raft.Log)))
	require.False(t, c.get(1, new(raft.Log)))
	c.add([]*raft.Log{{Index: 200}})
	require.False(t, c.get(100, new(raft.Log)), "a gap ends the run")
}
