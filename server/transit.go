package server

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/trstctl/trstctl/engines/keyring/locked"
	"github.com/trstctl/trstctl/engines/transit"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

const (
	askReserve    = "transit.reserve"
	transitPeriod = time.Second // how long a version that was rotated or trimmed stays unwrapped at most
)

// reservation asks the leader for a block of messages under a version of a key.
type reservation struct {
	Tenant  fsm.UID `cbor:"1,keyasint"`
	Name    string  `cbor:"2,keyasint"`
	Version uint64  `cbor:"3,keyasint"`
}

// keyUse is transit on one node: the engine, which decides where this node leads, and the worker.
type keyUse struct {
	m      *member
	engine *transit.Engine
	worker *transit.Worker
}

func newKeyUse(m *member, engine *transit.Engine) *keyUse {
	k := &keyUse{m: m, engine: engine}
	k.worker = transit.NewWorker(m.keys, k.reserve)
	return k
}

// reserve has the leader reserve a block. When its answer is lost, so is the block.
func (k *keyUse) reserve(ctx context.Context, tenant fsm.UID, name string, version uint64) error {
	leader, known := k.m.cluster.Leader()
	if !known {
		return fault.New(fault.NotDone, "there is no leader at the moment: try again").After(time.Second)
	}
	body, err := fsm.Encode(reservation{tenant, name, version})
	if err != nil {
		return err
	}
	if _, err = k.m.cluster.Ask(ctx, leader, askReserve, body); fault.Is(err, fault.Unknown) {
		err = fault.New(fault.NotDone, "the leader did not answer: try again").Because(err).After(time.Second)
	}
	return err
}

// answerReserve reserves a block for a peer.
func (k *keyUse) answerReserve(ctx context.Context, peer string, body []byte) error {
	var in reservation
	if err := fsm.Decode(body, &in); err != nil {
		return fault.New(fault.Invalid, "the question cannot be read").Because(err)
	}
	var id fsm.UID
	_, _ = rand.Read(id[:]) // never fails: the process ends instead
	_, err := k.engine.Reserve(ctx, fsm.Request{ID: id, Tenant: in.Tenant, Actor: fsm.Actor{Identity: "node:" + peer}}, in.Name, in.Version)
	return err
}

// run drops what was rotated, trimmed or deleted, and says once if keys stand in memory that could not be locked.
func (k *keyUse) run(ctx context.Context) error {
	said := false
	for ctx.Err() == nil {
		if err := k.refresh(); err != nil {
			k.m.log.WarnContext(ctx, "keys that were rotated may still be in memory", "err", err)
		}
		if _, unlocked, why := locked.Held(); unlocked > 0 && !said {
			k.m.log.WarnContext(ctx, "keys in use could not be locked in memory and may be swapped: raise LimitMEMLOCK", "bytes", unlocked, "err", why)
			said = true
		}
		select {
		case <-time.After(transitPeriod):
		case <-ctx.Done():
		}
	}
	return nil
}

func (k *keyUse) refresh() error {
	v, err := k.m.cluster.Store().View()
	if err != nil {
		return err
	}
	defer v.Close()
	return k.worker.Refresh(v)
}
