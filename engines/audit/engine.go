// Package audit keeps the journals of reads honest: it anchors their heads in the replicated log, and holds the key that signs exports.
//
// It promises:
//   - What a node's disk had of its journal is in the replicated log about a second later: who changes or removes it afterwards is found out
//     by anybody who has either.
//   - One entry for all nodes, at most every second, and none when nothing moved. Anchoring moves no journal.
//   - The private key is sealed; it leaves the keyring for the length of one signature.
//
// A crash between any two steps loses nothing: the next leader asks for the heads and the key again.
package audit

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"

	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// Keys seals the private key; *keyring.Keyring does.
type Keys interface {
	Seal(r fsm.Reader, b fsm.Binding, plaintext []byte) (fsm.Sealed, error)
	Open(r fsm.Reader, b fsm.Binding, s fsm.Sealed) ([]byte, error)
}

// Engine signs and anchors.
type Engine struct {
	ledger *fsm.Ledger
	keys   Keys
}

// New binds the engine to the log.
func New(ledger *fsm.Ledger, keys Keys) *Engine { return &Engine{ledger, keys} }

func binding(version uint32) fsm.Binding {
	return fsm.Binding{Tenant: fsm.RootTenant, Feature: "audit", Field: "signing-key", Version: uint64(version)}
}

// Sign signs message with the newest key in r. fault.NotDone: there is none yet.
func (e *Engine) Sign(r fsm.Reader, message []byte) (Key, []byte, error) {
	row, found, err := newestKey(r)
	if err != nil {
		return Key{}, nil, err
	}
	if !found {
		return Key{}, nil, fault.New(fault.NotDone, "there is no key to sign with yet: the leader makes it once every node runs this version")
	}
	seed, err := e.keys.Open(r, binding(row.Version), row.Private)
	if err != nil {
		return Key{}, nil, fmt.Errorf("open the audit key: %w", err)
	}
	defer clear(seed)
	if len(seed) != ed25519.SeedSize {
		return Key{}, nil, fault.New(fault.Corrupt, "the audit key has %d bytes", len(seed))
	}
	private := ed25519.NewKeyFromSeed(seed)
	defer clear(private)
	return Key{row.Version, row.Public}, ed25519.Sign(private, message), nil
}

// decideKey makes the first key, if nobody was faster.
func (e *Engine) decideKey(v *fsm.View, entry *fsm.Entry) error {
	_, found, err := newestKey(v)
	if err != nil || found {
		return err
	}
	g, err := fsm.GuardOf(v, fsm.RootTenant, keyStream)
	if err != nil {
		return err
	}
	made, err := e.Found(v)
	entry.Guard(g)
	entry.Add(made...)
	return err
}

// Found makes the key of a new cluster, none while the cluster's version does not have it.
func (e *Engine) Found(v *fsm.View) ([]fsm.Event, error) {
	if v.Version() < since {
		return nil, nil
	}
	seed := make([]byte, ed25519.SeedSize)
	defer clear(seed)
	rand.Read(seed)
	private := ed25519.NewKeyFromSeed(seed)
	defer clear(private)
	made := KeyMade{Version: 1, Public: append([]byte(nil), private.Public().(ed25519.PublicKey)...)}
	var err error
	if made.Private, err = e.keys.Seal(v, binding(made.Version), seed); err != nil {
		return nil, fmt.Errorf("seal the audit key: %w", err)
	}
	return []fsm.Event{made}, nil
}
