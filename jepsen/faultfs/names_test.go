package faultfs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestARenameNeedsTheDirectory(t *testing.T) {
	f, dir := mounted(t)
	file, next := filepath.Join(dir, "CURRENT"), filepath.Join(dir, "CURRENT.new")
	durable(t, file, "old")
	put(t, next, "new")
	syncOf(t, next)
	require.NoError(t, os.Rename(next, file))
	require.Equal(t, "new", get(t, file))
	require.Equal(t, 2, cut(t, f, Cut{}).Names)
	require.Equal(t, "old", get(t, file))
	require.Equal(t, "new", get(t, next))

	require.NoError(t, os.Rename(next, file))
	syncOf(t, dir)
	require.Zero(t, cut(t, f, Cut{}))
	require.Equal(t, "new", get(t, file))
	absent(t, next)
}

func TestARenameOfWhatWasNotSynced(t *testing.T) {
	f, dir := mounted(t)
	file, next := filepath.Join(dir, "file"), filepath.Join(dir, "next")
	durable(t, file, "old")
	put(t, next, "new")
	require.NoError(t, os.Rename(next, file))
	syncOf(t, dir)
	cut(t, f, Cut{})
	require.Empty(t, get(t, file), "the name is there, and what it led to is not")
}

func TestARemovalNeedsTheDirectory(t *testing.T) {
	f, dir := mounted(t)
	file := filepath.Join(dir, "file")
	durable(t, file, "text")
	require.NoError(t, os.Remove(file))
	absent(t, file)
	cut(t, f, Cut{})
	require.Equal(t, "text", get(t, file))
	require.NoError(t, os.Remove(file))
	syncOf(t, dir)
	cut(t, f, Cut{})
	absent(t, file)
}

func TestANewNameOfASyncedFile(t *testing.T) {
	f, dir := mounted(t)
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	put(t, a, "text")
	syncOf(t, a)
	put(t, b, "text")
	cut(t, f, Cut{})
	require.Equal(t, "text", get(t, a))
	absent(t, b)

	// Renamed before the fsync: that says nothing of the name.
	put(t, b, "text")
	require.NoError(t, os.Rename(b, a))
	syncOf(t, a)
	put(t, b, "other")
	cut(t, f, Cut{})
	require.Equal(t, "text", get(t, a))
	absent(t, b)
}

func TestStrictNames(t *testing.T) {
	f, dir := mounted(t, StrictNames)
	a := filepath.Join(dir, "a")
	put(t, a, "text")
	syncOf(t, a)
	cut(t, f, Cut{})
	absent(t, a)
	put(t, a, "text")
	syncOf(t, a)
	syncOf(t, dir)
	cut(t, f, Cut{})
	require.Equal(t, "text", get(t, a))
}

// A new directory that its parent does not know takes with it what is in it.
func TestANewDirectory(t *testing.T) {
	f, dir := mounted(t)
	sub := filepath.Join(dir, "sub")
	require.NoError(t, os.MkdirAll(filepath.Join(sub, "deep"), 0o700))
	durable(t, filepath.Join(sub, "deep", "file"), "text")
	syncOf(t, sub)
	cut(t, f, Cut{})
	absent(t, sub)
	require.NoError(t, os.MkdirAll(filepath.Join(sub, "deep"), 0o700))
	durable(t, filepath.Join(sub, "deep", "file"), "text")
	syncOf(t, sub)
	syncOf(t, dir)
	cut(t, f, Cut{})
	require.Equal(t, "text", get(t, filepath.Join(sub, "deep", "file")))
}

func TestADirectoryComesBackWithAllThatWasInIt(t *testing.T) {
	f, dir := mounted(t)
	sub, deep := filepath.Join(dir, "sub"), filepath.Join(dir, "sub", "deep")
	require.NoError(t, os.MkdirAll(deep, 0o700))
	durable(t, filepath.Join(deep, "file"), "text")
	syncOf(t, sub)
	syncOf(t, dir)
	require.NoError(t, os.RemoveAll(sub))
	absent(t, sub)
	cut(t, f, Cut{})
	require.Equal(t, "text", get(t, filepath.Join(deep, "file")))

	require.NoError(t, os.RemoveAll(sub))
	require.NoError(t, os.Mkdir(sub, 0o700))
	put(t, filepath.Join(sub, "other"), "text")
	cut(t, f, Cut{})
	absent(t, filepath.Join(sub, "other"))
	require.Equal(t, "text", get(t, filepath.Join(deep, "file")))

	require.NoError(t, os.RemoveAll(sub))
	syncOf(t, dir)
	cut(t, f, Cut{})
	absent(t, sub)
}

func TestARenameBetweenDirectoriesIsOneStep(t *testing.T) {
	f, dir := mounted(t)
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	require.NoError(t, os.Mkdir(a, 0o700))
	require.NoError(t, os.Mkdir(b, 0o700))
	syncOf(t, dir)
	durable(t, filepath.Join(a, "file"), "text")
	require.NoError(t, os.Mkdir(filepath.Join(a, "sub"), 0o700))
	syncOf(t, a)
	move := func() {
		for _, name := range []string{"file", "sub"} {
			require.NoError(t, os.Rename(filepath.Join(a, name), filepath.Join(b, name)))
		}
	}
	move()
	cut(t, f, Cut{})
	absent(t, filepath.Join(b, "file"))
	absent(t, filepath.Join(b, "sub"))
	require.Equal(t, "text", get(t, filepath.Join(a, "file")))
	move()
	syncOf(t, a)
	cut(t, f, Cut{})
	require.Equal(t, "text", get(t, filepath.Join(b, "file")))
	require.DirExists(t, filepath.Join(b, "sub"))
	absent(t, filepath.Join(a, "file"))
}

func TestExchangedNames(t *testing.T) {
	f, dir := mounted(t)
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	durable(t, a, "a")
	durable(t, b, "b")
	require.NoError(t, unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE))
	require.Equal(t, "ba", get(t, a)+get(t, b))
	require.ErrorIs(t, unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_NOREPLACE), unix.EEXIST)
	cut(t, f, Cut{})
	require.Equal(t, "ab", get(t, a)+get(t, b))
}

// What the harness does can be made durable in one step.
func TestSyncOfAll(t *testing.T) {
	f, dir := mounted(t)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	put(t, filepath.Join(dir, "sub", "file"), "text")
	require.NoError(t, f.Sync())
	require.Zero(t, cut(t, f, Cut{}))
	require.Equal(t, "text", get(t, filepath.Join(dir, "sub", "file")))
}
