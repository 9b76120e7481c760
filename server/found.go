package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/trstctl/trstctl/cluster"
	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/fsm"
)

// found commits the first entries of a cluster, each on top of the one before: the root key and the root tenant, the root
// tenant's keys, then everything that is sealed under them. It returns the root token.
func (m *member) found(ctx context.Context, f *cluster.Founding, rootTTL time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, initTime)
	defer cancel()
	if err := m.untilLeads(ctx); err != nil {
		return nil, err
	}
	var token []byte
	for _, step := range []func(*fsm.View) ([]fsm.Event, error){
		func(*fsm.View) ([]fsm.Event, error) {
			events, _, err := m.keys.Found(ctx, keyring.People{})
			return append(events, m.tenants.Found()...), err
		},
		func(v *fsm.View) ([]fsm.Event, error) {
			if err := m.keys.Unseal(ctx, v); err != nil {
				return nil, err
			}
			return m.keys.NewTenant(v, fsm.RootTenant)
		},
		func(v *fsm.View) ([]fsm.Event, error) { return f.Events(v, m.keys) },
		func(v *fsm.View) (events []fsm.Event, err error) {
			events, token, err = m.tokens.Found(rootTTL)
			return events, err
		},
	} {
		if err := m.commitFirst(ctx, step); err != nil {
			return nil, fmt.Errorf("found the cluster: %w", err)
		}
	}
	return token, nil
}

func (m *member) commitFirst(ctx context.Context, step func(*fsm.View) ([]fsm.Event, error)) error {
	r := fsm.Request{Tenant: fsm.RootTenant, Actor: fsm.Actor{Identity: "init"}}
	rand.Read(r.ID[:])
	_, err := m.cluster.Ledger().Commit(ctx, r, "", func(v *fsm.View, e *fsm.Entry) error {
		events, err := step(v)
		e.Add(events...)
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
