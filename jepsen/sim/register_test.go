package sim

import (
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/fsm/fault"
)

// register is the feature that the world's clients use: versions of a few values.
type register struct {
	Version uint64 `cbor:"1,keyasint"`
	Value   string `cbor:"2,keyasint"`
}

// wrote records the next version of a register.
type wrote struct {
	Key     string `cbor:"1,keyasint"`
	Version uint64 `cbor:"2,keyasint"`
	Value   string `cbor:"3,keyasint"`
}

func (wrote) EventType() string     { return "sim.register.wrote" }
func (e wrote) EventStream() string { return "register/" + e.Key }

var registers = fsm.NewTable[register]("sim.register") // key: key

// registerRegister registers the feature; hold is called wherever a process that is paused must not get on.
func registerRegister(r *fsm.Registry, hold func()) {
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e wrote) error {
		hold()
		return registers.Put(tx, fsm.K(e.Key), register{e.Version, e.Value})
	})
}

// write decides the next version of a register. expect is the version that it must follow, -1 for any. think comes between reading and deciding.
func write(key, value string, expect int, guarded bool, think func()) fsm.Decide {
	return func(v *fsm.View, e *fsm.Entry) error {
		now, _, err := registers.Get(v, fsm.K(key))
		if err != nil {
			return err
		}
		g, err := fsm.GuardOf(v, e.Tenant, wrote{Key: key}.EventStream())
		if err != nil {
			return err
		}
		if guarded {
			e.Guard(g)
		}
		think()
		if expect >= 0 && uint64(expect) != now.Version {
			return fault.New(fault.Conflict, "at version %d", now.Version)
		}
		e.Add(wrote{key, now.Version + 1, value})
		e.Reply.Public, err = fsm.Encode(now.Version + 1)
		return err
	}
}
