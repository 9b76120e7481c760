package fsm

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// hot keeps small rows that were read lately, so that the token, the tenant and the keys of a caller are not looked up in Pebble at every
// request. It is exact: what it answers is what the reader's snapshot holds.
//
// The count goes up by one before a batch is committed, which takes the rows that the batch changes out, and by one after. A
// snapshot that was taken while the count stood still at an even number knows it as its own: a row that came in at that number or
// before, and is still there, has not changed since. A row comes in only as long as the count stands at its reader's number.
type hot struct {
	mu    sync.RWMutex // guards the rest
	count uint64
	young map[string]hotRow
	old   map[string]hotRow // what young was before it was full: a row that is asked for again comes back from it
}

type hotRow struct {
	value []byte
	since uint64
}

const (
	hotRows  = 4096 // in each generation
	hotBytes = 1024 // of the largest row
	cold     = ^uint64(0)
)

func newHot() *hot { return &hot{young: map[string]hotRow{}, count: 2} }

// fit reports whether rows under a key are kept: those of tables and streams, of which some are read again and again.
func fit(key []byte) bool { return key[0] == spaceTables || key[0] == spaceStreams }

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
func (c *hot) get(number uint64, key []byte) ([]byte, bool) {
	if number == cold || !fit(key) {
		return nil, false
	}
	c.mu.RLock()
	row, young := c.young[string(key)]
	var found bool
	if !young {
		row, found = c.old[string(key)]
	}
	c.mu.RUnlock()
	if !young && !found || row.since > number {
		return nil, false
	}
	if found {
		c.put(row.since, key, row.value)
	}
	return row.value, true
}

// put brings a row in that the reader with this number has found.
func (c *hot) put(number uint64, key, value []byte) {
	if number == cold || !fit(key) || len(value) > hotBytes {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, aged := c.old[string(key)]; number != c.count && !aged {
		return
	}
	if len(c.young) >= hotRows {
		c.old, c.young = c.young, make(map[string]hotRow, hotRows/4)
	}
	c.young[string(key)] = hotRow{value, number}
}

// fetch reads through the hot rows.
func (c *hot) fetch(number uint64, r pebble.Reader, key []byte) ([]byte, bool, error) {
	if value, found := c.get(number, key); found {
		return value, true, nil
	}
	value, found, err := fetch(r, key)
	if err == nil && found {
		c.put(number, key, value)
	}
	return value, found, err
}

// begin takes the rows under these keys out before a batch that changes them is committed; end follows the commit.
func (c *hot) begin(keys map[string]struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	for k := range keys {
		delete(c.young, k)
		delete(c.old, k)
	}
}

func (c *hot) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
}
