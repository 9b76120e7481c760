package fsm

import (
	"time"

	"github.com/trstctl/trstctl/fsm/fault"
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
	case s.Request != k.Request:
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
	countKey := receiptSpace(tenant, 'c')
	var c receiptCount
	b, found, err := tx.get(countKey)
	if err == nil && found {
		err = Decode(b, &c)
	}
	if err != nil {
		return err
	}
	c.Held++
	turns, err := oldestTurns(tx, tenant, c.Oldest)
	if err != nil {
		return err
	}
	for _, t := range turns {
		gone, err := sweepReceipt(tx, tenant, t, rc.At, c.Held > receiptQuota)
		if err != nil {
			return err
		}
		if !gone {
			break
		}
		c.Held, c.Oldest = c.Held-1, t.seq
	}
	if b, err = Encode(c); err != nil {
		return err
	}
	return tx.set(countKey, b)
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
		seq, ok := lastUint(k)
		if !ok || len(v) != 32 {
			return false, fault.New(fault.Corrupt, "the order of receipts is damaged")
		}
		turns = append(turns, turn{seq: seq, key: [32]byte(v)})
		return len(turns) < sweepEach, nil
	})
	return turns, err
}

// sweepReceipt removes one receipt if it is too old or too many are held, and says whether it did.
func sweepReceipt(tx *Tx, tenant UID, t turn, now Time, over bool) (bool, error) {
	s, found, err := readReceipt(tx, tenant, &ReceiptKey{Key: t.key})
	if err != nil {
		return false, err
	}
	if found && !over && now.Sub(s.Receipt.At) <= receiptLife {
		return false, nil
	}
	if err := tx.Destroy(s.Receipt.Reply.Secret); err != nil {
		return false, err
	}
	if err := tx.delete(append(receiptSpace(tenant, 'k'), t.key[:]...)); err != nil {
		return false, err
	}
	return true, tx.delete(receiptTurn(tenant, t.seq))
}
