package logstore

import (
	"sync"

	"github.com/hashicorp/raft"
)

// cacheBytes bounds the recent entries in memory. raft's own cache counts entries, of which 512 can be 300 MiB.
const cacheBytes = 16 << 20

// cache holds a run of consecutive entries that ends with the last one stored.
type cache struct {
	mu   sync.RWMutex
	logs []raft.Log // consecutive indexes
	size int
}

func cost(l *raft.Log) int { return len(l.Data) + len(l.Extensions) + 128 }

// get copies an entry out; its data is shared and must not be changed, as with raft's own stores.
func (c *cache) get(index uint64, l *raft.Log) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if len(c.logs) == 0 || index < c.logs[0].Index || index-c.logs[0].Index >= uint64(len(c.logs)) {
		return false
	}
	*l = c.logs[index-c.logs[0].Index]
	return true
}

// add appends what was stored; an entry that stands where another did ends the old run there.
func (c *cache) add(logs []*raft.Log) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range logs {
		c.cutFrom(l.Index)
		if n := len(c.logs); n > 0 && c.logs[n-1].Index+1 != l.Index {
			c.logs, c.size = nil, 0
		}
		c.logs = append(c.logs, *l)
		c.size += cost(l)
	}
	c.shrink()
}

func (c *cache) shrink() {
	drop := 0
	for c.size > cacheBytes && drop < len(c.logs) {
		c.size -= cost(&c.logs[drop])
		drop++
	}
	if drop == 0 {
		return
	}
	clear(c.logs[:drop]) // so that the data is freed although the array stays
	c.logs = c.logs[drop:]
}

func (c *cache) cutFrom(index uint64) {
	for n := len(c.logs); n > 0 && c.logs[n-1].Index >= index; n-- {
		c.size -= cost(&c.logs[n-1])
		c.logs[n-1] = raft.Log{}
		c.logs = c.logs[:n-1]
	}
}

// remove forgets a range that is deleted: a prefix or a suffix of the log.
func (c *cache) remove(from, to uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.logs) == 0 || to < c.logs[0].Index || from > c.logs[len(c.logs)-1].Index {
		return
	}
	if to >= c.logs[len(c.logs)-1].Index {
		c.cutFrom(from)
		return
	}
	kept := append([]raft.Log(nil), c.logs[to+1-c.logs[0].Index:]...)
	c.logs, c.size = kept, 0
	for i := range kept {
		c.size += cost(&kept[i])
	}
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logs, c.size = nil, 0
}
