package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Query selects records. The zero value of a field selects everything.
type Query struct {
	From    uint64   `cbor:"1,keyasint"` // the first sequence to look at; 0: the first there is, or the last with Reverse
	Reverse bool     `cbor:"2,keyasint"` // newest first
	Limit   int      `cbor:"3,keyasint"` // of records returned
	Tenant  fsm.UID  `cbor:"4,keyasint"`
	Actor   string   `cbor:"5,keyasint"` // identity or accessor
	Path    string   `cbor:"6,keyasint"` // this path, or one beneath it
	Op      string   `cbor:"7,keyasint"`
	Since   fsm.Time `cbor:"8,keyasint"`
	Until   fsm.Time `cbor:"9,keyasint"`  // inclusive
	To      uint64   `cbor:"10,keyasint"` // the last sequence to look at
}

// Line is a record as it stands in the journal: Body is what its hash covers.
type Line struct {
	Hash [32]byte `cbor:"1,keyasint"`
	Body []byte   `cbor:"2,keyasint"`
}

// After returns the hash that the chain has behind the line, when before is the one before it.
func (l Line) After(before [32]byte) [32]byte { return chained(before, l.Body) }

// Record decodes the line.
func (l Line) Record() (Record, error) {
	r, err := parse(l.Body)
	r.Hash = l.Hash
	return r, err
}

// Page is what a query found.
type Page struct {
	Lines  []Line   `cbor:"1,keyasint"`
	Next   uint64   `cbor:"2,keyasint"` // where to go on from; 0 at the end
	Looked fsm.Time `cbor:"3,keyasint"` // time of the last record that was looked at
	Head   Head     `cbor:"4,keyasint"` // the end of the journal
	First  uint64   `cbor:"5,keyasint"` // sequence of the oldest record that there is
	Prev   [32]byte `cbor:"6,keyasint"` // hash before the first that was looked at
	Last   uint64   `cbor:"7,keyasint"` // sequence of the last that was looked at, 0 for none
}

// Bounds of a page: what is looked at, and what is returned.
const (
	maxLook  = 20_000
	maxBytes = 4 << 20
)

// Matches reports whether a record is one of those that are asked for.
func (q *Query) Matches(r *Record) bool {
	switch {
	case !q.Tenant.IsZero() && r.Tenant != q.Tenant,
		q.Actor != "" && q.Actor != r.Identity && q.Actor != r.Accessor,
		q.Op != "" && q.Op != r.Op,
		q.Path != "" && !Beneath(r.Path, q.Path),
		q.Since > 0 && r.At < q.Since,
		q.Until > 0 && r.At > q.Until:
		return false
	}
	return true
}

// Beneath reports whether path is root or lies beneath it.
func Beneath(path, root string) bool {
	rest, found := strings.CutPrefix(path, strings.TrimSuffix(root, "/"))
	return found && (rest == "" || rest[0] == '/')
}

// Read returns the records that q selects, oldest first or newest first. It looks at so many at a time: Next says where to go on, also
// when nothing was found. fault.Corrupt names what is damaged.
func (j *Journal) Read(ctx context.Context, q Query) (Page, error) {
	j.reading.RLock()
	defer j.reading.RUnlock()
	files, head := j.snapshot()
	p := Page{Head: head, First: files[0].first}
	if q.To > 0 && q.To < head.Seq {
		head.Seq = q.To
	}
	at := q.From
	if q.Reverse && (at == 0 || at > head.Seq) {
		at = head.Seq
	}
	if !q.Reverse && at < p.First {
		at = p.First
	}
	looked, bytes := 0, 0
	for at >= p.First && at <= head.Seq && at > 0 {
		i := fileOf(files, at)
		last := head.Seq
		if i+1 < len(files) {
			last = min(last, files[i+1].first-1)
		}
		if q.Since > 0 && !q.Reverse && i+1 < len(files) && files[i+1].since < q.Since { // all of the file is older
			at = last + 1
			continue
		}
		stop, err := j.readFile(ctx, files[i], &at, last, &q, &p, &looked, &bytes)
		if err != nil || stop {
			return p, err
		}
	}
	return p, nil
}

func (j *Journal) snapshot() ([]segment, Head) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]segment(nil), j.files...), j.head
}

// fileOf returns the file that at stands in.
func fileOf(files []segment, at uint64) int {
	i := len(files) - 1
	for i > 0 && files[i].first > at {
		i--
	}
	return i
}

// readFile adds what matches in one file and moves at past what it has looked at. stop says that the page is full.
func (j *Journal) readFile(ctx context.Context, s segment, at *uint64, last uint64, q *Query, p *Page, looked, bytes *int) (stop bool, err error) {
	chunk := uint64(maxLook)
	if q.Limit > 0 && q.Limit <= 1000 {
		chunk = 2000
	}
	from, to := *at, min(last, *at+chunk-1)
	if q.Reverse {
		from, to = max(s.first, *at-min(*at, chunk)+1), *at
	}
	lines, err := j.load(ctx, s, from, to, p)
	if err != nil {
		return false, err
	}
	for i := range lines {
		l := lines[i]
		if q.Reverse {
			l = lines[len(lines)-1-i]
		}
		r, err := l.Record()
		if err != nil {
			return false, fault.New(fault.Corrupt, "record %d of the journal of node %s cannot be read", *at, j.opt.Node).Because(err)
		}
		if *looked == maxLook || *bytes >= maxBytes || q.Limit > 0 && len(p.Lines) == q.Limit {
			p.Next = *at
			return true, nil
		}
		if q.Reverse && q.Since > 0 && r.At < q.Since || !q.Reverse && q.Until > 0 && r.At > q.Until { // nothing beyond it can match
			return true, nil
		}
		*looked++
		p.Looked, p.Last = r.At, r.Seq
		if q.Matches(&r) {
			p.Lines = append(p.Lines, l)
			*bytes += len(l.Body) + 64
		}
		if q.Reverse {
			*at--
		} else {
			*at++
		}
	}
	return false, nil
}

// load reads records from to to of a file.
func (j *Journal) load(ctx context.Context, s segment, from, to uint64, p *Page) ([]Line, error) {
	damaged := func(err error) error {
		return fault.New(fault.Corrupt, "the journal of node %s is damaged at record %d: see `trstctl audit verify`", j.opt.Node, from).Because(err)
	}
	f, err := os.Open(fileName(j.dir, s.number))
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, damaged(fmt.Errorf("%s is gone: %w", fileName(j.dir, s.number), err))
		}
		return nil, err
	}
	defer f.Close()
	in, err := newFrames(f)
	if err != nil {
		return nil, damaged(err)
	}
	for in.seq < from {
		if err := in.skip(); err != nil {
			return nil, damaged(err)
		}
		if in.seq%4096 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	if len(p.Lines) == 0 && p.Looked == 0 {
		p.Prev = in.prev
	}
	lines := make([]Line, 0, min(to-from+1, 4096))
	for in.seq <= to {
		hash, err := in.read()
		if errors.Is(err, io.EOF) {
			err = errTorn
		}
		if err != nil {
			return nil, damaged(err)
		}
		lines = append(lines, Line{hash, append([]byte(nil), in.body...)})
		in.prev, in.seq = hash, in.seq+1
	}
	return lines, nil
}
