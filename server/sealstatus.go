package server

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"sync"
	"time"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/server/api"
)

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
