package cluster_test

import (
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/trstctl/trstctl/cluster"
)

// unwritable is a log in which nothing can be written down any more.
type unwritable struct{ *raft.InmemStore }

func (unwritable) SetUint64([]byte, uint64) error {
	return errors.New("the Raft log is damaged: move the data directory aside")
}

// TestALogThatCannotBeWrittenIsAnErrorAtTheStart: Raft panics there, with what the log has said.
func TestALogThatCannotBeWrittenIsAnErrorAtTheStart(t *testing.T) {
	cfg := raft.DefaultConfig()
	cfg.LocalID = "n1"
	store := unwritable{raft.NewInmemStore()}
	address, transport := raft.NewInmemTransportWithTimeout("", time.Second)
	require.NoError(t, raft.BootstrapCluster(cfg, store.InmemStore, store.InmemStore, raft.NewInmemSnapshotStore(), transport,
		raft.Configuration{Servers: []raft.Server{{ID: "n1", Address: address}}}))
	_, err := cluster.NewRaft(cfg, nil, store, store, raft.NewInmemSnapshotStore(), transport)
	require.ErrorContains(t, err, "the Raft log is damaged: move the data directory aside")
}
