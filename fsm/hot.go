package fsm

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// hot keeps small rows that were read or written lately, and what was found absent, so that the token, the tenant and the keys of a
// caller are not looked up in Pebble at every request. It is exact: what it answers is what the reader's snapshot holds.
//
// The count goes up by one before a batch is committed, which takes the rows that the batch changes out, and by one after, which
// brings them in as they are now. A snapshot that was taken while the count stood still at an even number knows it as its own: a row
// that came in at that number or before, and is still there, has not changed since. A row that was read comes in only as long as the
// count stands at its reader's number.
type hot struct {
	mu    sync.RWMutex // guards the rest
	count uint64
	young map[string]hotRow
	old   map[string]hotRow // what young was before it was full: a row that is asked for again comes back from it
}

type hotRow struct {
	value []byte // nil says that there is none
	since uint64
}

const (
	hotRows  = 4096 // in each generation
	hotBytes = 1024 // of the largest row
	cold     = ^uint64(0)
)

func newHot() *hot { return &hot{young: map[string]hotRow{}, count: 2} }

// fit reports whether rows under a key are kept: those that are looked up one by one.
func fit(key []byte) bool {
	switch key[0] {
	case spaceTables, spaceStreams, spaceMeta:
		return true
	case spaceKEKs:
		return len(key) == retiredKeySize
	case spaceReceipts:
		return len(key) >= len(oldestAnswerKey) && key[len(oldestAnswerKey)-1] != 'q' && key[len(oldestAnswerKey)-1] != 'x'
	}
	return false
}

// number returns the count for a snapshot that is about to be taken, and again for one that was: cold when a batch is being committed.
func (c *hot) number() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.count%2 == 1 {
		return cold
	}
	return c.count
}

// get returns a row as the reader with this number sees it. The value must not be changed.
func (c *hot) get(number uint64, key []byte) (value []byte, known bool) {
	if number == cold || !fit(key) {
		return nil, false
	}
	c.mu.RLock()
	row, known := c.young[string(key)]
	aged := false
	if !known {
		row, aged = c.old[string(key)]
	}
	c.mu.RUnlock()
	if !known && !aged || row.since > number {
		return nil, false
	}
	if aged {
		c.renew(key)
	}
	return row.value, true
}

// renew brings a row back from the old ones.
func (c *hot) renew(key []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if row, aged := c.old[string(key)]; aged {
		c.insert(string(key), row)
	}
}

// put brings in what the reader with this number has found under a key, nil for nothing.
func (c *hot) put(number uint64, key, value []byte) {
	if number == cold || !fit(key) || len(value) > hotBytes {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if number == c.count {
		c.insert(string(key), hotRow{value, number})
	}
}

func (c *hot) insert(key string, row hotRow) {
	if len(c.young) >= hotRows {
		c.old, c.young = c.young, make(map[string]hotRow, hotRows)
	}
	c.young[key] = row
}

// fetch reads through the hot rows.
func (c *hot) fetch(number uint64, r pebble.Reader, key []byte) ([]byte, bool, error) {
	if value, known := c.get(number, key); known {
		return value, value != nil, nil
	}
	value, found, err := fetch(r, key)
	if err == nil {
		c.put(number, key, value)
	}
	return value, found, err
}

// begin takes the rows out that a batch changes, before it is committed; end follows the commit.
func (c *hot) begin(changed map[string][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	for k := range changed {
		delete(c.young, k)
		delete(c.old, k)
	}
}

// end brings in what the batch made of them, unless its commit failed.
func (c *hot) end(changed map[string][]byte, failed error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	if failed != nil {
		return
	}
	for k, v := range changed {
		if len(v) <= hotBytes {
			c.insert(k, hotRow{v, c.count})
		}
	}
}
