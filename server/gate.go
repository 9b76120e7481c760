package server

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/server/api"
)

// gate opens and closes one node. It asks the node's seals until one answers, takes shares from people, and keeps a node closed that an operator
// has sealed. Attempts with shares belong to this node and to who knows their random id; nothing of one is left after ten minutes.
type gate struct {
	m     *member
	seals []seal.Seal
	mark  string // file that keeps the node sealed over a restart

	door sync.Mutex  // held while keys are taken or wiped and the mark is made or removed, never while a seal is asked
	shut atomic.Bool // an operator has sealed the node since it started

	mu       sync.Mutex // guards the rest
	reason   error      // why the node is sealed; nil when it is not known yet
	since    time.Time
	attempts map[string]*attempt
	problems map[string]error // of each seal, when it was asked last
}

type attempt struct {
	shares []seal.Share
	began  time.Time
}

const (
	sealedMark   = "SEALED-BY-OPERATOR"
	attemptLife  = 10 * time.Minute
	mostAttempts = 16
	sealPause    = 500 * time.Millisecond // between two rounds of asking
	refreshEvery = time.Second
	askTime      = 8 * time.Second // for one seal
)

func newGate(m *member, c Config, seals []seal.Seal) *gate {
	return &gate{m: m, seals: seals, mark: filepath.Join(c.Data, sealedMark), since: time.Now(), attempts: map[string]*attempt{}, problems: map[string]error{}}
}

var errByOperator = fault.New(fault.Sealed, "an operator sealed this node: `trstctl operator unseal` opens it, with shares, or on its machine with -c FILE")

// byOperator takes a mark that cannot be looked at for one that is there.
func (g *gate) byOperator() bool {
	_, err := os.Lstat(g.mark)
	return g.shut.Load() || !errors.Is(err, os.ErrNotExist)
}

func (g *gate) allowed() error {
	if g.byOperator() {
		return errByOperator
	}
	return nil
}

// try asks the node's seals once, unless an operator has sealed the node. fault.Sealed says that the keys are not there yet or no seal answers; any
// other error is a wrong or damaged key.
func (g *gate) try(ctx context.Context) error {
	err := g.allowed()
	if err == nil {
		err = g.unseal(ctx, g.allowed)
	}
	if err != nil {
		g.note(err)
	}
	return err
}

// unseal asks the seals, and once they have answered whether the node may be opened still: an operator may have sealed it meanwhile.
func (g *gate) unseal(ctx context.Context, may func() error, beside ...seal.Seal) error {
	v, err := g.m.cluster.Store().View()
	if err != nil {
		return err
	}
	defer v.Close()
	opened, err := g.m.keys.Ask(ctx, v, beside...)
	if err != nil {
		return err
	}
	g.door.Lock()
	defer g.door.Unlock()
	if err := may(); err != nil {
		opened.Drop()
		return err
	}
	opened.Take()
	g.note(nil)
	return nil
}

func (g *gate) note(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil && g.shut.Load() { // it was asked for before
		err = errByOperator
	}
	if (err == nil) != (g.reason == nil) {
		g.since = time.Now()
	}
	if err != nil && (g.reason == nil || g.reason.Error() != err.Error()) && !errors.Is(err, errByOperator) {
		g.m.log.Warn("the node is sealed", "reason", err.Error())
	}
	g.reason = err
}

// run tries until it has the keys, since a node that has just joined gets the state first and a seal may be out of reach, and then follows the
// rotation of the root key.
func (g *gate) run(ctx context.Context) error {
	for ctx.Err() == nil {
		wait := refreshEvery
		if err := g.step(ctx); err != nil {
			if !fault.Is(err, fault.Sealed) && !fault.Is(err, fault.NotDone) { // not done: the cluster is stopping, and says why itself
				return err
			}
			wait = sealPause
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	return nil
}

func (g *gate) step(ctx context.Context) error {
	g.expire()
	if !g.m.keys.Unsealed() {
		return g.try(ctx)
	}
	v, err := g.m.cluster.Store().View()
	if err != nil {
		return err
	}
	defer v.Close()
	err = g.m.keys.Refresh(ctx, v, fsm.At(time.Now()))
	switch {
	case !fault.Is(err, fault.Sealed):
		return err
	case g.m.keys.Unsealed():
		g.m.log.Warn("a newer root key is not here yet", "err", err)
		return nil
	}
	g.note(err) // it was away while its keys were rotated
	return err
}

// SealNode implements api.Gate. Another member is asked over the peer port.
func (g *gate) SealNode(ctx context.Context, node string) error {
	if node == g.m.cluster.Identity().Node {
		return g.close()
	}
	ids, err := g.m.cluster.MemberIDs()
	if err != nil {
		return err
	}
	if !slices.Contains(ids, node) {
		return fault.New(fault.NotFound, "node %q is not a member", node)
	}
	_, err = g.m.cluster.Ask(ctx, node, askClose, nil)
	return err
}

// close wipes the keys: they are gone from memory when it returns, and stay away over a restart unless it fails.
func (g *gate) close() error {
	g.door.Lock()
	defer g.door.Unlock()
	g.shut.Store(true)
	g.m.keys.Close()
	g.note(errByOperator)
	g.m.log.Warn("an operator sealed this node")
	err := os.WriteFile(g.mark, nil, 0o600)
	if err == nil {
		err = syncDir(filepath.Dir(g.mark))
	}
	if err != nil {
		return fmt.Errorf("the node is sealed, but may not be after a restart: %w", err)
	}
	return nil
}

// reopen takes back an operator's sealing and asks the seals: for the operator of this machine.
func (g *gate) reopen(ctx context.Context) error {
	g.door.Lock()
	err := g.unmark()
	g.door.Unlock()
	if err != nil {
		return err
	}
	if g.m.keys.Unsealed() {
		return nil
	}
	return g.try(ctx)
}

// unmark takes an operator's sealing back. Its caller has the door.
func (g *gate) unmark() error {
	err := os.Remove(g.mark)
	if err == nil {
		err = syncDir(filepath.Dir(g.mark))
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("open the node to its seals again: %w", err)
	}
	g.shut.Store(false)
	return nil
}

// Unseal implements api.Gate.
func (g *gate) Unseal(ctx context.Context, id string, text []byte) (api.UnsealProgress, error) {
	if g.m.keys.Unsealed() {
		return api.UnsealProgress{}, fault.New(fault.Conflict, "the node is not sealed")
	}
	held, threshold, err := g.held()
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

// gather adds a share to an attempt, a new one with id "". The shares that it returns are the attempt's own.
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
			return id, at.shares, nil // the same once more
		}
	}
	at.shares = append(at.shares, share)
	return id, at.shares, nil
}

func (g *gate) drop(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at := g.attempts[id]; at != nil {
		at.zero()
		delete(g.attempts, id)
	}
}

// expire forgets attempts that were abandoned, and all of them once the node is open.
func (g *gate) expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, at := range g.attempts {
		if time.Since(at.began) > attemptLife || g.m.keys.Unsealed() && len(at.shares) > 0 {
			at.zero()
			delete(g.attempts, id)
		}
	}
}

func (a *attempt) zero() {
	for i := range a.shares {
		a.shares[i].Zero()
	}
}

// Reason implements api.Gate: why the node is sealed, for everyone who asks.
func (g *gate) Reason() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reason == nil || g.m.keys.Unsealed() {
		return ""
	}
	return g.reason.Error()
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

// What members ask each other about seals.
const (
	askSeals = "seal.status"
	askClose = "seal.close"
)

// sealState is one seal as one node sees it.
type sealState struct {
	Name    string `cbor:"1,keyasint"`
	Kind    string `cbor:"2,keyasint"`
	Error   string `cbor:"3,keyasint"`
	Latency int64  `cbor:"4,keyasint"` // ns
}

// answerSeals asks every seal of this node for a random value's wrap and back.
func (g *gate) answerSeals(ctx context.Context) ([]byte, error) {
	out := make([]sealState, len(g.seals))
	var wg sync.WaitGroup
	for i, s := range g.seals {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askTime)
			defer cancel()
			began := time.Now()
			err := testSeal(ctx, s)
			out[i] = sealState{Name: s.Name(), Kind: s.Kind(), Latency: int64(time.Since(began))}
			if err != nil {
				out[i].Error = err.Error()
			}
		})
	}
	wg.Wait()
	return fsm.Encode(out)
}

func testSeal(ctx context.Context, s seal.Seal) error {
	if t, ok := s.(interface{ Test(context.Context) error }); ok {
		return t.Test(ctx)
	}
	value, aad := make([]byte, 32), []byte("trstctl seal test")
	rand.Read(value)
	wrapped, err := s.Wrap(ctx, value, aad)
	if err != nil {
		return err
	}
	back, err := s.Unwrap(ctx, wrapped, aad)
	if err == nil && subtle.ConstantTimeCompare(value, back) != 1 {
		err = errors.New("it does not give back what it was given")
	}
	return err
}

// Seals implements api.Gate: every configured seal on every node, and those of the cluster that no node has.
func (g *gate) Seals(ctx context.Context) ([]api.SealStatus, error) {
	v, err := g.m.cluster.Store().View()
	if err != nil {
		return nil, err
	}
	known, err := keyring.Seals(v)
	v.Close()
	if err != nil {
		return nil, err
	}
	ids, err := g.m.cluster.MemberIDs()
	if err != nil {
		return nil, err
	}
	perNode := make([][]api.SealStatus, len(ids))
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() { perNode[i] = g.sealsOf(ctx, id, known) })
	}
	wg.Wait()
	var out []api.SealStatus
	for _, all := range perNode {
		out = append(out, all...)
	}
	return append(out, people(known)...), nil
}

func (g *gate) sealsOf(ctx context.Context, id string, known []keyring.SealRecorded) (out []api.SealStatus) {
	ctx, cancel := context.WithTimeout(ctx, askTime+2*time.Second)
	defer cancel()
	b, err := g.m.cluster.Ask(ctx, id, askSeals, nil)
	var states []sealState
	if err == nil {
		err = fsm.Decode(b, &states)
	}
	if err != nil {
		return []api.SealStatus{{Node: id, Error: err.Error()}}
	}
	for _, s := range states {
		row := api.SealStatus{Node: id, Seal: s.Name, Kind: s.Kind, Error: s.Error, OK: s.Error == "", Latency: s.Latency / 1000}
		for _, k := range known {
			row.Member = row.Member || k.Name == s.Name
		}
		out = append(out, row)
	}
	return out
}

func people(known []keyring.SealRecorded) (out []api.SealStatus) {
	for _, k := range known {
		if k.Kind == seal.KindShamir {
			out = append(out, api.SealStatus{Seal: k.Name, Kind: k.Kind, Member: true, OK: true, Shares: int(k.Shares), Threshold: int(k.Threshold)})
		}
	}
	return out
}
