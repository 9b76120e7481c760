package fsm

import (
	"time"

	"github.com/trstctl/trstctl/fsm/fault"
	"github.com/trstctl/trstctl/fsm/mutant"
)

// Receipts are kept for 24 hours of log time and 262,144 a tenant, the oldest going first; the sealed part of an answer for
// 15 minutes. Each applied entry removes a few old ones of its own tenant, so that a flood of one evicts nothing of another.
const (
	receiptLife  = 24 * time.Hour
	secretLife   = 15 * time.Minute
	receiptQuota = 1 << 18
	sweepEach    = 4
)

// Below spaceReceipts and the tenant: 'c' -> quota, 'k' hash -> stored receipt, 'q' sequence -> hash; below the zero tenant
// what answers.go says.
type storedReceipt struct {
	Request [32]byte `cbor:"1,keyasint"`
	Receipt Receipt  `cbor:"2,keyasint"`
}

type receiptCount struct {
	Held   uint64 `cbor:"1,keyasint"`
	Oldest uint64 `cbor:"2,keyasint"` // sequence to look from, so that a scan does not pass what was deleted
	Since  Time   `cbor:"3,keyasint"` // moment of that receipt: until it is too old, no other is looked at
}

func receiptSpace(tenant UID, kind byte) []byte {
	return append(append([]byte{spaceReceipts}, tenant[:]...), kind)
}

func readReceipt(r Reader, tenant UID, k *ReceiptKey) (storedReceipt, bool, error) {
	var s storedReceipt
	if k == nil {
		return s, false, nil
	}
	b, found, err := r.get(append(receiptSpace(tenant, 'k'), k.Key[:]...))
	if err != nil || !found {
		return s, false, err
	}
	if err := Decode(b, &s); err != nil {
		return s, false, fault.New(fault.Corrupt, "a receipt is damaged").Because(err)
	}
	return s, true, nil
}

// outcome answers a repetition.
func (s storedReceipt) outcome(k *ReceiptKey, now Time) Outcome {
	switch {
	case k == nil:
		return Outcome{}
	case s.Request != k.Request && !mutant.ReceiptsNotBoundToRequest:
		return Outcome{Err: reused()}
	case s.Receipt.Reply.Once:
		return Outcome{Err: fault.New(fault.Conflict, "this request was carried out before and its answer is given only once")}
	case !s.Receipt.Reply.Secret.IsZero() && now.Sub(s.Receipt.At) > secretLife:
		return Outcome{Err: fault.New(fault.Conflict, "this request was carried out at %s; its secret answer is no longer kept",
			s.Receipt.At.Std().Format(time.RFC3339))}
	}
	rc := s.Receipt
	rc.Replayed = true
	return Outcome{Receipt: rc}
}

// FindReceipt looks for the answer to an earlier attempt: err is what the repetition deserves.
func FindReceipt(v *View, tenant UID, k *ReceiptKey, now Time) (rc Receipt, found bool, err error) {
	s, found, err := readReceipt(v, tenant, k)
	if err != nil || !found {
		return Receipt{}, false, err
	}
	o := s.outcome(k, now)
	return o.Receipt, true, o.Err
}

func storeReceipt(tx *Tx, tenant UID, k *ReceiptKey, rc Receipt) error {
	if k == nil {
		return nil
	}
	b, err := Encode(storedReceipt{k.Request, rc})
	if err != nil {
		return err
	}
	if err := tx.set(append(receiptSpace(tenant, 'k'), k.Key[:]...), b); err != nil {
		return err
	}
	if err := tx.set(receiptTurn(tenant, rc.Seq), k.Key[:]); err != nil {
		return err
	}
	return sweepReceipts(tx, tenant, rc)
}

func receiptTurn(tenant UID, seq uint64) []byte {
	return append(receiptSpace(tenant, 'q'), K(seq)...)
}

// sweepReceipts counts the new receipt and removes what is too old or too much.
func sweepReceipts(tx *Tx, tenant UID, rc Receipt) error {
	c, err := readCount(tx, tenant)
	if err != nil {
		return err
	}
	if c.Held == 0 {
		c.Oldest, c.Since = rc.Seq, rc.At
	}
	c.Held++
	if c.Held > receiptQuota || rc.At.Sub(c.Since) > receiptLife {
		if err := endReceipts(tx, tenant, &c, rc.At); err != nil {
			return err
		}
	}
	b, err := Encode(c)
	if err != nil {
		return err
	}
	return tx.set(receiptSpace(tenant, 'c'), b)
}

func readCount(r Reader, tenant UID) (c receiptCount, err error) {
	b, found, err := r.get(receiptSpace(tenant, 'c'))
	if err != nil || !found {
		return c, err
	}
	if err := Decode(b, &c); err != nil {
		return c, fault.New(fault.Corrupt, "the number of receipts is damaged").Because(err)
	}
	return c, nil
}

// endReceipts removes a few of the oldest receipts and notes in c which is the oldest now.
func endReceipts(tx *Tx, tenant UID, c *receiptCount, now Time) error {
	turns, err := oldestTurns(tx, tenant, c.Oldest)
	if err != nil {
		return err
	}
	for _, t := range turns {
		at, gone, err := sweepReceipt(tx, tenant, t, now, c.Held > receiptQuota)
		if err != nil {
			return err
		}
		c.Oldest, c.Since = t.seq, at
		if !gone {
			return nil
		}
		c.Held--
	}
	return nil
}

// turn is a place in a queue.
type turn struct {
	at  Time // of an answer
	seq uint64
	key [32]byte
}

func oldestTurns(tx *Tx, tenant UID, from uint64) ([]turn, error) {
	var turns []turn
	end := successor(receiptSpace(tenant, 'q'))
	err := scan(tx, receiptTurn(tenant, from), end, false, func(k, v []byte) (bool, error) {
		seq, ok := Key(k).LastUint()
		if !ok || len(v) != 32 {
			return false, fault.New(fault.Corrupt, "the order of receipts is damaged")
		}
		turns = append(turns, turn{seq: seq, key: [32]byte(v)})
		return len(turns) < sweepEach, nil
	})
	return turns, err
}

// sweepReceipt removes one receipt if it is too old or too many are held, and says of when it is and whether it went.
func sweepReceipt(tx *Tx, tenant UID, t turn, now Time, over bool) (at Time, gone bool, err error) {
	s, found, err := readReceipt(tx, tenant, &ReceiptKey{Key: t.key})
	if err != nil {
		return 0, false, err
	}
	at = s.Receipt.At
	if found && !over && now.Sub(at) <= receiptLife {
		return at, false, nil
	}
	if err := tx.Destroy(s.Receipt.Reply.Secret); err != nil {
		return 0, false, err
	}
	if err := tx.delete(append(receiptSpace(tenant, 'k'), t.key[:]...)); err != nil {
		return 0, false, err
	}
	return at, true, tx.delete(receiptTurn(tenant, t.seq))
}
