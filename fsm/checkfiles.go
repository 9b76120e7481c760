package fsm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/trstctl/trstctl/fsm/fault"
)

// CheckFiles reads every byte of closed tables below dir as Pebble wrote them: the blocks of the tables, and the write-ahead logs. A
// start is more lenient with the end of the last write-ahead log, since Raft replays what a torn end loses; here a chunk that
// is whole but does not have its checksum is damage, a fault.Corrupt that names the file.
func CheckFiles(ctx context.Context, dir string) error {
	n, err := currentGeneration(vfs.Default, dir)
	if err != nil {
		return err
	}
	dir = filepath.Join(dir, strconv.Itoa(n))
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read tables: %w", err)
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		switch filepath.Ext(path) {
		case ".sst":
			err = checkTable(ctx, path)
		case ".log":
			err = checkWAL(path)
		}
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// CheckTables reads every block of the tables of an open store and returns the first damage, a fault.Corrupt that names the file. It calls
// rest after each file, so that a scan of everything leaves the disk to others.
func (s *Store) CheckTables(ctx context.Context, rest func()) error {
	h, err := s.acquire()
	if err != nil {
		return err
	}
	defer h.refs.Done()
	levels, err := h.SSTables()
	if err != nil {
		return readError(err)
	}
	for _, level := range levels {
		for _, t := range level {
			path := filepath.Join(h.dir, fmt.Sprintf("%06d.sst", t.BackingSSTNum))
			if err := checkTable(ctx, path); err != nil && !gone(path) {
				return err
			}
			if rest(); ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// gone reports whether a compaction has removed a table meanwhile.
func gone(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, os.ErrNotExist)
}

func checkTable(ctx context.Context, path string) error {
	f, err := vfs.Default.Open(path)
	if err != nil {
		return fmt.Errorf("read tables: %w", err)
	}
	src, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return errors.Join(fmt.Errorf("read tables: %w", err), f.Close())
	}
	r, err := sstable.NewReader(ctx, src, sstable.ReaderOptions{})
	if err != nil {
		return damaged(path, err)
	}
	if err := errors.Join(r.ValidateBlockChecksums(), r.Close()); err != nil {
		return damaged(path, err)
	}
	return nil
}

func damaged(path string, err error) error {
	return fault.New(fault.Corrupt, "%s is damaged", path).Because(err)
}

// A write-ahead log is blocks of 32 KiB, filled with chunks that do not cross them. A chunk is
//
//	4 checksum | 2 length | 1 type | 4 log number | 8 sync offset, in types 9 to 12 only | payload
//
// where the checksum covers everything from the type on; types 5 to 8 have no sync offset. Behind the last chunk come zeros, or
// chunks of an older file that was used again.
const (
	walBlock  = 32 << 10
	walHeader = 11
)

func checkWAL(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read tables: %w", err)
	}
	number, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(path), ".log"), 10, 32)
	if err != nil {
		return nil // not a write-ahead log
	}
	for at := 0; at < len(b); {
		left := walBlock - at%walBlock
		if left < walHeader || left < walHeader+8 && len(bytes.Trim(b[at:min(at+left, len(b))], "\x00")) == 0 { // no chunk of this file fits
			at += left
			continue
		}
		size, mine, intact := walChunk(b[at:min(at+left, len(b))], uint32(number))
		switch {
		case intact:
			at += size
		case mine, walGoesOn(b, at, uint32(number)):
			return damaged(path, fmt.Errorf("the chunk at byte %d does not have its checksum", at))
		default:
			return nil
		}
	}
	return nil
}

// walChunk looks at the chunk that begins block: mine when it claims to be of this log and fits, intact when its checksum
// says so too.
func walChunk(block []byte, number uint32) (size int, mine, intact bool) {
	if len(block) < walHeader {
		return 0, false, false
	}
	size = walHeader + int(binary.LittleEndian.Uint16(block[4:]))
	kind := block[6]
	if kind >= 9 {
		size += 8
	}
	mine = kind >= 5 && kind <= 12 && binary.LittleEndian.Uint32(block[7:]) == number && size <= len(block)
	if !mine {
		return 0, false, false
	}
	sum := crc32.Checksum(block[6:size], castagnoli)
	return size, true, binary.LittleEndian.Uint32(block) == (sum>>15|sum<<17)+0xa282ead8
}

// walGoesOn reports whether a later block begins with an intact chunk of this log.
func walGoesOn(b []byte, at int, number uint32) bool {
	for at = at - at%walBlock + walBlock; at < len(b); at += walBlock {
		if _, _, intact := walChunk(b[at:min(at+walBlock, len(b))], number); intact {
			return true
		}
	}
	return false
}
