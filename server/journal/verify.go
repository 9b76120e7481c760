package journal

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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
	return fmt.Sprintf("records %d to %d are intact and have the hashes of %d anchors, head %x", v.First, v.Head.Seq, v.Anchors, v.Head.Hash[:8])
}

// Verify recomputes the chain over all files and holds it against heads that were anchored, in any order. What is missing, was changed or
// cut off after it was anchored is fault.Corrupt. What is appended meanwhile is left for the next time.
func (j *Journal) Verify(ctx context.Context, anchored []Head) (Verified, error) {
	j.reading.RLock()
	defer j.reading.RUnlock()
	files, head := j.snapshot()
	numbers := make([]int, len(files))
	for i, f := range files {
		numbers[i] = f.number
	}
	return verify(ctx, j.dir, numbers, &head, anchored)
}

// VerifyDir is Verify for the journal of a node that does not run. Nothing at all is intact when nothing was anchored.
func VerifyDir(ctx context.Context, dir string, anchored []Head) (Verified, error) {
	numbers, err := list(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return Verified{}, err
	}
	return verify(ctx, dir, numbers, nil, anchored)
}

// verifier walks the files and keeps what it needs to judge them at the end.
type verifier struct {
	Verified
	expect  map[uint64][32]byte // anchored, of this journal
	trimmed map[uint64]string   // by OpTrimmed: sequence to hash
	start   [32]byte            // hash before the first record
}

func verify(ctx context.Context, dir string, numbers []int, end *Head, anchored []Head) (Verified, error) {
	v := verifier{expect: map[uint64][32]byte{}, trimmed: map[uint64]string{}}
	for i, n := range numbers {
		if err := v.file(ctx, fileName(dir, n), i == 0, i == len(numbers)-1, end, anchored); err != nil {
			return v.Verified, err
		}
	}
	switch {
	case end != nil && (v.Head.Seq < end.Seq || v.Head.Journal != end.Journal):
		return v.Verified, fault.New(fault.Corrupt, "the journal ends at record %d, the node wrote %d: files were cut off or taken away", v.Head.Seq, end.Seq)
	case v.First > 1 && v.trimmed[v.First-1] != hex.EncodeToString(v.start[:]):
		return v.Verified, fault.New(fault.Corrupt, "the journal begins at record %d, and no record says that retention removed those before", v.First)
	}
	return v.Verified, v.lost(anchored)
}

// file walks one file.
func (v *verifier) file(ctx context.Context, name string, first, last bool, end *Head, anchored []Head) error {
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
		v.begin(in, anchored)
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

func (v *verifier) begin(in *frames, anchored []Head) {
	v.First, v.start = in.head.First, in.prev
	v.Head = Head{in.head.Journal, in.head.First - 1, in.prev}
	for _, a := range anchored {
		switch {
		case a.Journal != v.Head.Journal:
		case a.Seq < v.First-1:
			v.Older++
		default:
			v.expect[a.Seq] = a.Hash
		}
	}
	if h, ok := v.expect[v.First-1]; ok && h == v.start {
		v.Anchors++
	}
}

func (v *verifier) record(r Record) error {
	v.Head.Seq, v.Head.Hash = r.Seq, r.Hash
	v.Records++
	if want, ok := v.expect[r.Seq]; ok {
		if want != r.Hash {
			return fault.New(fault.Corrupt, "record %d of the journal is not the one whose hash the cluster has: the journal was changed up to there", r.Seq)
		}
		v.Anchors++
	}
	switch r.Op {
	case OpTrimmed:
		v.trimmed[r.Version] = r.Path
	case OpCut:
		v.Cut += r.Count
	}
	return nil
}

// lost looks for what was anchored and is not there.
func (v *verifier) lost(anchored []Head) error {
	var none fsm.UID
	for _, a := range anchored {
		switch {
		case v.Head.Journal == none:
			return fault.New(fault.Corrupt, "there is no journal, but the cluster has the hash of its record %d", a.Seq)
		case a.Journal != v.Head.Journal:
			return fault.New(fault.Corrupt, "an earlier journal of this node, %s, is gone: the cluster has the hash of its record %d", a.Journal, a.Seq)
		case a.Seq > v.Head.Seq:
			return fault.New(fault.Corrupt, "the journal ends at record %d, but the cluster has the hash of record %d: its end was cut off", v.Head.Seq, a.Seq)
		case a.Seq == v.First-1 && a.Hash != v.start:
			return fault.New(fault.Corrupt, "record %d of the journal is not the one whose hash the cluster has", a.Seq)
		}
	}
	return nil
}
