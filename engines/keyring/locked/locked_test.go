package locked

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPiecesAreTheirHoldersAlone(t *testing.T) {
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for size := 1; size <= maxSize; size = size*2 + n%3 {
				want := bytes.Repeat([]byte{byte(n + 1)}, min(size, maxSize))
				var held [][]byte
				for range 5 {
					b, err := Copy(want)
					if err != nil {
						t.Error(err)
						return
					}
					held = append(held, b)
				}
				for _, b := range held {
					if !bytes.Equal(want, b) {
						t.Error("somebody else wrote into it")
					}
					Free(b)
				}
			}
		})
	}
	wg.Wait()
	_, err := Copy(make([]byte, maxSize+1))
	require.Error(t, err)
	empty, err := Copy(nil)
	require.NoError(t, err)
	require.Empty(t, empty)
	Free(empty)
	Free(nil)
}

func TestWhatIsFreedIsZero(t *testing.T) {
	b, err := Copy([]byte("a secret of the former holder"))
	require.NoError(t, err)
	whole := b[:cap(b)]
	Free(b[:3])
	require.Equal(t, make([]byte, len(whole)), whole)
	again, err := Copy(make([]byte, 1))
	require.NoError(t, err)
	require.Same(t, &whole[0], &again[0], "it is used again")
	require.Equal(t, make([]byte, cap(again)), again[:cap(again)])
}

// TestTheMemoryIsLocked asks the kernel.
func TestTheMemoryIsLocked(t *testing.T) {
	b, err := Copy([]byte("x"))
	require.NoError(t, err)
	defer Free(b)
	locked, unlocked, why := Held()
	if unlocked > 0 {
		t.Skip("this machine does not let the test lock memory: ", why)
	}
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	m := regexp.MustCompile(`VmLck:\s+(\d+) kB`).FindSubmatch(status)
	require.NotNil(t, m)
	kernel, err := strconv.Atoi(string(m[1]))
	require.NoError(t, err)
	require.GreaterOrEqual(t, kernel<<10, locked)
}
