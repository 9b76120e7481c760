package ttlv

// The limits of a message where Limits does not say otherwise.
const (
	DefaultSize  = 1 << 20
	DefaultDepth = 32
	DefaultItems = 1 << 15
)

// Limits bound what one message may cost. They hold for reading and for writing, so that what is written can be read again
// under the same limits. A field that is 0 means the default. In memory a tree takes 64 bytes an item beside the message.
type Limits struct {
	Size  int // bytes of a whole message in its encoding
	Depth int // items around and including the innermost one
	Items int // items of a whole message
}

func (l Limits) size() int  { return either(l.Size, DefaultSize) }
func (l Limits) depth() int { return either(l.Depth, DefaultDepth) }
func (l Limits) items() int { return either(l.Items, DefaultItems) }

func either(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

// walk counts what a message costs while it is walked, and knows where the walk is.
type walk struct {
	limits Limits
	items  int
	path   []Tag
}

func newWalk(l Limits) walk { return walk{limits: l, path: make([]Tag, 0, DefaultDepth)} }

// enter notes an item at offset at, before anything about it is known but its place.
func (w *walk) enter(at int64) error {
	if w.items++; w.items > w.limits.items() {
		return w.fail(TooComplex, at, "more items than are allowed")
	}
	if len(w.path) >= w.limits.depth() {
		return w.fail(TooComplex, at, "nested deeper than is allowed")
	}
	return nil
}

func (w *walk) push(t Tag) { w.path = append(w.path, t) }
func (w *walk) pop()       { w.path = w.path[:len(w.path)-1] }

func (w *walk) fail(k Kind, at int64, reason string) error {
	return &Error{Kind: k, Offset: at, Path: append([]Tag(nil), w.path...), Reason: reason}
}
