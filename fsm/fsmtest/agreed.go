package fsmtest

import "github.com/trstctl/trstctl/fsm"

// Agreed raises the version of the cluster, as the event of package cluster does, for tests of what came with a version.
type Agreed struct {
	Version uint32 `cbor:"1,keyasint"`
}

// EventType and EventStream implement fsm.Event.
func (Agreed) EventType() string   { return "test.version.agreed" }
func (Agreed) EventStream() string { return "version" }

// Agreeing registers Agreed.
func Agreeing(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e Agreed) error {
		tx.SetVersion(e.Version)
		return nil
	})
}
