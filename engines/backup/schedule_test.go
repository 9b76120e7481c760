package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fsmtest"
)

// solo is the log of a cluster of one.
type solo struct{ s *fsm.Store }

func (l solo) Term() (uint64, error) { return 3, nil }
func (l solo) Propose(_ context.Context, e *fsm.Entry) (fsm.Receipt, error) {
	return l.s.Append(3, fsm.At(time.Now()), e)
}
func (l solo) ReadIndex(context.Context) (uint64, error) { return l.s.Applied(), nil }

// versioned raises the version that scheduled backups need.
type versioned struct{}

func (versioned) EventType() string   { return "test.version.raised" }
func (versioned) EventStream() string { return "version" }

// scheduled is a schedule over a rig, whose backups prove themselves by one note.
func scheduled(t *testing.T, target Target, keep int) (*rig, *Schedule) {
	r := newRig(t, 3)
	r.apply(fsm.RootTenant, versioned{})
	s := NewSchedule(Plan{Cluster: cluster, Node: "n1", Every: time.Hour, Keep: keep, Scratch: t.TempDir(), Target: target, Keys: r.keys, Ledger: fsm.NewLedger(r.store, solo{r.store}),
		Events: registry, Present: func(context.Context) (*fsm.View, error) { return r.store.View() }, Log: slog.New(slog.DiscardHandler),
		Proof: func(v *fsm.View) error {
			row, _, err := notes.Get(v, fsm.K("n0001"))
			if err != nil {
				return err
			}
			_, err = r.keys.Open(v, place("n0001"), row.Value)
			return err
		}})
	return r, s
}

func (s *Schedule) all(t *testing.T) []Kept {
	all, err := s.known()
	require.NoError(t, err)
	return all
}

// again makes a round although the last one was a moment ago, at an index of its own.
func (r *rig) again(t *testing.T, s *Schedule) {
	r.note(fmt.Sprint("more", r.store.Applied()), []byte("x"))
	require.NoError(t, s.round(t.Context()))
}

func TestAScheduledBackupIsTriedAndTheOldestGo(t *testing.T) {
	dir := Dir(filepath.Join(t.TempDir(), "made"))
	r, s := scheduled(t, dir, 3)
	due, err := s.untilDue()
	require.NoError(t, err)
	require.LessOrEqual(t, due, time.Duration(0), "the first is due at once")
	for range 5 {
		r.again(t, s)
	}
	due, err = s.untilDue()
	require.NoError(t, err)
	require.Greater(t, due, 59*time.Minute)

	all := s.all(t)
	require.Len(t, all, 3)
	files, err := os.ReadDir(string(dir))
	require.NoError(t, err)
	require.Len(t, files, 3)
	for i, k := range all {
		require.True(t, k.Good, "%+v", k)
		require.Equal(t, files[i].Name(), k.Taken.Name)
		b, err := os.ReadFile(filepath.Join(string(dir), k.Taken.Name))
		require.NoError(t, err)
		require.Len(t, b, int(k.Taken.Bytes))
		l, err := load(t, b, r.kek)
		require.NoError(t, err)
		require.Equal(t, k.Taken.Index, l.Verified.Index)
	}
	left, err := os.ReadDir(s.Scratch)
	require.NoError(t, err)
	require.Empty(t, left, "a drill leaves nothing behind")
}

// rotten damages what is written through it while it is on.
type rotten struct {
	Dir
	on bool
}

func (d *rotten) Put(ctx context.Context, name string, write func(io.Writer) error) (uint64, error) {
	n, err := d.Dir.Put(ctx, name, write)
	if err != nil || !d.on {
		return n, err
	}
	path := filepath.Join(string(d.Dir), name)
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	b[len(b)/2] ^= 1
	return n, os.WriteFile(path, b, 0o600)
}

func TestABackupThatWouldNotHelpIsFoundAndNeverDisplacesAGoodOne(t *testing.T) {
	dir := &rotten{Dir: Dir(t.TempDir())}
	r, s := scheduled(t, dir, 2)
	r.again(t, s)
	good := s.all(t)[0].Taken.Name
	dir.on = true
	for range 4 {
		r.again(t, s)
	}
	all := s.all(t)
	require.Len(t, all, 3, "two, and the last good one")
	require.Equal(t, good, all[0].Taken.Name)
	require.FileExists(t, filepath.Join(string(dir.Dir), good))
	for _, k := range all[1:] {
		require.False(t, k.Good)
		require.Contains(t, k.Reason, "the backup is damaged")
	}
	sum := Summarize(all)
	require.Equal(t, Summary{Kept: 3, Good: all[0], Last: all[2], Tried: all[2]}, sum)
	dir.on = false
	r.again(t, s)
	all = s.all(t)
	require.Equal(t, all[len(all)-1], Summarize(all).Good)
	require.NoFileExists(t, filepath.Join(string(dir.Dir), good), "there is a younger good one")
}

func TestABackupOfAKeyThatDoesNotOpenFailsItsDrill(t *testing.T) {
	_, s := scheduled(t, Dir(t.TempDir()), 2)
	made, err := s.take(t.Context())
	require.NoError(t, err)
	lost := errors.New("the CA's key does not open")
	s.Proof = func(*fsm.View) error { return lost }
	failed, ok := s.drill(t.Context(), made).(DrillFailed)
	require.True(t, ok)
	require.Equal(t, lost.Error(), failed.Reason)
	made.Digest[0] ^= 1
	failed, ok = s.drill(t.Context(), made).(DrillFailed)
	require.True(t, ok)
	require.Contains(t, failed.Reason, "it is not the one that was written under this name")
}

func TestAPutThatFailsLeavesNothing(t *testing.T) {
	dir := Dir(t.TempDir())
	broken := errors.New("no more")
	_, err := dir.Put(t.Context(), "trstctl-x-1", func(w io.Writer) error {
		_, err := w.Write([]byte("half"))
		return errors.Join(err, broken)
	})
	require.ErrorIs(t, err, broken)
	require.NoError(t, os.WriteFile(filepath.Join(string(dir), "trstctl-x-0.partial"), nil, 0o600)) // as a crash leaves it
	require.NoError(t, os.WriteFile(filepath.Join(string(dir), "other"), nil, 0o600))
	names, err := dir.List(t.Context(), "trstctl-x-")
	require.NoError(t, err)
	require.Empty(t, names)
	left, err := os.ReadDir(string(dir))
	require.NoError(t, err)
	require.Len(t, left, 1)
}

func TestTheScheduleKeepsItsPromises(t *testing.T) {
	entries := []*fsm.Entry{
		fsmtest.Entry(fsm.RootTenant, Taken{Name: "a", Node: "n1", Epoch: 1, Index: 7, Digest: [32]byte{1}, Bytes: 10, Millis: 3}),
		fsmtest.Entry(fsm.RootTenant, DrillPassed{"a", 5, 4, 2}),
		fsmtest.Entry(fsm.RootTenant, Taken{Name: "b", Node: "n2", Epoch: 1, Index: 9}, DrillFailed{"b", "damaged", 1}),
		fsmtest.Entry(fsm.RootTenant, Taken{Name: "c", Node: "n2", Epoch: 1, Index: 10}, Removed{"c"}, DrillPassed{"c", 1, 1, 1}),
	}
	v := fsmtest.Check(t, Register, entries...)
	all, err := All(v)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.True(t, all[0].Good && !all[1].Good && all[1].Reason == "damaged")
	require.GreaterOrEqual(t, all[0].Drilled, all[0].At)
}

func TestSurplusIsCountedByNameAndSparesTheLastGood(t *testing.T) {
	good := func(names ...string) (out []Kept) {
		for _, n := range names {
			out = append(out, Kept{Taken: Taken{Name: n}, Good: true})
		}
		return out
	}
	names := []string{"1", "2", "3", "4", "5"}
	for want, c := range map[string]struct {
		all  []Kept
		keep int
	}{
		"[]":      {nil, 2}, // none is known to be good
		"[1 2 3]": {good("2", "4"), 2},
		"[1 3]":   {good("2"), 2},
		"[1 2]":   {good("5", "9"), 3}, // 9 is not there
	} {
		require.Equal(t, want, fmt.Sprint(surplus(names, c.all, c.keep)))
	}
	require.Empty(t, surplus(names, good("5"), 5))
}
