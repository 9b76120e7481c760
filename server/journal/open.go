package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/durable"
)

func fileName(dir string, n int) string { return filepath.Join(dir, fmt.Sprintf("%08d.log", n)) }

// Open opens the journal in dir, or begins one. It cuts a torn tail, and goes on behind whatever damage it finds: what was lost is for Verify
// to say, and the node has other duties. It fails only when nothing can be written.
func Open(dir string, opt Options) (*Journal, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Clock == nil {
		opt.Clock = chaos.Now
	}
	if opt.create == nil {
		opt.create = createFile
	}
	if err := durable.MakeDir(dir); err != nil {
		return nil, fmt.Errorf("make the journal's directory: %w", err)
	}
	j := &Journal{dir: dir, opt: opt, id: newID(), wake: make(chan struct{}, 1)}
	numbers, err := list(dir)
	if err != nil {
		return nil, err
	}
	lost, err := j.resume(numbers)
	if err != nil {
		return nil, fmt.Errorf("open the journal of reads in %s: %w", dir, err)
	}
	j.synced = j.head
	if lost > 0 {
		if err := j.Append(Record{Op: OpCut, Count: uint64(lost)}); err != nil { // the file that was set aside tells it too
			opt.Log.Warn("that the journal's tail was torn is not on record", "dir", dir, "err", err)
		}
	}
	return j, nil
}

// list returns the numbers of the files, oldest first.
func list(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look into the journal's directory: %w", err)
	}
	var numbers []int
	for _, e := range entries {
		name, found := strings.CutSuffix(e.Name(), ".log")
		if n, err := strconv.Atoi(name); found && err == nil && e.Name() == filepath.Base(fileName(dir, n)) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// resume reads every header and all of the last file, and returns how many bytes were cut.
func (j *Journal) resume(numbers []int) (lost int64, err error) {
	for len(numbers) > 0 {
		last := numbers[len(numbers)-1]
		n, err := j.resumeFile(last)
		lost += n
		if err == nil {
			return lost, j.readHeaders(numbers)
		}
		if !errors.Is(err, errTorn) {
			return lost, err
		}
		j.opt.Log.Warn("a file of the journal of reads has no whole header: it is set aside", "file", fileName(j.dir, last), "err", err)
		if err := setAside(j.dir, last); err != nil {
			return lost, err
		}
		numbers = numbers[:len(numbers)-1]
	}
	j.id = newID()
	j.head, j.at = Head{Journal: j.id}, 0
	return lost, j.begin(1 + highest(j.dir))
}

// highest is the largest number that any file was ever set aside under: it is not used again.
func highest(dir string) (n int) {
	found, _ := filepath.Glob(filepath.Join(dir, "*.aside-*")) // the pattern is right
	for _, name := range found {
		digits, _, _ := strings.Cut(filepath.Base(name), ".")
		if k, err := strconv.Atoi(digits); err == nil {
			n = max(n, k)
		}
	}
	return n
}

func setAside(dir string, n int) error {
	name := fileName(dir, n)
	return os.Rename(name, freeName(name))
}

func freeName(name string) string {
	for i := 1; ; i++ {
		aside := fmt.Sprintf("%s.aside-%d", name, i)
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			return aside
		}
	}
}

// resumeFile walks the last file and opens it for writing.
func (j *Journal) resumeFile(n int) (lost int64, err error) {
	name := fileName(j.dir, n)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	in, err := newFrames(f)
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	j.id, j.head, j.at = in.head.Journal, Head{in.head.Journal, in.head.First - 1, in.prev}, in.head.Since
	j.size = in.at
	for {
		r, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil { // torn, or changed: either way nothing after it can be gone on from
			if lost, err = j.cut(f, name, j.size, err); err != nil {
				return lost, errors.Join(err, f.Close())
			}
			break
		}
		j.head, j.at, j.size = Head{j.id, r.Seq, r.Hash}, r.At, in.at
	}
	if err := f.Sync(); err != nil { // the process before may have ended without: what is anchored from here on must be there after a power loss
		return lost, errors.Join(fmt.Errorf("sync %s: %w", name, err), f.Close())
	}
	j.out = f
	return lost, nil
}

// cut takes everything from size on off the file, and keeps a copy beside it, if there is space for one: on a full disk the node has to start, too.
func (j *Journal) cut(f *os.File, name string, size int64, why error) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("cut a torn tail: %w", err)
	}
	aside, err := copyAside(f, name, size)
	if err != nil {
		j.opt.Log.Warn("no copy of the torn tail of the journal of reads is kept", "file", name, "err", err)
	}
	if err := errors.Join(f.Truncate(size), f.Sync()); err != nil {
		return 0, fmt.Errorf("cut a torn tail: %w", err)
	}
	j.opt.Log.Warn("the tail of the journal of reads was torn and is cut: what was not synced when the node ended is lost",
		"file", name, "bytes", info.Size()-size, "aside", aside, "after", j.head.Seq, "err", why)
	return info.Size() - size, nil
}

func copyAside(f *os.File, name string, from int64) (string, error) {
	aside, err := os.OpenFile(freeName(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(aside, io.NewSectionReader(f, from, 1<<40))
	if err = errors.Join(err, aside.Sync(), aside.Close()); err != nil {
		return "", errors.Join(err, os.Remove(aside.Name()))
	}
	return aside.Name(), nil
}

// readHeaders fills files. One that cannot be read is left out: reading and Verify name the gap.
func (j *Journal) readHeaders(numbers []int) error {
	for _, n := range numbers {
		s, _, err := readSegment(j.dir, n)
		if err != nil {
			j.opt.Log.Error("a file of the journal of reads is damaged", "file", fileName(j.dir, n), "err", err)
			continue
		}
		j.files = append(j.files, s)
	}
	if len(j.files) == 0 {
		return errors.New("no file has a whole header")
	}
	return nil
}

func readSegment(dir string, n int) (segment, header, error) {
	f, err := os.Open(fileName(dir, n))
	if err != nil {
		return segment{}, header{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return segment{}, header{}, err
	}
	in, err := newFrames(f)
	if err != nil {
		return segment{}, header{}, err
	}
	return segment{number: n, first: in.head.First, prev: in.prev, since: in.head.Since, size: info.Size()}, in.head, nil
}
