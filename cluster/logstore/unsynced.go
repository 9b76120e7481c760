package logstore

import (
	"errors"

	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// openUnsynced is what mutant.AckBeforeFsync opens, and nobody else: a log whose entries are written without fsync. Its stable values still are
// with one: the library lets nobody else open their file.
func openUnsynced(dir string) (inner, error) {
	meta := &metadb.BoltMetaDB{}
	w, err := wal.Open(dir, wal.WithMetaStore(meta), wal.WithSegmentFiler(segment.NewFiler(dir, unsyncedFS{fs.New()})))
	if err != nil {
		return nil, errors.Join(err, meta.Close())
	}
	return &walStore{w, meta}, nil
}

type unsyncedFS struct{ types.VFS }

func (u unsyncedFS) Create(dir, name string, size uint64) (types.WritableFile, error) {
	f, err := u.VFS.Create(dir, name, size)
	return unsyncedFile{f}, err
}

func (u unsyncedFS) OpenWriter(dir, name string) (types.WritableFile, error) {
	f, err := u.VFS.OpenWriter(dir, name)
	return unsyncedFile{f}, err
}

type unsyncedFile struct{ types.WritableFile }

func (unsyncedFile) Sync() error { return nil }
