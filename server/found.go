package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/engines/audit"
	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm"
)

// found commits the first entries of a cluster, each on top of the one before: the root key and the root tenant, the root
// tenant's keys, then everything that is sealed under them. It returns the root token and the shares.
func (m *member) found(ctx context.Context, f *cluster.Founding, rootTTL time.Duration, people keyring.People) (token []byte, shares []seal.Share, err error) {
	ctx, cancel := context.WithTimeout(ctx, initTime)
	defer cancel()
	if err := m.untilLeads(ctx); err != nil {
		return nil, nil, err
	}
	for _, step := range []func(*fsm.View) ([]fsm.Event, error){
		func(*fsm.View) ([]fsm.Event, error) { return []fsm.Event{f.First()}, nil },
		func(v *fsm.View) ([]fsm.Event, error) {
			events, made, err := m.keys.Found(ctx, v, people)
			shares = made
			return append(events, m.tenants.Found()...), err
		},
		func(v *fsm.View) ([]fsm.Event, error) {
			if err := m.unsealFirst(ctx, v, shares); err != nil {
				return nil, err
			}
			return m.keys.NewTenant(v, fsm.RootTenant)
		},
		func(v *fsm.View) ([]fsm.Event, error) { return f.Events(v, m.keys) },
		func(v *fsm.View) (events []fsm.Event, err error) {
			if events, err = m.audit.Found(v); err != nil {
				return nil, err
			}
			first, secret, err := m.tokens.Found(rootTTL)
			token = secret
			return append(events, first...), err
		},
	} {
		if err := m.commitFirst(ctx, step); err != nil {
			return nil, nil, fmt.Errorf("found the cluster: %w", err)
		}
	}
	return token, shares, nil
}

// unsealFirst shows that the seals give back what they were given: those of the node, or the shares where people hold the only one.
func (m *member) unsealFirst(ctx context.Context, v *fsm.View, shares []seal.Share) error {
	if len(m.gate.seals) > 0 {
		return m.keys.Unseal(ctx, v)
	}
	held, err := keyring.HeldSeal(v)
	if err != nil {
		return err
	}
	opened, err := held.WithShares(shares[:shares[0].Threshold])
	if err != nil {
		return err
	}
	defer opened.Close()
	return m.keys.Unseal(ctx, v, opened)
}

func (m *member) commitFirst(ctx context.Context, step func(*fsm.View) ([]fsm.Event, error)) error {
	r := fsm.Request{Tenant: fsm.RootTenant, Actor: fsm.Actor{Identity: "init"}}
	rand.Read(r.ID[:])
	_, err := m.cluster.Ledger().Commit(ctx, r, "", func(v *fsm.View, e *fsm.Entry) error {
		events, err := step(v)
		e.Add(fsm.KnownTo(cluster.Version, events)...)
		return err
	})
	return err
}

func (m *member) untilLeads(ctx context.Context) error {
	for !m.cluster.Leads() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-m.stopping.Done():
			return context.Cause(m.stopping)
		case <-ctx.Done():
			return fmt.Errorf("found the cluster: the first node did not become its leader: %w", context.Cause(ctx))
		}
	}
	return nil
}

// auditKey returns the fingerprint of the key that signs the audit's exports, "" while the cluster's version does not have one.
func (m *member) auditKey() (string, error) {
	v, err := m.cluster.Store().View()
	if err != nil {
		return "", err
	}
	defer v.Close()
	k, found, err := audit.NewestKey(v)
	if err != nil || !found {
		return "", err
	}
	return k.Fingerprint(), nil
}
