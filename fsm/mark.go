package fsm

import (
	"github.com/hashicorp/raft"
)

// DigestAsked marks an index at which every node computes the digest of its tables, so that they can be compared.
type DigestAsked struct {
	Soon bool `cbor:"1,keyasint,omitempty"` // somebody waits for it
}

// EventType, EventStream and Since implement Newer.
func (DigestAsked) EventType() string   { return "cluster.digest.asked" }
func (DigestAsked) EventStream() string { return "cluster/digest" }
func (DigestAsked) Since() uint32       { return 2 }

// AtMarks has f called for every DigestAsked that is applied, with a view that stands exactly there; f is called on the apply goroutine and
// owns the view. It is set before Raft starts. A mark is seen only if it is alone in its batch.
func (s *Store) AtMarks(f func(v *View, ask DigestAsked)) { s.marks = f }

// markedUntil returns how many of the entries may be applied in one step: up to the first mark, which it returns too.
func (s *Store) markedUntil(logs []*raft.Log) (n int, ask *DigestAsked) {
	if s.marks == nil {
		return len(logs), nil
	}
	for i, l := range logs {
		if l.Type != raft.LogCommand {
			continue
		}
		if e, ok := onlyEvent(l.Data); ok && e.Type == (DigestAsked{}).EventType() {
			ask = new(DigestAsked)
			if Decode(e.Data, ask) == nil {
				return i + 1, ask
			}
		}
	}
	return len(logs), nil
}

// mark hands a view of the present state out. Without one the mark passes unseen on this node: the next one will do.
func (s *Store) mark(ask DigestAsked) {
	v, err := s.View()
	if err != nil {
		s.log.Warn("the state was not pinned for a digest", "err", err)
		return
	}
	s.marks(v, ask)
}

// onlyEvent returns the event of a small batch that holds one entry with one event.
func onlyEvent(data []byte) (rawEvent, bool) {
	b, err := unmarshalBatch(data)
	if err != nil || len(b.entries) != 1 || len(b.entries[0]) > 512 {
		return rawEvent{}, false
	}
	var f frame
	if Decode(b.entries[0], &f) != nil || len(f.Record.Events) != 1 {
		return rawEvent{}, false
	}
	return f.Record.Events[0], true
}
