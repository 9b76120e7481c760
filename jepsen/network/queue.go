package network

import (
	"bytes"
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// Bounds of what waits for one device. The second stands for what a packet costs beside its bytes.
const (
	queueBytes  = 16 << 20
	parcelBytes = 256
)

// parcel is a packet that is under way.
type parcel struct {
	packet
	from *device
	lane lane
	at   time.Time // when it was sent
	luck float64   // its share of any jitter

	due time.Time
	n   uint64 // in the order in which they began to wait
}

// lane is within what packets keep their order.
type lane struct {
	from  *device
	class Class
}

// queue is what waits for a device: for its time, or for a change of rules. It holds at most queueBytes. The zero value is empty.
type queue struct {
	timed parcels // a heap
	held  []*parcel
	size  int
	next  uint64
	lanes map[lane]*tail
}

// tail is the end of a lane's part of timed.
type tail struct {
	waiting int
	due     time.Time
}

// accept copies the parcel, whose bytes are the caller's; nil when it would be too much.
func (q *queue) accept(p *parcel) *parcel {
	if q.size+len(p.bytes)+parcelBytes > queueBytes {
		return nil
	}
	own := *p
	own.bytes, own.n = bytes.Clone(p.bytes), q.next
	q.size += len(p.bytes) + parcelBytes
	q.next++
	return &own
}

// hold keeps a parcel until the rules change.
func (q *queue) hold(p *parcel) bool {
	own := q.accept(p)
	if own != nil {
		q.held = append(q.held, own)
	}
	return own != nil
}

// put keeps a parcel until it is due, and behind those before it in its lane.
func (q *queue) put(p *parcel) bool {
	own := q.accept(p)
	if own == nil {
		return false
	}
	if q.lanes == nil {
		q.lanes = map[lane]*tail{}
	}
	t := q.lanes[own.lane]
	if t == nil {
		t = &tail{}
		q.lanes[own.lane] = t
	}
	if own.due.Before(t.due) {
		own.due = t.due
	}
	t.waiting, t.due = t.waiting+1, own.due
	heap.Push(&q.timed, own)
	return true
}

// idle reports that a lane's packets need not wait for earlier ones.
func (q *queue) idle(l lane) bool { return q.lanes[l] == nil }

// first returns when the next parcel is due.
func (q *queue) first() (time.Time, bool) {
	if len(q.timed) == 0 {
		return time.Time{}, false
	}
	return q.timed[0].due, true
}

// pop returns the next parcel that is due, nil if none is.
func (q *queue) pop(now time.Time) *parcel {
	if due, any := q.first(); !any || due.After(now) {
		return nil
	}
	p := heap.Pop(&q.timed).(*parcel)
	q.size -= len(p.bytes) + parcelBytes
	t := q.lanes[p.lane]
	if t.waiting--; t.waiting == 0 {
		delete(q.lanes, p.lane)
	}
	return p
}

// empty returns all parcels in the order in which they began to wait.
func (q *queue) empty() []*parcel {
	all := append(q.held, q.timed...)
	*q = queue{next: q.next}
	slices.SortFunc(all, func(a, b *parcel) int { return cmp.Compare(a.n, b.n) })
	return all
}

// parcels are a heap by due time.
type parcels []*parcel

func (p parcels) Len() int      { return len(p) }
func (p parcels) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p parcels) Less(i, j int) bool {
	if p[i].due.Equal(p[j].due) {
		return p[i].n < p[j].n
	}
	return p[i].due.Before(p[j].due)
}
func (p *parcels) Push(x any) { *p = append(*p, x.(*parcel)) }
func (p *parcels) Pop() any {
	last := (*p)[len(*p)-1]
	(*p)[len(*p)-1] = nil
	*p = (*p)[:len(*p)-1]
	return last
}
