package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api"
)

type attempt struct {
	shares []seal.Share
	began  time.Time
}

// Unseal implements api.Gate.
func (g *gate) Unseal(ctx context.Context, id string, text []byte) (api.UnsealProgress, error) {
	if g.m.keys.Unsealed() {
		return api.UnsealProgress{}, fault.New(fault.Conflict, "the node is not sealed")
	}
	held, threshold, err := g.held()
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.Conflict, "the cluster has no shares: this node opens by its own seals, and if an operator sealed it, on its machine with `trstctl operator unseal -c FILE </dev/null`").Because(err)
	}
	if err != nil {
		return api.UnsealProgress{}, err
	}
	share, err := seal.ParseShare(text)
	if err != nil {
		return api.UnsealProgress{}, err
	}
	defer share.Zero()
	if !held.Fits(share) {
		return api.UnsealProgress{}, fault.New(fault.Denied, "this share is not of the set that opens this cluster: it is another cluster's, or was replaced by a rekey")
	}
	id, shares, err := g.gather(id, share, threshold)
	defer zero(shares)
	if err != nil || len(shares) < threshold {
		return api.UnsealProgress{Attempt: id, Have: len(shares), Need: threshold, Sealed: true}, err
	}
	defer g.drop(id)
	if err := g.open(ctx, held, shares); err != nil {
		return api.UnsealProgress{}, err
	}
	return api.UnsealProgress{Have: threshold, Need: threshold}, nil
}

func (g *gate) open(ctx context.Context, held *seal.Shamir, shares []seal.Share) error {
	opened, err := held.WithShares(shares)
	if err != nil {
		g.m.log.Warn("an attempt to unseal with shares failed")
		return err
	}
	defer opened.Close()
	if err := g.unseal(ctx, g.unmark, opened); err != nil {
		return err
	}
	g.m.log.Info("the node was unsealed with shares")
	return nil
}

// held is the seal that people hold and how many shares it takes.
func (g *gate) held() (*seal.Shamir, int, error) {
	v, err := g.m.cluster.Store().View()
	if err != nil {
		return nil, 0, err
	}
	defer v.Close()
	held, err := keyring.HeldSeal(v)
	if err != nil {
		return nil, 0, err
	}
	all, err := keyring.Seals(v)
	for _, s := range all {
		if s.Name == keyring.SharesName {
			return held, int(s.Threshold), err
		}
	}
	return nil, 0, err
}

// gather adds a share to an attempt, a new one with id "", and returns copies of those that have come: the attempt may expire at any moment.
func (g *gate) gather(id string, share seal.Share, threshold int) (string, []seal.Share, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if id == "" {
		if len(g.attempts) >= mostAttempts {
			return "", nil, fault.New(fault.RateLimited, "%d attempts to unseal are under way: wait until some have expired", len(g.attempts)).After(time.Minute)
		}
		var b [16]byte
		rand.Read(b[:])
		id = hex.EncodeToString(b[:])
		g.attempts[id] = &attempt{began: time.Now()}
	}
	at := g.attempts[id]
	if at == nil || len(at.shares) >= threshold { // full: it is being tried at this moment
		return "", nil, fault.New(fault.NotFound, "there is no such attempt: it has expired, failed or ended, begin again without it")
	}
	for _, have := range at.shares {
		if have.X == share.X {
			return id, slices.Clone(at.shares), nil // the same once more
		}
	}
	if at.shares == nil {
		at.shares = make([]seal.Share, 0, threshold) // none is left behind where it grew
	}
	at.shares = append(at.shares, share)
	return id, slices.Clone(at.shares), nil
}

func (g *gate) drop(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at := g.attempts[id]; at != nil {
		zero(at.shares)
		delete(g.attempts, id)
	}
}

// expire forgets attempts that were abandoned, and all of them once the node is open.
func (g *gate) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, at := range g.attempts {
		if time.Since(at.began) > attemptLife || g.m.keys.Unsealed() && len(at.shares) > 0 {
			zero(at.shares)
			delete(g.attempts, id)
		}
	}
}

func zero(shares []seal.Share) {
	for i := range shares {
		shares[i].Zero()
	}
}

// Quorum implements api.Gate.
func (g *gate) Quorum(texts [][]byte) error {
	held, threshold, err := g.held()
	if fault.Is(err, fault.NotFound) && len(texts) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if len(texts) != threshold {
		return fault.Bad("quorum", "%d shares are needed besides the token, %d came: give them with --shares-from FILE or on stdin, one a line", threshold, len(texts))
	}
	shares := make([]seal.Share, len(texts))
	for i, t := range texts {
		if shares[i], err = seal.ParseShare(t); err != nil {
			return err
		}
		defer shares[i].Zero()
	}
	opened, err := held.WithShares(shares)
	if err != nil {
		return fault.New(fault.Denied, "these shares do not open the seal")
	}
	opened.Close()
	return nil
}
