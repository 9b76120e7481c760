package nemesis

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/trstctl/trstctl/jepsen/faultfs"
	"github.com/trstctl/trstctl/jepsen/lab"
)

var errNoFaultyDisk = errors.New("the nodes are not on disks that fail on demand")

// powerCut kills nodes and takes from their disks what was not synced.
func powerCut(name string, torn bool, draw func(ctx context.Context, s *Stage) ([]*lab.Node, error)) Fault {
	return Fault{Name: name, Hold: [2]time.Duration{100 * time.Millisecond, 3 * time.Second}, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		nodes, err := draw(ctx, s)
		if err != nil {
			return Act{}, err
		}
		if nodes[0].FS == nil {
			return Act{}, errNoFaultyDisk
		}
		if err := each(nodes, (*lab.Node).Kill); err != nil {
			return Act{}, err
		}
		lost := map[string]faultfs.Lost{}
		err = each(nodes, func(n *lab.Node) (err error) {
			lost[n.ID], err = n.FS.PowerCut(s.Rand, faultfs.Cut{Torn: torn})
			return err
		})
		return Act{Targets: nodes, Detail: lost, Heal: starts(nodes)}, err
	}}
}

func everyone(_ context.Context, s *Stage) ([]*lab.Node, error) { return s.Shuffled(), nil }
func most(_ context.Context, s *Stage) ([]*lab.Node, error)     { return s.Majority(), nil }

// diskFault is a disk that fails in a way for a while. A node that ended itself, as it should at some of them, is started again; what its disk had not
// synced by then is lost, as after a failed sync nobody can say what was.
func diskFault(name string, draw func(s *Stage) faultfs.Faults) Fault {
	return Fault{Name: name, Hold: usual, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		n, err := s.One(ctx)
		if err != nil {
			return Act{}, err
		}
		if n.FS == nil {
			return Act{}, errNoFaultyDisk
		}
		f := draw(s)
		n.FS.Set(f)
		return Act{Targets: []*lab.Node{n}, Detail: f, Heal: func(ctx context.Context) error {
			n.FS.Set(faultfs.Faults{})
			return revive(ctx, s, n)
		}}, nil
	}}
}

// revive starts a node that has ended; one that is about to end is given the time, which is up to twenty seconds where its parts hang.
func revive(ctx context.Context, s *Stage, n *lab.Node) error {
	_ = n.Ended(3 * time.Second) // or it goes on
	err := lab.Until(ctx, n.ID+" to be ready or to end", func(ctx context.Context) error {
		if !n.Running() {
			return nil
		}
		return n.Client().Ready(ctx)
	})
	if err != nil || n.Running() {
		return err
	}
	if _, err := n.FS.PowerCut(s.Rand, faultfs.Cut{}); err != nil {
		return err
	}
	return n.Start()
}

// Disks.
var (
	PowerCutOne      = powerCut("power-cut-one", false, just(one))
	PowerCutMajority = powerCut("power-cut-majority", false, most)
	PowerCutAll      = powerCut("power-cut-all", false, everyone)
	TornAll          = powerCut("power-cut-torn", true, everyone)
	FailSync         = diskFault("failed-fsync", func(*Stage) faultfs.Faults { return faultfs.Faults{FailSync: true} })
	SlowSync         = diskFault("slow-fsync", func(s *Stage) faultfs.Faults {
		return faultfs.Faults{SlowSync: s.Between(20*time.Millisecond, 800*time.Millisecond)}
	})
	HangSync = diskFault("hanging-fsync", func(*Stage) faultfs.Faults { return faultfs.Faults{HangSync: true} })
	NoSpace  = diskFault("no-space", func(*Stage) faultfs.Faults { return faultfs.Faults{Full: true} })
	// Full fills a small disk to below the reserve, and now and then to the last byte.
	Full = Fault{Name: "full-disk", Hold: usual, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		n, err := s.One(ctx)
		if err != nil {
			return Act{}, err
		}
		leave := s.Rand.IntN(12)
		if err := n.Fill(leave); err != nil {
			return Act{}, fmt.Errorf("fill the disk of %s: %w", n.ID, err)
		}
		return Act{Targets: []*lab.Node{n}, Detail: map[string]any{"left_mib": leave}, Heal: func(context.Context) error {
			return errors.Join(n.Drain(), n.Start())
		}}, nil
	}}
)

// flipped damages one bit of files of a stopped follower, whose node must then refuse to go on or not have needed them; a node that refuses is replaced.
func flipped(name, beneath, pattern string) Fault {
	return Fault{Name: name, Hold: [2]time.Duration{0, time.Second}, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		n, err := s.Follower(ctx)
		if err != nil {
			return Act{}, err
		}
		if err := n.Kill(); err != nil {
			return Act{}, err
		}
		path, at, err := flip(s, filepath.Join(n.Data, beneath), pattern)
		if errors.Is(err, fs.ErrNotExist) { // nothing was flushed yet: a node that starts does that
			err = errors.Join(n.Start(), lab.Until(ctx, n.ID+" to be ready", n.Client().Ready), n.Kill())
			if err == nil {
				path, at, err = flip(s, filepath.Join(n.Data, beneath), pattern)
			}
		}
		if err != nil {
			return Act{}, errors.Join(err, n.Start())
		}
		return Act{Targets: []*lab.Node{n}, Detail: map[string]any{"file": path, "at": at}, Heal: func(ctx context.Context) error {
			return replaceIfRefused(ctx, s, n)
		}}, n.Start()
	}}
}

// flip turns a bit in one of the files that match; where nobody wrote yet it would prove nothing.
func flip(s *Stage, dir, pattern string) (name string, at int, err error) {
	var files []string
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if fits, _ := filepath.Match(pattern, filepath.Base(path)); err == nil && d.Type().IsRegular() && fits {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		return "", 0, errors.Join(err, fmt.Errorf("%s in %s: %w", pattern, dir, fs.ErrNotExist))
	}
	path := files[s.Rand.IntN(len(files))]
	b, err := os.ReadFile(path)
	if err != nil {
		return "", 0, err
	}
	var written []int
	for i, c := range b {
		if c != 0 {
			written = append(written, i)
		}
	}
	if len(written) == 0 {
		return "", 0, fmt.Errorf("%s is empty", path)
	}
	at = written[s.Rand.IntN(len(written))]
	b[at] ^= 1 << s.Rand.IntN(8)
	return filepath.Base(path), at, os.WriteFile(path, b, 0o600)
}

// replaceIfRefused waits until a node has come up or ended itself; then its place is taken by a new one, as OPERATIONS.md says.
func replaceIfRefused(ctx context.Context, s *Stage, n *lab.Node) error {
	refused := errors.New("refused")
	err := lab.Until(ctx, n.ID+" to be ready or to end", func(ctx context.Context) error {
		if !n.Running() {
			return nil
		}
		return n.Client().Ready(ctx)
	})
	if err == nil && !n.Running() {
		err = refused
	}
	if err == nil {
		return nil
	}
	s.Log.Info("replacing a node that does not come back", "node", n.ID, "because", err)
	return replace(ctx, s, n)
}

func replace(ctx context.Context, s *Stage, n *lab.Node) error {
	if _, err := s.Lab.Join(ctx); err != nil {
		return err
	}
	return s.Lab.Remove(ctx, n)
}

// Damage.
var (
	FlipLog    = flipped("bit-flip-log", "raft", "*")
	FlipTables = flipped("bit-flip-tables", "tables", "*.sst")
	// OldDirectory puts an old copy of a data directory back on one node while the others run. Its vote could lose what it had confirmed, so
	// it must not come back.
	OldDirectory = Fault{Name: "old-directory", Hold: [2]time.Duration{0, time.Second}, Begin: func(ctx context.Context, s *Stage) (Act, error) {
		n, err := s.Follower(ctx)
		if err != nil {
			return Act{}, err
		}
		old := n.Data + ".old"
		if err := errors.Join(n.Stop(), os.RemoveAll(old), copyDir(n.Data, old), n.Start()); err != nil {
			return Act{}, err
		}
		if err := wait(ctx, s.Between(3*time.Second, 6*time.Second)); err != nil { // in which it confirms what the copy has not
			return Act{}, fmt.Errorf("the copy is not old enough yet: %w", errors.Join(err, os.RemoveAll(old)))
		}
		if err := errors.Join(n.Kill(), os.RemoveAll(n.Data), os.Rename(old, n.Data), n.Start()); err != nil {
			return Act{}, err
		}
		return Act{Targets: []*lab.Node{n}, Heal: func(ctx context.Context) error { return mustRefuse(ctx, s, n) }}, nil
	}}
)

// copyDir copies files and directories; a socket is left.
func copyDir(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch target := filepath.Join(to, rel); {
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		case d.Type().IsRegular():
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(target, b, 0o600)
		}
		return nil
	})
}

// ErrAccepted is a node that was let in with state that it should not have: a violation, not a failed healing.
var ErrAccepted = errors.New("a node was let in with state that was tampered with")

func mustRefuse(ctx context.Context, s *Stage, n *lab.Node) error {
	if err := n.Ended(30 * time.Second); err != nil {
		return fmt.Errorf("%w: %s, with an old copy of its directory", ErrAccepted, n.ID)
	}
	return replace(ctx, s, n)
}
