package fsm

import (
	"errors"

	"github.com/hashicorp/raft"
)

// Append applies one entry behind everything that the store holds, through the code that a node applies its log with, and makes the tables
// durable. It is for a store that no Raft drives: what it appends exists nowhere else.
func (s *Store) Append(term uint64, at Time, e *Entry) (Receipt, error) {
	raw, err := e.Marshal()
	if err != nil {
		return Receipt{}, err
	}
	var b Batch
	b.Add(raw)
	out := s.FSM().Apply(&raft.Log{Index: s.Applied() + 1, Term: term, Type: raft.LogCommand, Data: b.Marshal(term, at)})
	switch answer := out.(type) {
	case error:
		return Receipt{}, answer
	case []Outcome:
		return answer[0].Receipt, errors.Join(answer[0].Err, s.flush())
	}
	return Receipt{}, errors.New("the state machine gave no answer")
}
