package faultfs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
)

// store is what a node keeps its state in, as far as the tests go.
type store interface {
	put(i int) error // acknowledged when it returns
	keys(each func(key string)) error
	close() error
}

func open(kind, dir string, synced bool) (store, error) {
	switch kind {
	case "bolt":
		return openBolt(dir, synced)
	case "pebble":
		return openPebble(dir, synced)
	case "wal":
		return openWAL(dir)
	}
	return nil, fmt.Errorf("no store %q", kind)
}

func key(i int) string { return fmt.Sprintf("%08d", i) }

var value = make([]byte, 300)

type boltStore struct{ db *bbolt.DB }

var bucket = []byte("bucket")

func openBolt(dir string, synced bool) (store, error) {
	db, err := bbolt.Open(filepath.Join(dir, "bolt.db"), 0o600, &bbolt.Options{NoSync: !synced, NoGrowSync: !synced})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
	return boltStore{db}, err
}

func (s boltStore) put(i int) error {
	return s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put([]byte(key(i)), value) })
}

func (s boltStore) keys(each func(string)) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(k, _ []byte) error {
			each(string(k))
			return nil
		})
	})
}

func (s boltStore) close() error { return s.db.Close() }

type pebbleStore struct {
	db *pebble.DB
	*pebble.WriteOptions
}

type quiet struct{ pebble.Logger }

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}

// openPebble has, when synced, tables so small that the writes of a test are spread over many.
func openPebble(dir string, synced bool) (store, error) {
	size := uint64(4 << 20)
	if synced {
		size = 64 << 10
	}
	db, err := pebble.Open(filepath.Join(dir, "pebble"), &pebble.Options{
		MemTableSize: size, Logger: quiet{pebble.DefaultLogger}, FormatMajorVersion: pebble.FormatWALSyncChunks,
	})
	return pebbleStore{db, &pebble.WriteOptions{Sync: synced}}, err
}

func (s pebbleStore) put(i int) error { return s.db.Set([]byte(key(i)), value, s.WriteOptions) }

func (s pebbleStore) keys(each func(string)) error {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return err
	}
	for it.First(); it.Valid(); it.Next() {
		each(string(it.Key()))
	}
	return it.Close()
}

func (s pebbleStore) close() error { return s.db.Close() }

type walStore struct{ *wal.WAL }

// openWAL has one segment in a test: raft-wal 0.4.2 refuses all writes after a kill between the last write to a segment and the turn to the next.
func openWAL(dir string) (store, error) {
	dir = filepath.Join(dir, "wal")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := trySync(filepath.Dir(dir)); err != nil {
		return nil, err
	}
	w, err := wal.Open(dir, wal.WithSegmentSize(8<<20))
	return walStore{w}, err
}

func (s walStore) put(i int) error {
	return s.StoreLog(&raft.Log{Index: uint64(i), Data: []byte(key(i) + string(value))})
}

func (s walStore) keys(each func(string)) error {
	first, _ := s.FirstIndex()
	last, err := s.LastIndex()
	for i := max(first, 1); i <= last && err == nil; i++ {
		var l raft.Log
		if err = s.GetLog(i, &l); err == nil {
			each(string(l.Data[:8]))
		}
	}
	return err
}

func (s walStore) close() error { return s.Close() }

// playFill puts more keys, and prints each that was acknowledged.
func playFill(kind, dir string, synced bool) error {
	s, err := open(kind, dir, synced)
	if err != nil {
		return err
	}
	next := 1
	if err := s.keys(func(string) { next++ }); err != nil {
		return err
	}
	fmt.Println("open")
	for ; ; next++ {
		if err := s.put(next); err != nil {
			return err
		}
		fmt.Println(key(next))
	}
}

func playKeys(kind, dir string) error {
	s, err := open(kind, dir, true)
	if err != nil {
		return err
	}
	return errors.Join(s.keys(func(k string) { fmt.Println(k) }), s.close())
}

// filled has a process fill a store until so many keys are acknowledged, kills it, and returns all that were.
func filled(t *testing.T, kind, dir string, synced string, n int) (acknowledged []string) {
	t.Helper()
	a := start(t, "fill", kind, dir, synced)
	require.True(t, a.out.Scan(), "%s", a.errors)
	for len(acknowledged) < n && a.out.Scan() {
		acknowledged = append(acknowledged, a.out.Text())
	}
	require.NoError(t, a.Process.Kill())
	rest, err := a.end()
	require.Error(t, err)
	require.Equal(t, syscall.SIGKILL, a.ProcessState.Sys().(syscall.WaitStatus).Signal(), "%s", a.errors)
	return append(acknowledged, rest...)
}

func TestWhatAStoreAcknowledgedRemains(t *testing.T) {
	for _, kind := range []string{"bolt", "pebble", "wal"} {
		t.Run(kind, func(t *testing.T) {
			f, dir := mounted(t)
			r := rand.New(rand.NewPCG(5, 6))
			var all []string
			for i := range 6 {
				all = append(all, filled(t, kind, dir, "synced", 150)...)
				_, err := f.PowerCut(r, Cut{Torn: i%2 == 1})
				require.NoError(t, err)
				there := run(t, "keys", kind, dir)
				require.Subset(t, there, all)
				all = there
			}
		})
	}
}

// The fault is real: without fsync, what was acknowledged is lost.
func TestWhatAStoreDidNotSyncIsLost(t *testing.T) {
	for _, kind := range []string{"bolt", "pebble"} {
		t.Run(kind, func(t *testing.T) {
			f, dir := mounted(t)
			for range 50 {
				acknowledged := filled(t, kind, dir, "not", 3000)
				lost := cut(t, f, Cut{})
				require.NotSubset(t, run(t, "keys", kind, dir), acknowledged)
				if lost.Writes > 0 {
					return
				}
			}
			require.Fail(t, "each time the kill came before anything was written")
		})
	}
}

// A kill alone loses nothing that was written.
func TestAKillLosesNothing(t *testing.T) {
	_, dir := mounted(t)
	acknowledged := filled(t, "bolt", dir, "not", 150)
	require.Subset(t, run(t, "keys", "bolt", dir), acknowledged)
}
