package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// keeper is one client with one key.
type keeper struct {
	*kmip
	e       *Env
	c       *kmipClient
	process int
	r       *rand.Rand
	alias   string // that nobody else has
	name    string
	shared  bool // others want the name too
	uid     string
	made    []handled // tokens, as decryptions ask for them
	stale   bool      // the key was replaced, or may have been
}

const kmipUses = 14 // of a key's life

func (w *keeper) life(ctx context.Context) {
	if w.uid = w.make(); w.uid == "" {
		w.uid = first(w.do(w.locate(w.name))) // somebody else's, or what came of it
	}
	if w.uid == "" {
		pause(ctx, 50*time.Millisecond)
		return
	}
	if w.r.IntN(4) > 0 {
		w.do(w.change("activate", w.uid))
	}
	w.use(ctx, kmipUses)
	end := w.r.IntN(4)
	if end > 0 || w.shared {
		w.do(w.change("revoke", w.uid))
	}
	if end > 1 || w.shared {
		w.use(ctx, 2)
		w.do(w.change("destroy", w.uid))
	}
	w.use(ctx, 4)
}

// make makes the key, and returns its uid, "" when it was not or nobody knows.
func (w *keeper) make() string {
	if w.r.IntN(2) == 0 {
		return first(w.do(w.create(w.name)))
	}
	material := make([]byte, keyBytes)
	copy(material, w.e.Plant(w.alias)) // which fits
	return first(w.do(w.register(w.name, material)))
}

func first(out shown, _ error) string {
	if len(out.UIDs) == 0 {
		return ""
	}
	return out.UIDs[0]
}

func (w *keeper) use(ctx context.Context, times int) {
	for i := 0; i < times && ctx.Err() == nil; i++ {
		w.turn()
		pause(ctx, time.Duration(w.r.IntN(40))*time.Millisecond)
	}
}

func (w *keeper) turn() {
	switch n := w.r.IntN(12); {
	case n < 3:
		w.do(w.get(w.uid))
	case n < 5:
		w.do(w.locate(w.name))
	case n == 5:
		w.do(w.state(w.uid))
	case n == 6 && !w.shared && !w.stale:
		w.replace()
	case n < 9 || len(w.made) == 0:
		w.protect(fmt.Sprintf("%s-%d", w.alias, len(w.made)))
	default:
		w.do(w.decrypt(w.made[w.r.IntN(len(w.made))]))
	}
}

// replace has another key take the name. When that was not done, for all that is known, it is not tried again: a key that is replaced twice loses its name once.
func (w *keeper) replace() {
	next := first(w.do(w.rekey(w.name, w.uid)))
	if w.stale = next == ""; !w.stale {
		w.uid = next
	}
}

func (w *keeper) protect(message string) {
	if out, err := w.do(w.encrypt(w.uid, message, w.e.value(message))); err == nil && out.Value != "" {
		w.made = append(w.made, handled{UID: w.uid, Message: message, Token: out.Value})
	}
}

// do carries an operation out on some node, and records it.
func (w *keeper) do(k kmipCall) (shown, error) {
	node := w.e.Node(w.r)
	return do(w.e, operation{w.process, k.f, node, k.in, k.reads}, func(ctx context.Context) (shown, error) { return k.on(ctx, w.c, node) })
}

// on carries it out on a node.
func (k kmipCall) on(ctx context.Context, c *kmipClient, node string) (shown, error) {
	answer, err := c.ask(ctx, node, k.operation, k.payload)
	if err != nil {
		return shown{}, err
	}
	defer answer.Wipe()
	return k.read(answer)
}
