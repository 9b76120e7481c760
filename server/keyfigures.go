package server

import (
	"time"

	"github.com/trstctl/trstctl/engines/keyring"
	"github.com/trstctl/trstctl/engines/seal"
	"github.com/trstctl/trstctl/fsm/chaos"
)

// keyFigures is what a node's state says of keys and seals.
type keyFigures struct {
	known      bool
	remaining  uint64
	age        time.Duration // of the oldest rotation that is under way
	fileBeside bool
}

// keyFigures reads the state as it is here. What cannot be read is not shown.
func (m *member) keyFigures() keyFigures {
	v, err := m.cluster.Store().View()
	if err != nil {
		return keyFigures{}
	}
	defer v.Close()
	rotations, err := keyring.Rotations(v)
	if err != nil {
		return keyFigures{}
	}
	seals, err := keyring.Seals(v)
	if err != nil {
		return keyFigures{}
	}
	out := keyFigures{known: true}
	for _, r := range rotations {
		if r.Ended == 0 {
			out.remaining += r.Remaining
			out.age = max(out.age, chaos.Now().Sub(r.Began.Std()))
		}
	}
	for _, s := range seals {
		out.fileBeside = out.fileBeside || s.Kind == seal.KindFile && len(seals) > 1
	}
	return out
}
