package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A batch is the data of one Raft entry: 1 byte format, 8 bytes term, 8 bytes time, then each entry behind its length
// as a varint. The term is the one the entries were decided in: Apply drops the whole batch when Raft gave it another one,
// which raft.Apply cannot promise not to do.
const (
	batchFormat = 1
	batchHeader = 1 + 8 + 8
)

// Batch gathers marshalled entries for one Raft entry. The zero value is empty.
type Batch struct {
	body []byte
	n    int
}

// Add appends one marshalled entry.
func (b *Batch) Add(entry []byte) {
	b.body = binary.AppendUvarint(b.body, uint64(len(entry)))
	b.body = append(b.body, entry...)
	b.n++
}

// Len returns how many entries b holds, Bytes how large they are.
func (b *Batch) Len() int   { return b.n }
func (b *Batch) Bytes() int { return len(b.body) }

// Marshal stamps the batch with the term its entries were decided in and the leader's clock.
func (b *Batch) Marshal(term uint64, at Time) []byte {
	data := make([]byte, 0, batchHeader+len(b.body))
	data = append(data, batchFormat)
	data = binary.BigEndian.AppendUint64(data, term)
	data = binary.BigEndian.AppendUint64(data, uint64(at))
	return append(data, b.body...)
}

type batch struct {
	term    uint64
	at      Time
	entries [][]byte
}

func unmarshalBatch(data []byte) (batch, error) {
	if len(data) < batchHeader {
		return batch{}, errors.New("batch is shorter than its header")
	}
	if data[0] != batchFormat {
		return batch{}, fmt.Errorf("batch has format %d, this binary reads %d", data[0], batchFormat)
	}
	b := batch{term: binary.BigEndian.Uint64(data[1:]), at: Time(binary.BigEndian.Uint64(data[9:]))}
	for rest := data[batchHeader:]; len(rest) > 0; {
		n, w := binary.Uvarint(rest)
		if w <= 0 || n > uint64(len(rest)-w) {
			return batch{}, errors.New("batch ends inside an entry")
		}
		b.entries = append(b.entries, rest[w:w+int(n)])
		rest = rest[w+int(n):]
	}
	return b, nil
}
