package kmip

import (
	"time"

	"github.com/trstctl/trstctl/engines/managedkey"
	"github.com/trstctl/trstctl/fsm"
	"github.com/trstctl/trstctl/server/kmip/ttlv"
)

var lifeOperations = map[uint32]operation{
	ttlv.OperationActivate:           {activate, true},
	ttlv.OperationRevoke:             {revoke, true},
	ttlv.OperationDestroy:            {destroy, true},
	ttlv.OperationArchive:            {archive, true},
	ttlv.OperationRecover:            {recoverObject, true},
	ttlv.OperationObtainLease:        {obtainLease, false},
	ttlv.OperationGetUsageAllocation: {getUsageAllocation, true},
	ttlv.OperationCheck:              {check, false},
}

// onObject carries out what takes an object and answers with its identifier.
func onObject(c *call, do func(id string) error) (*ttlv.Item, error) {
	id, err := c.object()
	if err == nil {
		err = do(id)
	}
	if err != nil {
		return nil, err
	}
	c.left(id)
	return payload(id), nil
}

// Activate, Revoke, Destroy, Archive and Recover are KMIP 1.4 sections 4.19 to 4.23.
func activate(c *call) (*ttlv.Item, error)      { return onObject(c, c.stage.Activate) }
func destroy(c *call) (*ttlv.Item, error)       { return onObject(c, c.stage.Destroy) }
func archive(c *call) (*ttlv.Item, error)       { return onObject(c, c.stage.Archive) }
func recoverObject(c *call) (*ttlv.Item, error) { return onObject(c, c.stage.Recover) }

func revoke(c *call) (*ttlv.Item, error) {
	return onObject(c, func(id string) error {
		it, err := c.in.Need(ttlv.TagRevocationReason)
		if err != nil {
			return err
		}
		why, err := decode(it, managedkey.Revocation{})
		if err != nil {
			return err
		}
		at, _, err := optional(c.in, ttlv.TagCompromiseOccurrenceDate, moment)
		if err != nil {
			return err
		}
		return c.stage.Revoke(id, why.(managedkey.Revocation), at)
	})
}

func moment(it *ttlv.Item) (fsm.Time, error) {
	v, err := decode(it, fsm.Time(0))
	if err != nil {
		return 0, err
	}
	return v.(fsm.Time), nil
}

// obtainLease is Obtain Lease (section 4.17).
func obtainLease(c *call) (*ttlv.Item, error) {
	id, err := c.object()
	if err != nil {
		return nil, err
	}
	seconds, last, err := c.stage.ObtainLease(id)
	if err != nil {
		return nil, err
	}
	c.left(id)
	return payload(id, ttlv.Interval(ttlv.TagLeaseTime, seconds), ttlv.DateTime(ttlv.TagLastChangeDate, last.Std().Unix())), nil
}

// getUsageAllocation is Get Usage Allocation (section 4.18).
func getUsageAllocation(c *call) (*ttlv.Item, error) {
	return onObject(c, func(id string) error {
		n, err := required(c.in, ttlv.TagUsageLimitsCount, (*ttlv.Item).LongInteger)
		if err != nil {
			return err
		}
		return c.stage.Allocate(id, n)
	})
}

// check is Check (section 4.10): what is refused comes back with what is allowed instead.
func check(c *call) (*ttlv.Item, error) {
	id, err := c.object()
	if err != nil {
		return nil, err
	}
	ask, err := c.ask()
	if err != nil {
		return nil, err
	}
	refused, err := c.stage.Check(id, ask)
	if err != nil {
		return nil, err
	}
	c.left(id)
	out := payload(id)
	if refused.Count != nil {
		out.Add(ttlv.LongInteger(ttlv.TagUsageLimitsCount, *refused.Count))
	}
	if refused.As != 0 {
		out.Add(ttlv.Integer(ttlv.TagCryptographicUsageMask, int32(refused.As)))
	}
	if refused.Lease != 0 {
		out.Add(ttlv.Interval(ttlv.TagLeaseTime, refused.Lease))
	}
	return out, nil
}

func (c *call) ask() (a managedkey.Ask, err error) {
	count, given, err := optional(c.in, ttlv.TagUsageLimitsCount, (*ttlv.Item).LongInteger)
	if err != nil {
		return a, err
	}
	if given {
		a.Count = &count
	}
	mask, _, err := optional(c.in, ttlv.TagCryptographicUsageMask, (*ttlv.Item).Integer)
	if err != nil {
		return a, err
	}
	a.As = managedkey.UsageMask(uint32(mask))
	a.Lease, _, err = optional(c.in, ttlv.TagLeaseTime, (*ttlv.Item).Interval)
	return a, err
}

// offset reads a duration that a re-key is given.
func (c *call) offset() (*time.Duration, error) {
	seconds, given, err := optional(c.in, ttlv.TagOffset, (*ttlv.Item).Interval)
	if err != nil || !given {
		return nil, err
	}
	d := time.Duration(seconds) * time.Second
	return &d, nil
}
