package logstore

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"sync"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// resident returns how many bytes of a file this process has mapped and resident.
func resident(t *testing.T, path string) (n int) {
	b, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip("no /proc/self/smaps")
	}
	for _, m := range regexp.MustCompile(`(?m)^.* `+regexp.QuoteMeta(path)+`\n(?:\w+: .*\n)*?Rss: +(\d+) kB`).FindAllSubmatch(b, -1) {
		kib, err := strconv.Atoi(string(m[1]))
		require.NoError(t, err)
		n += kib << 10
	}
	return n
}

// TestTheMapOfALongLogIsNotResident also reads beside the writer all the while, through pages that are being given back.
func TestTheMapOfALongLogIsNotResident(t *testing.T) {
	const each, entries = 1 << 20, 64
	dir := t.TempDir()
	s, err := openBolt(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	path := s.(*boltStore).path
	require.Len(t, mapsOf(path), 1)

	done := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() {
		for i := uint64(1); ; i++ {
			select {
			case <-done:
				return
			default:
			}
			last, err := s.LastIndex()
			if err != nil || last == 0 {
				continue
			}
			var l raft.Log
			at := i%last + 1
			if err := s.GetLog(at, &l); err != nil || len(l.Data) != each || bytes.Count(l.Data, []byte{byte(at)}) != each {
				t.Errorf("entry %d: %v, %d bytes", at, err, len(l.Data))
				return
			}
		}
	})
	for i := range uint64(entries) {
		l := &raft.Log{Index: i + 1, Term: 1, Data: bytes.Repeat([]byte{byte(i + 1)}, each)}
		require.NoError(t, s.StoreLogs([]*raft.Log{l}))
	}
	close(done)
	readers.Wait()
	for i := range uint64(entries) {
		var l raft.Log
		require.NoError(t, s.GetLog(i+1, &l))
		require.Equal(t, byte(i+1), l.Data[0])
	}
	require.Less(t, resident(t, path), 2*mappedBytes, "of %d", each*entries)
	require.NoError(t, s.DeleteRange(1, entries))
	require.Less(t, resident(t, path), mappedBytes)
}
