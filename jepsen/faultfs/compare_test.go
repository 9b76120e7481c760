package faultfs

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
)

// same compares a directory with the model. Contents are checked by the caller.
func (m *model) same(dir string, contents func(path string, got []byte, want *inode) error) (err error) {
	inos := map[*inode]os.FileInfo{}
	m.everywhere(func(at string, i *inode) {
		if err == nil {
			err = sameAt(path.Join(dir, at), i, inos, contents)
		}
	})
	return err
}

func sameAt(at string, i *inode, inos map[*inode]os.FileInfo, contents func(string, []byte, *inode) error) error {
	info, err := os.Lstat(at)
	if err != nil {
		return err
	}
	if was := inos[i]; was != nil && !os.SameFile(was, info) {
		return fmt.Errorf("%s is not the file it was linked to", at)
	}
	inos[i] = info
	if info.IsDir() != i.isDir() {
		return fmt.Errorf("%s: directory: %t", at, info.IsDir())
	}
	if !i.isDir() {
		b, err := os.ReadFile(at)
		if err != nil {
			return err
		}
		return contents(at, b, i)
	}
	list, err := os.ReadDir(at)
	if err != nil {
		return err
	}
	var got []string
	for _, e := range list {
		got = append(got, e.Name())
	}
	if want := slices.Sorted(maps.Keys(i.names)); !slices.Equal(got, want) {
		return fmt.Errorf("%s holds %q, want %q", at, got, want)
	}
	return nil
}

func exactly(at string, got []byte, want *inode) error {
	if !bytes.Equal(got, want.live) {
		return fmt.Errorf("%s holds %s, want %s", at, outline(got), outline(want.live))
	}
	return nil
}

// outline shows contents by their length and the first byte of each sector.
func outline(b []byte) string {
	s := ""
	for i := 0; i < len(b); i += sector {
		s += string(b[i] | 0x20)
	}
	return fmt.Sprintf("%d bytes %q", len(b), s)
}

// within expects contents that a torn cut may leave: a length that they had (the kernel
// passes a write on in pages), and in each sector what was there at some time, or zeros.
func within(at string, got []byte, want *inode) error {
	all := append([][]byte{want.durable, want.live, nil}, want.versions...)
	least, most := len(slices.MinFunc(all, byLength)), len(slices.MaxFunc(all, byLength))
	if !slices.ContainsFunc(all, func(v []byte) bool { return len(v) == len(got) }) && (len(got)%page != 0 || len(got) < least || len(got) > most) {
		return fmt.Errorf("%s has %d bytes, as it never had", at, len(got))
	}
	for off := 0; off < len(got); off += sector {
		end := min(off+sector, len(got))
		if !slices.ContainsFunc(all, func(v []byte) bool { return bytes.Equal(part(v, off, end), got[off:end]) }) {
			return fmt.Errorf("%s has at %d what never was there", at, off)
		}
	}
	want.settle(got)
	return nil
}

func byLength(a, b []byte) int { return cmp.Compare(len(a), len(b)) }

func part(b []byte, from, to int) []byte {
	out := make([]byte, to-from)
	if from < len(b) {
		copy(out, b[from:min(to, len(b))])
	}
	return out
}
