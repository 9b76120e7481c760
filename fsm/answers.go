package fsm

import "github.com/trstctl/trstctl/fsm/fault"

// The secret part of an answer is destroyed when it is 15 minutes old in log time: by any entry, whoever's it is, since each
// brings one at most and ends up to four, or by AnswersSwept when nobody writes.
//
// Below spaceReceipts and the zero tenant, for all tenants: 'x' moment, sequence -> digest; 'o' -> moment of the oldest, so that
// an entry which has nothing to end reads one row.
const sweepMany = 512

// AnswersSwept has the secret answers destroyed that are too old by then, when no other entry does it.
type AnswersSwept struct{}

// EventType and EventStream implement Event.
func (AnswersSwept) EventType() string   { return "fsm.answers.swept" }
func (AnswersSwept) EventStream() string { return "fsm/answers" }

func applySwept(tx *Tx, m Meta, _ AnswersSwept) error { return sweepAnswers(tx, m.At, sweepMany) }

var oldestAnswerKey = receiptSpace(UID{}, 'o')

func answerTurn(at Time, seq ...any) []byte {
	return append(receiptSpace(UID{}, 'x'), K(append([]any{at}, seq...)...)...)
}

// AnswersDue returns when the oldest secret answer is to be destroyed; found is false when there is none.
func AnswersDue(r Reader) (due Time, found bool, err error) {
	oldest, found, err := oldestAnswer(r)
	return oldest.Add(secretLife + 1), found, err
}

func oldestAnswer(r Reader) (at Time, found bool, err error) {
	b, found, err := r.get(oldestAnswerKey)
	if err != nil || !found {
		return 0, false, err
	}
	if err := Decode(b, &at); err != nil {
		return 0, false, fault.New(fault.Corrupt, "the order of secret answers is damaged").Because(err)
	}
	return at, true, nil
}

func setOldestAnswer(tx *Tx, at Time) error {
	b, err := Encode(at)
	if err != nil {
		return err
	}
	return tx.set(oldestAnswerKey, b)
}

// queueAnswer sees to it that the secret part of an answer is destroyed in time, also when no receipt is kept.
func queueAnswer(tx *Tx, rc Receipt) error {
	if rc.Reply.Secret.IsZero() {
		return nil
	}
	_, found, err := oldestAnswer(tx)
	if err == nil && !found {
		err = setOldestAnswer(tx, rc.At)
	}
	if err != nil {
		return err
	}
	return tx.set(answerTurn(rc.At, rc.Seq), rc.Reply.Secret.digest[:])
}

// sweepAnswers destroys the secret answers that are too old, up to limit. It looks at none but these and the next.
func sweepAnswers(tx *Tx, now Time, limit int) error {
	oldest, found, err := oldestAnswer(tx)
	if err != nil || !found || now.Sub(oldest) <= secretLife {
		return err
	}
	turns, next, err := answersFrom(tx, oldest, now, limit)
	if err != nil {
		return err
	}
	for _, t := range turns {
		if err := tx.Destroy(Sealed{digest: t.key}); err != nil {
			return err
		}
		if err := tx.delete(answerTurn(t.at, t.seq)); err != nil {
			return err
		}
	}
	if next == nil {
		return tx.delete(oldestAnswerKey)
	}
	return setOldestAnswer(tx, next.at)
}

// answersFrom returns the answers from a moment on that are too old, and the one behind them.
func answersFrom(tx *Tx, from, now Time, limit int) (due []turn, next *turn, err error) {
	err = scan(tx, answerTurn(from), successor(receiptSpace(UID{}, 'x')), false, func(k, v []byte) (bool, error) {
		t, err := answerAt(k, v)
		if err != nil {
			return false, err
		}
		if len(due) == limit || now.Sub(t.at) <= secretLife {
			next = &t
			return false, nil
		}
		due = append(due, t)
		return true, nil
	})
	return due, next, err
}

func answerAt(k, v []byte) (turn, error) {
	seq, ok := Key(k).LastUint()
	if ok {
		var at uint64
		at, ok = Key(k[:len(k)-9]).LastUint()
		if ok && len(v) == 32 {
			return turn{Time(at), seq, [32]byte(v)}, nil
		}
	}
	return turn{}, fault.New(fault.Corrupt, "the order of secret answers is damaged")
}
