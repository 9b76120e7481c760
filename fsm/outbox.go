package fsm

import "encoding/binary"

// Owed is a message of the outbox with its place, which orders it.
type Owed struct {
	Seq uint64 // of the record that owes it
	Pos uint64 // within that record
	Message
}

func messageKey(seq, pos uint64) []byte { return append([]byte{spaceOutbox}, K(seq, pos)...) }

func putMessage(tx *Tx, seq uint64, pos int, m Message) error {
	b, err := Encode(m)
	if err != nil {
		return err
	}
	return tx.set(messageKey(seq, uint64(pos)), b)
}

// Outbox returns up to limit messages beyond (seq, pos), oldest first.
func Outbox(r Reader, seq, pos uint64, limit int) ([]Owed, error) {
	var owed []Owed
	err := scan(r, append(messageKey(seq, pos), 0), []byte{spaceOutbox + 1}, false, func(k, v []byte) (bool, error) {
		o := Owed{Seq: binary.BigEndian.Uint64(k[2:10]), Pos: binary.BigEndian.Uint64(k[11:19])}
		if err := Decode(v, &o.Message); err != nil {
			return false, err
		}
		owed = append(owed, o)
		return len(owed) < limit, nil
	})
	return owed, err
}

// Settle removes a message that has been delivered or given up: for the apply function of the event that says so.
func (tx *Tx) Settle(seq, pos uint64) error {
	b, found, err := tx.get(messageKey(seq, pos))
	if err != nil || !found {
		return err
	}
	var m Message
	if err := Decode(b, &m); err != nil {
		return err
	}
	if err := tx.Destroy(m.Body); err != nil {
		return err
	}
	return tx.delete(messageKey(seq, pos))
}
