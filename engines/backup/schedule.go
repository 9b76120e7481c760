package backup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/chaos"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Target is where scheduled backups stand. Names have letters, digits, '-' and '.'.
type Target interface {
	// Put stores what write writes under a new name, all of it or nothing, and returns how many bytes that were.
	Put(ctx context.Context, name string, write func(io.Writer) error) (uint64, error)
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// List returns the names that begin with prefix, in order.
	List(ctx context.Context, prefix string) ([]string, error)
	Remove(ctx context.Context, name string) error
}

// Opener makes the key of a backup and gets it back; *keyring.Keyring does.
type Opener interface {
	Keys
	OpenBackup(b keyring.BackupKeys) (*keyring.BackupKey, error)
}

// Plan is what a Schedule is bound to. All is required.
type Plan struct {
	Cluster fsm.UID
	Node    string
	Every   time.Duration
	Keep    int    // backups; the last good one is kept beside them
	Scratch string // directory for drills; "": the system's for temporary files
	Target  Target
	Keys    Opener
	Ledger  *fsm.Ledger
	Events  func() *fsm.Registry                     // of a state that a drill loads
	Present func(context.Context) (*fsm.View, error) // a view that covers everything acknowledged before the call
	Proof   func(*fsm.View) error                    // opens something sealed in a state that a drill has loaded
	Log     *slog.Logger
}

// Schedule takes backups, tries each of them, and removes the oldest. It promises:
//   - A backup counts as good only after it was read back from where it stands, loaded, verified and opened.
//   - The last good one is never removed, however many bad ones follow.
//   - A crash between any two steps leaves a backup that the state does not know: retention counts it by its name, as any other.
type Schedule struct{ Plan }

// NewSchedule binds a schedule, which runs on the leader.
func NewSchedule(p Plan) *Schedule { return &Schedule{p} }

const (
	scheduleRetry = time.Minute
	scheduleSoon  = 2 * time.Second
	maxReason     = 500
)

// Run takes a backup whenever one is due until ctx ends. What fails is logged and tried again after a minute.
func (s *Schedule) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		wait, err := s.untilDue()
		if err == nil && wait <= 0 {
			err = s.round(ctx)
		}
		switch {
		case err == nil || ctx.Err() != nil:
		case fault.Is(err, fault.Sealed), fault.Is(err, fault.NotDone), fault.Is(err, fault.Unknown): // the founding is under way, or leadership ends
			s.Log.WarnContext(ctx, "no scheduled backup can be taken now", "err", err)
			wait = scheduleSoon
		default:
			s.Log.ErrorContext(ctx, "no scheduled backup was taken, will retry", "err", err)
			wait = scheduleRetry
		}
		pause(ctx, min(max(wait, time.Second), scheduleRetry))
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// untilDue returns how long to wait for the next backup, at most the interval whatever the clocks say.
func (s *Schedule) untilDue() (time.Duration, error) {
	all, err := s.known()
	if err != nil {
		return 0, err
	}
	var last fsm.Time
	for _, k := range all {
		last = max(last, k.At)
	}
	return min(last.Add(s.Every).Sub(fsm.At(chaos.Now())), s.Every), nil
}

func (s *Schedule) known() ([]Kept, error) {
	v, err := s.Ledger.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	return All(v)
}

// round takes one backup, drills it, and removes what is too much.
func (s *Schedule) round(ctx context.Context) error {
	made, err := s.take(ctx)
	if err != nil {
		return err
	}
	if err := s.commit(ctx, made); err != nil {
		return err
	}
	s.Log.InfoContext(ctx, "scheduled backup taken", "name", made.Name, "index", made.Index, "bytes", made.Bytes)
	if err := s.commit(ctx, s.drill(ctx, made)); err != nil {
		return err
	}
	return s.retain(ctx)
}

func (s *Schedule) take(ctx context.Context) (Taken, error) {
	start := chaos.Now()
	v, err := s.Present(ctx)
	if err != nil {
		return Taken{}, err
	}
	defer v.Close()
	if err := s.Proof(v); err != nil { // before a cluster is founded there is nothing to bring back
		return Taken{}, fault.New(fault.NotDone, "the cluster's own keys cannot be opened yet").Because(err)
	}
	b, err := Prepare(ctx, v, s.Keys, s.Cluster, s.Node, fsm.At(start))
	if err != nil {
		return Taken{}, err
	}
	defer b.Close()
	h := b.Header()
	out := Taken{Name: s.prefix() + fmt.Sprintf("%06d.%012d-%s.trstbak", h.Epoch, h.Index, start.UTC().Format("20060102T150405Z")), Node: s.Node, Epoch: h.Epoch, Index: h.Index, Digest: h.Digest}
	out.Bytes, err = s.Target.Put(ctx, out.Name, func(w io.Writer) error { return b.Write(ctx, w) })
	out.Millis = uint64(time.Since(start).Milliseconds())
	return out, err
}

// prefix names this cluster's backups: a directory or bucket may hold others'. What follows sorts as the history does, whatever clocks say.
func (s *Schedule) prefix() string { return "trstctl-" + s.Cluster.String()[:12] + "-" }

// drill tries a backup as a restore would, and says how that went.
func (s *Schedule) drill(ctx context.Context, made Taken) fsm.Event {
	start := time.Now()
	found, err := s.try(ctx, made)
	took := uint64(time.Since(start).Milliseconds())
	if err != nil {
		s.Log.ErrorContext(ctx, "a backup did not pass its drill: it would not have helped", "name", made.Name, "err", err)
		return DrillFailed{made.Name, strings.ToValidUTF8(err.Error()[:min(len(err.Error()), maxReason)], "?"), took}
	}
	return DrillPassed{made.Name, found.Records, found.Payloads, took}
}

func (s *Schedule) try(ctx context.Context, made Taken) (found fsm.Verified, err error) {
	in, err := s.Target.Open(ctx, made.Name)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	f, err := Read(in)
	if err != nil {
		return found, err
	}
	if h := f.Header(); h.Digest != made.Digest || h.Index != made.Index || h.Epoch != made.Epoch || h.Cluster != s.Cluster {
		return found, damaged("it is not the one that was written under this name")
	}
	key, err := s.Keys.OpenBackup(f.Header().Keys)
	if err != nil {
		return found, err
	}
	defer key.Close()
	content, err := f.Unlock(key)
	if err != nil {
		return found, err
	}
	dir, err := os.MkdirTemp(s.Scratch, "trstctl-drill-")
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	l, err := f.Load(ctx, dir, s.Events(), content)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, l.Store.Close()) }()
	v, err := l.Store.View()
	if err != nil {
		return found, err
	}
	defer v.Close()
	return l.Verified, s.Proof(v)
}

// retain removes the oldest backups beyond Keep. Nothing is removed before one was found good.
func (s *Schedule) retain(ctx context.Context) error {
	names, err := s.Target.List(ctx, s.prefix())
	if err != nil {
		return err
	}
	all, err := s.known()
	if err != nil {
		return err
	}
	for _, name := range surplus(names, all, s.Keep) {
		if err := s.Target.Remove(ctx, name); err != nil {
			return err
		}
		if err := s.commit(ctx, Removed{name}); err != nil {
			return err
		}
		s.Log.InfoContext(ctx, "old backup removed", "name", name)
	}
	return nil
}

// surplus returns which of names, oldest first, are beyond the newest keep and are not the last good one of those that are there.
func surplus(names []string, all []Kept, keep int) (out []string) {
	good := ""
	for _, k := range all {
		if k.Good && k.Taken.Name > good && slices.Contains(names, k.Taken.Name) {
			good = k.Taken.Name
		}
	}
	if good == "" || len(names) <= keep {
		return nil
	}
	for _, name := range names[:len(names)-keep] {
		if name != good {
			out = append(out, name)
		}
	}
	return out
}

func (s *Schedule) commit(ctx context.Context, e fsm.Event) error {
	r := fsm.Request{Tenant: fsm.RootTenant, Actor: fsm.Actor{Identity: "node:" + s.Node}}
	rand.Read(r.ID[:])
	_, err := s.Ledger.Commit(ctx, r, scheduleStream, func(_ *fsm.View, entry *fsm.Entry) error {
		entry.Add(e)
		return nil
	})
	return err
}

// Summary is how scheduled backups are.
type Summary struct {
	Kept  int
	Good  Kept // youngest that has passed its drill
	Last  Kept // youngest
	Tried Kept // whose drill was the last
}

// Summarize looks through what All returns. What there is none of stays zero.
func Summarize(all []Kept) Summary {
	out := Summary{Kept: len(all)}
	for _, k := range all {
		if k.Good && k.At > out.Good.At {
			out.Good = k
		}
		if k.At > out.Last.At {
			out.Last = k
		}
		if k.Drilled > out.Tried.Drilled {
			out.Tried = k
		}
	}
	return out
}
