package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// recovering is a file in a data directory whose recovery has not ended: the node does not start on it, since it may hold what its former cluster
// does not. Another recovery goes on from wherever it is.
const recovering = "RECOVER-INCOMPLETE"

// StandingOf says how far the data directory of a node that does not run is.
func StandingOf(dir string) (s cluster.Standing, err error) {
	err = offline(dir, func(o *cluster.Offline) error {
		s, err = o.Standing()
		return err
	})
	return s, err
}

// offline opens the directory of a node that does not run, for as long as use takes.
func offline(dir string, use func(*cluster.Offline) error) (err error) {
	if _, err := os.Stat(filepath.Join(dir, "node.json")); err != nil {
		return fault.New(fault.NotFound, "%s is not a node's data directory", dir).Because(err)
	}
	lock, err := cluster.Lock(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	o, err := cluster.OpenOffline(dir, registry())
	if err != nil {
		return err
	}
	return errors.Join(use(o), o.Close())
}

// Recover makes a node that does not run the only one of its cluster, in a new epoch, from what its own disk holds. It is for the loss of the
// majority: whatever the others have and this one does not is given up. Every token that was issued before is dead; the new root token is in
// the answer and nowhere else. One that is cut off is repeated: it goes on, and begins yet another epoch.
func Recover(ctx context.Context, how Rebirth) (out Reborn, err error) {
	cfg := how.Config
	seals, err := how.seals()
	if err != nil {
		return out, err
	}
	defer closeSeals(seals)
	for _, name := range []string{incomplete, restoring} {
		if marked(cfg.Data, name) {
			return out, fault.New(fault.Conflict, "data: %s holds %s: it was never a node's, there is nothing in it to recover", cfg.Data, name)
		}
	}
	err = offline(cfg.Data, func(o *cluster.Offline) error {
		if o.ID.Node != cfg.Node {
			return fault.New(fault.Invalid, "node: the data directory is that of node %q, the configuration says %q", o.ID.Node, cfg.Node)
		}
		r := recovery{o: o, cfg: cfg, seals: seals, how: how}
		out, err = r.run(ctx)
		return err
	})
	return out, err
}

type recovery struct {
	o     *cluster.Offline
	cfg   Config
	seals []seal.Seal
	how   Rebirth
}

func (r *recovery) run(ctx context.Context) (out Reborn, err error) {
	if err := r.o.Refill(); err != nil {
		return out, err
	}
	if err := r.permit(ctx); err != nil { // before anything is changed that a start would not change
		return out, err
	}
	again := marked(r.cfg.Data, recovering)
	if !again {
		if err := mark(r.cfg.Data, "", recovering); err != nil {
			return out, err
		}
	}
	if err := r.o.Replay(ctx, again); err != nil {
		return out, err
	}
	v, err := r.o.Store.View()
	if err != nil {
		return out, err
	}
	defer v.Close()
	if out, err = r.begin(ctx, v); err != nil {
		return out, err
	}
	return out, mark(r.cfg.Data, recovering, "")
}

// permit sees whether the keys open, and whether those agree who must.
func (r *recovery) permit(ctx context.Context) error {
	v, err := r.o.Store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	keys, err := r.how.open(ctx, v, r.o.ID.Cluster, r.seals)
	if err != nil {
		return err
	}
	keys.Close()
	return r.how.agreed(v)
}

func (r *recovery) begin(ctx context.Context, v *fsm.View) (out Reborn, err error) {
	found, err := fsm.VerifyChain(ctx, v)
	if err != nil {
		return out, err
	}
	r.how.tell("verified: %s", found)
	digest, err := fsm.Digest(ctx, v)
	if err != nil {
		return out, err
	}
	keys, err := r.how.open(ctx, v, r.o.ID.Cluster, r.seals) // the log may have brought newer root keys
	if err != nil {
		return out, err
	}
	defer keys.Close()
	alone, err := cluster.LoadAlone(r.cfg.Data, r.cfg.self(r.how.Version), v, keys)
	if err != nil {
		return out, err
	}
	e, err := v.Restore(r.how.Epoch, r.cfg.Node, "recover", 0)
	if err != nil {
		return out, err
	}
	if out, err = beginEpoch(r.o.Store, v, alone, e, r.how.RootTTL); err != nil {
		return out, err
	}
	out.Digest = fmt.Sprintf("%x", digest)
	return out, r.o.Settle(alone)
}
