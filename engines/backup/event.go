package backup

import "github.com/trstctl/trstctl/fsm"

// Taken records that a scheduled backup stands, complete, where the configuration puts them.
type Taken struct {
	Name   string   `cbor:"1,keyasint"`
	Node   string   `cbor:"2,keyasint"` // that took it
	Epoch  uint32   `cbor:"3,keyasint"`
	Index  uint64   `cbor:"4,keyasint"` // up to which it holds everything
	Digest [32]byte `cbor:"5,keyasint"`
	Bytes  uint64   `cbor:"6,keyasint"`
	Millis uint64   `cbor:"7,keyasint"` // that it took
}

// DrillPassed records that a backup was read back from where it stands, opened, loaded and verified, and that its keys open.
type DrillPassed struct {
	Name    string `cbor:"1,keyasint"`
	Records uint64 `cbor:"2,keyasint"`
	Values  uint64 `cbor:"3,keyasint"`
	Millis  uint64 `cbor:"4,keyasint"`
}

// DrillFailed records that a backup would not have helped.
type DrillFailed struct {
	Name   string `cbor:"1,keyasint"`
	Reason string `cbor:"2,keyasint"`
	Millis uint64 `cbor:"3,keyasint"`
}

// Removed records that a backup was removed because there are enough younger ones.
type Removed struct {
	Name string `cbor:"1,keyasint"`
}

const scheduleStream = "backup/schedule"

// EventType, EventStream and Since implement fsm.Newer.
func (Taken) EventType() string         { return "backup.snapshot.taken" }
func (Taken) EventStream() string       { return scheduleStream }
func (Taken) Since() uint32             { return 2 }
func (DrillPassed) EventType() string   { return "backup.drill.passed" }
func (DrillPassed) EventStream() string { return scheduleStream }
func (DrillPassed) Since() uint32       { return 2 }
func (DrillFailed) EventType() string   { return "backup.drill.failed" }
func (DrillFailed) EventStream() string { return scheduleStream }
func (DrillFailed) Since() uint32       { return 2 }
func (Removed) EventType() string       { return "backup.snapshot.removed" }
func (Removed) EventStream() string     { return scheduleStream }
func (Removed) Since() uint32           { return 2 }

// Kept is a scheduled backup as the state knows it.
type Kept struct {
	Taken   Taken    `cbor:"1,keyasint"`
	At      fsm.Time `cbor:"2,keyasint"`
	Drilled fsm.Time `cbor:"3,keyasint,omitempty"` // 0: not yet
	Good    bool     `cbor:"4,keyasint,omitempty"` // its drill passed
	Reason  string   `cbor:"5,keyasint,omitempty"` // why it did not
	Millis  uint64   `cbor:"6,keyasint,omitempty"` // that the drill took
}

var kept = fsm.NewTable[Kept]("backup.kept") // key: name

// Register registers the events of scheduled backups.
func Register(r *fsm.Registry) {
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e Taken) error {
		return kept.Put(tx, fsm.K(e.Name), Kept{Taken: e, At: m.At})
	})
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e DrillPassed) error {
		return drilled(tx, e.Name, func(k *Kept) { k.Drilled, k.Good, k.Reason, k.Millis = m.At, true, "", e.Millis })
	})
	fsm.On(r, func(tx *fsm.Tx, m fsm.Meta, e DrillFailed) error {
		return drilled(tx, e.Name, func(k *Kept) { k.Drilled, k.Good, k.Reason, k.Millis = m.At, false, e.Reason, e.Millis })
	})
	fsm.On(r, func(tx *fsm.Tx, _ fsm.Meta, e Removed) error { return kept.Delete(tx, fsm.K(e.Name)) })
}

func drilled(tx *fsm.Tx, name string, change func(*Kept)) error {
	row, found, err := kept.Get(tx, fsm.K(name))
	if err != nil || !found {
		return err
	}
	change(&row)
	return kept.Put(tx, fsm.K(name), row)
}

// All returns the scheduled backups, oldest name first.
func All(r fsm.Reader) (out []Kept, err error) {
	err = kept.Scan(r, fsm.Span{}, func(_ fsm.Key, k Kept) (bool, error) {
		out = append(out, k)
		return true, nil
	})
	return out, err
}
