package fsmtest

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/hashicorp/raft"

	"github.com/trstctl/trstctl/fsm"
)

// variant is an entry that no engine makes. One that is wrong has to be refused; of the others only agreement is asked.
type variant struct {
	name  string
	entry []byte
	wrong bool
}

// poison rehearses every variant behind a good entry, in one batch, and applies it. Of those that are refused it applies the wrong
// ones and every eighth other, since that costs a store.
func (c *checker) poison() {
	c.Helper()
	dir := c.TempDir()
	s := c.open(dir)
	c.apply(s, c.logs...)
	good := c.marshal(opening(2))[0]
	for i, v := range c.variants() {
		l := &raft.Log{Index: s.Applied() + 1, Term: 2, Data: c.batch(2, Start, good, v.entry)}
		if c.foretold(s, v, l) != nil && !v.wrong && i%8 > 0 || c.survives(s, v, l) {
			continue
		}
		s.Close()
		s = c.open(dir)
	}
}

// foretold returns what a rehearsal of l says, and fails if that panics or leaves a trace.
func (c *checker) foretold(s *fsm.Store, v variant, l *raft.Log) error {
	c.Helper()
	before := c.digest(s)
	err := s.Rehearse(l.Term, l.Data)
	if err != nil && strings.HasPrefix(err.Error(), "panic: ") {
		c.Fatalf("%s: rehearse: %v", v.name, err)
	}
	if c.digest(s) != before {
		c.Fatalf("%s: the rehearsal changed the state", v.name)
	}
	return err
}

// survives reports whether the store accepted l. It fails unless that was foretold and a refusal left no trace.
func (c *checker) survives(s *fsm.Store, v variant, l *raft.Log) bool {
	c.Helper()
	before, foretold := c.digest(s), c.foretold(s, v, l)
	err, _ := s.FSM().Apply(l).(error)
	switch {
	case (err == nil) != (foretold == nil):
		c.Fatalf("%s: rehearse said %v, apply %v", v.name, foretold, err)
	case err == nil && v.wrong:
		c.Fatalf("%s: the entry is accepted", v.name)
	case err != nil && (s.Err() == nil || s.FSM().Apply(l) == nil):
		c.Fatalf("%s: the store goes on after %v", v.name, err)
	case err != nil && c.digest(s) != before:
		c.Fatalf("%s: something of the refused batch is applied", v.name)
	}
	return err == nil
}

// variants spoils one entry of each event type.
func (c *checker) variants() []variant {
	r := rand.New(rand.NewPCG(1, 2))
	samples := c.samples()
	names := slices.Sorted(maps.Keys(samples))
	out := []variant{{"an empty entry", nil, true}, {"an entry of random bytes", noise(r, 64), true}}
	for _, name := range names {
		s := samples[name]
		out = append(out, variant{"half of an entry with " + name, s.raw[:len(s.raw)/2], true},
			variant{"an unknown event in the place of " + name, s.with(fieldType, "fsmtest.unknown"), true})
		out = append(out, s.payloads(name)...)
		for i, data := range spoil(r, s.data) {
			out = append(out, variant{fmt.Sprintf("%s with spoiled data %d, %x", name, i, data), s.with(fieldData, data), false})
		}
		for _, other := range names {
			out = append(out, variant{name + " with the data of " + other, s.with(fieldData, samples[other].data), false})
		}
		for range 8 {
			out = append(out, variant{"a flipped bit in an entry with " + name, flip(r, s.raw), false})
		}
	}
	return out
}

// spoil returns bytes to stand where data did.
func spoil(r *rand.Rand, data []byte) [][]byte {
	out := [][]byte{{}, {0xf6}, {0xa0}, {0xff}, {0xbf, 0xff}, data[:len(data)/2], append(bytes.Clone(data), 0), noise(r, 40), bytes.Repeat([]byte{0x81}, 64)}
	for range 8 {
		out = append(out, flip(r, data))
	}
	return out
}

func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func flip(r *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	b[r.IntN(len(b))] ^= 1 << r.IntN(8)
	return b
}

// sample is an entry of the log that holds a certain event, and that event's data.
type sample struct {
	raw  []byte
	at   int
	data []byte
}

// Fields of a marshalled entry, of its record, and of an event in that.
const (
	fieldRecord = uint64(1)
	fieldBrings = uint64(3)
	fieldEvents = uint64(7)
	fieldType   = uint64(2)
	fieldData   = uint64(4)
)

// samples returns an entry for each event type of the log, without what would end it before its events are looked at.
func (c *checker) samples() map[string]sample {
	c.Helper()
	out := map[string]sample{}
	bare := c.bare(func(e *fsm.Entry) { e.Receipt, e.Guards, e.Idle = nil, nil, nil })
	for _, raw := range c.marshal(bare...) {
		_, events := takeApart(raw)
		for i, e := range events {
			e := e.(map[any]any)
			out[e[fieldType].(string)] = sample{raw, i, e[fieldData].([]byte)}
		}
	}
	return out
}

// with returns the entry with one field of its event replaced.
func (s sample) with(field uint64, value any) []byte {
	whole, events := takeApart(s.raw)
	events[s.at].(map[any]any)[field] = value
	return assemble(whole)
}

// payloads spoils the sealed values that the entry brings beside its record, if it does.
func (s sample) payloads(name string) []variant {
	whole, _ := takeApart(s.raw)
	brought, _ := whole[fieldBrings].([]any)
	if len(brought) == 0 {
		return nil
	}
	blob := brought[0].([]byte)
	blob[len(blob)-1] ^= 1
	changed := assemble(whole)
	delete(whole, fieldBrings)
	return []variant{{name + " with a sealed value that was changed", changed, true}, {name + " without its sealed values", assemble(whole), true}}
}

func assemble(whole map[any]any) []byte {
	out, err := fsm.Encode(whole)
	if err != nil {
		panic(err) // what was decoded can be encoded
	}
	return out
}

func takeApart(raw []byte) (whole map[any]any, events []any) {
	if err := fsm.Decode(raw, &whole); err != nil {
		panic(err) // the entry was just marshalled
	}
	events, _ = whole[fieldRecord].(map[any]any)[fieldEvents].([]any) // an entry may owe messages only
	return whole, events
}
