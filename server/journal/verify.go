package journal

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Verified is what Verify found intact.
type Verified struct {
	Head    Head
	First   uint64 // sequence of the oldest record that there is
	Records uint64
	Anchors int    // heads in the replicated log that the journal has the records of
	Older   int    // heads whose records retention has removed
	Cut     uint64 // bytes of tails that starts have cut
	Tail    int64  // bytes of a torn tail that the next start will cut
}

// String says in one line what was found.
func (v Verified) String() string {
	if v.Head.Journal.IsZero() {
		return "there is none, and none was anchored"
	}
	tail := ""
	if v.Tail > 0 {
		tail = fmt.Sprintf(", and a torn tail of %d bytes that the next start cuts off", v.Tail)
	}
	return fmt.Sprintf("records %d to %d are intact and have the hashes of %d anchors, head %x%s", v.First, v.Head.Seq, v.Anchors, v.Head.Hash[:8], tail)
}

// Anchors are heads of the journal that the replicated log holds, in its order.
type Anchors = iter.Seq2[Head, error]

// Verify recomputes the chain over all files and holds it against what was anchored. What is missing, was changed or cut off after it was
// anchored is fault.Corrupt. What is appended meanwhile is left for the next time.
func (j *Journal) Verify(ctx context.Context, anchored Anchors) (Verified, error) {
	j.reading.RLock()
	defer j.reading.RUnlock()
	files, head := j.snapshot()
	numbers := make([]int, len(files))
	for i, f := range files {
		numbers[i] = f.number
	}
	return verify(ctx, j.dir, numbers, &head, anchored)
}

// VerifyDir is Verify for the journal of a node that does not run. That there is none is intact when nothing was anchored.
func VerifyDir(ctx context.Context, dir string, anchored Anchors) (Verified, error) {
	numbers, err := list(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return Verified{}, err
	}
	return verify(ctx, dir, numbers, nil, anchored)
}

// verifier walks files and anchors side by side.
type verifier struct {
	Verified
	next    func() (Head, error, bool) // anchor
	want    Head                       // the anchor that is not yet reached; Seq 0: there are no more
	trimmed map[uint64]string          // by OpTrimmed: sequence to hash
	start   [32]byte                   // hash before the first record
}

func verify(ctx context.Context, dir string, numbers []int, end *Head, anchored Anchors) (Verified, error) {
	next, stop := iter.Pull2(anchored)
	defer stop()
	v := verifier{next: next, trimmed: map[uint64]string{}}
	if len(numbers) == 0 {
		return v.Verified, v.advance()
	}
	for i, n := range numbers {
		if err := v.file(ctx, fileName(dir, n), i == 0, i == len(numbers)-1, end); err != nil {
			return v.Verified, err
		}
	}
	switch {
	case end != nil && (v.Head.Seq < end.Seq || v.Head.Journal != end.Journal):
		return v.Verified, fault.New(fault.Corrupt, "the journal ends at record %d, the node wrote %d: files were cut off or taken away", v.Head.Seq, end.Seq)
	case v.First > 1 && v.trimmed[v.First-1] != hex.EncodeToString(v.start[:]):
		return v.Verified, fault.New(fault.Corrupt, "the journal begins at record %d, and no record says that retention removed those before", v.First)
	case v.want.Seq > 0:
		return v.Verified, fault.New(fault.Corrupt, "the journal ends at record %d, but the cluster has the hash of record %d: its end was cut off", v.Head.Seq, v.want.Seq)
	}
	return v.Verified, nil
}

// file walks one file.
func (v *verifier) file(ctx context.Context, name string, first, last bool, end *Head) error {
	f, err := os.Open(name)
	if err != nil {
		return fault.New(fault.Corrupt, "a file of the journal is gone: %s", name).Because(err)
	}
	defer f.Close()
	in, err := newFrames(f)
	if err != nil {
		return fault.New(fault.Corrupt, "the journal's file %s is damaged", name).Because(err)
	}
	if first {
		if err := v.begin(in); err != nil {
			return err
		}
	}
	if in.head.Journal != v.Head.Journal || in.head.First != v.Head.Seq+1 || in.prev != v.Head.Hash {
		return fault.New(fault.Corrupt, "the journal's file %s does not go on where the one before ends, at record %d: files are missing or were changed", name, v.Head.Seq)
	}
	for end == nil || !last || v.Head.Seq < end.Seq {
		r, err := in.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errTorn) && last && end == nil: // of a node that does not run: its next start cuts it
			v.Tail, err = size(f)
			v.Tail -= in.at
			return err
		case err != nil:
			return fault.New(fault.Corrupt, "the journal's file %s is damaged at record %d", name, in.seq).Because(err)
		}
		if err := v.record(r); err != nil {
			return err
		}
		if r.Seq%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

func size(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// begin takes the first file's word for where the chain begins, and passes over the anchors before it.
func (v *verifier) begin(in *frames) error {
	v.First, v.start = in.head.First, in.prev
	v.Head = Head{in.head.Journal, in.head.First - 1, in.prev}
	err := v.advance()
	for ; err == nil && v.want.Seq > 0 && v.want.Seq < v.First-1; err = v.advance() {
		v.Older++
	}
	if err != nil || v.want.Seq == 0 || v.want.Seq != v.First-1 {
		return err
	}
	return v.meet(v.start)
}

func (v *verifier) record(r Record) error {
	v.Head.Seq, v.Head.Hash = r.Seq, r.Hash
	v.Records++
	switch r.Op {
	case OpTrimmed:
		v.trimmed[r.Version] = r.Path
	case OpCut:
		v.Cut += r.Count
	}
	if r.Seq == v.want.Seq {
		return v.meet(r.Hash)
	}
	return nil
}

// meet holds the record that was anchored against its anchor.
func (v *verifier) meet(hash [32]byte) error {
	if v.want.Hash != hash {
		return fault.New(fault.Corrupt, "record %d of the journal is not the one whose hash the cluster has: the journal was changed up to there", v.want.Seq)
	}
	v.Anchors++
	return v.advance()
}

// advance takes the next anchor. They only ever go forward, and name this journal: anything else was not written by a node that had its files.
func (v *verifier) advance() error {
	a, err, more := v.next()
	switch {
	case err != nil:
		return err
	case !more:
		v.want = Head{}
		return nil
	case v.Head.Journal.IsZero():
		return fault.New(fault.Corrupt, "there is no journal, but the cluster has the hash of its record %d", a.Seq)
	case a.Journal != v.Head.Journal:
		return fault.New(fault.Corrupt, "another journal of this node, %s, is gone: the cluster has the hash of its record %d", a.Journal, a.Seq)
	case a.Seq <= v.want.Seq:
		return fault.New(fault.Corrupt, "the cluster has the hash of record %d and later that of record %d: the journal was cut back in between", v.want.Seq, a.Seq)
	}
	v.want = a
	return nil
}

// Name returns the name of the journal in dir, zero when there is none that can be read.
func Name(dir string) (fsm.UID, error) {
	numbers, err := list(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(numbers) == 0 {
		return fsm.UID{}, nil
	}
	if err != nil {
		return fsm.UID{}, err
	}
	_, h, err := readSegment(dir, numbers[0])
	if err != nil {
		return fsm.UID{}, fault.New(fault.Corrupt, "the journal's file %s is damaged", fileName(dir, numbers[0])).Because(err)
	}
	return h.Journal, nil
}
