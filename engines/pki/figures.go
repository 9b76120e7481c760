package pki

import "github.com/trstctl/trstctl/fsm"

// Figures are what operators watch, of all tenants.
type Figures struct {
	Issuers   uint64
	Suspended uint64   // after a restore, until somebody confirms them
	First     fsm.Time // when the first of those that issue expires; 0: there is none
}

// Measure counts issuers. Those that are disabled or have expired are not waited for.
func (e *Engine) Measure(v *fsm.View) (f Figures, err error) {
	now := e.time(v)
	err = issuers.Scan(v, fsm.Span{}, func(_ fsm.Key, row issuerRow) (bool, error) {
		c, err := row.certificate()
		if err != nil {
			return false, err
		}
		f.Issuers++
		switch row.state(v, c, now) {
		case Suspended:
			f.Suspended++
		case Active:
			if end := expiryOf(c); f.First == 0 || end < f.First {
				f.First = end
			}
		}
		return true, nil
	})
	return f, err
}
