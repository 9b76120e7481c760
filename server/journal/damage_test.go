package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

func TestATornTailIsCutAndToldOf(t *testing.T) {
	dir := journalDir(t)
	j := open(t, dir)
	fill(t, j, 3)
	anchored, _ := j.Head()
	before := j.size
	fill(t, j, 1)
	last := int(j.size - before)
	require.NoError(t, j.Close())
	name := filesOf(t, dir)[0]
	whole, err := os.ReadFile(name)
	require.NoError(t, err)
	for cut := 1; cut < last; cut++ { // wherever a power loss ends the last record
		require.NoError(t, os.WriteFile(name, whole[:len(whole)-cut], 0o600))
		v, err := VerifyDir(t.Context(), dir, anchors(anchored))
		require.NoError(t, err)
		j = open(t, dir)
		got := all(t, j, Query{})
		if v.Tail > 0 {
			require.Equal(t, OpCut, got[len(got)-1].Op)
			require.EqualValues(t, v.Tail, got[len(got)-1].Count)
		}
		after, err := j.Verify(t.Context(), anchors(anchored))
		require.NoError(t, err)
		require.EqualValues(t, v.Tail, after.Cut)
		require.NoError(t, j.Close())
	}
}

// rewrite changes the path of record seq and makes every hash and checksum after it right again, as who has the disk can.
func rewrite(t *testing.T, name string, seq uint64) {
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	in, err := newFrames(bytes.NewReader(b))
	require.NoError(t, err)
	prev := in.prev
	out, err := appendHeader(nil, in.head, prev)
	require.NoError(t, err)
	for {
		r, err := in.next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if r.Seq == seq {
			r.Path = "something/else"
		}
		body, err := fsm.Encode(r)
		require.NoError(t, err)
		prev = chained(prev, body)
		out = appendFrame(out, prev, body)
	}
	require.NoError(t, os.WriteFile(name, out, 0o600))
}

func firstOf(t *testing.T, name string) uint64 {
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	in, err := newFrames(f)
	require.NoError(t, err)
	return in.seq
}

func TestWhatIsChangedBehindTheJournalsBackIsNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(t *testing.T, dir string, files []string)
		says string
	}{
		"an edited record, with all hashes made right": {func(t *testing.T, dir string, files []string) { rewrite(t, files[len(files)-1], 24) }, "not the one whose hash the cluster has"},
		"an edited file in the middle":                 {func(t *testing.T, dir string, files []string) { rewrite(t, files[1], firstOf(t, files[1])+1) }, "does not go on where the one before ends"},
		"a deleted file in the middle":                 {func(t *testing.T, dir string, files []string) { require.NoError(t, os.Remove(files[1])) }, "does not go on"},
		"the deleted first file":                       {func(t *testing.T, dir string, files []string) { require.NoError(t, os.Remove(files[0])) }, "no record says"},
		"the deleted last file":                        {func(t *testing.T, dir string, files []string) { require.NoError(t, os.Remove(files[len(files)-1])) }, "its end was cut off"},
		"a shorter last file": {func(t *testing.T, dir string, files []string) {
			info, err := os.Stat(files[len(files)-1])
			require.NoError(t, err)
			require.NoError(t, os.Truncate(files[len(files)-1], info.Size()-100))
		}, ""},
		"everything deleted": {func(t *testing.T, dir string, files []string) { require.NoError(t, os.RemoveAll(dir)) }, ""},
		"a flipped bit": {func(t *testing.T, dir string, files []string) {
			b, err := os.ReadFile(files[0])
			require.NoError(t, err)
			b[len(b)/2] ^= 1
			require.NoError(t, os.WriteFile(files[0], b, 0o600))
		}, "is damaged at record"},
		"a destroyed header": {func(t *testing.T, dir string, files []string) {
			b, err := os.ReadFile(files[len(files)-1])
			require.NoError(t, err)
			b[3] = 'X'
			require.NoError(t, os.WriteFile(files[len(files)-1], b, 0o600))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := journalDir(t)
			j := open(t, dir, small)
			fill(t, j, 24)
			anchored, _ := j.Head()
			require.NoError(t, j.Close())
			_, err := VerifyDir(t.Context(), dir, anchors(anchored))
			require.NoError(t, err)
			files := filesOf(t, dir)
			require.Greater(t, len(files), 3)
			c.do(t, dir, files)

			_, err = VerifyDir(t.Context(), dir, anchors(anchored))
			require.Equal(t, fault.Corrupt, fault.KindOf(err), "%v", err)
			require.ErrorContains(t, err, c.says)
			j = open(t, dir, small)
			fill(t, j, 30) // the node goes on, also past the anchored sequence
			_, err = j.Verify(t.Context(), anchors(anchored))
			require.Equal(t, fault.Corrupt, fault.KindOf(err), "%v", err)
			require.NoError(t, j.Close())
			require.NoError(t, open(t, dir, small).Close())
		})
	}
}

func TestAFileTakenFromARunningNodeIsNoticed(t *testing.T) {
	dir := journalDir(t)
	j := open(t, dir, small)
	fill(t, j, 20)
	require.NoError(t, os.Remove(filesOf(t, dir)[1]))
	_, err := j.Verify(t.Context(), anchors())
	require.ErrorContains(t, err, "is gone")
	_, err = j.Read(t.Context(), Query{})
	require.Equal(t, fault.Corrupt, fault.KindOf(err))
	require.NoError(t, j.Close())
}

// TestMain is the process that TestAKilledProcessLosesNothingThatItWasTold kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv("JOURNAL_CHILD"); dir != "" {
		j, err := Open(dir, Options{Node: "n1", File: 4000})
		for err == nil {
			if err = j.Append(readOf("db/password")); err == nil {
				head, _ := j.Head()
				_, err = fmt.Println(head.Seq)
			}
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestAKilledProcessLosesNothingThatItWasTold(t *testing.T) {
	dir, told := journalDir(t), uint64(0)
	for round := range 5 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "JOURNAL_CHILD="+dir)
		var out bytes.Buffer
		pipe, err := cmd.StdoutPipe()
		require.NoError(t, err)
		cmd.Stderr = os.Stderr
		require.NoError(t, cmd.Start())
		for out.Len() < 3000*(round+1) { // wherever it then is
			_, err := io.CopyN(&out, pipe, 500)
			require.NoError(t, err)
		}
		require.NoError(t, cmd.Process.Kill())
		_, err = io.Copy(&out, pipe)
		require.NoError(t, err)
		require.Error(t, cmd.Wait())
		lines := strings.Fields(out.String())
		told, err = strconv.ParseUint(lines[len(lines)-2], 10, 64) // the last may have been written in part
		require.NoError(t, err)
		v, err := VerifyDir(t.Context(), dir, anchors())
		require.NoError(t, err)
		require.GreaterOrEqual(t, v.Head.Seq, told)
		j := open(t, dir, func(o *Options) { o.File = 4000 })
		fill(t, j, 3)
		_, err = j.Verify(t.Context(), anchors())
		require.NoError(t, err)
		require.NoError(t, j.Close())
	}
}

// FuzzFrames reads any bytes as a file.
func FuzzFrames(f *testing.F) {
	h, err := appendHeader(nil, header{Journal: fsm.UID{1}, Node: "n1", First: 1}, [32]byte{})
	require.NoError(f, err)
	body, err := fsm.Encode(Record{Seq: 1, Op: "secrets.get", Path: "a"})
	require.NoError(f, err)
	one := appendFrame(nil, chained([32]byte{}, body), body)
	f.Add(h, one)
	f.Add(h, one[:len(one)-3])
	f.Add(h, append(append([]byte{}, one...), one...))
	long := binary.BigEndian.AppendUint32(nil, 1<<31)
	f.Add(h, append(long, make([]byte, 100)...))
	sum := crc32.Checksum(append(make([]byte, 32), "no cbor"...), castagnoli)
	f.Add(h, append(append(binary.BigEndian.AppendUint32([]byte{0, 0, 0, 7}, sum), make([]byte, 32)...), "no cbor"...))
	f.Fuzz(func(t *testing.T, head, rest []byte) {
		in, err := newFrames(bytes.NewReader(append(append([]byte{}, head...), rest...)))
		if err != nil {
			return
		}
		prev, seq := in.prev, in.seq
		for {
			r, err := in.next()
			if err != nil {
				return
			}
			if r.Seq != seq || chained(prev, in.body) != r.Hash {
				t.Fatalf("record %d was taken for %d", r.Seq, seq)
			}
			prev, seq = r.Hash, seq+1
		}
	})
}

func TestAJournalThatWasCutBackIsNoticedThoughItGrewAgain(t *testing.T) {
	dir := journalDir(t)
	j := open(t, dir)
	fill(t, j, 10)
	before, _ := j.Head()
	require.NoError(t, j.Close())
	require.NoError(t, os.Truncate(filesOf(t, dir)[0], 1000))
	j = open(t, dir)
	fork, _ := j.Head()
	require.Less(t, fork.Seq, before.Seq)
	fill(t, j, 20)
	after, _ := j.Head()
	_, err := j.Verify(t.Context(), anchors(before, fork, after))
	require.Equal(t, fault.Corrupt, fault.KindOf(err))
	_, err = j.Verify(t.Context(), anchors(after, before))
	require.ErrorContains(t, err, "was cut back")
	_, err = j.Verify(t.Context(), anchors(fork, after))
	require.NoError(t, err)
	require.NoError(t, j.Close())
}
